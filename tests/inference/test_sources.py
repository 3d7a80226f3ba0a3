"""Pictures are found in folders and lists."""

import os

import pytest

from dlcli.errors import ImageError
from dlcli.inference import sources


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
        "photo.HEIC",
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
        "photo.HEIC",
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
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = sources.find_images(tmp_path)
    assert next(found) == tmp_path / "a.png"
    with pytest.raises(ImageError, match=r"locked: cannot be read: Permission denied$"):
        next(found)


def listed(content: bytes, workdir, **options) -> list[sources.ImageSource]:
    (workdir / "list").write_bytes(content)
    return list(filter(None, sources.find_sources([], ["list"], **options)))


def test_a_folder_on_a_list_is_searched_only_if_asked_for(workdir):
    (workdir / "scans").mkdir()
    (workdir / "scans" / "a.png").touch()
    names = b"scans\nscans/a.png\n.\n"
    found = listed(names, workdir)
    assert [source.name for source in found] == ["scans", "scans/a.png", "."]
    assert found[0].error == "scans: a folder; --recursive searches folders on lists"
    assert found[1].error is None
    searched = listed(names, workdir, recursive=True)
    assert [source.name for source in searched] == ["scans/a.png"] * 3
    (argument,) = sources.find_sources(["scans"], [])
    assert argument is not None
    assert argument.name == "scans/a.png"


def test_a_folder_that_is_written_is_not_searched_with_the_one_it_is_in(workdir):
    for name in ("scans/a.png", "scans/shown/b.png", "scans/deeper/shown/c.png"):
        (workdir / name).parent.mkdir(parents=True, exist_ok=True)
        (workdir / name).touch()

    def names(*given, written):
        found = sources.find_sources(given, [], written=written)
        return [source.name for source in found if source is not None]

    shown = workdir / "scans" / "shown"
    assert names("scans", written=shown) == ["scans/a.png", "scans/deeper/shown/c.png"]
    assert names("scans/shown", written=shown) == ["scans/shown/b.png"]
    assert len(names("scans", written=workdir / "gone")) == 3
