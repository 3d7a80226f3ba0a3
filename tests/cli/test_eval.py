"""Scores on stdout in each format, a threshold for scripts, and every answer as CSV."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from dlcli.evaluation import evaluate
from dlcli.evaluation.metrics import METRICS, Metric
from dlcli.nn.network import Network
from dlcli.runs import checkpoint
from dlcli.runs.metadata import Metadata
from tests.cli.evaluations import KEYS, json_of


@pytest.fixture(scope="module")
def expected(trained_model, sample):
    """What the library says of the trained model."""
    return evaluate.evaluate([checkpoint.load(trained_model / "best.npz")], sample.test)


def test_json_holds_the_documented_keys(dlcli, trained_model, expected):
    scores = json_of(dlcli("eval", trained_model, "--format", "json"))
    assert list(scores) == KEYS
    assert scores["model"] == str(trained_model / "best.npz")
    assert (scores["dataset"], scores["split"]) == ("sample", "test")
    assert (scores["images"], scores["correct"]) == (2000, expected.correct)
    assert scores["accuracy"] == expected.correct / 2000
    low, high = scores["accuracy_interval_95"]
    assert 0.9 < low < scores["accuracy"] < high < 1
    assert scores["loss"] == pytest.approx(expected.loss)
    assert 0 <= scores["expected_calibration_error"] < 0.1
    assert [entry["rejected"] for entry in scores["error_at_rejection"]] == [0.01, 0.02, 0.05]
    for entry in scores["error_at_rejection"]:
        assert list(entry) == ["rejected", "threshold", "error"]
        assert 0 <= entry["error"] < 1 - scores["accuracy"]
    for digit, entry in enumerate(scores["per_digit"]):
        assert list(entry) == ["digit", "precision", "recall", "f1", "images"]
        assert entry["digit"] == digit
        assert min(entry["precision"], entry["recall"]) <= entry["f1"]
        assert entry["images"] == sum(scores["confusion_matrix"][digit])
    confusion = np.array(scores["confusion_matrix"])
    assert confusion.shape == (10, 10)
    assert (confusion.sum(), confusion.trace()) == (2000, expected.correct)


def test_a_row_of_the_metrics_is_all_that_a_score_in_one_number_needs(
    dlcli, trained_model, monkeypatch
):
    row = Metric("mean confidence", lambda p, _labels: float(p.max(axis=1).mean()), "{:.3f}".format)
    monkeypatch.setitem(METRICS, "mean_confidence", row)
    score = json_of(dlcli("eval", trained_model, "--format", "json"))["mean_confidence"]
    assert f"mean confidence    {score:.3f}\n" in dlcli("eval", trained_model).stdout


def test_text_shows_the_same(dlcli, trained_model, expected):
    result = dlcli("eval", trained_model)
    assert result.code == 0
    assert result.stderr == f"Model: {trained_model / 'best.npz'}\n"
    lines = result.stdout.splitlines()
    assert re.fullmatch(
        rf"accuracy           {100 * expected.accuracy:.2f} %  \({expected.correct:,} of 2,000; "
        r"95 % interval 9\d\.\d\d % to 9\d\.\d\d %\)",
        lines[0],
    )
    assert lines[1] == f"loss               {expected.loss:.4f}"
    assert lines[2].startswith("calibration error  ")
    assert re.fullmatch(r"balanced accuracy  9\d\.\d\d %", lines[3])
    assert re.fullmatch(r"macro F1           9\d\.\d\d %", lines[4])
    del lines[3:5]
    assert lines[4].split() == ["rejected", "below", "error"]
    for line, percentage, rejection in zip(lines[5:8], "125", expected.rejections, strict=True):
        below, error = f"{rejection.threshold:.4f}", f"{100 * rejection.error:.2f}"
        assert line.split() == [percentage, "%", below, error, "%"]
    assert lines[9].split() == ["digit", "precision", "recall", "F1", "images"]
    five = expected.classes[5]
    assert lines[15].split() == [
        "5",
        f"{100 * five.precision:.2f}",
        "%",
        f"{100 * five.recall:.2f}",
        "%",
        f"{100 * five.f1:.2f}",
        "%",
        str(five.images),
    ]
    assert lines[21] == "confusion matrix (row: label, column: prediction)"
    assert lines[22].split() == [str(digit) for digit in range(10)]
    rows = [[int(cell) for cell in line.split()] for line in lines[23:]]
    assert rows == [[digit, *expected.confusion[digit].tolist()] for digit in range(10)]


def test_a_digit_without_images_has_no_scores(dlcli, trained_model, make_idx_folder):
    make_idx_folder(Path("few"), test=9)
    result = dlcli("eval", trained_model, "--dataset", "few")
    assert result.code == 0
    assert "nan" not in result.stdout
    (nine,) = re.findall(r"^9  .*images$|^9 .* -.*$", result.stdout, re.MULTILINE)
    assert nine.split() == ["9", "-", "-", "-", "0"]
    report = dlcli("report", trained_model, "--dataset", "few", "-o", "few.html")
    assert report.code == 0
    page = Path("few.html").read_text("utf-8")
    assert '<tr><th scope="row">9</th><td>-</td><td>-</td><td class="images">0</td>' in page


def test_quiet_does_not_hide_the_scores(dlcli, trained_model):
    assert dlcli("eval", trained_model, "--quiet").stderr == ""


@pytest.mark.parametrize("threshold", [0, 0.5])
def test_a_threshold_that_is_reached_changes_nothing(dlcli, trained_model, threshold):
    result = dlcli("eval", trained_model, "--min-accuracy", threshold)
    assert result.code == 0
    assert result.stdout == dlcli("eval", trained_model).stdout


def test_a_threshold_reached_exactly_is_reached(dlcli, trained_model, expected):
    assert dlcli("eval", trained_model, "--min-accuracy", expected.accuracy).code == 0


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize("threshold", ["0.999", "1"])
def test_a_missed_threshold_is_reported_after_the_scores(
    dlcli, trained_model, expected, threshold, output
):
    plain = dlcli("eval", trained_model, "--format", output)
    result = dlcli("eval", trained_model, "--format", output, "--min-accuracy", threshold, "-q")
    assert result.code == 5
    assert result.stdout == plain.stdout
    assert result.stderr == (
        f"Error: {trained_model / 'best.npz'}: accuracy {expected.accuracy:.4f} is below "
        f"{threshold}\n"
    )


@pytest.mark.parametrize("threshold", ["-0.1", "1.1", "98", "high", "nan"])
def test_a_threshold_is_a_fraction(dlcli, trained_model, threshold):
    result = dlcli("eval", trained_model, "--min-accuracy", threshold)
    assert (result.code, result.stdout) == (2, "")


def test_every_prediction_is_written_as_csv(dlcli, trained_model, sample, expected):
    assert dlcli("eval", trained_model, "--predictions", "answers.csv").code == 0
    with Path("answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    digits = [f"p{digit}" for digit in range(10)]
    assert list(rows[0]) == ["index", "label", "prediction", *digits]
    assert [int(row["index"]) for row in rows] == list(range(2000))
    assert [int(row["label"]) for row in rows] == sample.test.labels.tolist()
    assert [int(row["prediction"]) for row in rows] == expected.predictions.tolist()
    probabilities = [[float(row[digit]) for digit in digits] for row in rows]
    np.testing.assert_allclose(probabilities, expected.probabilities, rtol=1e-5)


def test_predictions_have_the_place_of_each_image_in_its_split(dlcli, sample, workdir):
    settings = ("-s", "train_size=100", "-s", "epochs=1", "-s", "classes=[3, 8]", "--name", "two")
    assert dlcli("train", "-q", "-c", "quickstart", *settings).code == 0
    for split, examples in (("test", sample.test), ("validation", sample.train)):
        options = ("--split", split, "--predictions", f"{split}.csv")
        assert dlcli("eval", "runs/two", *options).code == 0
        rows = list(csv.DictReader(io.StringIO(Path(f"{split}.csv").read_text())))
        labels = examples.labels[[int(row["index"]) for row in rows]]
        assert [row["label"] for row in rows] == list(map(str, labels.tolist()))


def test_predictions_are_replaced_only_with_force(dlcli, trained_model, workdir):
    Path("answers.csv").write_text("mine")
    result = dlcli("eval", trained_model, "--predictions", "answers.csv")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr == "Error: answers.csv: exists already; add --force to replace it\n"
    assert Path("answers.csv").read_text() == "mine"
    assert dlcli("eval", trained_model, "--predictions", "answers.csv", "--force").code == 0
    assert Path("answers.csv").read_text().startswith("index,label,prediction,p0,")


def test_predictions_need_a_folder_that_exists(dlcli, trained_model):
    result = dlcli("eval", trained_model, "--predictions", "nowhere/answers.csv", "--force")
    assert result.code == 2
    assert "the folder nowhere does not exist" in result.stderr


def test_splits_are_those_of_the_training(dlcli, trained_model):
    sizes = {}
    for split in ("test", "train", "validation"):
        scores = json_of(dlcli("eval", trained_model, "--split", split, "--format", "json"))
        assert scores["split"] == split
        sizes[split] = scores["images"]
    assert sizes["test"] == 2000
    assert sizes["train"] + sizes["validation"] == 10_000
    assert sizes["validation"] > 0


def test_the_validation_scores_are_those_of_the_training(dlcli, trained_model):
    summary = json.loads((trained_model / "summary.json").read_text())
    scores = json_of(dlcli("eval", trained_model, "--split", "validation", "--format", "json"))
    assert scores["accuracy"] == pytest.approx(summary["validation_accuracy"])
    assert scores["loss"] == pytest.approx(summary["validation_loss"], rel=1e-4)


def test_another_dataset_is_scored_on_its_test_images(dlcli, trained_model, tiny):
    scores = json_of(dlcli("eval", trained_model, "--dataset", tiny, "--format", "json"))
    assert (scores["dataset"], scores["images"]) == (str(tiny), 20)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_another_dataset_has_no_other_split(dlcli, trained_model, tiny, split):
    result = dlcli("eval", trained_model, "--dataset", tiny, "--split", split, "-q")
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr.startswith(f"Error: --split {split}: the model was trained on other data")


@pytest.mark.parametrize("split", ["train", "validation"])
def test_advice_about_data_that_changed_works_for_every_split(train, dlcli, make_idx_folder, split):
    run = Path(train("-q").stdout.strip())
    tiny = make_idx_folder(Path("tiny"), seed=1)
    told = dlcli("eval", run, "--split", split).stderr
    advice = told.rstrip().partition("as they are now: ")[2].split()
    assert advice == ["--split", "test", "--dataset", str(tiny.absolute())]
    assert dlcli("eval", run, *advice).code == 0


def test_a_missing_dataset_is_reported(dlcli, trained_model):
    result = dlcli("eval", trained_model, "--dataset", "nowhere", "-q")
    assert result.code == 3
    assert result.stderr.startswith(
        "Error: nowhere: no such folder of IDX files or pictures, and none of "
    )


def test_an_unknown_key_in_the_config_matters_only_where_it_is_needed(
    dlcli, make_checkpoint, sample
):
    dataset = {"name": "sample", "checksum": sample.checksum}
    make_checkpoint("a.npz", config={"warp": 9}, dataset=dataset)
    assert dlcli("eval", "a.npz").code == 0
    result = dlcli("eval", "a.npz", "--split", "train", "-q")
    assert (result.code, result.stderr) == (4, "Error: a.npz: warp: unknown key\n")


@pytest.mark.parametrize(
    ("output_activation", "loss", "weight"),
    [("sigmoid", "cross_entropy", 1e38), ("linear", "mse", 1e22)],
)
def test_a_loss_that_overflows_is_null_in_json_and_no_warning_is_shown(
    dlcli, tmp_path, output_activation, loss, weight
):
    """The outputs of these models are finite."""
    network = Network([784, 16, 10], ["relu"], output_activation)
    network.initialize("auto", 0.1, np.random.default_rng(0))
    network.weights[-1][...] = np.sign(network.weights[-1]) * weight
    known = {"config": {"dataset": "sample"}, "epoch": 1, "preprocessing": "digit"}
    metadata = Metadata.from_json(known | {"dataset": {"name": "sample", "checksum": "0"}})
    checkpoint.save(tmp_path / "large.npz", network, loss, metadata, {})
    result = dlcli("eval", "large.npz", "-q", "--dataset", "sample", "--format", "json")
    assert (result.code, result.stderr) == (0, "")
    assert json.loads(result.stdout, parse_constant=pytest.fail)["loss"] is None
    assert dlcli("eval", "large.npz", "-q", "--dataset", "sample").stderr == ""


def test_augmentation_and_disputed_labels_are_figures_of_their_own(
    dlcli, trained_model, monkeypatch, expected
):
    monkeypatch.setattr(evaluate, "disputes", lambda _: {0: "none", 1: "another"})
    text = dlcli("eval", trained_model, "--tta").stdout
    assert re.search(f"^accuracy  .*{100 * expected.accuracy:.2f} %", text, re.MULTILINE)
    assert re.search(r"^accuracy with TTA  .*\(mean over 46 variants\)", text, re.MULTILINE)
    assert "accuracy without 2 disputed labels" in text
    scores = json_of(dlcli("eval", trained_model, "--tta", "--format", "json"))
    assert list(scores) == [*KEYS, "disputed_errors", "accuracy_undisputed", "tta"]
    assert scores["accuracy"] == expected.accuracy
    assert "disputed_errors" not in json_of(
        dlcli("eval", trained_model, "--split", "train", "--format", "json")
    )
