"""Lists of paths are understood however they are written, and nothing else is taken for one."""

import codecs
import io

import pytest

from dlcli.errors import InputError
from dlcli.inference.path_list import split_list

PATHS = ["a.png", "b c.png", "scans/\N{CJK UNIFIED IDEOGRAPH-6570}.png", "C:\\x\\7.png", "."]


class Pieces(io.BytesIO):
    """A stream that gives one piece a read, as a pipe does."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__()
        self.pieces = list(pieces)

    def read1(self, _size: int | None = -1, /) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


def paths_of(*pieces: bytes) -> list[str]:
    return [path for path in split_list(Pieces([*pieces])) if path is not None]


def written(encoding: str, mark: bytes, line_end: str, *, end: bool) -> bytes:
    text = line_end.join(PATHS) + (line_end if end else "")
    return mark + text.encode(encoding)


@pytest.mark.parametrize("size", [None, 64, 7, 6])
@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ],
)
def test_editors_and_powershell_may_write_the_list(encoding, mark, line_end, end, size):
    content = written(encoding, mark, line_end, end=end)
    size = size or len(content)
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    assert paths_of(*pieces) == PATHS


def test_one_path_is_a_list_in_utf_16():
    assert paths_of("7".encode("utf-16")) == ["7"]
    assert paths_of("\u6570.png".encode("utf-16")) == ["\u6570.png"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["a.png\nb.png\n", "scans/a\r\nscans/b\r\n", "./a", ".\n"])
def test_utf_16_without_a_mark_is_refused_before_any_path_is_taken_from_it(encoding, text):
    found = split_list(io.BytesIO(text.encode(encoding)))
    with pytest.raises(InputError, match="UTF-16 without a byte order mark; save it as UTF-8"):
        next(found)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a.png\0\0\0\0b.png\0", "NULs with no path between them"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x1c", "NULs with no path between them"),
        ("a.png\n".encode("utf-32"), "NULs with no path between them"),
    ],
)
def test_a_file_with_nuls_that_is_no_list_is_refused(content, fault):
    with pytest.raises(InputError, match=f"^no list of paths: {fault}$"):
        next(split_list(io.BytesIO(content)))


def test_a_nul_among_lines_is_refused_before_any_path_of_its_piece():
    found = split_list(Pieces([b"a.png\n", b"b.png\nc\0d\n"]))
    assert [next(found), next(found)] == ["a.png", None]
    with pytest.raises(InputError, match=r"^no list of paths: a NUL among its lines$"):
        next(found)


NUL_SEPARATED = [
    [b"1", b"2", b"3"],
    [b"abc", b"a/.", b"x"],
    [b"."],
    [b"\xff\xfe.png", b"\xfe\xff"],
    [b"\xef\xbb\xbfa.png", b"b.png"],
    [b"a\r", b"b\nc"],
]


@pytest.mark.parametrize("names", NUL_SEPARATED)
@pytest.mark.parametrize("end", [b"", b"\0"])
def test_a_nul_separated_list_may_hold_any_name(names, end):
    content = b"\0".join(names) + end
    assert [path.encode("utf-8", "surrogateescape") for path in paths_of(content)] == names


def test_a_path_and_its_nul_may_come_one_after_the_other():
    found = split_list(Pieces([b"a b.png", b"\0", b"c", b".png", b"\0"]))
    assert list(found) == [None, "a b.png", None, None, None, "c.png", None]


def test_a_path_and_its_line_end_may_come_one_after_the_other():
    found = split_list(Pieces([b"a.png", b"\r", b"\n", b"b.png", b"\n"]))
    assert list(found) == [None, None, "a.png", None, None, "b.png", None]


def test_bytes_of_no_encoding_are_kept():
    assert paths_of(b"\xff.png\n\xe9\n") == ["\udcff.png", "\udce9"]
