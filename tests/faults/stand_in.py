"""A small dataset that stands in for two in other processes; DLCLI_MIRROR names its server."""

from collections.abc import Mapping

from dlcli.data import idx
from dlcli.data.registry import sha256

_PROGRAM = """
from dataclasses import replace
from dlcli.data.registry import DATASETS, Checksum
for name, of, sums in {rows!r}:
    checksums = {{file: Checksum(value, of) for file, value in sums.items()}}
    DATASETS[name] = replace(DATASETS[name], mirrors=(), checksums=checksums)
from dlcli.cli.main import main
main()
"""


def gz_sums(contents: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 sum of each file when it is gzipped."""
    return {file: sha256(idx.compress(content)) for file, content in contents.items()}


def stand_in_program(contents: Mapping[str, bytes]) -> str:
    """Dlcli with these IDX files as mnist, known by their content, and as kmnist, by their .gz."""
    sums = {file: sha256(content) for file, content in contents.items()}
    return _PROGRAM.format(rows=[("mnist", "content", sums), ("kmnist", "gz", gz_sums(contents))])
