"""``dlcli data export`` and ``dlcli data show``."""

import numpy as np
import pytest
from PIL import Image

from dlcli.data import datasets
from dlcli.data.registry import FILES

pytestmark = pytest.mark.usefixtures("local_cache")


def read_png(path):
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (28, 28))
        return np.asarray(image).reshape(-1)


@pytest.mark.parametrize("split", ["test", "train"])
def test_exported_pictures_are_named_by_index_and_label(tiny, dlcli, workdir, split):
    result = dlcli("data", "export", "--dataset", tiny, "--split", split, "-o", "digits")
    dataset = datasets.load(str(tiny))
    examples = dataset.test if split == "test" else dataset.train
    assert (result.code, result.stdout) == (0, "digits\n")
    assert result.stderr == f"wrote {len(examples)} images\n"
    paths = sorted((workdir / "digits").iterdir())
    assert [path.name for path in paths] == [
        f"{index:05d}-{label}.png" for index, label in enumerate(examples.labels)
    ]
    for path, image in zip(paths, examples.images, strict=True):
        assert (read_png(path) == image).all()


def test_the_test_split_is_exported_unless_another_is_named(tiny, dlcli, workdir):
    dlcli("data", "export", "--dataset", tiny, "-o", "digits")
    assert len(list((workdir / "digits").iterdir())) == 20


def test_the_sample_is_exported_without_a_cache(sample, dlcli, workdir):
    result = dlcli("data", "export", "--dataset", "sample", "--limit", "43", "-o", "a/b/digits")
    assert (result.code, result.stdout) == (0, "a/b/digits\n")
    last = workdir / "a" / "b" / "digits" / f"00042-{sample.test.labels[42]}.png"
    assert (read_png(last) == sample.test.images[42]).all()
    assert {path.name for path in workdir.iterdir()} == {"a", "data"}
    assert not list((workdir / "data").iterdir())


def test_mnist_is_exported_from_the_cache_unless_another_dataset_is_named(
    mirror, cache, dlcli, workdir
):
    result = dlcli("data", "export", "-o", "digits", "--limit", "1")
    assert result.code == 0
    assert [path.name for path in (workdir / "digits").iterdir()] == ["00000-0.png"]
    assert mirror.requested() == []


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (7, 7), (20, 20), (1_000, 20)])
def test_the_limit_takes_the_first_images(tiny, dlcli, workdir, limit, count):
    result = dlcli("data", "export", "--dataset", tiny, "--limit", limit, "-o", "digits")
    assert result.code == 0
    names = sorted(path.name for path in (workdir / "digits").iterdir())
    assert [int(name[:5]) for name in names] == list(range(count))


@pytest.mark.parametrize("limit", [0, -1, "many"])
def test_an_invalid_limit_is_wrong_usage(tiny, dlcli, workdir, limit):
    result = dlcli("data", "export", "--dataset", tiny, "--limit", limit, "-o", "digits")
    assert (result.code, result.stdout) == (2, "")
    assert "--limit" in result.stderr
    assert not (workdir / "digits").exists()


def test_a_quiet_export_prints_only_the_folder(tiny, dlcli):
    result = dlcli("data", "export", "-q", "--dataset", tiny, "-o", "digits")
    assert (result.code, result.stdout, result.stderr) == (0, "digits\n", "")


def test_exporting_into_a_full_folder_needs_force(tiny, dlcli, workdir):
    (workdir / "digits").mkdir()
    (workdir / "digits" / "notes.txt").write_text("mine")
    arguments = ("data", "export", "--dataset", tiny, "-o", "digits", "--limit", "1")

    result = dlcli(*arguments)
    assert (result.code, result.stdout) == (2, "")
    assert "digits: is not empty; add --force" in result.stderr
    assert [path.name for path in (workdir / "digits").iterdir()] == ["notes.txt"]

    assert dlcli(*arguments, "--force").code == 0
    assert {path.name for path in (workdir / "digits").iterdir()} == {"notes.txt", "00000-0.png"}
    assert (workdir / "digits" / "notes.txt").read_text() == "mine"


def test_exporting_into_an_empty_folder_needs_no_force(tiny, dlcli, workdir):
    (workdir / "digits").mkdir()
    assert dlcli("data", "export", "--dataset", tiny, "-o", "digits").code == 0


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_file_is_never_replaced_by_a_folder(tiny, dlcli, workdir, force):
    (workdir / "digits").write_text("mine")
    result = dlcli("data", "export", "--dataset", tiny, "-o", "digits", *force)
    assert (result.code, result.stdout) == (2, "")
    assert "digits: is a file, not a folder" in result.stderr
    assert (workdir / "digits").read_text() == "mine"


def test_an_export_without_an_output_folder_is_wrong_usage(tiny, dlcli):
    result = dlcli("data", "export", "--dataset", tiny)
    assert (result.code, result.stdout) == (2, "")
    assert "--output" in result.stderr


def test_an_export_of_a_broken_dataset_exits_with_3_and_creates_no_folder(tiny, dlcli, workdir):
    (tiny / FILES[2]).write_bytes(b"nonsense")
    result = dlcli("data", "export", "--dataset", tiny, "-o", "digits")
    assert (result.code, result.stdout) == (3, "")
    assert f"{FILES[2]}: not an IDX file of images" in result.stderr
    assert not (workdir / "digits").exists()


def tiles(path) -> np.ndarray:
    """The pictures in a grid, shape (rows, columns, 784)."""
    with Image.open(path) as image:
        levels = np.asarray(image)
    rows, columns = (levels.shape[0] - 4) // 88, (levels.shape[1] - 4) // 88
    assert levels.shape == (4 + 88 * rows, 4 + 88 * columns)
    return np.array(
        [
            [levels[4 + 88 * r : 88 + 88 * r, 4 + 88 * c : 88 + 88 * c] for c in range(columns)]
            for r in range(rows)
        ]
    )[:, :, 1::3, 1::3].reshape(rows, columns, 784)


def test_show_draws_a_row_of_training_images_for_each_digit(sample, dlcli, workdir):
    result = dlcli("data", "show", "--set", "dataset=sample")
    assert (result.code, result.stdout) == (0, "grid.png\n")
    shown = tiles(workdir / "grid.png")
    assert shown.shape == (10, 10, 784)
    for digit in range(10):
        images = sample.train.images[sample.train.labels == digit][:10]
        assert (shown[digit] == images).all()


def test_show_draws_distortions_after_their_original(sample, dlcli, workdir):
    settings = ["--set", "dataset=sample", "--set", "augmentation.rotation=30"]
    result = dlcli("data", "show", *settings, "--augmented", "--output", "a.png")
    assert (result.code, result.stdout) == (0, "a.png\n")
    shown = tiles(workdir / "a.png")
    for digit in range(10):
        original = sample.train.images[sample.train.labels == digit][0]
        assert (shown[digit, 0] == original).all()
        assert (shown[digit, 1:] != original).any(axis=1).all()


def test_showing_distortions_needs_an_augmentation(dlcli, workdir):
    result = dlcli("data", "show", "--set", "dataset=sample", "--augmented")
    assert (result.code, result.stdout) == (2, "")
    assert "--augmented: the config has no augmentation" in result.stderr
    assert [path.name for path in workdir.iterdir()] == ["data"]


def test_replacing_a_picture_needs_force(dlcli, workdir):
    (workdir / "grid.png").write_text("mine")
    result = dlcli("data", "show", "--set", "dataset=sample")
    assert result.code == 2
    assert "grid.png" in result.stderr
    assert (workdir / "grid.png").read_text() == "mine"
    assert dlcli("data", "show", "--set", "dataset=sample", "--force").code == 0
