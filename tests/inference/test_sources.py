"""Pictures are found in folders and lists."""

import io
import os

import pytest

from dlcli.errors import ImageError
from dlcli.inference import sources
from dlcli.inference.sources import split_list


def test_a_named_pipe_in_a_folder_is_skipped(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").touch()
    assert [path.name for path in sources.find_images(tmp_path)] == ["b.png"]


def test_a_folder_is_searched_in_order_for_pictures_only(tmp_path):
    names = [
        "b.png",
        "a.PNG",
        "c.jpeg",
        "d.tif",
        "sub/deeper/z.webp",
        "sub/a.gif",
        "another/x.bmp",
        ".hidden.png",
        ".cache/thumbnail.png",
        "sub/.cache/thumbnail.png",
        "notes.txt",
        "scan.pdf",
        "png",
        "no_suffix",
        "b.png.bak",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [str(path.relative_to(tmp_path)) for path in sources.find_images(tmp_path)]
    assert found == [
        "a.PNG",
        "b.png",
        "c.jpeg",
        "d.tif",
        "another/x.bmp",
        "sub/a.gif",
        "sub/deeper/z.webp",
    ]


def test_a_hidden_folder_is_searched_if_it_is_named(tmp_path):
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.png").touch()
    assert list(sources.find_images(tmp_path / ".cache")) == [tmp_path / ".cache" / "a.png"]


@pytest.mark.parametrize("content", [[], ["notes.txt"], [".hidden.png"], ["sub/notes.txt"]])
def test_a_folder_without_pictures_is_an_error(tmp_path, content):
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in content:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    with pytest.raises(ImageError, match=r"scans: holds no pictures$"):
        list(sources.find_images(folder))


def test_a_folder_that_cannot_be_read_is_an_error_after_the_pictures(tmp_path, monkeypatch):
    (tmp_path / "a.png").touch()
    (tmp_path / "locked").mkdir()
    scandir = sources.os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(sources.os, "scandir", refuse)
    found = sources.find_images(tmp_path)
    assert next(found) == tmp_path / "a.png"
    with pytest.raises(ImageError, match=r"locked: cannot be read: Permission denied$"):
        next(found)


def test_a_list_with_windows_line_ends_is_read():
    stream = io.BytesIO(b"a.png\r\nb c.png\r\nlast.png\r")
    assert list(filter(None, split_list(stream))) == ["a.png", "b c.png", "last.png"]


def test_a_nul_separated_list_keeps_every_other_byte():
    assert list(filter(None, split_list(io.BytesIO(b"a\r\0b\nc\0")))) == ["a\r", "b\nc"]
