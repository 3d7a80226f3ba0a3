"""The fixtures notice what pages must not do."""

import pytest

POLICY = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<img src='https://example.org/pixel.png'>", "request: https://example.org/pixel.png"),
        ("<script>new WebSocket('ws://example.org/')</script>", "request: ws://example.org/"),
        ("<script>console.error('no')</script>", "console: no"),
        ("<script>throw Error('no')</script>", "uncaught: no"),
        (f"{POLICY}<script>document.title = 'ran'</script>", "Content Security Policy"),
    ],
)
def test_forbidden_behaviour_of_a_page_is_noticed(page, faults, tmp_path, html, expected):
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><title>page</title>{html}", encoding="utf-8")
    page.goto(path.as_uri())
    while not faults:  # events arrive with a delay
        page.wait_for_timeout(10)
    assert any(expected in fault for fault in faults), faults
    faults.clear()


def test_a_good_page_opens_and_its_screenshot_is_saved(
    open_page, keep_screenshot, tmp_path, monkeypatch, request
):
    path = tmp_path / "page.html"
    path.write_text("<!doctype html><title>good</title><p>Hello", encoding="utf-8")
    page = open_page(path, color_scheme="dark", viewport={"width": 390, "height": 844})
    assert page.title() == "good"
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    monkeypatch.setattr(request.config.option, "screenshots", True)
    assert keep_screenshot(page, "dark").stat().st_size
