"""The README and the pages of docs/ are right: generated parts, commands, links, examples."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlcli.cli.main import COMMANDS, cli, run
from dlcli.config import files as config_files
from dlcli.config.files import shipped_configs
from dlcli.export.safetensors_format import modules
from dlcli.runs.checkpoint import Model
from dlcli.training.builders import make_network
from tools import generate_docs

REPOSITORY = Path(__file__).parent.parent
README = REPOSITORY / "README.md"
INDEX = (REPOSITORY / "docs" / "index.md").read_text(encoding="utf-8")
# In the order of the table of contents, in which a reader meets them.
NAMES = [
    name
    for tree in re.findall(r"^```{toctree}\n(.*?)^```", INDEX, flags=re.MULTILINE | re.DOTALL)
    for name in re.findall(r"^[\w-]+$", tree, flags=re.MULTILINE)
]
PAGES = [README, *(REPOSITORY / "docs" / f"{name}.md" for name in NAMES)]
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in PAGES}


def blocks(language: str, *names: str) -> list[str]:
    """The code of a language on some pages, or on all."""
    text = "\n".join(TEXTS[name] for name in names or TEXTS)
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", generate_docs.PARTS)
def test_generated_parts_are_up_to_date(name):
    assert generate_docs.render(name) == TEXTS[name], "run: make readme"


def test_the_table_of_contents_has_every_page():
    pages = {path.stem for path in (REPOSITORY / "docs").glob("*.md")}
    assert sorted(NAMES) == sorted(pages - {"index"})
    for name in pages - {"index", "changelog"}:
        assert f"]({name}.md)" in INDEX


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_short_and_begins_with_its_title(path):
    lines = TEXTS[path.name].splitlines()
    assert len(lines) <= (200 if path == README else 250)
    assert lines[0].startswith("# ")


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, which .ci/run installs")
def test_the_lines_of_every_page_run_one_after_the_other(tmp_path):
    lines = dict.fromkeys(  # the pages have some of them in common
        line.removeprefix("$ ")
        for block in blocks("console")
        for line in block.splitlines()
        if line.startswith("$ ")
    )
    assert len(lines) > 25
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
        assert f"`dlcli {name}" in TEXTS["README.md"]
        assert f"`dlcli {name}" in TEXTS["commands.md"]
    for name in shipped_configs():
        assert f"[{name}](../configs/{name}.yaml)" in TEXTS["config.md"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_option_that_is_used_exists(path):
    known = {"--help", "--version", "--quiet", "--debug"}
    with cli.make_context("dlcli", ["runs"]) as context:
        commands = [cli.get_command(context, name) for name in COMMANDS]
    for command in commands:
        for part in [command, *getattr(command, "commands", {}).values()]:
            known |= {
                word
                for parameter in part.params
                for word in parameter.opts + parameter.secondary_opts
            }
    used = {
        option
        for line in TEXTS[path.name].splitlines()
        if "dlcli " in line
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub("^docker.* dlcli ", "", line))
    }
    assert used <= known


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(path):
    for target, anchor in re.findall(r"\]\(([\w./-]*)(#[\w-]+)?\)", TEXTS[path.name]):
        linked = path.parent / target if target else path
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text("utf-8"), flags=re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}
            assert anchor[1:] in slugs, f"{target}{anchor}"


def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "dummy"]
    finished = subprocess.run(
        [*command, REPOSITORY / "docs", tmp_path], capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr


def test_every_picture_of_the_readme_exists():
    pictures = re.findall(r'(?:src|srcset)="(.*?)"', TEXTS["README.md"])
    assert len(pictures) == 4
    for picture in pictures:
        assert (REPOSITORY / picture).is_file(), picture


def test_every_linked_function_exists():
    for text in TEXTS.values():
        for function, module in re.findall(r"\[`([\w.]+)`\]\([./]*dlcli/([\w/]+)\.py\)", text):
            name = function.removeprefix(f"{module}.")
            if name != "py" and not function.endswith(".py"):
                code = (REPOSITORY / "dlcli" / f"{module}.py").read_text(encoding="utf-8")
                assert re.search(rf"(def|class) {name.rpartition('.')[2]}\b", code), function


def test_the_python_examples_run(trained_model, tmp_path, monkeypatch, capsys):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "latest").symlink_to(trained_model)
    monkeypatch.chdir(tmp_path)
    assert run(["data", "export", "--dataset", "sample", "--limit", "1", "-o", "digits"]) == 0
    assert run(["export", "-o", "digits.onnx"]) == 0
    # tests/test_library_guide.py runs those of the library.
    for example in blocks("python", *(TEXTS.keys() - {"library.md"})):
        if "import torch" not in example:
            exec(example, {})  # noqa: S102 - the documentation's own lines
    printed = capsys.readouterr().out
    assert "(784, 128)" in printed
    assert "(1, 10) 7\n" in printed


def test_the_pytorch_example_matches_the_exported_model():
    config = config_files.load(["quickstart"])
    unused: Any = None
    model = Model(Path(), make_network(config, 10), config.loss, unused, {})
    (example,) = [block for block in blocks("python") if "import torch" in block]
    assert f"Sequential({modules(model)})" in example


KINDS_OF_CHANGES = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_changelog_has_the_form_of_keep_a_changelog():
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased, *released = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert unreleased == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", title) for title in released)
    for section in re.split("^## ", text, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.*)$", section, flags=re.MULTILINE)
        assert kinds
        assert len(kinds) == len(set(kinds))
        assert set(kinds) <= KINDS_OF_CHANGES


def test_every_target_of_make_is_explained():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*##", makefile, flags=re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", makefile, flags=re.MULTILINE)
    assert targets == set(phony.replace("\\\n", " ").split())
    explained = set(re.findall(r"^\| `make (\w+)` \|", TEXTS["developing.md"], re.MULTILINE))
    assert targets - explained == {"help", "train", "clean"}
    assert set(re.findall(r"`make (\w+)", TEXTS["developing.md"])) <= targets
