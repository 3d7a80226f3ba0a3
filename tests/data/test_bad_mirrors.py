"""Mirrors that fail in every way, over real connections."""

import re
import shlex
import shutil
import socket
import struct
from dataclasses import dataclass, replace
from typing import Any

import pytest

from dlcli.data import cache, connection, datasets, download, idx
from dlcli.data.registry import DATASETS, FILES
from dlcli.errors import DatasetError
from tests.data.downloads import FIRST, ZIPPED, cached, in_cache

pytestmark = pytest.mark.usefixtures("local_cache")

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


# Responses of a bad mirror, and the reason reported to the user.
RESPONSES: dict[str, tuple[dict[str, Any], str]] = {
    "not found": ({"status": 404}, "HTTP status 404"),
    "forbidden": ({"status": 403}, "HTTP status 403"),
    "too many requests": ({"status": 429}, "HTTP status 429"),
    "server error": ({"status": 500}, "HTTP status 500"),
    "no content": ({"status": 204}, "HTTP status 204"),
    "endless redirection": (
        {"status": 302, "headers": {"Location": "/bad/again"}},
        "it redirects too often",
    ),
    "web page": (
        {"response_data": "\n<!DOCTYPE html><title>Please sign in</title>"},
        "sent a web page instead of the file",
    ),
    "empty": ({"response_data": b""}, "wrong content (SHA-256 e3b0c44298fc..., expected "),
    "wrong content": ({"response_data": b"nonsense"}, "wrong content (SHA-256 "),
    "another gzip file": ({"response_data": ZIPPED}, "wrong content (SHA-256 "),
    "half a gzip file": ({"response_data": ZIPPED[: len(ZIPPED) // 2]}, "truncated gzip file"),
    "damaged gzip file": ({"response_data": ZIPPED[:-8] + bytes(8)}, "damaged gzip file: "),
    "more than a gzip file": (
        {"response_data": ZIPPED + b"abc"},
        "3 bytes after the gzip content",
    ),
    "too much": ({"response_data": bytes(300_001)}, "sends more than 300,000 bytes"),
    "content that is not packed as it claims": (
        {"response_data": b"nonsense", "headers": {"Content-Encoding": "gzip"}},
        "wrong content (SHA-256",
    ),
}


def truncated(connection, _end):
    connection.sendall(HEADERS + b"half")


def truncated_chunk(connection, _end):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nhalf")


def stalled(connection, end):
    connection.sendall(HEADERS + b"half")
    end.wait()


def silent(_connection, end):
    end.wait()


def reset(connection, _end):
    # With a linger time of 0, closing the socket sends a reset.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_in_the_body(connection, end):
    connection.sendall(HEADERS + b"half")
    reset(connection, end)


def hung_up(_connection, _end):
    pass


def no_http(connection, _end):
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


def contradictory_length(connection, _end):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4, 5\r\n\r\nbody")


# Broken connections to a mirror, and the reason reported to the user.
BREAKDOWNS = {
    truncated: "the connection broke during the transfer",
    truncated_chunk: "the connection broke during the transfer",
    stalled: "no response within 0.3 s",
    silent: "no response within 0.3 s",
    reset: "the connection failed",
    reset_in_the_body: "the connection broke during the transfer",
    hung_up: "the connection failed",
    no_http: "the connection failed",
    contradictory_length: "InvalidHeader",
}
ADDRESSES = {
    "no scheme": "mirror.example",
    "unknown scheme": "ftp://mirror.example",
    "no host": "http:///mnist",
    "impossible host": "http://mirror..example",
    "impossible port": "http://127.0.0.1:99999",
}
FAULTS = [*RESPONSES, *(breakdown.__name__ for breakdown in BREAKDOWNS), *ADDRESSES, "refused"]


@pytest.fixture
def refusing_address():
    """An address that refuses connections, reserved for the test."""
    with socket.socket() as bound_but_not_listening:
        bound_but_not_listening.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound_but_not_listening.getsockname()[1]}"


@dataclass(frozen=True)
class BadMirror:
    """The address of a mirror, and the reason reported to the user."""

    url: str
    reason: str


@pytest.fixture
def bad_mirror(request, httpserver, monkeypatch, socket_mirror, refusing_address, mirror):
    """A mirror with the fault that the test's parameter names."""
    fault = request.param
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    monkeypatch.setattr(download, "MAX_BYTES", 300_000)
    if fault in ADDRESSES:
        return BadMirror(ADDRESSES[fault], "not a valid URL")
    if fault in RESPONSES:
        response, reason = RESPONSES[fault]
        httpserver.expect_request(re.compile("/bad/")).respond_with_data(**response)
        return BadMirror(httpserver.url_for("/bad"), reason)
    if fault == "refused":
        return BadMirror(refusing_address, "the connection failed")
    if fault in ("stalled", "silent"):
        monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 0.3)
    breakdown = next(function for function in BREAKDOWNS if function.__name__ == fault)
    return BadMirror(socket_mirror(breakdown), BREAKDOWNS[breakdown])


@pytest.fixture
def use_mirrors(monkeypatch, mirror):
    """Make the given mirrors those of mnist."""

    def use(*urls):
        monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], mirrors=urls))

    return use


@pytest.mark.parametrize("bad_mirror", FAULTS, indirect=True)
def test_when_a_mirror_fails_the_next_one_is_used(bad_mirror, mirror, use_mirrors, tmp_path):
    use_mirrors(bad_mirror.url, mirror.url)
    assert cache.fetch("mnist", tmp_path) == list(FILES)
    assert cached(tmp_path) == in_cache(mirror.contents)
    assert datasets.load("mnist", tmp_path).train.labels[:10].tolist() == list(range(10))


@pytest.mark.parametrize("bad_mirror", FAULTS, indirect=True)
def test_when_all_mirrors_fail_the_message_lists_them_and_gives_advice(
    bad_mirror, httpserver, use_mirrors, dlcli, workdir
):
    httpserver.expect_request(re.compile("/gone/")).respond_with_data(status=410)
    gone = httpserver.url_for("/gone/")
    use_mirrors(bad_mirror.url, gone)
    result = dlcli("data", "fetch", "--quiet")
    assert (result.code, result.stdout) == (3, "")
    summary, first, second, advice = result.stderr.splitlines()
    assert summary == f"Error: mnist: {FIRST}: no mirror delivered it"
    assert first.startswith(f"  {bad_mirror.url}/{FIRST}.gz: {bad_mirror.reason}")
    assert second == f"  {gone}{FIRST}.gz: HTTP status 410"
    assert "sample" not in advice  # fetch has no option for it
    assert "dlcli data import DIR --dataset mnist" in advice
    assert cached(workdir / "data") == {}


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("train --set dataset=mnist", "(--set dataset=sample)"),
        ("data show --set dataset=mnist", "(--set dataset=sample)"),
        ("sweep --set dataset=mnist --set 'seed={choices: [1]}'", "(--set dataset=sample)"),
        ("data export -o digits", "(--dataset sample)"),
        ("eval pretrained", "(--dataset sample)"),
        ("compare pretrained pretrained", "(--dataset sample)"),
        ("report pretrained", "(--dataset sample)"),
        ("plot pretrained --what errors -o e.png", "(--dataset sample)"),
    ],
)
def test_without_a_network_the_advice_is_an_option_that_the_command_has(
    command, advice, httpserver, use_mirrors, dlcli, workdir
):
    use_mirrors(httpserver.url_for("/gone/"))
    httpserver.expect_request(re.compile("/gone/")).respond_with_data(status=410)
    result = dlcli(*shlex.split(command))
    assert (result.code, result.stdout) == (3, "")
    assert "HTTP status 410" in result.stderr
    assert f"use the embedded sample {advice}, or copy the files" in result.stderr
    assert {path.name for path in workdir.iterdir()} <= {"data", "runs"}
    assert cached(workdir / "data") == {}


def test_without_a_network_a_resumed_run_is_not_advised_to_change_its_dataset(
    mirror, httpserver, use_mirrors, dlcli
):
    settings = ("--set", "dataset=mnist", "--set", "epochs=1", "--set", "hidden_layers=[]")
    small = ("--set", "validation_size=10", "--set", "batch_size=10")
    assert dlcli("train", "-q", *settings, *small, "--name", "run").code == 0
    shutil.rmtree("data/mnist")
    use_mirrors(httpserver.url_for("/gone/"))
    httpserver.expect_request(re.compile("/gone/")).respond_with_data(status=410)
    result = dlcli("train", "--resume", "runs/run", "--set", "epochs=2")
    assert result.code == 3
    assert "dataset=sample" not in result.stderr
    assert "Without a network, copy the files to this machine" in result.stderr


def test_files_downloaded_before_a_failure_are_kept(httpserver, mirror, use_mirrors, tmp_path):
    for file in FILES[:2]:
        zipped = idx.compress(mirror.contents[file])
        httpserver.expect_request(f"/half/{file}.gz").respond_with_data(zipped)
    httpserver.expect_request(re.compile("/half/")).respond_with_data(status=404)
    use_mirrors(httpserver.url_for("/half"))
    with pytest.raises(DatasetError, match=FILES[2]):
        cache.fetch("mnist", tmp_path)
    arrived = {file: mirror.contents[file] for file in FILES[:2]}
    assert cached(tmp_path) == in_cache(arrived)

    use_mirrors(mirror.url)
    assert cache.fetch("mnist", tmp_path) == list(FILES[2:])
    assert cached(tmp_path) == in_cache(mirror.contents)


def test_the_users_mirror_is_tried_first(httpserver, mirror, monkeypatch, tmp_path):
    for file, content in mirror.contents.items():
        zipped = idx.compress(content)
        httpserver.expect_request(f"/mine/{file}.gz").respond_with_data(zipped)
    monkeypatch.setenv("DLCLI_MIRROR", httpserver.url_for("/mine"))
    cache.fetch("mnist", tmp_path)
    assert mirror.requested() == [f"/mine/{file}.gz" for file in FILES]


def test_if_the_users_mirror_fails_the_official_one_is_used(
    httpserver, mirror, monkeypatch, tmp_path
):
    httpserver.expect_request(re.compile("/mine/")).respond_with_data(status=404)
    monkeypatch.setenv("DLCLI_MIRROR", httpserver.url_for("/mine/"))
    cache.fetch("mnist", tmp_path)
    assert mirror.requested()[:2] == [f"/mine/{FIRST}.gz", f"/good/{FIRST}.gz"]
    assert cached(tmp_path) == in_cache(mirror.contents)
