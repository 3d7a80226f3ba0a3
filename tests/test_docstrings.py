"""Each package's docstring is its map: it names everything that is in the package."""

import ast
import re
from pathlib import Path

import pytest

import dlcli
from dlcli.cli.main import COMMANDS

PACKAGES = sorted(path.parent for path in Path(dlcli.__file__).parent.rglob("__init__.py"))
IN_NO_MAP = {"__init__", "__main__", "__pycache__", "configs"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_package_names_each_of_its_modules(package):
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    there = {path.stem for path in package.iterdir() if path.is_dir() or path.suffix == ".py"}
    expected = there - IN_NO_MAP - (set(COMMANDS) if package.name == "cli" else set())
    assert expected <= set(re.findall(r"``(\w+)/?``", docstring))
    assert set(re.findall(r"^- ``(\w+)/?``", docstring, re.MULTILINE)) <= there
