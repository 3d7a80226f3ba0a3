"""Letters and other classes from training to predictions, with their names everywhere."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from dlcli import load_model
from dlcli.cli.main import run
from dlcli.data import datasets, idx, registry
from dlcli.runs import lookup, training_data
from tests.cli.evaluations import json_of
from tests.data.drawn_pictures import LETTERS, letter, write_letters

LEARN = ("-s", "epochs=20", "-s", "validation_size=0.1", "-s", "hidden_layers=[40]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of ten letters, twelve of each."""
    return write_letters(tmp_path_factory.mktemp("own") / "letters", each=12)


@pytest.fixture(scope="module")
def model(folder):
    """A run that was trained on them."""
    runs = folder.parent / "runs"
    arguments = ["train", "-q", "-s", f"dataset={folder}", *LEARN, "--runs-dir", str(runs)]
    assert run([*arguments, "--name", "letters"]) == 0
    return runs / "letters"


def test_the_checkpoint_names_the_classes_and_the_preparation(model):
    metadata = lookup.load_named(str(model)).metadata
    assert metadata.class_names == tuple(LETTERS)
    assert metadata.preprocessing == "plain"


def test_eval_names_them(dlcli, model):
    scores = json_of(dlcli("eval", model, "--format", "json"))
    assert [entry["label"] for entry in scores["per_class"]] == list(LETTERS)
    assert "per_digit" not in scores
    assert scores["accuracy"] > 0.7
    lines = dlcli("eval", model).stdout.splitlines()
    assert any(line.split() == ["class", "precision", "recall", "F1", "images"] for line in lines)
    assert f"   {'  '.join(LETTERS)}" in lines


def test_predictions_of_eval_are_written_with_names_and_pictures(dlcli, model, folder, workdir):
    assert dlcli("eval", model, "--predictions", "p.csv").code == 0
    rows = list(csv.DictReader(io.StringIO((workdir / "p.csv").read_text())))
    assert {row["label"] for row in rows} == set(LETTERS)
    assert {row["prediction"] for row in rows} <= set(LETTERS)
    assert float(rows[0][f"p{rows[0]['prediction']}"]) > 0.1
    assert all(Path(row["path"]).parent == folder / row["label"] for row in rows)
    assert all(Path(row["path"]).is_file() for row in rows)


def test_predict_prints_the_name_first_and_never_a_question_mark(dlcli, model, folder):
    result = dlcli("predict", "--model", model, folder)
    names = [line.split("\t")[0] for line in result.stdout.splitlines()]
    paths = [line.split("\t")[2] for line in result.stdout.splitlines()]
    assert result.code == 0
    assert set(names) == set(LETTERS)
    right = [path.split("/")[-2] == name for name, path in zip(names, paths, strict=True)]
    assert np.mean(right) > 0.9


def test_predictions_are_those_of_eval(dlcli, model, folder):
    """Pictures are prepared by ``predict`` as they were for training."""
    from dlcli.inference.predictor import predict
    from dlcli.inference.sources import find_sources

    loaded = lookup.load_named(str(model))
    found = predict(loaded, find_sources([str(folder)], []), raw=False)
    dataset = datasets.load(str(folder))
    known = {bytes(image) for part in (dataset.train, dataset.test) for image in part.images}
    assert {bytes(each.pixels) for each in found if each.pixels is not None} == known


def test_json_and_csv_have_labels_and_no_digits(dlcli, model, folder):
    picture = folder / "C" / "0.png"
    found = json_of(dlcli("predict", "-m", model, picture, "--top", 2, "--format", "json"))
    assert found["label"] in LETTERS
    assert "digit" not in found
    assert len(found["probabilities"]) == 10
    assert found["top"][0] == {"label": found["label"], "probability": found["probability"]}
    result = dlcli("predict", "-m", model, picture, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert set(row) == {"path", "label", "probability", *(f"p{name}" for name in LETTERS)}


def test_a_blank_picture_is_still_none(dlcli, model, workdir):
    Image.new("L", (60, 60), 255).save("blank.png")
    found = json_of(dlcli("predict", "-m", model, "blank.png", "--format", "json"))
    assert (found["label"], found["reason"]) == (None, "blank")


def test_more_classes_than_there_are_cannot_be_shown(dlcli, model, folder):
    result = dlcli("predict", "-m", model, folder / "A" / "0.png", "--top", 11)
    assert result.code == 2
    assert "--top 11: the model has 10 classes" in result.stderr


def test_the_report_names_them_and_has_no_field_to_draw_digits_on(dlcli, model, workdir):
    assert dlcli("report", model, "-o", "page.html").code == 0
    page = (workdir / "page.html").read_text()
    assert "Class by class" in page
    assert '<th scope="col" title="J">J</th>' in page
    assert "Draw a digit" not in page
    demo = dlcli("report", "--demo", model, "-o", "demo.html")
    assert demo.code == 4
    assert "which cannot be drawn; digits can" in demo.stderr


@pytest.mark.parametrize("what", ["confusion", "errors", "weights"])
def test_plots_name_them(dlcli, model, workdir, what):
    assert dlcli("plot", model, "--what", what, "-o", "plot.svg").code == 0
    assert "<svg" in (workdir / "plot.svg").read_text()


def test_exports_name_them(dlcli, model, workdir):
    assert dlcli("export", model, "-o", "letters.onnx").code == 0
    exported = onnx.load(workdir / "letters.onnx")
    properties = {entry.key: entry.value for entry in exported.metadata_props}
    assert json.loads(properties["dlcli"])["class_names"] == list(LETTERS)
    assert exported.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 10


def test_the_library_names_them(model, folder):
    classifier = load_model(model)
    assert classifier.class_names == tuple(LETTERS)
    found = classifier.predict_picture(folder / "E" / "1.png")
    assert (found.label in set(LETTERS), found.digit, found.reason) == (True, None, None)


def test_numbers_are_not_read_with_letters(dlcli, model, folder):
    assert dlcli("read", "-m", model, folder / "E" / "1.png").code == 4


def test_data_that_changed_are_not_scored_silently(dlcli, workdir):
    write_letters(workdir / "mine", "AB", each=6)
    assert dlcli("train", "-q", "-s", "dataset=./mine", *LEARN, "--name", "a").code == 0
    letter("A", 77).save(workdir / "mine" / "A" / "more.png")
    result = dlcli("eval", "runs/a")
    assert result.code == 3
    assert "has changed since runs/a/best.npz was trained on it" in result.stderr
    assert dlcli("eval", "runs/a", "--dataset", "mine").code == 0


def test_a_resumed_run_ends_bit_identical(dlcli, workdir):
    write_letters(workdir / "mine", "AB", each=6)
    train = ("train", "-q", "-s", "dataset=./mine", *LEARN)
    assert dlcli(*train, "--name", "whole").code == 0
    assert dlcli(*train, "-s", "epochs=7", "--name", "half").code == 0
    assert dlcli("train", "-q", "--resume", "runs/half", "-s", "epochs=20").code == 0
    with np.load("runs/whole/last.npz") as whole, np.load("runs/half/last.npz") as half:
        for name in set(whole) - {"metadata"}:
            assert whole[name].tobytes() == half[name].tobytes()


def test_a_dataset_of_other_classes_is_refused(dlcli, model, workdir):
    write_letters(workdir / "mine", "AX", each=3)
    result = dlcli("eval", model, "--dataset", "mine")
    assert result.code == 3
    assert f"mine: its class 'X' is none of those of {model}/best.npz: A, B, C" in result.stderr


def test_some_of_the_classes_can_be_scored(dlcli, model, workdir):
    write_letters(workdir / "mine", "CA", each=3, first=20)
    scores = json_of(dlcli("eval", model, "--dataset", "mine", "--format", "json"))
    assert [entry["images"] for entry in scores["per_class"]] == [1, 0, 1, *[0] * 7]


# 47 classes, as in EMNIST's balanced set: digits, capital letters, some small ones.
BALANCED = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"


def write_emnist(folder, characters=BALANCED, first=0, kind="balanced"):
    """IDX files with EMNIST's names: images transposed, and a mapping of labels to characters."""
    folder.mkdir()
    images = np.stack(
        [
            255 - np.asarray(letter(c, number).resize((28, 28))).T
            for number in range(6)
            for c in characters
        ]
    )
    labels = np.tile(np.arange(len(characters)) + first, 6).astype(np.uint8)
    test = np.arange(len(labels)) >= 5 * len(characters)
    for split, rows in (("train", ~test), ("test", test)):
        stem = f"emnist-{kind}-{split}"
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(idx.serialize(images[rows]))
        (folder / f"{stem}-labels-idx1-ubyte.gz").write_bytes(
            idx.compress(idx.serialize(labels[rows]))
        )
    lines = [f"{number} {ord(c)}\n" for number, c in enumerate(characters, start=first)]
    (folder / f"emnist-{kind}-mapping.txt").write_text("".join(lines))
    return folder


def test_emnist_is_found_named_and_turned_upright(workdir):
    dataset = datasets.load(str(write_emnist(workdir / "emnist")))
    assert dataset.class_names == tuple(BALANCED)
    upright = 255 - np.asarray(letter("0", 0).resize((28, 28)))
    assert np.array_equal(dataset.train.images[0].reshape(28, 28), upright)
    assert dataset.notes == ("EMNIST's images are stored transposed, and are turned upright here",)


def test_labels_from_one_are_counted_from_zero(workdir):
    folder = write_emnist(workdir / "emnist", LETTERS, first=1, kind="letters")
    write_emnist(workdir / "other")
    for path in (workdir / "other").iterdir():
        path.rename(folder / path.name)
    dataset = datasets.load(str(folder / "emnist-letters"))
    assert dataset.class_names == tuple(LETTERS)
    assert set(dataset.train.labels.tolist()) == set(range(10))


def test_47_classes_from_training_to_export(dlcli, workdir):
    write_emnist(workdir / "emnist")
    assert dlcli("train", "-q", "-s", "dataset=./emnist", *LEARN, "--name", "a").code == 0
    lines = dlcli("eval", "runs/a").stdout.splitlines()
    (title,) = [line for line in lines if line.startswith("the most frequent errors (47 classes")]
    assert lines[lines.index(title) + 1].split() == ["label", "prediction", "images"]
    assert len(json_of(dlcli("eval", "runs/a", "--format", "json"))["per_class"]) == 47
    letter("R", 3).save("r.png")
    assert dlcli("predict", "-m", "runs/a", "r.png").stdout[0] in BALANCED
    assert dlcli("report", "runs/a", "-o", "page.html").code == 0
    assert '<table class="matrix many"' in (workdir / "page.html").read_text()
    assert dlcli("plot", "runs/a", "--what", "confusion", "-o", "plot.png").code == 0
    assert dlcli("export", "runs/a", "-o", "a.onnx").code == 0
    assert dlcli("data", "show", "-s", "dataset=./emnist").code == 0


def test_a_dataset_may_be_the_folder_of_the_cache(dlcli, workdir, folder):
    shutil.copytree(folder, workdir / "data", dirs_exist_ok=True)
    first = dlcli("data", "status", "./data", "--data-dir", "data", "-f", "json")
    again = dlcli("data", "status", "./data", "--data-dir", "data", "-f", "json")
    assert (first.code, again.code) == (0, 0)
    assert first.stdout == again.stdout
    assert any((workdir / "data" / ".prepared").iterdir())


def test_names_beside_idx_files_are_those_of_the_classes(tiny, dlcli):
    names = [f"bar {number}" for number in range(10)]
    (tiny / "classes.txt").write_text("\n".join(names))
    assert datasets.load(str(tiny)).class_names == tuple(names)


def test_names_too_long_for_files_are_refused_before_any_picture_is_written(tiny, dlcli, workdir):
    names = [f"bar {number}" for number in range(9)]
    (tiny / "classes.txt").write_text("\n".join([*names, "x" * 230]))
    result = dlcli("data", "export", "--dataset", tiny, "--split", "all", "-o", "out")
    assert (result.code, result.stdout) == (3, "")
    assert "its name is too long for the names of its pictures" in result.stderr
    assert not (workdir / "out").exists()


def test_other_names_of_mnists_files_are_found(tiny):
    before = datasets.load(str(tiny))
    for name in registry.FILES:
        (tiny / name).rename(tiny / name.replace("-idx", ".idx"))
    assert datasets.load(str(tiny)).checksum == before.checksum


def test_other_pictures_are_prepared_for_scores_as_those_of_the_training_were(dlcli, workdir):
    """Exported letters that do not say how they were prepared are taken for prepared as digits."""
    write_letters(workdir / "letters", "AB", each=12)
    export = ("data", "export", "--dataset", "./letters", "--split", "all", "-o", "png")
    assert dlcli(*export).code == 0
    for path in Path("png").rglob("*.png"):
        Image.open(path).save(path)
    assert dlcli("train", "-q", "-s", "dataset=./png", *LEARN, "--name", "as-digits").code == 0
    assert dlcli("train", "-q", "-s", "dataset=./letters", *LEARN, "--name", "plain").code == 0
    for name, way in {"as-digits": "digit", "plain": "plain"}.items():
        model = lookup.load_named(f"runs/{name}")
        assert model.metadata.preprocessing == way
        loaded = training_data.load_named("./letters", [model], datasets.load)
        assert loaded.preprocessing == way
    both = dlcli("eval", "runs/as-digits", "runs/plain", "--dataset", "./letters")
    assert both.code == 3
    assert "./letters: the models want its pictures prepared in different ways" in both.stderr
    # Images that are the same for both are no reason, nor are they prepared once more.
    for names in (["runs/as-digits", "runs/plain"], ["runs/plain"]):
        own = json_of(dlcli("eval", *names, "--format", "json"))
        exported = json_of(dlcli("eval", *names, "--dataset", "./png", "--format", "json"))
        assert exported["loss"] == own["loss"]
