"""The lock file of development has every package that ``pyproject.toml`` asks for."""

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PYPROJECT["dependency-groups"]
LINES = [
    line
    for line in (REPOSITORY / "requirements" / "dev.lock").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def asked_for() -> list[Requirement]:
    """The dependencies, those of every extra and those of every group."""
    project = PYPROJECT["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values(), *GROUPS.values()]
    texts = {text for entries in lists for text in entries if isinstance(text, str)}
    return [Requirement(text) for text in sorted(texts) if not text.startswith("dlcli[")]


PINNED = defaultdict(list)
for line in LINES:
    pin = Requirement(line)
    (version,) = pin.specifier
    PINNED[canonicalize_name(pin.name)].append(version.version)


@pytest.mark.parametrize("requirement", asked_for(), ids=str)
def test_every_dependency_is_pinned_to_a_version_that_is_allowed(requirement):
    versions = PINNED[canonicalize_name(requirement.name)]
    assert versions, "run: make lock"
    assert all(requirement.specifier.contains(version) for version in versions), "run: make lock"


@pytest.mark.parametrize("line", LINES)
def test_the_lock_file_names_packages_and_versions_only(line):
    """So it fits any index, and no path of the machine that made it is in it."""
    assert re.fullmatch(r"[a-z0-9._-]+==[\w.]+( ; [\w\s.<>=!'\"()]+)?", line)


def test_groups_include_groups_that_exist_and_dev_has_them_all():
    included = [entry["include-group"] for entry in GROUPS["dev"]]
    assert sorted([*included, "dev"]) == sorted(GROUPS)
    for file in ("Makefile", ".github/workflows/test.yml"):
        named = re.findall(r"--group (\w+)", (REPOSITORY / file).read_text(encoding="utf-8"))
        assert named
        assert set(named) <= GROUPS.keys()
