"""Generated parts of Markdown files, between ``<!-- generated: NAME (make readme) -->`` and end."""

from collections.abc import Callable, Mapping


def fill(text: str, parts: Mapping[str, Callable[[], str]], file: str) -> str:
    """A text with every generated part up to date; ``file`` is its name, for messages."""
    for name, generate in parts.items():
        begin, end = f"<!-- generated: {name} (make readme) -->\n", "<!-- end -->"
        if text.count(begin) != 1:
            raise ValueError(f"{file} needs exactly one part {begin!r}")
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}{generate()}{end}{after}"
    return text
