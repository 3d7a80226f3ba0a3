"""What users read when a proxy or their certificate authorities keep a download from working."""

import http.server
import os
import socket
import threading

import pytest

from dlcli.data import connection, download
from dlcli.data.registry import Checksum
from dlcli.errors import DatasetError

HTTP, HTTPS = "http://mirror.invalid/mnist", "https://mirror.invalid/mnist"
SCHEMES = pytest.mark.parametrize("mirror", [HTTP, HTTPS])


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    """No settings of the machine, no second attempt, and no name is looked up elsewhere."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}:
            monkeypatch.delenv(name)
    monkeypatch.setattr(download, "ATTEMPTS", 1)


@pytest.fixture
def use_proxy(monkeypatch):
    def use(address: str) -> None:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, address)

    return use


class Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy that refuses every request."""

    status = 407

    def do_GET(self):
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_CONNECT(self):
        self.do_GET()

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def proxy(monkeypatch):
    """A proxy that refuses with a status: its address, without the scheme."""
    with http.server.HTTPServer(("127.0.0.1", 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def closed() -> str:
    """An address that refuses connections."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{reserved.getsockname()[1]}"


def reason(mirror: str) -> str:
    """Why a download from a mirror fails."""
    with pytest.raises(DatasetError) as error:
        download.fetch("file", Checksum("0"), [mirror])
    (line,) = error.value.args[1:]
    assert line.startswith(f"  {mirror}/file.gz: ")
    return line.removeprefix(f"  {mirror}/file.gz: ")


@SCHEMES
def test_a_proxy_that_is_not_there_is_named_without_its_password(mirror, use_proxy, closed):
    use_proxy(f"http://me:secret@{closed}")
    assert reason(mirror) == f"the proxy http://{closed} cannot be reached (Connection refused)"


@SCHEMES
def test_a_proxy_of_an_unknown_name(mirror, use_proxy):
    use_proxy("http://proxy.invalid:3128")
    assert reason(mirror) == "the name of the proxy http://proxy.invalid:3128 is unknown"


@SCHEMES
def test_a_proxy_that_wants_a_password(mirror, use_proxy, proxy):
    use_proxy(f"http://{proxy}")
    assert reason(mirror) == f"the proxy http://{proxy} asks for a user name and password"
    use_proxy(f"http://me:wrong@{proxy}")
    assert reason(mirror) == f"the proxy http://{proxy} did not accept the user name and password"


def test_a_proxy_that_refuses_to_connect(use_proxy, proxy, monkeypatch):
    monkeypatch.setattr(Proxy, "status", 403)
    use_proxy(f"http://{proxy}")
    assert reason(HTTPS) == f"the proxy http://{proxy} refuses to connect (403 Forbidden)"


@SCHEMES
def test_a_silent_proxy(mirror, use_proxy, monkeypatch):
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        use_proxy(address)
        assert reason(mirror) == f"no response within 0.3 s through the proxy {address}"


@SCHEMES
@pytest.mark.parametrize("address", ["http://:3128", "http://proxy:port", "ftp://proxy:21"])
def test_a_proxy_whose_address_is_wrong(mirror, use_proxy, address):
    use_proxy(address)
    assert reason(mirror) == f"the proxy's address, {address}, is not a valid URL"


@SCHEMES
def test_a_proxy_that_speaks_no_tls(mirror, use_proxy, proxy):
    use_proxy(f"https://{proxy}")
    told = f"the proxy https://{proxy} does not speak TLS; try http: in place of https:"
    assert reason(mirror) == told


@SCHEMES
def test_a_socks_proxy_needs_a_library(mirror, use_proxy, monkeypatch):
    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", _missing)
    use_proxy("socks5h://127.0.0.1:1080")
    assert reason(mirror) == (
        "the proxy socks5h://127.0.0.1:1080 needs PySocks; get it with: pip install pysocks"
    )


def _missing(*_args, **_kwargs):
    from requests.exceptions import InvalidSchema

    raise InvalidSchema("Missing dependencies for SOCKS support.")


def test_after_a_redirect_the_proxy_of_the_new_address_is_named(httpserver, monkeypatch, closed):
    httpserver.expect_request("/mnist/file.gz").respond_with_data(
        status=302, headers={"Location": f"{HTTPS}/file.gz"}
    )
    monkeypatch.setenv("https_proxy", f"http://{closed}")
    told = f"the proxy http://{closed} cannot be reached (Connection refused)"
    assert reason(httpserver.url_for("/mnist")) == told


def test_a_wrong_mirror_is_not_blamed_on_the_proxy(use_proxy, closed):
    use_proxy(f"http://{closed}")
    assert reason("nonsense") == "not a valid URL"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificate_authorities_that_are_missing_or_none(
    variable, tmp_path, monkeypatch, httpserver
):
    path = tmp_path / "ca.pem"
    monkeypatch.setenv(variable, str(path))
    assert reason(HTTPS) == f"{variable} names {path}, which does not exist"
    path.write_text("no certificates")
    mirror = httpserver.url_for("/mnist").replace("http:", "https:")
    assert reason(mirror) == f"{variable} names {path}, which holds no certificates"


def test_a_wrong_proxy_or_wrong_authorities_end_a_fetch_with_exit_code_3(
    dlcli, mirror, local_cache, monkeypatch, closed
):
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", f"http://{closed}")
    result = dlcli("data", "fetch")
    assert result.code == 3
    assert f"the proxy http://{closed} cannot be reached" in result.stderr
    monkeypatch.setenv("DLCLI_MIRROR", HTTPS)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "nowhere.pem")
    result = dlcli("data", "fetch")
    assert result.code == 3
    assert "REQUESTS_CA_BUNDLE names nowhere.pem, which does not exist" in result.stderr
