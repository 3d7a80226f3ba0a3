"""The table of ``docs/speed.md``: every case of RESULTS.md, those that dlcli loses included."""

import re
from collections.abc import Iterator
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
_OTHERS = ("PyTorch", "JAX, epoch jitted", "scikit-learn", "matrix products alone")

Row = dict[str, str]


def table() -> str:
    """When and where it was measured, and dlcli's time beside the others' in each case."""
    text = RESULTS.read_text(encoding="utf-8")
    found = {key: _found(pattern, text) for key, pattern in _FACTS.items()}
    lines = [
        "Measured on {date}, on {processor}; {met} of {targets} targets were met.".format(**found),
        "",
        "| network | dlcli | to PyTorch | to JAX | to scikit-learn | matrix products |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for title, rows in sections(text):
        lines.extend(_lines(title, rows))
    return "\n".join(lines) + "\n"


_FACTS = {
    "date": r"on (\d{4}-\d\d-\d\d)\. Ratios",
    "processor": r"\| processor \| (.*), [^,]* GiB \|",
    "met": r"targets (\d+) are met",
    "targets": r"Of (\d+) targets",
}


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"{RESULTS.name}: nothing matches {pattern}")
    return match[1]


def sections(text: str) -> Iterator[tuple[str, dict[str, Row]]]:
    """Each title with the rows of its table, by their first cell."""
    for section in text.split("\n### ")[1:]:
        title, _, body = section.partition("\n")
        first = next(part for part in body.split("\n\n") if part.lstrip().startswith("|"))
        lines = [
            [cell.strip() for cell in line.split("|")[1:-1]] for line in first.strip().splitlines()
        ]
        yield title, {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}


def _lines(title: str, rows: dict[str, Row]) -> Iterator[str]:
    """A line for dlcli, and one with Numba, in a case with frameworks."""
    if "PyTorch" not in rows:
        return
    is_case = _OTHERS[-1] in rows
    for ours, name in (("dlcli", title), ("dlcli with Numba", "the same with Numba")):
        column = f"{ours} / it"
        if ours not in rows or not (column in rows["PyTorch"] or ours == "dlcli"):
            continue
        cells = [rows.get(other, {}).get(column, "") for other in _OTHERS]
        fraction = f"{1 / float(cells[-1]):.0%}".replace("%", " %") if is_case else ""
        seconds = f"{float(rows[ours]['median, s']):.2f} s"
        yield f"| {' | '.join([name, seconds, *cells[:-1], fraction])} |"
