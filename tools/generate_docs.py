"""Write the generated parts of the documentation, and the model card of the pretrained model.

From: the config schema, the table of datasets, the import contract, and the recorded results of
``make accuracy``, ``make bench``, ``make exports``, ``make faults``, ``make numbers``,
``make photographs`` and ``make pretrained``.
Takes a second.

    make readme
"""

import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from itertools import takewhile
from pathlib import Path

from benchmarks import accuracy, exports, speed
from dlcli.config.reference import reference
from dlcli.data.registry import DATASETS
from tests.faults import record
from tools import generated, publish_pretrained

REPOSITORY = Path(__file__).parent.parent
DOCS = REPOSITORY / "docs"


def datasets() -> str:
    """The table of datasets."""
    lines = ["| dataset | content | licence |", "| --- | --- | --- |"]
    for name, info in DATASETS.items():
        card = f" ([data card](../dlcli/data/{name}/DATACARD.md))" if info.embedded else ""
        lines.append(f"| `{name}` | {info.title}{card} | {info.licence} |")
    lines.append("| a folder | four IDX files, gzipped or not, or pictures of each class | yours |")
    return "\n".join(lines) + "\n"


def layers() -> str:
    """The packages as the import contract orders them, with what each is for."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]
    lines = ["| packages | each may import those below |", "| --- | --- |"]
    for names in contract["layers"]:
        packages = [name.strip() for name in names.split("|")]
        linked = ", ".join(f"`{name}`" for name in packages)
        lines.append(f"| {linked} | {'; '.join(map(_summary, packages))} |")
    return "\n".join(lines) + "\n"


def _summary(package: str) -> str:
    """The first sentence of a package's docstring."""
    folder = REPOSITORY / "dlcli" / package
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return file.read_text(encoding="utf-8").partition('"""')[2].splitlines()[0].rstrip('".')


def sums(record: str) -> str:
    """The first table of a record in ``benchmarks/``, without the rows that are summed up."""
    lines = (REPOSITORY / "benchmarks" / record).read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("|"))
    table = list(takewhile(lambda line: line.startswith("|"), lines[first:]))
    bold = [line.replace("**", "") for line in table if line.startswith("| **")]
    return "\n".join([*table[:2], *bold]) + "\n"


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "config.md": {"config": reference},
    "data.md": {"datasets": datasets},
    "developing.md": {"layers": layers},
    "export.md": {"exports": exports.table},
    "reliability.md": {"reliability": record.table},
    "results.md": {
        "results": accuracy.table,
        "photographs": partial(sums, "PHOTOGRAPHS.md"),
        "numbers": partial(sums, "NUMBERS.md"),
    },
    "speed.md": {"speed": speed.table},
}


def render(name: str) -> str:
    """A page of ``docs/`` with every generated part up to date."""
    return generated.fill((DOCS / name).read_text(encoding="utf-8"), PARTS[name], name)


if __name__ == "__main__":
    for page in PARTS:
        (DOCS / page).write_text(render(page), encoding="utf-8")
    publish_pretrained.write_card()
