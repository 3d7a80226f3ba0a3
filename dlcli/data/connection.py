"""Why a request failed, in words: the server, the proxy before it, or the certificates.

requests takes proxies from the environment (``https_proxy``, ``no_proxy``, ...) or the system's
settings, and own certificate authorities from ``REQUESTS_CA_BUNDLE``.
"""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies, select_proxy

TIMEOUT_SECONDS = 20.0
PROXY_NEEDS_LOGIN = 407  # RFC 9110, 15.5.8
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # in requests' order
_INVALID_URL_ERRORS = (
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    urllib3.exceptions.LocationValueError,  # not wrapped by requests
)


class Fault(NamedTuple):
    """Why a request failed, and whether another attempt may succeed."""

    reason: str
    is_retryable: bool


def fault_of(error: Exception, url: str) -> Fault:
    """What was wrong with a request for ``url``, without the nested texts of requests' errors."""
    if isinstance(error, requests.RequestException) and error.request is not None:
        url = error.request.url or url  # after a redirect, another one
    proxy = _proxy(url)
    if isinstance(error, requests.TooManyRedirects):
        return Fault("it redirects too often", is_retryable=False)
    if isinstance(error, _INVALID_URL_ERRORS):
        return Fault(_invalid_address(error, url, proxy), is_retryable=False)
    if isinstance(error, requests.exceptions.ProxyError) and proxy is not None:
        return Fault(_proxy_fault(error, url, proxy), is_retryable=True)
    if isinstance(error, requests.exceptions.SSLError):
        return Fault(_certificate_fault(), is_retryable=True)
    through = f" through the proxy {proxy}" if proxy is not None else ""
    return Fault(_connection_fault(error) + through, is_retryable=True)


def login_fault(url: str) -> str:
    """What to say where the proxy answers with ``PROXY_NEEDS_LOGIN``."""
    given = select_proxy(url, get_environ_proxies(url)) or ""
    verb = "did not accept the" if "@" in given else "asks for a"
    return f"the proxy {_proxy(url)} {verb} user name and password"


def _connection_fault(error: Exception) -> str:
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return f"no response within {TIMEOUT_SECONDS:g} s"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the connection broke during the transfer"
    if isinstance(error, requests.ConnectionError):
        return "the connection failed"
    return type(error).__name__


def _proxy(url: str) -> str | None:
    """The proxy for an address, without its password; None if there is none."""
    try:
        proxy = select_proxy(url, get_environ_proxies(url))
    except ValueError:  # the address is no URL
        return None
    if not proxy:
        return None
    scheme, mark, rest = proxy.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def _invalid_address(error: Exception, url: str, proxy: str | None) -> str:
    try:
        requests.Request("GET", url).prepare()
        is_valid = urlsplit(url).scheme in {"http", "https"}
    except (*_INVALID_URL_ERRORS, ValueError):
        is_valid = False
    if proxy is None or not is_valid:
        return "not a valid URL"
    if isinstance(error, requests.exceptions.InvalidSchema) and proxy.startswith("socks"):
        return f"the proxy {proxy} needs PySocks; get it with: pip install pysocks"
    return f"the proxy's address, {proxy}, is not a valid URL"


def _proxy_fault(error: Exception, url: str, proxy: str) -> str:
    causes = list(_causes(error))
    text = str(causes[-1])
    if str(PROXY_NEEDS_LOGIN) in text and "Tunnel" in text:
        return login_fault(url)
    if "Tunnel" in text:  # its last words are the status of the proxy's response
        return f"the proxy {proxy} refuses to connect ({text.rpartition(': ')[2]})"
    if any(isinstance(cause, ssl.SSLError) for cause in causes) and proxy.startswith("https:"):
        return f"the proxy {proxy} does not speak TLS; try http: in place of https:"
    if any(isinstance(cause, urllib3.exceptions.NameResolutionError) for cause in causes):
        return f"the name of the proxy {proxy} is unknown"
    why = getattr(causes[-1], "strerror", None)
    return f"the proxy {proxy} cannot be reached{f' ({why})' if why else ''}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and all that is nested in it: in its arguments, its reason or its cause."""
    current: BaseException | None = error
    seen: set[int] = set()
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        nested = [getattr(current, "reason", None), *current.args[::-1], current.__context__]
        current = next((item for item in nested if isinstance(item, BaseException)), None)


def _certificate_fault() -> str:
    """Why a certificate was not accepted: the environment may name the wrong authorities."""
    variable = next((name for name in _CA_VARIABLES if os.environ.get(name)), None)
    if variable is None:
        return "its TLS certificate cannot be verified"
    path = Path(os.environ[variable])
    if not path.exists():
        return f"{variable} names {path}, which does not exist"
    if path.is_file():
        try:
            ssl.create_default_context(cafile=path)
        except OSError:
            return f"{variable} names {path}, which holds no certificates"
    return f"its TLS certificate cannot be verified with those in {path} ({variable})"
