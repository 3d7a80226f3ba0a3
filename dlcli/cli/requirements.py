"""A missing library of an optional extra becomes a message that says how to install it."""

from collections.abc import Iterator
from contextlib import contextmanager

from dlcli.errors import ConfigError


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import the libraries of an extra in the block.

    Raises
    ------
    ConfigError
        A library is not installed; the message says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = str(error.name).partition(".")[0]
        raise ConfigError(
            f"{library} is not installed; get it with: pip install 'dlcli[{extra}]'"
        ) from error
