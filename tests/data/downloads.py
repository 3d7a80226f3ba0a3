"""What a cache holds, what a download tells, and a file to download."""

import re

from dlcli.data import idx
from dlcli.data.registry import FILES, Checksum, sha256

FIRST = FILES[0]
CONTENT = b"the right content" * 100
CHECKSUM = Checksum(sha256(CONTENT))
ZIPPED = idx.compress(CONTENT)


def cached(data_dir):
    """Every file below a data folder with its content, except locks."""
    return {
        str(path.relative_to(data_dir)): path.read_bytes()
        for path in data_dir.rglob("*")
        if path.is_file() and not re.fullmatch(r"\..*\.lock", path.name)
    }


def in_cache(contents):
    return {f"mnist/{file}": content for file, content in contents.items()}


class Told:
    """What a download tells of its progress."""

    def __init__(self) -> None:
        self.attempts: list[tuple[object, ...]] = []
        self.chunks: list[tuple[object, ...]] = []

    def trying(self, *news) -> None:
        self.attempts.append(news)

    def received(self, *news) -> None:
        self.chunks.append(news)
