"""Downloads one file, verified, from the first mirror that delivers it."""

import time
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from dlcli import __version__
from dlcli.data import connection, idx
from dlcli.data.registry import Checksum
from dlcli.errors import DatasetError

# The largest file of the supported datasets has 47 MB of content.
MAX_BYTES = 64_000_000
ATTEMPTS = 3
BACKOFF_SECONDS = 1.0
# For a whole file: a mirror may send a byte now and then and never run into the timeout.
DEADLINE_SECONDS = 600.0
_MAX_REDIRECTS = 10


class Progress(Protocol):
    """Learns what is being downloaded."""

    def trying(self, name: str, url: str, failure: str | None) -> None:
        """A mirror is asked for a file; ``failure`` is how the attempt before ended."""

    def received(self, name: str, count: int, total: int) -> None:
        """So many bytes of a file have arrived; ``total`` is 0 if it is not known."""


class _MirrorError(Exception):
    """A mirror did not deliver the file; ``retryable`` if another attempt may succeed."""

    def __init__(self, reason: str, *, retryable: bool) -> None:
        super().__init__(reason)
        self.retryable = retryable


def fetch(
    name: str,
    checksum: Checksum,
    mirrors: Sequence[str],
    progress: Progress | None = None,
) -> idx.Content:
    """Download ``name`` + ``.gz`` and return its decompressed, verified content.

    Mirrors are tried in turn. Temporary failures (no response, a server error, a broken
    transfer) are retried after an increasing delay.

    Parameters
    ----------
    name
        File name without ``.gz``.
    checksum
        Recognises the right file.
    mirrors
        URL prefixes.
    progress
        Told of each attempt and of each chunk received.

    Raises
    ------
    DatasetError
        No mirror delivered the file; the message lists the failure of each.
    """
    failures: list[str] = []
    failure: str | None = None
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{name}.gz"
        for attempt in range(ATTEMPTS):
            if progress is not None:
                progress.trying(name, url, failure)
            try:
                return _verified(_get(url, name, progress), checksum, url)
            except _MirrorError as error:
                failure = f"{url}: {error}"
                if not error.retryable or attempt == ATTEMPTS - 1:
                    failures.append(f"  {failure}")
                    break
                time.sleep(BACKOFF_SECONDS * 2**attempt)
    raise DatasetError(f"{name}: no mirror delivered it", *failures)


def _get(url: str, name: str, progress: Progress | None) -> bytes:
    """The body of the response to a request for ``url``, streamed."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    # "identity": otherwise requests would gunzip the file itself.
    headers = {"User-Agent": f"dlcli/{__version__}", "Accept-Encoding": "identity"}
    try:
        with _Session() as session, _follow(session, url, headers) as response:
            if response.status_code == connection.PROXY_NEEDS_LOGIN:
                raise _MirrorError(connection.login_fault(url), retryable=False)
            if response.status_code != requests.codes.ok:
                retryable = response.status_code >= 500 or response.status_code == 429
                raise _MirrorError(f"HTTP status {response.status_code}", retryable=retryable)
            total = response.raw.length_remaining or 0
            body = bytearray()
            # read1() returns what has arrived instead of waiting for a whole chunk, so that the
            # deadline also stops a very slow mirror.
            while chunk := response.raw.read1(1 << 16, decode_content=False):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise _MirrorError(f"sends more than {MAX_BYTES:,} bytes", retryable=False)
                if time.monotonic() > deadline:
                    raise _MirrorError(f"not done after {DEADLINE_SECONDS:g} s", retryable=False)
                if progress is not None:
                    progress.received(name, len(body), total)
            return bytes(body)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        fault = connection.fault_of(error, url)
        raise _MirrorError(fault.reason, retryable=fault.is_retryable) from error


class _Session(requests.Session):
    """Leaves redirects to :func:`_follow`."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the whole body of a redirect, however long it is."""


def _follow(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """The response to a request for ``url``, after redirects."""
    for _ in range(_MAX_REDIRECTS):
        response = _request(session, url, headers)
        if not response.is_redirect:
            return response
        response.close()
        try:
            target = urljoin(url, response.headers["location"])
        except ValueError as error:
            raise requests.exceptions.InvalidURL from error
        if urlsplit(url).scheme == "https" != urlsplit(target).scheme:
            raise _MirrorError("redirects from https to an unencrypted address", retryable=False)
        url = target
    raise requests.TooManyRedirects


def _request(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    try:
        return session.get(url, headers=headers, timeout=connection.TIMEOUT_SECONDS, stream=True)
    except requests.RequestException:
        raise
    except OSError as error:  # if the file with the certificate authorities is missing
        raise requests.exceptions.SSLError from error


def _verified(received: bytes, checksum: Checksum, url: str) -> idx.Content:
    """The decompressed content, if it is that of the expected file."""
    try:
        content = idx.decompress(received, url, MAX_BYTES)
    except DatasetError as error:
        reason = str(error).removeprefix(f"{url}: ")
        raise _MirrorError(reason, retryable=True) from error
    mismatch = checksum.mismatch(received, content)
    if mismatch is not None:
        if received.lstrip()[:1] == b"<":
            mismatch = "sent a web page instead of the file"
        raise _MirrorError(mismatch, retryable=False)
    return content
