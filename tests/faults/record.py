"""The counts of ``make faults``: added up by the tests, stored in a file, shown in ``docs``."""

import json
from collections import Counter, defaultdict
from pathlib import Path

RECORD = Path(__file__).parent / "record.json"


class Tally:
    """Counts what the tests tried, by test file and by kind of fault."""

    def __init__(self) -> None:
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, file: str, what: str, count: int) -> None:
        """Add ``count`` to ``what`` (a row of the table) of ``file``."""
        self.counts[file][what] += count

    def keep(self, path: Path = RECORD) -> None:
        """Write the counts; those of test files that were not run stay."""
        record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        record |= {file: dict(counts) for file, counts in self.counts.items()}
        path.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def table(path: Path = RECORD) -> str:
    """The table of ``docs/reliability.md``: a row for each kind of fault, with its command."""
    lines = ["| fault | times | losses | command |", "| --- | --- | --- | --- |"]
    record = json.loads(path.read_text(encoding="utf-8"))
    for file, counts in record.items():
        command = f"`pytest --long tests/faults/{file}`"
        lines += [f"| {what} | {count:,} | none | {command} |" for what, count in counts.items()]
    return "\n".join(lines) + "\n"
