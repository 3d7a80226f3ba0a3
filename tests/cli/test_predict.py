"""``dlcli predict``: its answers in every format."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageDraw, ImageFont

from dlcli.data import idx
from dlcli.data.registry import FILES
from dlcli.nn.network import Network
from dlcli.vision import preview
from dlcli.vision.mnist_format import to_mnist_format
from tests.cli.predictions import drawing, lines_of, objects_of


def answer_to(model, pixels) -> tuple[int, float]:
    _, outputs = model.infer(pixels[np.newaxis])
    return int(outputs[0].argmax()), float(outputs[0].max())


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


def test_a_second_model_is_refused_with_the_command_that_takes_several(dlcli, model, digit):
    digit("a.png")
    result = dlcli("predict", "-m", "a b.npz", "--model", "model.npz", "a.png")
    assert (result.code, result.stdout) == (2, "")
    assert "for an ensemble: dlcli eval 'a b.npz' model.npz" in result.stderr


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


def test_a_model_that_cannot_read_numbers_is_not_recommended_for_that(
    dlcli, make_checkpoint, workdir
):
    page = Image.new("L", (300, 200), 255)
    for left in (90, 190):
        page.paste(0, (left, 50, left + 14, 150))
    page.save("page.png")
    network = Network([784, 5], [], "softmax")
    make_checkpoint("model.npz", network, class_names=list("01234"))
    result = dlcli("predict", "-m", "model.npz", "page.png")
    assert result.stderr.endswith("; for the number: dlcli read -m pretrained page.png\n")


@pytest.mark.parametrize("probability", ["-0.1", "1.1", "90", "high", "nan"])
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


def test_the_exported_test_images_are_predicted_as_eval_says(dlcli, trained_model):
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
    dlcli, workdir, sample, kind, inverted
):
    """As `dlcli eval` says, with no ?, whatever they show and whichever is the background."""
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
