"""Print the lowest versions that ``pyproject.toml`` allows, as constraints for pip.

make lowest
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def constraints(pyproject: dict[str, Any]) -> Iterator[str]:
    """``NAME==VERSION`` for every direct dependency, including extras, groups and the build."""
    project = pyproject["project"]
    requirements = [
        *pyproject["build-system"]["requires"],
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
        *(r for group in pyproject["dependency-groups"].values() for r in group),
    ]
    # A group that includes others has a table for each.
    requirements = [r for r in requirements if isinstance(r, str)]
    # An extra that names other extras of this project has no version.
    for requirement in sorted({r for r in requirements if not r.startswith(project["name"])}):
        match = re.fullmatch(r"([\w.-]+)(?:>=|==)([\w.]+)", requirement)
        if match is None:
            raise ValueError(f"{PYPROJECT.name}: {requirement!r} has no lowest version")
        yield "{}=={}".format(*match.groups())


if __name__ == "__main__":
    print("\n".join(constraints(tomllib.loads(PYPROJECT.read_text(encoding="utf-8")))))
