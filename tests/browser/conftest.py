"""Pages in a real browser: Chromium without a window, which may not leave the page."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    sync_playwright,
)

# What is kept to be looked at; git ignores it.
SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "screenshots"
_LOCAL = ("file:", "data:", "blob:", "about:")
_ARGUMENTS = (
    "--no-sandbox",  # which root, as continuous integration is, cannot have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # nothing is reached, whatever asks for it
)

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The installed Chromium; without one, the test is skipped."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=[*_ARGUMENTS])
        yield chromium
        chromium.close()


@pytest.fixture
def faults() -> list[str]:
    """What pages did that they may not do; at the end of a test it must be empty."""
    return []


@pytest.fixture
def open_page(browser, faults) -> Iterator[OpenPage]:
    """Open a file: ``open_page(path, viewport={"width": 390, "height": 844}, has_touch=True)``.

    Keywords are those of Playwright's ``Browser.new_context``; without a path the page is blank.
    The test fails if anything is asked for over the network, or the console tells an error: a
    breach of the Content-Security-Policy is one, too.
    """
    contexts: list[BrowserContext] = []

    def note_request(request: Request) -> None:
        if not request.url.startswith(_LOCAL):
            faults.append(f"request: {request.url}")

    def note_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(f"console: {message.text}")

    def open_it(path: Path | None = None, **options: object) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.on("request", note_request)
        context.on("console", note_console)
        context.on("weberror", lambda error: faults.append(f"uncaught: {error.error}"))
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("websocket", lambda socket: faults.append(f"request: {socket.url}"))
        if path is not None:
            page.goto(path.resolve().as_uri())
        return page

    yield open_it
    for context in contexts:
        for page in context.pages:
            page.evaluate("0")  # what the page did before this has then been told
        context.close()
    assert not faults


@pytest.fixture
def page(open_page) -> Page:
    """A blank page of a desktop's size; ``page.goto(path.as_uri())`` opens a file."""
    return open_page(viewport={"width": 1280, "height": 900})


@pytest.fixture
def keep_screenshot(request) -> Callable[..., Path]:
    """Keep a picture of a page, or of an element: ``keep_screenshot(page, "light")``."""

    def keep(target, name: str, **options: object) -> Path:
        test = re.sub(r"\W+", "-", request.node.name).strip("-")
        path = SCREENSHOTS / f"{test}-{name}.png"
        target.screenshot(path=path, **options)
        return path

    return keep
