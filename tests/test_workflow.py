"""The workflow, and the checks before a commit, run what exists."""

import os
import re
import shlex
from pathlib import Path

import pytest
import yaml

from dlcli.cli.hints import _called
from dlcli.cli.main import cli
from tests.test_dependencies import PYPROJECT

REPOSITORY = Path(__file__).parent.parent
JOBS = yaml.safe_load((REPOSITORY / ".github/workflows/test.yml").read_text("utf-8"))["jobs"]
LINES = [
    line.strip()
    for job in JOBS.values()
    for step in job["steps"]
    for line in step.get("run", "").splitlines()
]


def test_every_python_that_is_supported_is_tried_on_linux():
    versions = JOBS["linux"]["strategy"]["matrix"]["python"]
    assert PYPROJECT["project"]["requires-python"] == f">={versions[0]}"
    assert versions == [f"3.{minor}" for minor in range(11, 11 + len(versions))]
    assert ".ci/run" in LINES
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)


def test_the_coverage_is_checked():
    assert ".ci/run coverage" in LINES
    ci = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    *_, condition, test, _, other, end = ci.splitlines()
    assert [condition, test.strip(), other.strip(), end] == [
        "if [ $# -eq 0 ]; then",
        "make test",
        'make "$@"',
        "fi",
    ]


def test_macos_and_windows_are_tried_too():
    assert JOBS["quick"]["strategy"]["matrix"]["system"] == ["macos-latest", "windows-latest"]
    (line,) = [line for line in LINES if "pytest" in line]
    folders = [word for word in shlex.split(line) if word.startswith("tests/")]
    assert len(folders) > 3
    for folder in folders:
        assert list((REPOSITORY / folder).glob("test_*.py"))


@pytest.mark.parametrize("line", [line for line in LINES if re.search(r"\bdlcli [a-z]", line)])
def test_a_call_of_dlcli_is_understood(line):
    call = _called(cli, shlex.split(line.removeprefix("run=$(").removesuffix(")"))[1:])
    call.command.make_context(call.path, list(call.words))


def test_the_checks_before_a_commit_are_those_of_make_lint():
    config = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text("utf-8"))
    hooks = [hook["entry"].split() for repo in config["repos"] for hook in repo["hooks"]]
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    (lint,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    for program, *_ in hooks:
        assert program.replace(".venv/bin", "$(BIN)") in lint
