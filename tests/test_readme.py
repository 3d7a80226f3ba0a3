"""The README is right: its generated parts are up to date and its commands run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.cli.main import COMMANDS, cli, run
from dlcli.config import files as config_files
from dlcli.config.files import shipped_configs
from dlcli.export.safetensors_format import modules
from dlcli.runs.checkpoint import Model
from dlcli.training.builders import make_network
from tools import generate_readme

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)


def test_generated_parts_are_up_to_date():
    assert generate_readme.render(TEXT) == TEXT, "run: make readme"


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, which .ci/run installs")
def test_the_lines_of_the_tour_run(tmp_path):
    lines = [
        line.removeprefix("$ ")
        for block in blocks("console")
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    assert len(lines) > 15
    finished = subprocess.run(
        ["bash", "-c", "\n".join(["set -eo pipefail", *lines])],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    assert "good enough" in finished.stdout
    assert "exit code 2" in finished.stdout


def test_every_command_and_shipped_config_is_mentioned():
    for name in COMMANDS:
        assert f"`dlcli {name}" in TEXT
    for name in shipped_configs():
        assert f"[{name}](configs/{name}.yaml)" in TEXT


def test_every_option_the_readme_uses_exists():
    known = {"--help", "--version", "--quiet", "--debug"}
    with cli.make_context("dlcli", ["runs"]) as context:
        commands = [cli.get_command(context, name) for name in COMMANDS]
    for command in commands:
        for part in [command, *getattr(command, "commands", {}).values()]:
            known |= {word for parameter in part.params for word in parameter.opts}
    used = {
        option
        for line in TEXT.splitlines()
        if "dlcli " in line
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line)
    }
    assert used <= known


def test_every_file_the_readme_links_exists():
    for target in re.findall(r"\]\(([\w./-]+)\)", TEXT):
        assert (README.parent / target).exists(), target


def test_every_linked_function_exists():
    for function, module in re.findall(r"\[`([\w.]+)`\]\(dlcli/([\w/]+)\.py\)", TEXT):
        name = function.removeprefix(f"{module}.")
        if name != "py" and not function.endswith(".py"):
            text = (README.parent / "dlcli" / f"{module}.py").read_text(encoding="utf-8")
            assert re.search(rf"(def|class) {name.rpartition('.')[2]}\b", text), function


def test_the_python_examples_run(trained_model, tmp_path, monkeypatch, capsys):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "latest").symlink_to(trained_model)
    monkeypatch.chdir(tmp_path)
    assert run(["data", "export", "--dataset", "sample", "--limit", "1", "-o", "digits"]) == 0
    assert run(["export", "-o", "digits.onnx"]) == 0
    for example in blocks("python"):
        if "import torch" not in example:
            exec(example, {})  # noqa: S102 - the README's own lines
    printed = capsys.readouterr().out
    assert "(784, 128)" in printed
    assert "[7]\n" in printed
    assert "(1, 10) 7\n" in printed


def test_the_pytorch_example_matches_the_exported_model():
    config = config_files.load(["quickstart"])
    model = Model(Path(), make_network(config, 10), config.loss, {}, {})
    (example,) = [block for block in blocks("python") if "import torch" in block]
    assert f"Sequential({modules(model)})" in example
