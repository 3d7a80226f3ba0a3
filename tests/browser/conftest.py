"""Fixtures that open pages in a real browser: headless Chromium without a network."""

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
    expect,
    sync_playwright,
)

# Screenshots to look at, with --screenshots; git ignores them.
SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "screenshots"
# How long to wait for what a page should do, so that a busy machine fails no test.
PATIENCE_MS = 60_000
_LOCAL = ("file:", "data:", "blob:", "about:")
_ARGUMENTS = (
    "--no-sandbox",  # root, as in continuous integration, cannot use one
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no host can be reached
)

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the installed Chromium; skip the test if there is none."""
    expect.set_options(timeout=PATIENCE_MS)
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=[*_ARGUMENTS])
        yield chromium
        chromium.close()


@pytest.fixture
def faults() -> list[str]:
    """Collect what pages must not do; at the end of a test the list must be empty."""
    return []


@pytest.fixture
def open_page(browser, faults) -> Iterator[OpenPage]:
    """Open a file: ``open_page(path, viewport={"width": 390, "height": 844}, has_touch=True)``.

    The keywords are those of Playwright's ``Browser.new_context``; without a path the page is
    blank. The test fails if the page makes a network request, or if the console shows an error,
    such as a violation of the Content-Security-Policy.
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
        page.set_default_timeout(PATIENCE_MS)
        page.on("websocket", lambda socket: faults.append(f"request: {socket.url}"))
        if path is not None:
            page.goto(path.resolve().as_uri())
        return page

    yield open_it
    for context in contexts:
        for page in context.pages:
            page.evaluate("0")  # events of what the page did before this have arrived then
        context.close()
    assert not faults


@pytest.fixture
def page(open_page) -> Page:
    """Open a blank page as large as on a desktop; ``page.goto(path.as_uri())`` opens a file."""
    return open_page(viewport={"width": 1280, "height": 900})


@pytest.fixture
def keep_screenshot(request) -> Callable[..., Path]:
    """Save a screenshot of a page or an element, if asked to: ``keep_screenshot(page, "light")``.

    To draw a long page as a picture takes longer than most tests.
    """

    def keep(target, name: str, **options: object) -> Path:
        test = re.sub(r"\W+", "-", request.node.name).strip("-")
        path = SCREENSHOTS / f"{test}-{name}.png"
        if request.config.option.screenshots:
            target.screenshot(path=path, **options)
        return path

    return keep
