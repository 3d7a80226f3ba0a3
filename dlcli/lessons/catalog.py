"""The lessons that come with dlcli, found by their names and numbers."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from dlcli.config.hints import closest
from dlcli.config.messages import listed, shortened
from dlcli.config.yaml_loader import parse_document
from dlcli.errors import ConfigError

FOLDER = Path(__file__).parent / "files"
_ENDINGS = {".yaml", ".yml"}


@dataclass(frozen=True)
class Entry:
    """A lesson that comes with dlcli: its place in the course, and its name."""

    number: int
    name: str
    path: Path


def shipped() -> list[Entry]:
    """The lessons that come with dlcli, in order."""
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        number, _, name = path.stem.partition("-")
        found.append(Entry(int(number), name, path))
    return found


def after(name: str) -> Entry | None:
    """The lesson that follows one of those that come with dlcli."""
    pairs = pairwise(shipped())
    return next((second for first, second in pairs if first.name == name), None)


def find(word: str) -> tuple[str, Path]:
    """The lesson that a word means: its name, number or unique beginning, or a file.

    Raises
    ------
    ConfigError
        There is none.
    """
    entries = shipped()
    path = Path(word)
    if path.suffix.lower() in _ENDINGS or "/" in word:
        return path.stem, path
    if word.isdecimal():
        for entry in entries:
            if entry.number == int(word):
                return entry.name, entry.path
        raise ConfigError(f"{word}: no such lesson; they are numbered from 1 to {len(entries)}")
    names = {entry.name: entry for entry in entries}
    beginning = [name for name in names if name.startswith(word.lower())]
    if word.lower() in names or len(beginning) == 1:
        entry = names[word.lower() if word.lower() in names else beginning[0]]
        return entry.name, entry.path
    if beginning:
        raise ConfigError(f"{shortened(word)}: which lesson: {listed(beginning, 'or')}?")
    meant = closest(word, names, {}, 0.5)
    hint = f"; did you mean {meant}?" if meant else " (for the list: dlcli lesson)"
    raise ConfigError(f"{shortened(word)}: no such lesson{hint}")


def title_of(path: Path) -> str:
    """The title of a lesson that comes with dlcli."""
    with path.open(encoding="utf-8") as file:
        return str(parse_document(file.readline(), path.name)[0]["title"])
