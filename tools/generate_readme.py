"""Write the generated parts of the README, and the model card of the pretrained model.

From: the config schema, the table of datasets, and the recorded results of ``make accuracy``,
``make exports``, ``make faults`` and ``make pretrained``. Takes a second.

    make readme
"""

from pathlib import Path

from benchmarks import accuracy, exports
from dlcli.config.schema import reference
from dlcli.data.registry import DATASETS
from tests.faults import record
from tools import generated, publish_pretrained

README = Path(__file__).parent.parent / "README.md"


def datasets() -> str:
    """The README's table of datasets."""
    lines = ["| dataset | content | licence |", "| --- | --- | --- |"]
    for name, info in DATASETS.items():
        card = f" ([data card](dlcli/data/{name}/DATACARD.md))" if info.embedded else ""
        lines.append(f"| `{name}` | {info.title}{card} | {info.licence} |")
    lines.append("| a folder | four IDX files, gzipped or not, or pictures of each class | yours |")
    return "\n".join(lines) + "\n"


PARTS = {
    "config": reference,
    "datasets": datasets,
    "exports": exports.table,
    "results": accuracy.table,
    "reliability": record.table,
}


def render(readme: str) -> str:
    """The README with every generated part up to date."""
    return generated.fill(readme, PARTS, README.name)


if __name__ == "__main__":
    README.write_text(render(README.read_text(encoding="utf-8")), encoding="utf-8")
    publish_pretrained.write_card()
