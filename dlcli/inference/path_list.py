"""Lists of paths, as ``find``, ``ls``, editors and PowerShell write them.

Paths stand one a line (LF or CRLF) or are separated by NULs. They are bytes, as in a file system;
after a byte order mark they are UTF-8 or UTF-16.
"""

import codecs
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass

from dlcli.errors import InputError

# No system has paths of more than a few thousand bytes: a list is none if this many do not end one.
_MAX_BYTES_WITHOUT_PATH = 1 << 20
_READ_SIZE = 1 << 16
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# With fewer NULs between its bytes, as a fraction of the characters, a text is not taken for UTF-16
# without a byte order mark. In paths of ASCII characters it is 1; NUL-separated paths of three
# characters each have one half.
_MIN_NULS_IN_UTF16 = 2 / 3


@dataclass(frozen=True, eq=False)
class _Format:
    """How a list is written: its separator, and its byte order mark if it has one."""

    separator: bytes
    mark: bytes = b""


def split_list(stream: io.BufferedIOBase) -> Iterator[str | None]:
    """The paths in a list, as they come.

    None follows each read that may be the last for a while.

    Raises
    ------
    InputError
        It is no list of paths: UTF-16 without a byte order mark, a file of another kind with NULs
        in it, or so long without a separator that no path can be meant.
    """
    splitter = _Splitter()
    without_path = 0
    while chunk := stream.read1(_READ_SIZE):
        paths = splitter.feed(chunk)
        yield from paths
        yield None
        without_path = 0 if paths else without_path + len(chunk)
        if without_path > _MAX_BYTES_WITHOUT_PATH:
            raise InputError(f"no list of paths: {_MAX_BYTES_WITHOUT_PATH:,} bytes without a name")
    yield from splitter.finish()


class _Splitter:
    """Splits a list that comes in pieces."""

    def __init__(self) -> None:
        self._format: _Format | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """The paths that end in this piece."""
        return self._paths(chunk, at_end=False)

    def finish(self) -> list[str]:
        """The last path, if nothing separates it from the end."""
        return self._paths(b"", at_end=True)

    def _paths(self, chunk: bytes, *, at_end: bool) -> list[str]:
        self._rest += self._decoded(chunk)
        if self._format is None:
            self._format = _format_of(self._rest, at_end=at_end)
            if self._format is None:
                return []
            start, self._rest = self._rest[len(self._format.mark) :], b""
            if self._format.mark in _UTF16:
                make_decoder = codecs.getincrementaldecoder(_UTF16[self._format.mark])
                self._decoder = make_decoder("replace")
            self._rest = self._decoded(start)
        separator = self._format.separator
        _refuse_other_nuls(self._rest, separator)
        *paths, self._rest = self._rest.split(separator)
        if at_end:
            paths.append(self._rest)
        if separator == b"\n":
            paths = [path.removesuffix(b"\r") for path in paths]
        return [os.fsdecode(path) for path in paths if path]

    def _decoded(self, chunk: bytes) -> bytes:
        return self._decoder.decode(chunk).encode() if self._decoder else chunk


def _format_of(start: bytes, *, at_end: bool) -> _Format | None:
    """The format of a list that starts like this; None if that is too short to tell.

    Raises
    ------
    InputError
        It is UTF-16 without a byte order mark.
    """
    mark = start[:2]
    if mark in _UTF16:
        text = start[2:]
        if len(text) < 4 and not at_end:
            return None
        if _is_utf16(text, _UTF16[mark]):
            return _Format(b"\n", mark)
    if b"\0" in start:
        if any(_is_utf16_without_mark(start, encoding) for encoding in _UTF16.values()):
            raise InputError("no list of paths: UTF-16 without a byte order mark; save it as UTF-8")
        return _Format(b"\0")
    if b"\n" in start or at_end:
        has_mark = start.startswith(codecs.BOM_UTF8)
        return _Format(b"\n", codecs.BOM_UTF8 if has_mark else b"")
    return None


def _is_utf16(text: bytes, encoding: str) -> bool:
    """Whether a text after a mark is UTF-16, and the mark not the name of a file in bytes.

    Every path has some ASCII characters, if only the one before its suffix.
    """
    characters = text[: len(text) // 2 * 2].decode(encoding, "replace")
    ascii_characters = sum("\0" < character < "\x80" for character in characters)
    return "\0" not in characters and ascii_characters >= min(2, len(characters))


def _is_utf16_without_mark(text: bytes, encoding: str) -> bool:
    """Whether nearly every character of a text is two bytes, one of them NUL, as in UTF-16.

    Single digits or letters, each followed by a NUL, may well be names.
    """
    low, high = (text[0::2], text[1::2]) if encoding.endswith("le") else (text[1::2], text[0::2])
    is_sparse = 0 not in low and high.count(0) > _MIN_NULS_IN_UTF16 * len(low)
    return len(low) > 1 and is_sparse and any(mark in low for mark in b"./\\\r\n")


def _refuse_other_nuls(text: bytes, separator: bytes) -> None:
    """Raise ``InputError`` for NULs that do not separate paths, as in pictures and programs."""
    if separator != b"\0" and b"\0" in text:
        raise InputError("no list of paths: a NUL among its lines")
    if b"\0\0\0" in text and text.strip(b"\0"):
        raise InputError("no list of paths: NULs with no path between them")
