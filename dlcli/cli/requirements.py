"""What an optional feature needs is there, or the user is told how to get it."""

from collections.abc import Iterator
from contextlib import contextmanager

from dlcli.errors import ConfigError


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import the libraries of an extra inside; a missing one is named with the remedy.

    Raises
    ------
    ConfigError
        One is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = str(error.name).partition(".")[0]
        raise ConfigError(
            f"{library} is not installed; get it with: pip install 'dlcli[{extra}]'"
        ) from error
