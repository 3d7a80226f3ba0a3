"""Where the dataset cache is, and why there."""

import os
from dataclasses import dataclass
from pathlib import Path

from dlcli.files import expand_home, quoted

VARIABLE = "DLCLI_DATA_DIR"
LOCAL = Path("data")


@dataclass(frozen=True)
class Location:
    """A folder, and why it is the dataset cache."""

    path: Path
    reason: str


def default() -> Location:
    """The dataset cache where none is named.

    It is ``$DLCLI_DATA_DIR``, else ``./data`` where that exists (as in a clone of the
    repository), else in the user's cache folder, so that no other folder needs a copy.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Location(Path(expand_home(named)), f"${VARIABLE}")
    if LOCAL.is_dir():
        return Location(LOCAL, f"there is a folder ./{LOCAL} here")
    from platformdirs import user_cache_path

    reason = f"your cache folder, as there is no folder ./{LOCAL} here"
    return Location(user_cache_path("dlcli", appauthor=False), reason)


def option(data_dir: Path) -> str:
    """What to add to a command so that it uses this cache: an option, or nothing."""
    if data_dir == default().path:
        return ""
    return f" --data-dir {quoted(data_dir)}"
