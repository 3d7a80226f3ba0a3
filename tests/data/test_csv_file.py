"""CSV files as Kaggle hands MNIST out become folders of IDX files."""

import errno
import os
from contextlib import contextmanager

import numpy as np
import pytest

from dlcli.data import datasets
from dlcli.files import atomic_write

HEADER = ",".join(["label", *(f"pixel{number}" for number in range(784))])


def line(label, value=7, pixels=784):
    return ",".join([str(label), *[str(value)] * pixels])


def write(path, *lines, end="\n"):
    path.write_text(end.join(lines) + end)
    return path


@pytest.fixture
def kaggle(workdir):
    """Five images of each of two digits."""
    lines = [line(label, 10 * label + number) for number in range(5) for label in (3, 7)]
    return write(workdir / "train.csv", HEADER, *lines)


def test_a_csv_file_becomes_a_folder_that_can_be_trained_on(dlcli, kaggle):
    result = dlcli("data", "import", "train.csv")
    assert (result.code, result.stdout) == (0, "train\n")
    assert result.stderr == "8 training images, 2 test images\n"
    dataset = datasets.load("./train")
    assert sorted(dataset.test.labels.tolist()) == [3, 7]
    assert sorted(dataset.train.images[:, 0].tolist() + dataset.test.images[:, 0].tolist()) == (
        sorted([30, 31, 32, 33, 34, 70, 71, 72, 73, 74])
    )
    assert dlcli("train", "-q", "-s", "dataset=./train", "-s", "epochs=1").code == 0


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_header_is_not_needed_and_another_file_may_be_the_test(dlcli, workdir, end):
    write(workdir / "a.csv", line(0), line(1), "", end=end)
    write(workdir / "b.csv", line(1, 9), end=end)
    result = dlcli("data", "import", "a.csv", "--test", "b.csv", "-o", "out")
    assert (result.code, result.stdout) == (0, "out\n")
    dataset = datasets.load("./out")
    assert dataset.train.labels.tolist() == [0, 1]
    assert dataset.test.images[0].tolist() == [9] * 784


def test_labels_in_words_are_names_of_classes(dlcli, workdir):
    lines = [line(f'"{name}"', number) for number in range(3) for name in ("b", "a")]
    write(workdir / "letters.csv", *lines)
    assert dlcli("data", "import", "letters.csv").code == 0
    dataset = datasets.load("./letters")
    assert dataset.class_names == ("a", "b")
    assert np.bincount(dataset.train.labels).tolist() == [2, 2]


def test_numbers_with_gaps_are_names_of_classes(dlcli, workdir):
    """As in sign languages, where J and Z are movements."""
    lines = [line(label, number) for number in range(3) for label in ("0", "08", 24)]
    write(workdir / "signs.csv", *lines)
    assert dlcli("data", "import", "signs.csv").code == 0
    dataset = datasets.load("./signs")
    assert dataset.class_names == ("0", "8", "24")
    assert np.bincount(dataset.train.labels).tolist() == [2, 2, 2]


@pytest.mark.parametrize("label", [10, "x", "0x1"])
def test_a_label_of_the_test_that_training_lacks_is_refused(dlcli, workdir, label):
    write(workdir / "a.csv", line(0), line(1))
    write(workdir / "b.csv", line(label))
    result = dlcli("data", "import", "a.csv", "--test", "b.csv", "-o", "out")
    assert result.code == 3
    assert result.stderr == f"Error: b.csv: the label '{label}' is none of a.csv\n"


def test_a_fifth_of_each_class_are_test_images(dlcli, workdir):
    sizes = {"1": 10, "2": 15, "3": 20}
    lines = [line(label, number) for label, size in sizes.items() for number in range(size)]
    write(workdir / "a.csv", *lines)
    assert dlcli("data", "import", "a.csv").code == 0
    dataset = datasets.load("./a")
    assert np.bincount(dataset.test.labels).tolist() == [0, 2, 3, 4]
    assert np.bincount(dataset.train.labels).tolist() == [0, 8, 12, 16]


def test_a_byte_order_mark_is_no_part_of_the_first_label(dlcli, workdir):
    write(workdir / "a.csv", "\ufeff" + line(0), line(1), line(0, 8), line(1, 8))
    assert dlcli("data", "import", "a.csv").code == 0
    assert datasets.load("./a").class_names[:2] == ("0", "1")


def test_names_of_an_earlier_import_do_not_stay(dlcli, kaggle, workdir):
    write(workdir / "letters.csv", *[line(name, n) for n in range(3) for name in ("a", "b")])
    assert dlcli("data", "import", "letters.csv", "-o", "out").code == 0
    assert dlcli("data", "import", "train.csv", "-o", "out", "--force").code == 0
    assert not (workdir / "out" / "classes.txt").exists()
    assert datasets.load("./out").class_names == tuple(map(str, range(10)))


def test_an_interrupted_import_does_not_mix_new_images_with_old_labels(
    dlcli, kaggle, workdir, monkeypatch
):
    assert dlcli("data", "import", "train.csv", "-o", "out").code == 0
    write(workdir / "other.csv", *[line(label, n) for n in range(5) for label in (7, 3)])
    written: list[object] = []

    @contextmanager
    def full_disk(path):
        if written:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        with atomic_write(path) as file:
            yield file

    monkeypatch.setattr("dlcli.data.csv_file.atomic_write", full_disk)
    assert dlcli("data", "import", "other.csv", "-o", "out", "--force").code == 1
    assert dlcli("data", "status", "./out").code == 3


def test_a_full_folder_is_kept_without_force(dlcli, kaggle, workdir):
    (workdir / "train").mkdir()
    (workdir / "train" / "x").touch()
    assert dlcli("data", "import", "train.csv").code == 2
    assert dlcli("data", "import", "train.csv", "--force").code == 0


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([""], "a.csv: holds no images"),
        ([HEADER], "a.csv: holds no images"),
        ([line(1, pixels=783)], "line 1: 784 columns, expected a label and 784 pixels; Kaggle's"),
        ([line(1), line(2, pixels=9)], "line 2: 10 columns, expected a label and 784 pixels"),
        ([",".join([*map(str, range(784)), "label"])], "line 1: the label must be the first"),
        (["\0,\0"], "line 1: not a text in UTF-8; save the file as UTF-8"),
        ([f"0,{line(1)}"], "line 1: 786 columns, expected a label and 784 pixels; pandas writes"),
        ([line(1), line(2, 256)], "line 2: pixel 0 is '256', expected 0 to 255"),
        ([line(1), line(2, -1)], "line 2: pixel 0 is '-1', expected 0 to 255"),
        ([line(1), line(2, "0.5")], "line 2: pixel 0 is '0.5', expected 0 to 255"),
        ([HEADER, HEADER], "line 2: pixel 0 is 'pixel0', expected 0 to 255"),
        ([",".join(reversed(HEADER.split(",")))], "line 1: the label must be the first column"),
        (
            [line(1), f"2,{'9' * 5000}{',7' * 783}"],
            "line 2: pixel 0 is '9999999999",
        ),
        ([line("9" * 5000), line(1)], "a.csv: the label 99999999999999999999 is above 255"),
        ([line("0.0"), line("1.0")], "the label '0.0' is neither a whole number nor a name"),
        ([line(300), line(1)], "a.csv: the label 300 is above 255"),
        ([line(0), line(1)], "a.csv: too few images for a test; each class needs two or more"),
        ([line("\x1b[2J"), line(1)], r"'\x1b[2J' cannot be the name of a class"),
        ([line(""), line("b")], "'' cannot be the name of a class"),
    ],
)
def test_a_wrong_file_is_one_clear_line_and_nothing_is_written(dlcli, workdir, lines, message):
    write(workdir / "a.csv", *lines)
    result = dlcli("data", "import", "a.csv")
    assert (result.code, result.stdout, result.stderr.count("\n")) == (3, "", 1)
    assert message in result.stderr
    assert not (workdir / "a").exists()


def test_test_images_of_other_classes_are_refused(dlcli, workdir):
    write(workdir / "a.csv", line("x"), line("y"))
    write(workdir / "b.csv", line("z"))
    result = dlcli("data", "import", "a.csv", "--test", "b.csv", "-o", "out")
    assert (result.code, result.stderr) == (3, "Error: b.csv: the label 'z' is none of a.csv\n")


def test_a_csv_file_that_is_missing_is_named(dlcli):
    assert "no.csv: cannot be read: No such file" in dlcli("data", "import", "no.csv").stderr


def test_a_file_without_an_ending_needs_a_name_for_its_folder(dlcli, kaggle):
    kaggle.rename("noext")
    result = dlcli("data", "import", "noext")
    told = "Error: noext: its name has no ending; name a folder with --output\n"
    assert (result.code, result.stderr) == (2, told)
    assert dlcli("data", "import", "noext", "-o", "out").stdout == "out\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("name", ["pipe", "pipe.csv"])
def test_a_pipe_is_no_csv_file(dlcli, workdir, name):
    os.mkfifo(name)
    result = dlcli("data", "import", name, "-o", "out")
    told = f"Error: {name}: cannot be read: a pipe or a device, not a file\n"
    assert (result.code, result.stderr) == (3, told)


def test_options_of_folders_and_of_files_are_told_apart(dlcli, kaggle, tiny):
    assert dlcli("data", "import", "train.csv", "--dataset", "mnist").code == 2
    assert dlcli("data", "import", tiny, "--test", "train.csv").code == 2


@pytest.mark.parametrize(
    "header",
    [
        ",".join(map(str, range(785))),
        ",".join(["label", *map(str, range(784))]),
        ",".join(["label", *(f'"{number}"' for number in range(784))]),
    ],
)
def test_pandas_numbers_its_columns(dlcli, workdir, header):
    write(workdir / "a.csv", header, line(0), line(1), line(0, 8), line(1, 8))
    assert dlcli("data", "import", "a.csv").code == 0
    assert np.bincount(datasets.load("./a").train.labels).tolist() == [1, 1]


def test_labels_that_are_no_utf8_are_refused_and_not_mixed_up(dlcli, workdir):
    lines = [line(label) for label in ("\xe4", "\xf6") * 2]
    (workdir / "a.csv").write_bytes("\n".join(lines).encode("latin-1"))
    result = dlcli("data", "import", "a.csv")
    assert result.code == 3
    assert "a.csv, line 1: the label is not in UTF-8; save the file as UTF-8" in result.stderr


def test_what_is_printed_is_the_folder_and_no_dataset_of_its_name(dlcli, workdir):
    write(workdir / "sample.csv", line(0), line(1), line(0, 8), line(1, 8))
    result = dlcli("data", "import", "sample.csv")
    assert (result.code, result.stdout) == (0, "./sample\n")
    assert len(datasets.load(result.stdout.strip()).train) == 2
    exported = dlcli("data", "export", "--dataset", "./sample", "-o", "mnist")
    assert (exported.code, exported.stdout) == (0, "./mnist\n")
