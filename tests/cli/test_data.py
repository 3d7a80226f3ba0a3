"""``dlcli data``: fetch, status, verify and import."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from dlcli.data import datasets, idx, writers
from dlcli.data.registry import DATASETS, FILES, downloadable
from tests.cli.datasets import write_folder
from tests.data.extended_labels import extended_labels

pytestmark = pytest.mark.usefixtures("local_cache")
CACHE = [f"data/mnist/{file}" for file in FILES]


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


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("fetch", "'mnits' is not one of 'mnist', 'fashion-mnist', 'kmnist'"),
        ("verify", "'mnits': no such folder, and not one of mnist, fashion-mnist, kmnist"),
    ],
)
def test_an_unknown_dataset_is_wrong_usage(dlcli, command, message):
    result = dlcli("data", command, "mnits")
    assert (result.code, result.stdout) == (2, "")
    assert message in result.stderr


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


def test_status_of_one_dataset_downloads_nothing(mirror, dlcli):
    result = dlcli("data", "status", "mnist", "sample", "-q")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert rows[1:] == [["mnist", "absent", "data/mnist"], ["sample", "embedded"]]
    assert mirror.requested() == []
    Path("mine").mkdir()
    mixed = dlcli("data", "status", "mnist", "./mine")
    assert (mixed.code, mixed.stdout) == (2, "")
    assert "./mine: a folder beside names of datasets" in mixed.stderr
    assert "mnits: no such folder" in dlcli("data", "status", "mnist", "mnits").stderr


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


def test_verify_looks_at_the_file_of_writers_too(mirror, cache, dlcli):
    labels = idx.parse_labels((cache / FILES[1]).read_bytes(), "labels")
    (cache / writers.FILE).write_bytes(extended_labels(labels))
    assert dlcli("data", "verify").stdout.splitlines()[-1] == f"data/mnist/{writers.FILE}: ok"
    (cache / writers.FILE).write_bytes(b"nonsense")
    result = dlcli("data", "verify")
    assert (result.code, result.stderr) == (3, "Error: 1 of 5 files missing or corrupt\n")
    line = result.stdout.splitlines()[-1]
    assert line.startswith(f"data/mnist/{writers.FILE}: no IDX file of extended labels: ")
    assert line.endswith("; copy it anew, or remove it: only validation_split writers needs it")


def test_only_the_datasets_with_a_fault_are_to_be_fetched(mirror, cache, dlcli):
    result = dlcli("data", "verify", "mnist", "kmnist")
    assert result.code == 3
    assert result.stderr.endswith("repair them with: dlcli data fetch kmnist\n")


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


def test_the_empty_folder_of_a_failed_download_is_not_verified(dlcli, workdir):
    (workdir / "data" / "mnist").mkdir(parents=True)
    result = dlcli("data", "verify")
    assert (result.code, result.stdout) == (3, "")
    assert "contains no dataset" in result.stderr
    assert dlcli("data", "verify", "mnist").stdout.count(": missing") == 4


def test_importing_a_missing_folder_is_an_error(dlcli):
    assert "nowhere: no such folder" in dlcli("data", "import", "nowhere").stderr
