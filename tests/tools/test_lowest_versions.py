"""The constraints by which ``make lowest`` installs."""

import tomllib

import pytest

from tools.lowest_versions import PYPROJECT, constraints


def test_every_direct_dependency_has_a_lowest_version():
    pyproject = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    found = dict(line.split("==") for line in constraints(pyproject))
    direct = pyproject["project"]["dependencies"]
    assert len(direct) > 5
    for requirement in direct:
        name, version = requirement.split(">=")
        assert found[name] == version
    assert {"numba", "pytest", "ruff", "hatchling"} <= found.keys()
    assert "dlcli[numba]" not in found


@pytest.mark.parametrize("requirement", ["numpy", "numpy<3", "numpy>=2,<3", "numpy~=2.0"])
def test_a_dependency_without_one_is_an_error(requirement):
    project = {"name": "dlcli", "dependencies": [requirement], "optional-dependencies": {}}
    with pytest.raises(ValueError, match="has no lowest version"):
        list(
            constraints(
                {"build-system": {"requires": []}, "project": project, "dependency-groups": {}}
            )
        )
