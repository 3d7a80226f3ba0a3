"""A small dataset that stands in for two in other processes; DLCLI_MIRROR names its server."""

import hashlib
from collections.abc import Iterable, Mapping

from dlcli.data import idx

_PROGRAM = """
from dlcli.data import datasets
datasets.SOURCES["mnist"] = datasets.Source((), raw_sha256={raw})
datasets.SOURCES["kmnist"] = datasets.Source((), gz_sha256={gz})
from dlcli.cli.main import main
main()
"""


def sums(contents: Iterable[bytes]) -> tuple[str, ...]:
    """The SHA-256 of each."""
    return tuple(hashlib.sha256(content).hexdigest() for content in contents)


def stand_in_program(contents: Mapping[str, bytes]) -> str:
    """dlcli, for which these IDX files are mnist, known by the sums of the files, and kmnist.

    The latter is known, as it is, by the sums of its .gz files.
    """
    packed = map(idx.compress, contents.values())
    return _PROGRAM.format(raw=sums(contents.values()), gz=sums(packed))
