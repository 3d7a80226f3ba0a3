"""The Dockerfile copies what exists, and the documentation runs what it defines."""

import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from dlcli.cli.main import cli
from tests.test_dependencies import PYPROJECT

REPOSITORY = Path(__file__).parent.parent
TEXT = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
INSTRUCTIONS = [
    tuple(line.split(maxsplit=1)) for line in TEXT.splitlines() if line and line[0] != "#"
]
SENT = {
    line[1:]
    for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line.startswith("!")
}


def last(instruction: str) -> str:
    """What the image has in the end."""
    return [value for name, value in INSTRUCTIONS if name == instruction][-1]


def test_what_is_copied_exists_and_is_all_that_is_sent_to_the_builder():
    copied = {
        source
        for name, value in INSTRUCTIONS
        if name == "COPY" and not value.startswith("--from")
        for source in value.split()[:-1]
    }
    assert copied == SENT
    assert all((REPOSITORY / source).exists() for source in copied)


def test_a_package_built_from_what_is_sent_has_all_its_files():
    """Whatever ``pyproject.toml`` names is there, or else the build fails."""
    project, targets = PYPROJECT["project"], PYPROJECT["tool"]["hatch"]["build"]["targets"]
    needed = [
        project["readme"],
        *project["license-files"],
        PYPROJECT["tool"]["hatch"]["version"]["path"],
    ]
    needed += [*targets["wheel"]["force-include"], *targets["wheel"]["shared-data"]]
    assert {path.split("/")[0] for path in needed} <= SENT


def test_the_constraints_and_extras_of_the_installation_exist():
    assert "--constraint requirements/dev.lock" in TEXT
    assert (REPOSITORY / "requirements" / "dev.lock").is_file()
    page = (REPOSITORY / "docs" / "install.md").read_text(encoding="utf-8")
    extras = re.findall(r"EXTRAS=(\w+)", TEXT + page)
    assert len(extras) == 2
    assert set(extras) <= PYPROJECT["project"]["optional-dependencies"].keys()


def test_the_image_is_small_and_does_not_run_as_root():
    bases = {value.split()[0] for name, value in INSTRUCTIONS if name == "FROM"}
    assert bases == {"python:3.13-slim"}
    assert "--no-cache-dir" in TEXT
    assert int(last("USER")) > 0
    assert f"--uid {last('USER')} " in TEXT


def test_documented_commands_are_those_of_dlcli():
    assert last("ENTRYPOINT") == '["dlcli"]'
    assert last("WORKDIR") == "/workdir"
    page = (REPOSITORY / "docs" / "install.md").read_text(encoding="utf-8")
    runs = re.findall(r"^docker run (.*)$", page, flags=re.MULTILINE)
    assert len(runs) == 2
    for line in runs:
        words = shlex.split(line)
        assert "$PWD:/workdir" in words
        command = words[words.index("dlcli") + 1]
        assert CliRunner().invoke(cli, [command, "--help"]).exit_code == 0
