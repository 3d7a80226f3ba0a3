"""One verified file from the first mirror that delivers it."""

import time
from collections.abc import Callable, Sequence
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from dlcli import __version__
from dlcli.data import idx
from dlcli.errors import DatasetError

# No file of the supported datasets is larger than 31 MB; what is must be something else.
MAX_BYTES = 64_000_000
ATTEMPTS = 3
BACKOFF_SECONDS = 1.0
_MAX_REDIRECTS = 10
TIMEOUT_SECONDS = 20.0
# A mirror that trickles is as good as dead: every file must arrive in this time.
DEADLINE_SECONDS = 600.0
# What requests, and what it lets through of urllib3, has against the text of an address.
_BAD_ADDRESS = (
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    urllib3.exceptions.LocationValueError,
)

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes received so far, and the total (0 if not known)."""

FindMismatch = Callable[[bytes, idx.Content], str | None]
"""Given a file as received and decompressed: how it differs from the right one, or None."""


class _MirrorError(Exception):
    """One mirror did not deliver; ``again`` says whether asking once more may help."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


def fetch(
    name: str,
    mirrors: Sequence[str],
    find_mismatch: FindMismatch,
    progress: Progress | None = None,
) -> idx.Content:
    """Download ``name`` + ``.gz`` and return its decompressed, verified content.

    Mirrors are tried in turn; faults that pass (no answer, a server error, a broken
    transfer) are tried again after a growing pause.

    Parameters
    ----------
    name
        File name without ``.gz``.
    mirrors
        URL prefixes.
    find_mismatch
        Recognises the right file.
    progress
        Told of each chunk received.

    Raises
    ------
    DatasetError
        Naming each mirror with its failure.
    """
    failures: list[str] = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{name}.gz"
        for attempt in range(ATTEMPTS):
            try:
                return _verified(_get(url, name, progress), find_mismatch, url)
            except _MirrorError as error:
                last_attempt = attempt == ATTEMPTS - 1 or not error.again
                if last_attempt:
                    failures.append(f"  {url}: {error}")
                    break
                time.sleep(BACKOFF_SECONDS * 2**attempt)
    raise DatasetError(f"{name}: no mirror delivered it", *failures)


def _get(url: str, name: str, progress: Progress | None) -> bytes:
    """The body of ``url``, streamed."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    # "identity": requests would otherwise undo the gzip that is the file itself.
    headers = {"User-Agent": f"dlcli/{__version__}", "Accept-Encoding": "identity"}
    try:
        with _Session() as session, _follow(session, url, headers) as response:
            if response.status_code != requests.codes.ok:
                again = response.status_code >= 500 or response.status_code == 429
                raise _MirrorError(f"HTTP status {response.status_code}", again=again)
            total = response.raw.length_remaining or 0
            body = bytearray()
            # read1() hands on what has arrived, so that the deadline also stops a mirror that
            # sends a byte now and then.
            while chunk := response.raw.read1(1 << 16, decode_content=False):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise _MirrorError(f"sends more than {MAX_BYTES:,} bytes", again=False)
                if time.monotonic() > deadline:
                    raise _MirrorError(f"not done after {DEADLINE_SECONDS:g} s", again=False)
                if progress is not None:
                    progress(name, len(body), total)
            return bytes(body)
    except _BAD_ADDRESS as error:
        raise _MirrorError("not a valid address", again=False) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _MirrorError(_reason(error), again=True) from error


class _Session(requests.Session):
    """Leaves redirections to :func:`_follow`."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the whole body that comes with one, however long it is."""


def _follow(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """The answer to a request for ``url``, or for where it has moved to."""
    for _ in range(_MAX_REDIRECTS):
        response = session.get(url, headers=headers, timeout=TIMEOUT_SECONDS, stream=True)
        if not response.is_redirect:
            return response
        response.close()
        try:
            target = urljoin(url, response.headers["location"])
        except ValueError as error:
            raise requests.exceptions.InvalidURL from error
        if urlsplit(url).scheme == "https" != urlsplit(target).scheme:
            raise _MirrorError("sends from https to where nothing is encrypted", again=False)
        url = target
    raise requests.TooManyRedirects


def _reason(error: Exception) -> str:
    """What went wrong, without the nested representation that requests gives it."""
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return f"no answer within {TIMEOUT_SECONDS:g} s"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the connection broke in mid-transfer"
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate cannot be verified"
    if isinstance(error, requests.ConnectionError):
        return "no connection, or no proper answer"
    return type(error).__name__


def _verified(received: bytes, find_mismatch: FindMismatch, url: str) -> idx.Content:
    """The decompressed content, if it is the right one."""
    try:
        raw = idx.decompress(received, url, MAX_BYTES)
    except DatasetError as error:
        reason = str(error).removeprefix(f"{url}: ")
        raise _MirrorError(reason, again=True) from error
    mismatch = find_mismatch(received, raw)
    if mismatch is not None:
        if received.lstrip()[:1] == b"<":
            mismatch = "sent a web page instead of the file"
        raise _MirrorError(mismatch, again=False)
    return raw
