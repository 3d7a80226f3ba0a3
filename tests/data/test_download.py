"""A file from a mirror: attempts, pauses, progress, deadline."""

import gzip
import itertools
from types import SimpleNamespace

import pytest
import requests
from werkzeug import Response

from dlcli.data import download, idx
from dlcli.data.registry import Checksum, sha256
from dlcli.errors import DatasetError
from tests.data.downloads import CHECKSUM, CONTENT, FIRST, ZIPPED, Told

pytestmark = pytest.mark.usefixtures("local_cache")


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
