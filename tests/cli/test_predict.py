"""Pictures in, digits out: every way to name them, every format, and every broken file."""

import csv
import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageDraw, ImageFont

from dlcli.data import idx
from dlcli.data.registry import FILES
from dlcli.runs import checkpoint
from dlcli.vision import preview
from dlcli.vision.mnist_format import to_mnist_format


@pytest.fixture
def model(make_checkpoint):
    return checkpoint.load(make_checkpoint("model.npz"))


@pytest.fixture
def predict(dlcli, model):
    """Run ``dlcli predict`` with a small model, in a folder that is empty but for it."""

    def invoke(*arguments: object, **options):
        return dlcli("predict", "--model", "model.npz", *arguments, **options)

    return invoke


@pytest.fixture
def digit(sample) -> Callable[..., np.ndarray]:
    """Write a test image as a PNG file and return its pixels: ``digit("a.png", 0)``."""

    def write(path: str | bytes, index: int = 0) -> np.ndarray:
        pixels = sample.test.images[index]
        with open(path, "wb") as file:  # noqa: PTH123 - the name may be bytes
            Image.fromarray(pixels.reshape(28, 28)).save(file, "PNG")
        return pixels

    return write


def answer_to(model, pixels) -> tuple[int, float]:
    _, outputs = model.infer(pixels[np.newaxis])
    return int(outputs[0].argmax()), float(outputs[0].max())


def lines_of(result) -> list[list[str]]:
    return [line.split("\t") for line in result.stdout.splitlines()]


def objects_of(result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_text_is_digit_probability_and_path_in_order(predict, model, digit):
    expected = [answer_to(model, digit(f"{name}.png", index)) for index, name in enumerate("cab")]
    result = predict("c.png", "a.png", "b.png")
    assert result.code == 0
    assert result.stderr == "Model: model.npz\n"
    assert lines_of(result) == [
        [str(best), f"{share:.4f}", f"{name}.png"]
        for (best, share), name in zip(expected, "cab", strict=True)
    ]


@pytest.mark.parametrize("top", [1, 3, 10])
def test_the_most_probable_digits_come_first(predict, digit, top):
    digit("a.png")
    (cells,) = lines_of(predict("a.png", "--top", top))
    digits, shares = cells[:-1:2], [float(share) for share in cells[1:-1:2]]
    assert (len(digits), len(set(digits)), cells[-1]) == (top, top, "a.png")
    assert shares == sorted(shares, reverse=True)
    if top == 10:
        assert sum(shares) == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize("top", [0, 11, "all"])
def test_no_more_digits_than_there_are(predict, digit, top):
    digit("a.png")
    result = predict("a.png", "--top", top)
    assert (result.code, result.stdout) == (2, "")


def test_json_is_an_object_a_line(predict, model, digit):
    best, share = answer_to(model, digit("a.png"))
    digit("b.png", 1)
    first, second = objects_of(predict("a.png", "b.png", "--format", "json"))
    assert list(first) == ["path", "label", "digit", "probability", "probabilities", "box", "model"]
    assert (first["path"], second["path"]) == ("a.png", "b.png")
    assert (first["digit"], first["probability"]) == (best, pytest.approx(share))
    assert first["label"] == str(best)
    assert len(first["probabilities"]) == 10
    assert first["probabilities"][best] == first["probability"]
    assert sum(first["probabilities"]) == pytest.approx(1)
    assert first["model"].endswith("model.npz")


def test_json_says_where_the_digit_is(predict):
    page = Image.new("L", (300, 200), 255)
    page.paste(0, (140, 50, 150, 150))
    page.save("page.png")
    (found,) = objects_of(predict("page.png", "--format", "json"))
    assert found["box"] == pytest.approx([140, 50, 150, 150], abs=2)


def test_json_holds_the_top_digits_if_asked(predict, digit):
    digit("a.png")
    (found,) = objects_of(predict("a.png", "--top", 3, "--format", "json"))
    assert [list(entry) for entry in found["top"]] == [["label", "digit", "probability"]] * 3
    assert found["top"][0] == {key: found[key] for key in ("label", "digit", "probability")}
    for entry in found["top"]:
        assert entry["probability"] == found["probabilities"][entry["digit"]]


def test_csv_has_a_column_a_digit(predict, model, digit):
    best, share = answer_to(model, digit("a, b.png"))
    result = predict("a, b.png", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    shares = {f"p{number}" for number in range(10)}
    assert set(row) == {"path", "digit", "probability"} | shares
    assert (row["path"], row["digit"]) == ("a, b.png", str(best))
    assert float(row["probability"]) == float(row[f"p{best}"]) == pytest.approx(share, rel=1e-5)


def test_a_picture_comes_from_stdin(predict, digit):
    digit("a.png")
    by_name = predict("a.png")
    by_stdin = predict("-", stdin=Path("a.png").read_bytes())
    assert by_stdin.stdout == by_name.stdout.replace("a.png", "-")


@pytest.mark.parametrize("arguments", [["-", "-"], ["-", "--from-file", "-"]])
def test_stdin_is_read_only_once(predict, arguments):
    result = predict(*arguments)
    assert result.code == 2
    assert "stdin (-) can be read only once" in result.stderr


def test_pictures_must_be_named(dlcli):
    result = dlcli("predict")
    assert result.code == 2
    assert "Missing argument 'IMAGE...'" in result.stderr


def test_folders_are_searched(predict, digit):
    Path("scans/more").mkdir(parents=True)
    for name in ("z.png", "scans/b.png", "scans/a.png", "scans/more/c.png"):
        digit(name)
    Path("scans/notes.txt").write_text("no picture")
    result = predict("z.png", "scans", "z.png")
    paths = [cells[2] for cells in lines_of(result)]
    assert paths == ["z.png", "scans/a.png", "scans/b.png", "scans/more/c.png", "z.png"]
    assert result.code == 0


@pytest.mark.parametrize("separator", ["\n", "\0"])
@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("by_stdin", [True, False])
def test_lists_name_pictures(predict, digit, separator, end, by_stdin):
    Path("scans").mkdir()
    names = ["b.png", "a b.png", "scans/c.png"]
    for index, name in enumerate(names):
        digit(name, index)
    listed = separator.join(["b.png", "a b.png", "scans"]) + (separator if end else "")
    Path("list").write_text(listed)
    if by_stdin:
        result = predict("--recursive", "--from-file", "-", stdin=listed.encode())
    else:
        result = predict("--recursive", "--from-file", "list")
    assert [cells[2] for cells in lines_of(result)] == names
    assert result.code == 0


def test_a_list_that_powershell_wrote_names_its_pictures_and_no_others(predict, digit):
    digit("a.png")
    digit("b.png", 1)
    listed = predict("--from-file", "-", stdin="a.png\r\n".encode("utf-16"))
    assert (listed.code, [cells[2] for cells in lines_of(listed)]) == (0, ["a.png"])
    unmarked = predict("-q", "--from-file", "-", stdin="./a.png\n".encode("utf-16-le"))
    assert (unmarked.code, unmarked.stdout) == (4, "")
    assert unmarked.stderr.startswith("Error: -: no list of paths: UTF-16 without")


def test_a_folder_on_a_list_is_not_walked_unless_asked_for(predict, digit):
    Path("scans").mkdir()
    digit("scans/a.png")
    result = predict("-q", "--from-file", "-", stdin=b".\nscans/a.png\n")
    assert (result.code, [cells[2] for cells in lines_of(result)]) == (4, ["scans/a.png"])
    assert result.stderr == "Error: .: a folder; --recursive searches folders on lists\n"
    searched = predict("-r", "--from-file", "-", stdin=b".\n")
    assert [cells[2] for cells in lines_of(searched)] == ["scans/a.png"]


def test_a_second_model_is_refused_with_the_command_that_takes_several(dlcli, model, digit):
    digit("a.png")
    result = dlcli("predict", "-m", "a b.npz", "--model", "model.npz", "a.png")
    assert (result.code, result.stdout) == (2, "")
    assert "for an ensemble: dlcli eval 'a b.npz' model.npz" in result.stderr


def test_empty_lines_in_a_list_name_nothing(predict, digit):
    digit("a.png")
    assert len(lines_of(predict("--from-file", "-", stdin=b"\na.png\n\n\na.png\n\n"))) == 2


def test_an_empty_list_names_nothing(predict):
    result = predict("--from-file", "-", "--format", "csv")
    assert result.code == 0
    assert result.stdout.splitlines() == [
        "path,digit,probability," + ",".join(f"p{number}" for number in range(10))
    ]


def test_lists_longer_than_a_block_are_read_whole(predict, digit):
    digit("a.png")
    names = "".join(f"./{'./' * (number % 50)}a.png\n" for number in range(1500))
    assert len(names) > 1 << 16
    result = predict("--from-file", "-", stdin=names.encode())
    assert [cells[2] for cells in lines_of(result)] == names.splitlines()


def test_several_lists_follow_the_named_pictures(predict, digit):
    for name in ("a.png", "b.png", "c.png"):
        digit(name)
    Path("one").write_text("b.png\n")
    Path("two").write_text("c.png\n")
    result = predict("--from-file", "one", "a.png", "--from-file", "two")
    assert [cells[2] for cells in lines_of(result)] == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize("fault", ["missing", "folder"])
def test_a_list_that_cannot_be_read_is_told_and_the_rest_goes_on(predict, digit, fault):
    digit("a.png")
    if fault == "folder":
        Path("list").mkdir()
    Path("good").write_text("a.png")
    result = predict("a.png", "--from-file", "list", "--from-file", "good", "-q")
    assert result.code == 4
    assert result.stderr.startswith("Error: list: cannot be read: ")
    assert len(lines_of(result)) == 2


NAMES = {
    b"a b.png": "a b.png",
    b"a\nb.png": "a\\nb.png",
    b"a\tb.png": "a\\tb.png",
    b"a\rb.png": "a\\rb.png",
    b"\x1b[31mred.png": "\\x1b[31mred.png",
    b"bell\x07.png": "bell\\x07.png",
    "sieben \N{BLACK HEART SUIT} \N{LATIN SMALL LETTER U WITH DIAERESIS}.png".encode(): (
        "sieben \N{BLACK HEART SUIT} \N{LATIN SMALL LETTER U WITH DIAERESIS}.png"
    ),
    "a\N{RIGHT-TO-LEFT OVERRIDE}gnp.png".encode(): "a\\u202egnp.png",
    b"\xff\xfe.png": "\\udcff\\udcfe.png",
    b"-7.png": "-7.png",
    b"--help": "--help",
    b"~": "~",
    b"$HOME.png": "$HOME.png",
    b"*.png": "*.png",
    b"a,\"b'.png": "a,\"b'.png",
    b"x" * 251 + b".png": "x" * 251 + ".png",
}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_read_and_shown_safely(predict, digit, name):
    digit(name)
    argument, shown = os.fsdecode(name), NAMES[name]
    result = predict("--show-preprocessed", "seen", "--", argument)
    assert (result.code, lines_of(result)[0][2]) == (0, shown)
    assert len(list(Path("seen").iterdir())) == 1
    (found,) = objects_of(predict("--format", "json", "--", argument))
    assert os.fsencode(found["path"]) == name
    (row,) = csv.DictReader(io.StringIO(predict("--format", "csv", "--", argument).stdout))
    assert row["path"] == shown
    by_list = predict("--from-file", "-", "--format", "json", stdin=name + b"\0")
    assert objects_of(by_list) == [found]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_told_safely_in_an_error(predict, name):
    Path(os.fsdecode(name)).write_bytes(b"no picture")
    result = predict("-q", "--", os.fsdecode(name))
    assert result.code == 4
    assert result.stderr == f"Error: {NAMES[name]}: not a picture that Pillow can read\n"


def test_what_the_network_saw_can_be_looked_at(predict, digit, sample):
    digit("a.png", 0)
    digit("-.png", 1)
    Image.fromarray(255 - sample.test.images[2].reshape(28, 28)).save("a b*c.png")
    result = predict("a.png", "./-.png", "a b*c.png", "a.png", "--show-preprocessed", "seen/all")
    assert result.code == 0
    seen = sorted(Path("seen/all").iterdir())
    assert [path.name for path in seen] == [
        "00000-a.png",
        "00001--.png",
        "00002-a_b_c.png",
        "00003-a.png",
    ]
    for path, index in zip(seen, [0, 1, 2, 0], strict=True):
        with Image.open(path) as picture:
            network_saw = np.asarray(picture.convert("L"))[16 + 5 :: 10, 288 + 5 :: 10]
        assert (network_saw.reshape(-1) == sample.test.images[index]).all()


def test_raw_pictures_are_taken_as_they_are(predict, model, sample):
    pixels = 255 - np.roll(sample.test.images[0], 3)
    Image.fromarray(pixels.reshape(28, 28)).save("a.png")
    best, share = answer_to(model, pixels)
    assert lines_of(predict("--raw", "a.png")) == [[str(best), f"{share:.4f}", "a.png"]]


def test_raw_pictures_have_the_right_size(predict):
    Image.new("L", (29, 28)).save("a.png")
    result = predict("--raw", "a.png", "-q")
    assert result.code == 4
    assert result.stderr == "Error: a.png: 29x28, expected 28x28 for use without preprocessing\n"


def test_what_is_less_sure_than_asked_for_is_not_answered(predict, model, digit):
    answer, probability = answer_to(model, digit("a.png"))
    kept, rejected = predict("--reject", probability, "a.png"), predict("--reject", 1, "a.png")
    assert lines_of(kept) == [[str(answer), f"{probability:.4f}", "a.png"]]
    assert (rejected.code, rejected.stdout) == (0, "?\t-\ta.png\n")
    assert (
        f"Warning: a.png: not confident enough ({probability:.4f}): {answer} or " in rejected.stderr
    )
    (found,) = objects_of(predict("--reject", 1, "a.png", "--format", "json", "-q"))
    assert found["digit"] is None
    assert found["reason"] == "low_confidence"
    assert found["message"].startswith("not confident enough")


def test_what_shows_no_digit_is_told_before_how_sure_the_network_is(predict):
    Image.new("L", (50, 50), 255).save("blank.png")
    result = predict("--reject", 1, "blank.png")
    assert result.stdout == "?\t-\tblank.png\n"
    assert "not confident enough" not in result.stderr


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("page.png", "dlcli read -m model.npz page.png"),
        ("a b.png", "dlcli read -m model.npz 'a b.png'"),
        ("-1.png", "dlcli read -m model.npz -- -1.png"),
        ("-", "dlcli read -m model.npz -"),
        ("page#2", "dlcli read -m model.npz 'page#2'"),
        ("pages.tif", "dlcli read -m model.npz pages.tif"),
    ],
)
def test_a_picture_with_several_digits_is_referred_to_read(predict, name, command):
    page = Image.new("L", (300, 200), 255)
    for left in (90, 190):
        page.paste(0, (left, 50, left + 14, 150))
    content = io.BytesIO()
    page.save(content, "TIFF", save_all=True, append_images=[page] if name == "pages.tif" else [])
    if name != "-":
        Path(name).write_bytes(content.getvalue())
    result = predict("--", name, stdin=content.getvalue())
    assert {cells[0] for cells in lines_of(result)} == {"?"}
    for line in result.stderr.splitlines()[1:]:
        assert line.endswith(f": more than one digit; for the number: {command}")
    (found, *_) = objects_of(predict("-f", "json", "--", name, stdin=content.getvalue()))
    assert found["message"] == f"more than one digit; for the number: {command}"


def test_no_probability_reaches_nan(predict, digit):
    digit("a.png")
    assert predict("--reject", "nan", "a.png").stdout == "?\t-\ta.png\n"


@pytest.mark.parametrize("probability", ["-0.1", "1.1", "90", "high"])
def test_a_rejection_is_below_a_probability(predict, digit, probability):
    digit("a.png")
    assert predict("--reject", probability, "a.png").code == 2


def test_the_environment_names_the_model(dlcli, model, digit, monkeypatch):
    digit("a.png")
    monkeypatch.setenv("DLCLI_MODEL", "model.npz")
    result = dlcli("predict", "a.png")
    assert (result.code, result.stderr) == (0, "Model: model.npz\n")


def test_where_none_was_trained_the_pretrained_model_answers(dlcli, digit, sample):
    digit("a.png", 3)
    result = dlcli("predict", "-q", "a.png")
    assert result.code == 0
    assert result.stderr == "Model: pretrained (no model is named, and there are no runs)\n"
    assert dlcli("predict", "-q", "-m", "pretrained", "a.png").stderr == ""
    ((answer, probability, _),) = lines_of(result)
    assert int(answer) == sample.test.labels[3]
    assert float(probability) > 0.99


def test_the_pretrained_model_does_not_answer_in_place_of_a_run(dlcli, digit):
    digit("a.png", 3)
    Path("runs/diverged").mkdir(parents=True)
    Path("runs/diverged/config.yaml").touch()
    result = dlcli("predict", "a.png")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.endswith("name one, as in: dlcli predict --model pretrained ...\n")


@pytest.mark.parametrize("name", ["a.jpg", "a.txt", "a", "a.png.gif"])
def test_the_content_decides_what_a_picture_is(predict, digit, name):
    digit("a.png")
    digit(name)
    assert lines_of(predict(name))[0][:2] == lines_of(predict("a.png"))[0][:2]


def test_every_page_of_a_file_gets_a_line(predict, model, sample):
    first, *others = [Image.fromarray(image.reshape(28, 28)) for image in sample.test.images[:3]]
    first.save("a.tif", save_all=True, append_images=others)
    expected = [answer_to(model, image) for image in sample.test.images[:3]]
    result = predict("a.tif", "--show-preprocessed", "seen")
    assert lines_of(result) == [
        [str(best), f"{share:.4f}", name]
        for (best, share), name in zip(expected, ["a.tif", "a.tif#2", "a.tif#3"], strict=True)
    ]
    assert len(list(Path("seen").iterdir())) == 3
    by_stdin = predict("-", "--raw", stdin=Path("a.tif").read_bytes())
    assert [cells[2] for cells in lines_of(by_stdin)] == ["-", "-#2", "-#3"]
    paths = [found["path"] for found in objects_of(predict("a.tif", "--format", "json"))]
    assert paths == ["a.tif", "a.tif#2", "a.tif#3"]


HEIC_COMMAND = """
import sys
if {is_missing}: sys.modules["pillow_heif"] = None
from dlcli.cli.main import main
sys.argv = ["dlcli", "predict", "-q", "-m", "model.npz", *{names}]
main()
"""


@pytest.mark.parametrize("names", [["photos"], ["photos/a.HEIC"], ["photos/b", "photos"]])
@pytest.mark.parametrize("is_missing", [False, True])
def test_a_photograph_in_heic_is_read_or_named_with_what_to_install(
    workdir, model, names, is_missing
):
    Path("photos").mkdir()
    image = pillow_heif.from_pillow(drawing("RGB"))
    image.save("photos/a.HEIC")
    image.save("photos/b", format="HEIF")  # without a suffix, no picture of a folder
    code = HEIC_COMMAND.format(names=names, is_missing=is_missing)
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    paths = [path.replace("photos", "photos/a.HEIC") for path in names if "/" not in path]
    paths = [*[path for path in names if "/" in path], *paths]
    if is_missing:
        hint = "HEIC needs pillow-heif; get it with: pip install 'dlcli[heif]'"
        assert finished.stderr.splitlines() == [f"Error: {path}: {hint}" for path in paths]
        assert (finished.returncode, finished.stdout) == (4, "")
    else:
        assert [line.split("\t")[-1] for line in finished.stdout.splitlines()] == paths
        assert (finished.returncode, finished.stderr) == (0, "")


# Broken pictures.


def drawing(mode: str = "L") -> Image.Image:
    """A picture with enough detail for every format to need some bytes."""
    random = np.random.default_rng(0)
    levels = random.integers(200, 256, (90, 90), dtype=np.uint8)
    levels[20:70, 40:50] = random.integers(0, 60, (50, 10), dtype=np.uint8)
    return Image.fromarray(levels).convert(mode)


def encoded(kind: str, **options) -> bytes:
    file = io.BytesIO()
    drawing("RGB").save(file, kind, **options)
    return file.getvalue()


def truncated(kind: str, share: float = 0.5, **options) -> Callable[[Path], object]:
    content = encoded(kind, **options)
    return lambda path: path.write_bytes(content[: int(share * len(content))])


def flipped(kind: str, offset: int) -> Callable[[Path], object]:
    content = bytearray(encoded(kind))
    content[offset] ^= 0x10
    return lambda path: path.write_bytes(content)


def holding(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def flat(mode: str, colour: float | str | tuple[int, ...]) -> Callable[[Path], object]:
    return lambda path: Image.new(mode, (60, 50), colour).save(path, "PNG")


def png(width: int, height: int) -> bytes:
    """A PNG file of a few bytes whose header promises any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = zlib.compress(b"\0" * 1000)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def gif(width: int, height: int) -> bytes:
    size = struct.pack("<HH", width, height)
    image = b"," + bytes(4) + size + b"\0" + b"\x02\x02\x4c\x01\0"
    return b"GIF89a" + size + b"\x80\0\0" + b"\xff\xff\xff\0\0\0" + image + b";"


def text_only_folder(path: Path) -> None:
    path.mkdir()
    (path / "readme.txt").write_text("no picture")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def locked(path: Path) -> None:
    drawing().save(path, "PNG")
    path.chmod(0)


PILLOW = "not a picture that Pillow can read"
UNREADABLE = "cannot be read: "
DAMAGED = ""  # Pillow's words differ
LARGE = "more than 120,000,000 pixels; make it smaller"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _path: None, "no such file"),
    "empty folder": (Path.mkdir, "holds no pictures"),
    "folder of texts": (text_only_folder, "holds no pictures"),
    "link to nothing": (lambda path: path.symlink_to("nowhere"), "no such file"),
    "link to itself": (link_to_itself, UNREADABLE),
    "empty": (Path.touch, "an empty file"),
    "text": (holding(b"a digit: 7\n"), PILLOW),
    "web page": (holding(b"<!doctype html><title>404</title>"), PILLOW),
    "pdf": (holding(b"%PDF-1.7\n1 0 obj\n"), "a PDF; make pictures of its pages first, as in: pdf"),
    "zeros": (holding(bytes(5000)), PILLOW),
    "PNG signature alone": (holding(b"\x89PNG\r\n\x1a\n"), DAMAGED),
    "PNG truncated": (truncated("PNG"), UNREADABLE),
    "PNG almost whole": (truncated("PNG", 0.98), UNREADABLE),
    "JPEG truncated": (truncated("JPEG"), UNREADABLE),
    "JPEG header alone": (truncated("JPEG", 0.01), DAMAGED),
    "GIF truncated": (truncated("GIF"), DAMAGED),
    "BMP truncated": (truncated("BMP"), UNREADABLE),
    "TIFF truncated": (truncated("TIFF"), DAMAGED),
    "TIFF with LZW truncated": (truncated("TIFF", compression="tiff_lzw"), DAMAGED),
    "WEBP truncated": (truncated("WEBP"), DAMAGED),
    "WEBP without loss truncated": (truncated("WEBP", lossless=True), DAMAGED),
    "PPM truncated": (truncated("PPM"), DAMAGED),
    "PNG with a flipped bit in its pixels": (flipped("PNG", 1000), DAMAGED),
    "PNG with a flipped bit in its header": (flipped("PNG", 18), DAMAGED),
    "PNG that promises too much": (holding(png(50_000, 50_000)), LARGE),
    "PNG that promises far too much": (holding(png(2**31 - 1, 2**31 - 1)), LARGE),
    "GIF that promises too much": (holding(gif(65535, 65535)), LARGE),
    "PNG without width": (holding(png(0, 50)), DAMAGED),
    "PNG without height": (holding(png(50, 0)), DAMAGED),
    "GIF without width": (holding(gif(0, 5)), DAMAGED),
    "PNG of too few rows": (holding(png(5000, 5000)), DAMAGED),
    **({"locked": (locked, UNREADABLE)} if os.geteuid() else {}),  # nothing is locked for root
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_picture_is_told_and_the_others_are_predicted(predict, digit, kind):
    make, fault = BROKEN[kind]
    make(Path("bad.png"))
    digit("a.png", 0)
    digit("b.png", 1)
    result = predict("a.png", "bad.png", "b.png", "-q")
    assert result.code == 4
    assert [cells[2] for cells in lines_of(result)] == ["a.png", "b.png"]
    assert result.stderr.startswith("Error: bad.png: ")
    assert fault in result.stderr
    assert result.stderr.count("\n") == 1
    first, bad, second = objects_of(predict("a.png", "bad.png", "b.png", "--format", "json"))
    assert (first["path"], second["path"]) == ("a.png", "b.png")
    assert bad == {"path": "bad.png", "error": result.stderr[len("Error: ") : -1]}


EMPTY = {
    "white": flat("L", 255),
    "black": flat("L", 0),
    "grey": flat("L", 128),
    "one colour": flat("RGB", (250, 240, 215)),
    "transparent": flat("RGBA", (0, 0, 0, 0)),
    "black and white, all white": flat("1", 1),
}


@pytest.mark.parametrize("kind", EMPTY)
def test_a_blank_picture_gets_a_question_mark_and_a_reason(predict, digit, kind):
    EMPTY[kind](Path("blank.png"))
    digit("a.png", 0)
    result = predict("blank.png", "a.png")
    assert result.code == 0
    assert result.stdout.startswith("?\t-\tblank.png\n")
    assert "Warning: blank.png: the picture is blank\n" in result.stderr
    assert [cells[-1] for cells in lines_of(predict("blank.png", "a.png", "--top", 3))] == [
        "blank.png",
        "a.png",
    ]
    blank, _ = objects_of(predict("blank.png", "a.png", "--format", "json"))
    assert blank == {
        "path": "blank.png",
        "label": None,
        "digit": None,
        "probability": None,
        "probabilities": None,
        "reason": "blank",
        "message": "the picture is blank",
        "box": None,
        "model": "model.npz",
    }
    rows = list(csv.DictReader(io.StringIO(predict("blank.png", "--format", "csv").stdout)))
    assert rows[0]["digit"] == "?"
    assert rows[0]["probability"] == rows[0]["p0"] == ""


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "a.png/below.png", "/dev/null"])
def test_a_path_that_cannot_be_followed_is_told_and_the_others_are_predicted(predict, digit, name):
    digit("a.png")
    result = predict(name, "a.png", "-q")
    assert result.code == 4
    assert [cells[2] for cells in lines_of(result)] == ["a.png"]
    assert result.stderr.startswith(f"Error: {name}: ")
    assert result.stderr.count("\n") == 1


def test_broken_pictures_in_a_folder_and_on_stdin_are_told(predict, digit):
    Path("scans").mkdir()
    digit("scans/a.png")
    Path("scans/b.png").write_bytes(b"")
    digit("scans/c.png")
    result = predict("scans", "-", "-q", stdin=b"")
    assert result.code == 4
    assert [cells[2] for cells in lines_of(result)] == ["scans/a.png", "scans/c.png"]
    assert result.stderr.splitlines() == [
        "Error: scans/b.png: an empty file",
        "Error: -: an empty file",
    ]


def test_csv_leaves_broken_pictures_out(predict, digit):
    digit("a.png")
    result = predict("bad.png", "a.png", "--format", "csv")
    assert result.code == 4
    assert [row["path"] for row in csv.DictReader(io.StringIO(result.stdout))] == ["a.png"]


def test_what_the_network_saw_is_numbered_as_its_answers_are(predict, digit):
    digit("a.png")
    predict("bad.png", "a.png", "--show-preprocessed", "seen")
    assert [path.name for path in Path("seen").iterdir()] == ["00000-a.png"]


def test_the_exported_test_images_are_predicted_as_eval_says(dlcli, trained_model, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _file: None)  # 4,000 times, it would take long
    export = dlcli("data", "export", "--dataset", "sample", "--split", "test", "-o", "digits")
    assert export.code == 0
    result = dlcli("predict", "digits", "--model", trained_model, "--format", "json")
    assert result.code == 0
    answers = objects_of(result)
    right = [answer for answer in answers if Path(answer["path"]).stem[-1] == str(answer["digit"])]
    scores = json.loads(dlcli("eval", trained_model, "--format", "json").stdout)
    assert (len(right), len(answers)) == (scores["correct"], scores["images"])


def letters(count: int, *, mnist_format: bool) -> tuple[np.ndarray, np.ndarray]:
    """Letters of different sizes with labels from 0 to 9, light on dark."""
    random = np.random.default_rng(0)
    images = []
    for number in range(count):
        image = Image.new("L", (150, 150))
        font = ImageFont.load_default(int(random.integers(60, 110)))
        letter = "ABCEFHKLMX"[number % 10]
        ImageDraw.Draw(image).text((75, 75), letter, fill=255, font=font, anchor="mm")
        levels = np.asarray(image.rotate(random.uniform(-10, 10)).crop(image.getbbox()))
        if mnist_format:
            images.append(to_mnist_format((levels / 255).astype(np.float32)))
        else:
            images.append(np.asarray(Image.fromarray(levels).resize((28, 28))).reshape(-1))
    return np.stack(images), (np.arange(count) % 10).astype(np.uint8)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("kind", ["digits", "letters", "large letters"])
def test_a_model_reads_pictures_like_those_it_was_trained_on(
    dlcli, workdir, sample, monkeypatch, kind, inverted
):
    """As `dlcli eval` says, with no ?, whatever they show and whichever is the background."""
    monkeypatch.setattr(os, "fsync", lambda _file: None)  # the pictures are many
    images, labels = sample.train.images[:1500], sample.train.labels[:1500]
    if kind != "digits":
        images, labels = letters(600, mnist_format=kind == "letters")
    images = 255 - images if inverted else images
    folder = workdir / "data"
    folder.mkdir()
    for file in FILES:
        part = slice(None, -60) if file.startswith("train") else slice(-60, None)
        content = images[part].reshape(-1, 28, 28) if "images" in file else labels[part]
        (folder / file).write_bytes(idx.serialize(content))
    settings = ("dataset=data", "epochs=10", "optimizer=adam", "learning_rate=0.001")
    assert dlcli("train", "-q", "--name=a", *[f"--set={each}" for each in settings]).code == 0
    exported = dlcli("data", "export", "-q", "--dataset=data", "--split=test", "-o", "digits")
    assert exported.code == 0
    result = dlcli("predict", "-q", "digits", "--model", "runs/a")
    right = [cells[0] == Path(cells[2]).stem[-1] for cells in lines_of(result)]
    scores = json.loads(dlcli("eval", "runs/a", "--format", "json").stdout)
    assert (len(right), sum(right)) == (60, scores["correct"])
    assert scores["correct"] > 40


def test_predicting_a_picture_imports_nothing_it_does_not_need(workdir, model, digit):
    digit("a.png")
    code = (
        "import sys\n"
        "from dlcli.cli.main import run\n"
        "assert run(['predict', '--model', 'model.npz', 'a.png']) == 0\n"
        "needless = 'cv2 requests urllib3 tqdm yaml msgspec filelock hypothesis'.split()\n"
        "imported = [name for name in needless if name in sys.modules]\n"
        "assert not imported, imported\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


def test_preprocessed_pictures_go_into_an_empty_folder_or_are_forced(
    dlcli, trained_model, sample, workdir
):
    preview.write_image(sample.test.images[0], workdir / "digit.png")
    arguments = ["predict", "digit.png", "-m", trained_model, "--show-preprocessed", "seen"]
    assert dlcli(*arguments).code == 0
    refused = dlcli(*arguments)
    assert refused.code == 2
    assert "seen: is not empty; add --force" in refused.stderr
    assert dlcli(*arguments, "--force").code == 0


def test_on_a_terminal_a_bar_counts_the_pictures(predict, digit, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    digit("a.png")
    digit("b.png", 1)
    several = predict("a.png", "b.png")
    assert "2 pictures" in several.stderr
    assert [cells[-1] for cells in lines_of(several)] == ["a.png", "b.png"]
    assert "pictures" not in predict("a.png").stderr
    assert "pictures" not in predict("-q", "a.png", "b.png").stderr
