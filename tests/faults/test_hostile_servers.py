"""No server is trusted: neither its certificate nor what it sends, or how much of it."""

import socketserver
import ssl
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from dlcli.data import download, idx
from dlcli.data.registry import DATASETS, Checksum, sha256
from dlcli.errors import DatasetError
from tests.faults.hostile import assert_civil, no_hanging

CERTIFICATE = Path(__file__).parent / "untrusted.pem"


@pytest.fixture
def serve(monkeypatch):
    """Start a server whose response a function writes, with or without TLS."""
    monkeypatch.setattr(download, "BACKOFF_SECONDS", 0)
    monkeypatch.setenv("no_proxy", "*")
    servers = ExitStack()

    def start(respond: Callable[[object], None], *, tls: bool = False) -> str:
        class Handler(socketserver.StreamRequestHandler):
            def setup(self):
                if tls:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(CERTIFICATE)
                    self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def handle(self):
                while self.rfile.readline().strip():
                    pass
                with suppress(OSError):
                    respond(self.request)

            def finish(self):
                super().finish()
                self.request.close()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, _request, _address):
                """Ignore connections that a client refuses."""

        server = servers.enter_context(Server(("127.0.0.1", 0), Handler))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        servers.callback(thread.join)
        servers.callback(server.shutdown)
        thread.start()
        return f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"

    with servers:
        yield start


CONTENT = b"the right content"


def right(connection) -> None:
    body = idx.compress(CONTENT)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def moved(target: str, rest: bytes = b"Content-Length: 0\r\n\r\n") -> Callable[[object], None]:
    def respond(connection) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: %s\r\n" % target.encode() + rest)

    return respond


def endless(start: bytes, block: bytes = bytes(1 << 16)) -> Callable[[object], None]:
    def respond(connection) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(block)

    return respond


def fetch(url: str) -> bytes:
    return bytes(download.fetch("digits", Checksum(sha256(CONTENT)), [url]))


def test_a_self_signed_certificate_is_refused(serve, tally):
    with pytest.raises(DatasetError, match="its TLS certificate cannot be verified"):
        fetch(serve(right, tls=True))
    tally("hostile servers", 1)


def test_a_certificate_for_another_name_is_refused(serve, monkeypatch, tally):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    url = serve(right, tls=True)
    assert fetch(url) == CONTENT
    with pytest.raises(DatasetError, match="its TLS certificate cannot be verified"):
        fetch(url.replace("127.0.0.1", "localhost"))
    tally("hostile servers", 1)


def test_redirects_from_http_to_https_are_followed_but_not_back(serve, monkeypatch, tally):
    """From http to http is allowed: the content is verified by its sum."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    plain, secure = serve(right), serve(right, tls=True)
    for target, tls in ((plain, False), (secure, False), (secure, True)):
        assert fetch(serve(moved(target), tls=tls)) == CONTENT
    for start in (moved(plain), moved(serve(moved(plain), tls=True))):
        with pytest.raises(DatasetError, match="redirects from https to an unencrypted address"):
            fetch(serve(start, tls=True))
    tally("hostile servers", 2)


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[", "gopher://x", "//", "data:,x", ""],
)
def test_a_redirect_to_another_scheme_is_refused(serve, target, tally):
    with pytest.raises(DatasetError) as refused:
        fetch(serve(moved(target)))
    assert "passwd" not in str(refused.value)
    tally("hostile servers", 1)


OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "no length": endless(OK + b"\r\n"),
    "a length of terabytes": endless(OK + b"Content-Length: 999999999999\r\n\r\n"),
    "chunks": endless(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    ),
    "a chunk's length": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1" * 5000),
    "one header": endless(OK + b"X: ", b"x" * 5000),
    "headers": endless(OK, b"X: x\r\n" * 500),
    "a status": endless(b"HTTP/1.1 200 ", b"x" * 5000),
    "a gzip bomb": endless(OK + b"Content-Encoding: gzip\r\n\r\n", idx.compress(bytes(1 << 22))),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_the_download_from_an_endless_server_stops(serve, monkeypatch, kind, tally):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    tracemalloc.start()
    with no_hanging(), pytest.raises(DatasetError):
        fetch(serve(ENDLESS[kind]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000_000
    tally("hostile servers", 1)


def test_the_body_of_a_redirect_is_not_read(serve, tally):
    target = serve(right)
    with no_hanging():
        for rest in (b"\r\n", b"Content-Encoding: gzip\r\n\r\n"):
            lead = b"HTTP/1.1 302 Found\r\nLocation: %s\r\n" % target.encode()
            assert fetch(serve(endless(lead + rest))) == CONTENT
    tally("hostile servers", 2)


def test_a_gzip_bomb_from_a_mirror_is_not_unpacked(serve, tally):
    bomb = idx.compress(bytes(200_000_000))
    response = OK + b"Content-Length: %d\r\n\r\n" % len(bomb) + bomb
    with pytest.raises(DatasetError, match="larger than 64,000,000 bytes"):
        fetch(serve(lambda connection: connection.sendall(response)))
    tally("hostile servers", 1)


def test_no_server_writes_to_the_terminal(serve, mirror, dlcli, monkeypatch, tally):
    evil = b"\x1b[2J\x1b]0;title\x07"
    responses = [
        lambda connection: connection.sendall(b"HTTP/1.1 404 " + evil + b"\r\n\r\n" + evil),
        lambda connection: connection.sendall(evil * 100),
        lambda connection: connection.sendall(OK + b"Content-Length: " + evil + b"\r\n\r\n" + evil),
        moved("http://\x1b[2J/"),
        moved("\x1b[2J://x"),
    ]
    urls = tuple(serve(respond) for respond in responses)
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], mirrors=urls))
    result = dlcli("data", "fetch")
    assert_civil(result, {3})
    assert all(url in result.stderr for url in urls)
    tally("hostile servers", len(responses))
