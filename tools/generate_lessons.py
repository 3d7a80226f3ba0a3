"""Write the generated parts of ``docs/lessons.md``, from the lessons and the engine's tables.

make readme
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from dlcli.lessons import catalog, schema, texts
from dlcli.lessons.document import allowed, meaning
from dlcli.lessons.kinds import KINDS
from dlcli.lessons.measures import MEASURES, PICTURES, Measure
from tools import generated

PAGE = Path(__file__).parent.parent / "docs" / "lessons.md"


def _table(*rows: tuple[str, ...]) -> str:
    header, *rest = rows
    lines = [header, tuple("---" for _ in header), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def lessons() -> str:
    """The lessons in order."""
    rows = [
        (str(entry.number), f"`{entry.name}`", catalog.title_of(entry.path))
        for entry in catalog.shipped()
    ]
    return _table(("", "lesson", "what it shows"), *rows)


def keys() -> str:
    """The keys of a lesson file, and of the mappings in it."""
    rows: list[tuple[str, ...]] = [("key", "value", "meaning")]
    inner: Mapping[str, Any] = {
        "": schema.LessonFile,
        "question.": schema.Question,
        "experiments.NAME.": schema.Experiment,
        "experiments.NAME.hand.": schema.Hand,
        "claims[].": schema.Claim,
        "charts[].": schema.Chart,
        "next[].": schema.NextStep,
    }
    for prefix, kind in inner.items():
        for field in msgspec.structs.fields(kind):
            name = f"`{prefix}{field.name}`{'' if field.required else ' (optional)'}"
            rows.append((name, allowed(field.type), meaning(field.type)))
    return _table(*rows)


def _usages(table: Mapping[str, Measure]) -> list[tuple[str, ...]]:
    return [(f"`{each.usage(name)}`", each.summary) for name, each in table.items()]


def measures() -> str:
    """What a formula may measure."""
    return _table(("measure", "what it is"), *_usages(MEASURES))


def pictures() -> str:
    """What a chart may show as pictures."""
    return _table(("pictures", "what they show"), *_usages(PICTURES))


def formats() -> str:
    """How a figure may be written in a text."""
    rows = [
        (f"`{{figure:{how}}}`" if how else "`{figure}`", words)
        for how, words in texts.FORMATS.items()
    ]
    return _table(("in a text", "is written as"), *rows)


def kinds() -> str:
    """What a lesson may do besides training."""
    rows: list[tuple[str, ...]] = [("kind", "what it does", "figures it gives")]
    for name, kind in KINDS.items():
        figures = "; ".join(f"`{key}`: {words}" for key, words in kind.figures.items())
        rows.append((f"`{name}`", kind.summary, figures))
    return _table(*rows)


PARTS = {
    "lessons": lessons,
    "keys": keys,
    "measures": measures,
    "pictures": pictures,
    "formats": formats,
    "kinds": kinds,
}


def render(text: str) -> str:
    """The page with every generated part up to date."""
    return generated.fill(text, PARTS, PAGE.name)


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
