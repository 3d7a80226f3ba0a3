"""``dlcli data audit``: which labels are probably wrong."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dlcli.data import datasets, idx
from dlcli.data.registry import FILES
from dlcli.evaluation import label_issues
from tests.data.drawn_pictures import letter, write_letters

# Enough for these images, in which a bar's height tells the label.
SETTINGS = (
    *("--set", "hidden_layers=[16]", "--set", "epochs=15", "--set", "augmentation=null"),
    *("--set", "batch_norm=false", "--set", "optimizer=sgd", "--set", "learning_rate=0.1"),
    *("--set", "batch_size=16", "--set", "dropout=0", "--folds", "3", "--threads", "1"),
)
WRONG = (17, 93)


@pytest.fixture
def mislabelled(make_idx_folder):
    """120 training images, of which two have wrong labels, and 20 test images, of which one has."""
    folder = make_idx_folder(Path("bars"), train=120)
    for file, rows in ((FILES[1], WRONG), (FILES[3], (5,))):
        labels = idx.parse_labels((folder / file).read_bytes(), file).copy()
        labels[list(rows)] = (labels[list(rows)] + 4) % 10
        (folder / file).write_bytes(idx.serialize(labels))
    return folder


def test_wrong_labels_are_listed_in_every_format_and_drawn(dlcli, mislabelled):
    result = dlcli("data", "audit", mislabelled, *SETTINGS, "-f", "json", "-o", "worst.png")
    assert result.code == 0, result.stderr
    rows = json.loads(result.stdout)
    assert {row["index"] for row in rows[:2]} == set(WRONG)
    for row in rows[:2]:
        right = str(row["index"] % 10)
        assert (row["label"], row["suggestion"]) == (str((int(right) + 4) % 10), right)
        assert 0 <= row["score"] < 0.1
    assert f"{len(rows)} of 120 labels are probably wrong" in result.stderr
    assert result.stderr.endswith("Picture: worst.png\n")
    assert Path("worst.png").read_bytes().startswith(b"\x89PNG")
    assert not Path("runs").exists()


def test_labels_of_the_test_images_are_checked_by_networks_of_the_training_images(
    dlcli, mislabelled
):
    arguments = ("data", "audit", mislabelled, *SETTINGS, "--split", "test", "--limit", "1")
    found = list(csv.DictReader(io.StringIO(dlcli(*arguments, "-f", "csv").stdout)))
    assert [(row["index"], row["label"], row["suggestion"]) for row in found] == [("5", "9", "5")]
    text = dlcli(*arguments).stdout.splitlines()
    assert [line.split()[:3] for line in text] == [
        ["index", "label", "suggestion"],
        ["5", "9", "5"],
    ]


def test_pictures_with_wrong_labels_are_named(dlcli, workdir):
    """Also where some classes are left out, and where a file has two pages."""
    write_letters(Path("mine"), "ABCD", each=12)
    shutil.move("mine/C/0.png", "mine/B/wrong.png")
    pages = [letter("A", number) for number in (20, 21)]
    pages[0].save("mine/A/two.tif", save_all=True, append_images=pages[1:])
    settings = (*SETTINGS, "--set", "epochs=40", "--set", "classes=[B, C, A]")
    result = dlcli("data", "audit", "./mine", *settings, "-f", "json", "--limit", "40")
    rows = json.loads(result.stdout)
    paths = [row["path"] for row in rows]
    dataset = datasets.load("./mine")
    assert dataset.pictures is not None
    assert paths == [str(Path("mine", dataset.pictures[0][row["index"]])) for row in rows]
    assert [Path(path).parent.name for path in paths] == [row["label"] for row in rows]
    assert {"A/two.tif", "A/two.tif#2"} <= {name for names in dataset.pictures for name in names}
    assert dlcli("data", "audit", "mine", *settings).stdout.split()[:5][-1] == "path"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nowhere",), 3, "Error: nowhere: no such folder of IDX files or pictures, and none of"),
        (("./nowhere",), 3, "nowhere: no such folder"),
        (("sample", "-o", "worst.gif"), 2, "the file must end in one of .png, .svg, .pdf"),
        (("sample", "--set", "epochs=0"), 2, "epochs: expected"),
        (("sample", "--folds", "1"), 2, "--folds"),
    ],
)
def test_what_cannot_be_audited_is_refused(dlcli, arguments, code, message):
    result = dlcli("data", "audit", *arguments)
    assert (result.code, result.stdout) == (code, "")
    assert message in result.stderr


def test_without_the_extra_it_says_how_to_install_it_before_it_trains(dlcli, monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    monkeypatch.delitem(sys.modules, "cleanlab.filter", raising=False)
    result = dlcli("data", "audit", "sample")
    assert result.code == 2
    assert "cleanlab is not installed; get it with: pip install 'dlcli[audit]'" in result.stderr


def test_cleanlab_is_imported_by_nothing_else(workdir):
    code = (
        "import sys; from dlcli.cli.main import run; run(['data', 'audit', '--help']); "
        "import dlcli.evaluation.label_issues; assert 'cleanlab' not in sys.modules; "
        "assert 'pandas' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_labels_beyond_a_byte_are_no_problem():

    true = np.tile(np.arange(300), 4).astype(np.uint16)
    probabilities = np.full((1200, 300), 0.1 / 299)
    probabilities[np.arange(1200), true] = 0.9
    assert label_issues.find(true, probabilities).ranking == []


def test_trained_models_are_asked_about_test_images_and_nothing_is_trained(dlcli, trained_model):
    arguments = ("data", "audit", "sample", "--split", "test", "-m", trained_model, "--limit", "3")
    result = dlcli(*arguments, "-f", "json")
    assert [row["label"] != row["suggestion"] for row in json.loads(result.stdout)] == [True] * 3
    assert "fold" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--split", "train"), "--model is for --split test: a model has learned the labels"),
        (("--split", "test", "--folds", "3"), "--model and --folds exclude each other: nothing"),
        (("--split", "test", "--set", "epochs=1"), "--model and --set exclude each other"),
    ],
)
def test_what_has_no_meaning_with_trained_models_is_refused(dlcli, arguments, message):
    result = dlcli("data", "audit", "sample", "-m", "pretrained", *arguments)
    assert (result.code, result.stdout) == (2, "")
    assert message in result.stderr
