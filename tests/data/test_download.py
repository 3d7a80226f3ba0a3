"""Mirrors that fail in every way, over real connections."""

import errno
import gzip
import itertools
import os
import re
import shlex
import shutil
import socket
import socketserver
import stat
import struct
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from filelock import FileLock
from werkzeug import Response

from dlcli.data import cache, connection, datasets, download, idx
from dlcli.data.registry import DATASETS, FILES, Checksum, sha256
from dlcli.errors import DatasetError
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("local_cache")

FIRST = FILES[0]
CONTENT = b"the right content" * 100
CHECKSUM = Checksum(sha256(CONTENT))
ZIPPED = idx.compress(CONTENT)
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
        "TooManyRedirects",
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
def socket_mirror():
    """Start a server that calls ``respond`` for a request for the first file.

    It responds to requests for other files with 404, so that a test waits for a fault only once.
    """
    end = threading.Event()

    def start(respond):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                asked_for = self.rfile.readline().decode()
                while self.rfile.readline().strip():
                    pass  # the headers of the request
                with suppress(ConnectionError):
                    if FIRST in asked_for:
                        respond(self.connection, end)
                    else:
                        self.connection.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

        server = servers.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        servers.callback(thread.join)
        servers.callback(server.shutdown)
        thread.start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    with ExitStack() as servers:
        yield start
        end.set()


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


def cached(data_dir):
    """Every file below a data folder with its content, except locks."""
    return {
        str(path.relative_to(data_dir)): path.read_bytes()
        for path in data_dir.rglob("*")
        if path.is_file() and not re.fullmatch(r"\..*\.lock", path.name)
    }


def in_cache(contents):
    return {f"mnist/{file}": content for file, content in contents.items()}


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


class Told:
    """What a download tells of its progress."""

    def __init__(self) -> None:
        self.attempts: list[tuple[object, ...]] = []
        self.chunks: list[tuple[object, ...]] = []

    def trying(self, *news) -> None:
        self.attempts.append(news)

    def received(self, *news) -> None:
        self.chunks.append(news)


def test_ctrl_c_during_the_transfer_leaves_complete_files_and_no_lock(mirror, tmp_path):
    class Interrupting(Told):
        def received(self, name, *_numbers) -> None:
            if name == FILES[1]:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.fetch("mnist", tmp_path, Interrupting())
    assert cached(tmp_path) == in_cache({FIRST: mirror.contents[FIRST]})
    with FileLock(tmp_path / ".mnist.lock", timeout=0):
        pass


def test_a_full_disk_leaves_no_incomplete_file(mirror, dlcli, workdir, monkeypatch):
    def full(descriptor):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = dlcli("data", "fetch", "--quiet")
    assert (result.code, result.stdout) == (1, "")
    assert result.stderr == "Error: data/mnist/train-images-idx3-ubyte: No space left on device\n"
    assert cached(workdir / "data") == {}


# download.fetch with one file.


@pytest.fixture
def web(httpserver, monkeypatch):
    """Respond to requests for the file ``digits`` in turn, repeating the last response."""
    monkeypatch.setattr(download, "BACKOFF_SECONDS", 0)
    monkeypatch.setenv("no_proxy", "*")

    def respond(*responses):
        turns = itertools.chain(responses, itertools.repeat(responses[-1]))
        for prefix in ("", "/mirror"):
            handler = httpserver.expect_request(f"{prefix}/digits.gz")
            handler.respond_with_handler(lambda _request: next(turns))
        return httpserver.url_for("")

    return respond


def fetch(*mirrors):
    return download.fetch("digits", CHECKSUM, mirrors)


@pytest.mark.parametrize(
    "failure",
    [
        Response(status=429),
        Response(status=500),
        Response(status=503),
        Response(ZIPPED[:-3]),
        Response(ZIPPED[:-8] + bytes(8)),
    ],
    ids=["429", "500", "503", "truncated gzip file", "damaged gzip file"],
)
@pytest.mark.parametrize("times", [1, 2])
def test_a_temporary_failure_is_retried(web, httpserver, failure, times):
    assert fetch(web(*[failure] * times, Response(ZIPPED))) == CONTENT
    assert len(httpserver.log) == times + 1


@pytest.mark.parametrize(
    "response",
    [Response(status=404), Response("<html>"), Response(b"nonsense"), Response(idx.compress(b""))],
    ids=["404", "web page", "nonsense", "another gzip file"],
)
def test_a_permanent_failure_is_not_retried(web, httpserver, response):
    with pytest.raises(DatasetError):
        fetch(web(response))
    assert len(httpserver.log) == 1


def test_each_delay_is_longer_than_the_one_before(web, httpserver, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(download, "BACKOFF_SECONDS", 1.5)
    monkeypatch.setattr("time.sleep", pauses.append)
    with pytest.raises(DatasetError, match="HTTP status 502"):
        fetch(web(Response(status=502)))
    assert len(httpserver.log) == download.ATTEMPTS == 3
    assert pauses == [1.5, 3.0]


def test_without_any_mirror_there_is_an_error():
    with pytest.raises(DatasetError, match="digits: no mirror delivered it"):
        fetch()


@pytest.mark.parametrize("prefix", ["mirror", "mirror/", "mirror//"])
def test_the_slash_after_a_mirror_is_optional(web, httpserver, prefix):
    fetch(web(Response(ZIPPED)) + prefix)
    assert [request.path for request, _ in httpserver.log] == ["/mirror/digits.gz"]


def test_the_request_has_a_user_agent_and_asks_for_the_file_as_it_is(web, httpserver):
    fetch(web(Response(ZIPPED)))
    headers = httpserver.log[0][0].headers
    assert headers["User-Agent"].startswith("dlcli/")
    assert headers["Accept-Encoding"] == "identity"


def test_a_redirect_is_followed(web, httpserver):
    moved = Response(status=302, headers={"Location": "/mirror/digits.gz"})
    assert fetch(web(moved, Response(ZIPPED))) == CONTENT


def test_a_mirror_may_declare_gzip_as_the_content_encoding(web):
    assert fetch(web(Response(ZIPPED, headers={"Content-Encoding": "gzip"}))) == CONTENT


def test_each_attempt_is_told_before_it_starts_with_how_the_last_one_failed(web):
    base = web(*[Response(status=500)] * download.ATTEMPTS, Response(ZIPPED))
    told = Told()
    download.fetch("digits", CHECKSUM, [base, f"{base}mirror"], told)
    first, second = f"{base}digits.gz", f"{base}mirror/digits.gz"
    failure = f"{first}: HTTP status 500"
    assert told.attempts == [
        ("digits", first, None),
        *[("digits", first, failure)] * (download.ATTEMPTS - 1),
        ("digits", second, failure),
    ]


def test_progress_counts_up_to_the_total(web):
    told = Told()
    body = gzip.compress(bytes(300_000), compresslevel=0)
    mirrors = [web(Response(body))]
    download.fetch("digits", Checksum(sha256(bytes(300_000))), mirrors, told)
    names, received, totals = map(list, zip(*told.chunks, strict=True))
    assert set(names) == {"digits"}
    assert set(totals) == {len(body)}
    assert received == sorted(received)
    assert len(received) > 2
    assert received[-1] == len(body)


@pytest.mark.parametrize(
    "length",
    [b"", b"Content-Length: many\r\n", b"Content-Length: -7\r\n"],
    ids=["no", "text", "-7"],
)
def test_without_a_valid_length_the_total_is_not_known(socket_mirror, mirror, length):
    def respond(connection, _end):
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n" + ZIPPED)

    told = Told()
    received = download.fetch(FIRST, CHECKSUM, [socket_mirror(respond)], told)
    assert received == CONTENT
    assert told.chunks[-1] == (FIRST, len(ZIPPED), 0)


def test_a_mirror_beyond_the_deadline_is_not_retried(web, httpserver, monkeypatch):
    monkeypatch.setattr(download, "DEADLINE_SECONDS", 0)
    with pytest.raises(DatasetError, match="not done after 0 s"):
        fetch(web(Response(ZIPPED)))
    assert len(httpserver.log) == 1


def test_the_deadline_stops_a_very_slow_mirror(socket_mirror, monkeypatch):
    """Every byte arrives in time, but the whole file does not."""
    clock = SimpleNamespace(monotonic=itertools.count().__next__)
    monkeypatch.setattr(download, "time", clock)
    monkeypatch.setattr(download, "DEADLINE_SECONDS", 5)

    def trickle(connection, end):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not end.wait(0.01):
            connection.sendall(b"x")

    with pytest.raises(DatasetError, match="not done after 5 s"):
        download.fetch(FIRST, CHECKSUM, [socket_mirror(trickle)])


def test_an_unverifiable_certificate_is_reported_as_such(monkeypatch):
    def refuse(*_arguments, **_options):
        raise requests.exceptions.SSLError("certificate verify failed: self-signed certificate")

    monkeypatch.setattr(download, "BACKOFF_SECONDS", 0)
    monkeypatch.setattr(requests.Session, "get", refuse)
    with pytest.raises(DatasetError, match="its TLS certificate cannot be verified"):
        fetch("https://mirror.example")


# Concurrent and killed processes.

PROGRAM = """
import sys
from dlcli.cli import main
from dataclasses import replace
from dlcli.data.registry import DATASETS, FILES, Checksum
checksums = dict(zip(FILES, map(Checksum, sys.argv[1].split(","))))
DATASETS["mnist"] = replace(DATASETS["mnist"], mirrors=(), checksums=checksums)
sys.exit(main.run(sys.argv[2:]))
"""


@pytest.fixture
def start_fetch(mirror, monkeypatch, tmp_path):
    """Start a process that fetches into ``tmp_path``."""
    monkeypatch.setenv("DLCLI_MIRROR", mirror.url)
    sums = [checksum.sha256 for checksum in DATASETS["mnist"].checksums.values()]
    command = [sys.executable, "-c", PROGRAM, ",".join(sums), "data", "fetch"]

    def start():
        return processes.enter_context(
            subprocess.Popen(
                [*command, "--data-dir", tmp_path],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )

    with ExitStack() as processes:
        yield start


def test_concurrent_processes_all_succeed_and_download_each_file_once(
    start_fetch, mirror, tmp_path
):
    processes = [start_fetch() for _ in range(3)]
    outcomes = [process.communicate() for process in processes]
    assert [stdout for stdout, _ in outcomes] == [f"{tmp_path / 'mnist'}\n"] * 3
    assert sorted(stderr.splitlines()[-1] for _, stderr in outcomes) == [
        "mnist: already complete",
        "mnist: already complete",
        "mnist: fetched 4 of 4 files",
    ]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(mirror.requested()) == sorted(f"/good/{file}.gz" for file in FILES)
    assert cached(tmp_path) == in_cache(mirror.contents)


@pytest.mark.parametrize(("end", "code"), [("terminate", 143), ("kill", -9)])
def test_a_process_killed_during_the_download_leaves_complete_files_and_no_lock(
    start_fetch, httpserver, mirror, tmp_path, end, code
):
    file = FILES[2]
    asked, released = threading.Event(), threading.Event()

    def hold(_request):
        asked.set()
        assert released.wait(PATIENCE_SECONDS)
        return Response(idx.compress(mirror.contents[file]))

    httpserver.expect_oneshot_request(f"/good/{file}.gz").respond_with_handler(hold)
    process = start_fetch()
    assert asked.wait(PATIENCE_SECONDS)
    getattr(process, end)()
    stdout, stderr = process.communicate()
    released.set()
    assert (process.returncode, stdout) == (code, "")
    assert stderr.splitlines() == [
        *(f"downloading {name}" for name in FILES[:3]),
        *(["Error: terminated"] if end == "terminate" else []),
    ]
    arrived = {name: mirror.contents[name] for name in FILES[:2]}
    assert cached(tmp_path) == in_cache(arrived)

    assert cache.fetch("mnist", tmp_path) == list(FILES[2:])
    assert cached(tmp_path) == in_cache(mirror.contents)


# The full MNIST.


@pytest.fixture
def real_mirror(mnist_dir, httpserver, monkeypatch):
    """A local mirror with the full MNIST, the only one."""
    for file in FILES:
        path = mnist_dir / f"{file}.gz"
        content = path.read_bytes() if path.exists() else (mnist_dir / file).read_bytes()
        httpserver.expect_request(f"/mnist/{file}.gz").respond_with_data(content)
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], mirrors=()))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("DLCLI_MIRROR", httpserver.url_for("/mnist"))


def test_the_full_mnist_is_fetched_verified_and_loaded(real_mirror, dlcli, workdir):
    result = dlcli("data", "fetch")
    assert (result.code, result.stdout) == (0, "data/mnist\n")
    result = dlcli("data", "verify")
    assert result.code == 0
    assert result.stdout.splitlines() == [f"data/mnist/{file}: ok" for file in FILES]
    mnist = datasets.load("mnist")
    assert (len(mnist.train), len(mnist.test)) == (60_000, 10_000)
    assert mnist.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert mnist.train.images.shape == (60_000, 784)
