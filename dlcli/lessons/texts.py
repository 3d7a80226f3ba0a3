"""Texts of lessons: figures in braces, and as much of Markdown as lessons need.

Paragraphs, lists with ``-``, code between lines of ```` ``` ```` (the first may name a language, as
in ```` ```python ````), and in a line ``**bold**``, ``*emphasis*`` and ``` `code` ```. The terminal
and the page show the same blocks.
"""

import math
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

_FIGURE = re.compile(r"\{([A-Za-z_]\w*)(?::([^{}\s]*))?\}")
_SPAN = re.compile(r"\*\*(.+?)\*\*|\*(\S(?:[^*]*\S)?)\*|`(.+?)`", re.DOTALL)
_NUMBER = re.compile(r"(?<=\d) (?=%)")  # where no line may end
_NO_BREAK = "\N{NO-BREAK SPACE}"
_FENCE = "```"
_OPENING = re.compile(r"```[^`]*")  # a line that also ends with backticks is code in a line
_BULLET = "- "

SpanKind = Literal["text", "bold", "emphasis", "code"]


@dataclass(frozen=True)
class Block:
    """A paragraph, an item of a list or a block of code; a paragraph's text has no line breaks."""

    kind: Literal["paragraph", "item", "code"]
    text: str

    @property
    def spans(self) -> list[tuple[SpanKind, str]]:
        """Its parts, each in one style."""
        if self.kind == "code":
            return [("code", self.text)]
        found: list[tuple[SpanKind, str]] = []
        end = 0
        for match in _SPAN.finditer(self.text):
            found.append(("text", self.text[end : match.start()]))
            kinds: tuple[SpanKind, ...] = ("bold", "emphasis", "code")
            found += [(k, part) for k, part in zip(kinds, match.groups(), strict=True) if part]
            end = match.end()
        return [(kind, part) for kind, part in [*found, ("text", self.text[end:])] if part]


def figures_in(text: str) -> list[tuple[str, str]]:
    """The figures that a text names in braces, each with its format."""
    return [(match[1], match[2] or "") for match in _FIGURE.finditer(text)]


def fill(text: str, figures: Mapping[str, float]) -> str:
    """Put the values of the figures into a text, as in ``{fast:%}``."""
    return _FIGURE.sub(lambda match: formatted(figures[match[1]], match[2] or ""), text)


FORMATS = {
    "": "four digits",
    "%": "a percentage",
    "%0": "a percentage without decimals",
    "times": "a factor, as in 37 times",
    "whole": "a whole number, or never",
    "one": "one decimal",
    "two": "two decimals",
    "three": "three decimals",
    "five": "five decimals",
    "six": "six decimals",
    "tiny": "powers of ten, as in 3e-09",
}
"""How a figure can be written: what stands after its name and a colon."""

_DECIMALS = {"one": 1, "two": 2, "three": 3, "five": 5, "six": 6}


def formatted(value: float, how: str) -> str:
    """A figure as text, in one of ``FORMATS``."""
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "never" if how == "whole" else "infinitely many times" if how == "times" else "∞"
    if how.startswith("%"):
        return f"{100 * value:.{0 if how == '%0' else 1}f} %"
    if how == "times":
        return f"{_rounded(value)} times"
    if how == "whole":
        return f"{round(value):,}"
    if how in _DECIMALS:
        text = f"{value:.{_DECIMALS[how]}f}"
        return text.removeprefix("-") if not float(text) else text  # not -0.00
    return f"{value:.0e}" if how == "tiny" else f"{value:.4g}"


def _rounded(value: float) -> str:
    """A factor to two digits: 1,800 and not 1,793."""
    return f"{value:.0e}" if value >= 1e6 else f"{float(f'{value:.2g}'):,.10g}"


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a text in Markdown."""
    lines: list[str] = []
    fenced: list[str] | None = None
    for line in [*text.splitlines(), ""]:
        if fenced is None and _OPENING.fullmatch(line.strip()):
            yield from _paragraph(lines)
            lines, fenced = [], []
        elif fenced is not None and line.strip() == _FENCE:
            yield Block("code", "\n".join(fenced))
            fenced = None
        elif fenced is not None:
            fenced.append(line)
        elif not line.strip() or line.startswith(_BULLET):
            yield from _paragraph(lines)
            lines = [line] if line.strip() else []
        else:
            lines.append(line)
    if fenced is not None:
        yield Block("code", "\n".join(fenced).rstrip())


def _paragraph(lines: list[str]) -> Iterator[Block]:
    text = " ".join(line.strip() for line in lines)
    if text.startswith(_BULLET):
        yield Block("item", text.removeprefix(_BULLET))
    elif text:
        yield Block("paragraph", text)


def as_lines(text: str, width: int) -> Iterator[str]:
    """A text in Markdown for a terminal: no line is longer, but those of code."""
    before: str | None = None
    for block in blocks(text):
        if before is not None and not (before == block.kind == "item"):
            yield ""
        before = block.kind
        if block.kind == "code":
            yield from (f"    {line}" for line in block.text.splitlines())
            continue
        plain = _NUMBER.sub(_NO_BREAK, "".join(part for _, part in block.spans))
        first = _BULLET if block.kind == "item" else ""
        wrapped = textwrap.wrap(
            plain,
            width,
            initial_indent=first,
            subsequent_indent=" " * len(first),
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from (line.replace(_NO_BREAK, " ") for line in wrapped)
