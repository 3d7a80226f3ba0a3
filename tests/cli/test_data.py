"""``dlcli data``: data on stdout, messages on stderr, and exit codes that scripts can trust."""

import csv
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from platformdirs import user_cache_path

from dlcli.data import datasets, idx
from dlcli.data.registry import DATASETS, FILES, downloadable

pytestmark = pytest.mark.usefixtures("local_cache")

CACHE = [f"data/mnist/{file}" for file in FILES]


def write_folder(folder, contents):
    folder.mkdir(parents=True)
    for file, content in contents.items():
        (folder / file).write_bytes(content)


@pytest.fixture
def cache(mirror, workdir):
    """A complete mnist in the cache, made without a request."""
    write_folder(workdir / "data" / "mnist", mirror.contents)
    return workdir / "data" / "mnist"


# fetch


@pytest.mark.parametrize("names", [(), ("mnist",)])
def test_fetch_prints_the_folder_and_reports_its_progress(mirror, dlcli, workdir, names):
    result = dlcli("data", "fetch", *names)
    assert (result.code, result.stdout) == (0, "data/mnist\n")
    assert result.stderr.splitlines() == [
        *(f"downloading {file}" for file in FILES),
        "mnist: fetched 4 of 4 files",
    ]
    assert {path.name for path in (workdir / "data" / "mnist").iterdir()} == set(FILES)


def test_a_second_fetch_prints_the_same_and_requests_nothing(mirror, cache, dlcli):
    result = dlcli("data", "fetch")
    assert (result.code, result.stdout) == (0, "data/mnist\n")
    assert result.stderr == "mnist: already complete\n"
    assert mirror.requested() == []


@pytest.mark.parametrize("arguments", [("-q", "data", "fetch"), ("data", "fetch", "--quiet")])
def test_a_quiet_fetch_prints_only_the_folder(mirror, dlcli, arguments):
    result = dlcli(*arguments)
    assert (result.code, result.stdout, result.stderr) == (0, "data/mnist\n", "")


def test_several_datasets_are_fetched_in_the_order_named(mirror, dlcli, monkeypatch):
    monkeypatch.setitem(DATASETS, "kmnist", DATASETS["mnist"])
    result = dlcli("data", "fetch", "kmnist", "mnist")
    assert (result.code, result.stdout) == (0, "data/kmnist\ndata/mnist\n")


@pytest.mark.parametrize("way", ["option", "environment"])
def test_the_cache_may_be_elsewhere(mirror, dlcli, workdir, monkeypatch, way):
    if way == "environment":
        monkeypatch.setenv("DLCLI_DATA_DIR", "some/where")
    option = ("--data-dir", "some/where") if way == "option" else ()
    result = dlcli("data", "fetch", *option)
    assert (result.code, result.stdout) == (0, "some/where/mnist\n")
    assert (workdir / "some" / "where" / "mnist" / FILES[0]).is_file()
    assert not list((workdir / "data").iterdir())


@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_an_unknown_dataset_is_wrong_usage(dlcli, command):
    result = dlcli("data", command, "mnits")
    assert (result.code, result.stdout) == (2, "")
    assert "'mnits' is not one of 'mnist', 'fashion-mnist', 'kmnist'" in result.stderr


def test_a_fetch_without_a_good_mirror_exits_with_3(httpserver, mirror, dlcli, monkeypatch):
    mnist = replace(DATASETS["mnist"], mirrors=(httpserver.url_for("/gone"),))
    monkeypatch.setitem(DATASETS, "mnist", mnist)
    httpserver.expect_request(f"/gone/{FILES[0]}.gz").respond_with_data(status=404)
    result = dlcli("data", "fetch")
    assert (result.code, result.stdout) == (3, "")
    assert f"/gone/{FILES[0]}.gz: HTTP status 404" in result.stderr


def test_on_a_terminal_each_file_has_a_progress_bar(mirror, dlcli, monkeypatch):
    monkeypatch.setattr("dlcli.cli.download_progress.shows_bars", lambda: True)
    result = dlcli("data", "fetch")
    assert result.stdout == "data/mnist\n"
    for file in FILES:
        assert f"\r{file}: waiting for 127.0.0.1" in result.stderr
        assert f"\r{file} 100 %|" in result.stderr


@pytest.mark.parametrize("bars", [True, False])
def test_while_a_mirror_fails_each_attempt_is_told(httpserver, mirror, dlcli, monkeypatch, bars):
    monkeypatch.setattr("dlcli.cli.download_progress.shows_bars", lambda: bars)
    broken = httpserver.url_for("/broken/")
    mnist = replace(DATASETS["mnist"], mirrors=(broken, mirror.url))
    monkeypatch.setitem(DATASETS, "mnist", mnist)
    for file in FILES:
        httpserver.expect_request(f"/broken/{file}.gz").respond_with_data(status=503)
    result = dlcli("data", "fetch")
    assert (result.code, result.stdout) == (0, "data/mnist\n")
    for file in FILES:
        url = f"{broken}{file}.gz"
        assert result.stderr.count(f"{url}: HTTP status 503; trying again\n") == 2
        assert f"{url}: HTTP status 503; trying {mirror.url}{file}.gz\n" in result.stderr


# status


def states(result):
    return {row["dataset"]: row["status"] for row in json.loads(result.stdout)}


def test_status_as_a_table(mirror, cache, dlcli):
    result = dlcli("data", "status", "-q")
    assert (result.code, result.stderr) == (0, "")
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["dataset", "status", "folder"],
        ["mnist", "complete", "data/mnist"],
        ["fashion-mnist", "absent", "data/fashion-mnist"],
        ["kmnist", "absent", "data/kmnist"],
        ["sample", "embedded"],
    ]


def test_status_says_where_the_cache_is_and_why(dlcli, workdir, monkeypatch):
    told = dlcli("data", "status")
    assert told.stderr == "Cache: data (there is a folder ./data here)\n"
    assert dlcli("data", "status", "-q").stderr == ""
    (workdir / "data").rmdir()
    folder = user_cache_path("dlcli", appauthor=False)
    reason = "your cache folder, as there is no folder ./data here"
    told = dlcli("data", "status")
    assert told.stderr == f"Cache: {folder} ({reason})\n"
    assert f"{folder}/mnist\n" in told.stdout
    monkeypatch.setenv("DLCLI_DATA_DIR", "here")
    assert dlcli("data", "status").stderr == "Cache: here ($DLCLI_DATA_DIR)\n"
    told = dlcli("data", "status", "--data-dir", "there")
    assert told.stderr == "Cache: there (--data-dir)\n"


def test_without_a_data_folder_every_folder_uses_the_same_cache(
    mirror, dlcli, workdir, monkeypatch
):
    (workdir / "data").rmdir()
    folder = user_cache_path("dlcli", appauthor=False)
    try:
        assert dlcli("data", "fetch", "-q").stdout == f"{folder}/mnist\n"
        fetched = len(mirror.requested())
        (workdir / "elsewhere").mkdir()
        monkeypatch.chdir("elsewhere")
        assert dlcli("data", "show", "--set", "dataset=mnist", "-q").code == 0
        assert len(datasets.load("mnist").train) == 60
        assert len(mirror.requested()) == fetched
    finally:
        shutil.rmtree(folder)


def test_advice_about_the_cache_names_the_folder_it_is_about(mirror, dlcli, cache, monkeypatch):
    """The advice can be typed as it is: it repairs the cache that the command used."""
    (cache / FILES[0]).write_bytes(b"damaged")
    cache.parent.rename("my data")
    named = ("--data-dir", "my data")
    show = ("data", "show", "--set", "dataset=mnist")
    for command in (("data", "verify", "mnist"), show):
        result = dlcli(*command, *named)
        assert result.code == 3
        assert "dlcli data fetch mnist --data-dir 'my data'" in result.stderr
    result = dlcli("data", "verify", "--data-dir", "empty one")
    assert "fetch one with: dlcli data fetch --data-dir 'empty one'" in result.stderr
    monkeypatch.setenv("DLCLI_DATA_DIR", "my data")
    assert dlcli("data", "verify", "mnist").stderr.endswith("dlcli data fetch mnist\n")
    monkeypatch.setenv("DLCLI_MIRROR", "http://localhost:1/")
    monkeypatch.setitem(DATASETS, "kmnist", replace(DATASETS["kmnist"], mirrors=()))
    result = dlcli("data", "fetch", "kmnist", "--data-dir", "other")
    assert "(dlcli data import DIR --dataset kmnist --data-dir other)" in result.stderr


def test_status_as_json(mirror, cache, dlcli):
    result = dlcli("data", "status", "--format", "json", "-q")
    assert (result.code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == [
        {"dataset": "mnist", "status": "complete", "folder": "data/mnist"},
        {"dataset": "fashion-mnist", "status": "absent", "folder": "data/fashion-mnist"},
        {"dataset": "kmnist", "status": "absent", "folder": "data/kmnist"},
        {"dataset": "sample", "status": "embedded", "folder": ""},
    ]


def test_status_as_csv_has_the_values_of_json(mirror, cache, dlcli):
    as_csv = dlcli("data", "status", "--format", "csv")
    as_json = dlcli("data", "status", "--format", "json")
    assert as_csv.stdout.splitlines()[0] == "dataset,status,folder"
    assert list(csv.DictReader(io.StringIO(as_csv.stdout))) == json.loads(as_json.stdout)


@pytest.mark.parametrize("content", [None, b"nonsense"], ids=["missing", "wrong"])
def test_a_dataset_with_one_bad_file_is_damaged(mirror, cache, dlcli, content):
    (cache / FILES[3]).unlink()
    if content is not None:
        (cache / FILES[3]).write_bytes(content)
    assert states(dlcli("data", "status", "-f", "json"))["mnist"] == "damaged"


def test_status_does_not_create_a_cache(dlcli, workdir):
    (workdir / "data").rmdir()
    found = states(dlcli("data", "status", "-f", "json"))
    assert found == dict.fromkeys(downloadable(), "absent") | {"sample": "embedded"}
    assert list(workdir.iterdir()) == []
    assert not user_cache_path("dlcli", appauthor=False).exists()


# verify


@pytest.mark.parametrize("names", [(), ("mnist",)])
def test_verify_prints_a_line_for_each_good_file(mirror, cache, dlcli, names):
    result = dlcli("data", "verify", *names)
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [f"{path}: ok" for path in CACHE]


def test_verify_reports_every_fault_and_exits_with_3(mirror, cache, dlcli):
    (cache / FILES[1]).unlink()
    (cache / FILES[2]).write_bytes(b"nonsense")
    (cache / FILES[3]).write_bytes(idx.compress(b"nonsense")[:-1])
    result = dlcli("data", "verify")
    assert result.code == 3
    assert result.stdout.splitlines() == [
        f"{CACHE[0]}: ok",
        f"{CACHE[1]}: missing",
        f"{CACHE[2]}: corrupt (wrong SHA-256)",
        f"{CACHE[3]}: truncated gzip file",
    ]
    assert result.stderr.startswith("Error: 3 ")
    assert "dlcli data fetch mnist" in result.stderr


def test_verify_of_an_absent_dataset_reports_all_files_as_missing(dlcli):
    result = dlcli("data", "verify", "kmnist")
    assert result.code == 3
    assert result.stdout.splitlines() == [f"data/kmnist/{file}: missing" for file in FILES]


def test_verify_without_any_dataset_says_how_to_get_one(dlcli):
    result = dlcli("data", "verify")
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr == ("Error: data: contains no dataset; fetch one with: dlcli data fetch\n")


def test_the_command_that_verify_recommends_repairs_the_cache(mirror, cache, dlcli):
    (cache / FILES[0]).write_bytes(b"nonsense")
    assert dlcli("data", "verify").code == 3
    assert dlcli("data", "fetch", "mnist").code == 0
    assert dlcli("data", "verify").code == 0


# import


def test_import_prints_the_folder_and_lists_the_verified_files(mirror, dlcli, workdir):
    write_folder(workdir / "usb", mirror.contents)
    result = dlcli("data", "import", "usb")
    assert (result.code, result.stdout) == (0, "data/mnist\n")
    assert result.stderr.splitlines() == [f"verified usb/{file}" for file in FILES]
    assert dlcli("data", "verify", "mnist").code == 0


def test_a_quiet_import_prints_only_the_folder(mirror, dlcli, workdir):
    write_folder(workdir / "usb", mirror.contents)
    result = dlcli("data", "import", "usb", "-q")
    assert (result.code, result.stdout, result.stderr) == (0, "data/mnist\n", "")


def test_import_verifies_the_files_of_the_named_dataset(mirror, dlcli, workdir):
    write_folder(workdir / "usb", mirror.contents)
    result = dlcli("data", "import", "usb", "--dataset", "fashion-mnist")
    assert (result.code, result.stdout) == (3, "")
    assert f"usb/{FILES[0]}: not the file of fashion-mnist: wrong content" in result.stderr
    assert not list((workdir / "data").iterdir())


def test_import_of_a_folder_without_the_files_exits_with_3(mirror, dlcli, workdir):
    (workdir / "empty").mkdir()
    result = dlcli("data", "import", "empty")
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr == f"Error: empty: contains no {FILES[0]} (or {FILES[0]}.gz)\n"


def test_the_full_mnist_is_imported_from_files_compressed_in_any_way(mnist_dir, dlcli):
    assert dlcli("data", "import", mnist_dir).code == 0
    assert dlcli("data", "verify", "mnist").code == 0


# export


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


def test_the_empty_folder_of_a_failed_download_is_not_verified(dlcli, workdir):
    (workdir / "data" / "mnist").mkdir(parents=True)
    result = dlcli("data", "verify")
    assert (result.code, result.stdout) == (3, "")
    assert "contains no dataset" in result.stderr
    assert dlcli("data", "verify", "mnist").stdout.count(": missing") == 4


def test_importing_a_missing_folder_is_an_error(dlcli):
    assert "nowhere: no such folder" in dlcli("data", "import", "nowhere").stderr


# show


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
