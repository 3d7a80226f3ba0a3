"""The page of a lesson: complete, safe, and readable without pictures."""

import re

import pytest

from dlcli.lessons import engine, reader
from dlcli.report import lesson as page
from tests.lessons.test_reader import MINE


@pytest.fixture(scope="module")
def html(sample) -> str:
    """A page of a lesson whose texts try to be markup, and whose claim does not hold."""
    text = MINE.replace("title: Mine", "title: <script>alert(1)</script>")
    text = text.replace("says: Fast", "says: <b>Fast</b>").replace("gain > 0.1", "gain > 2")
    text = text.replace("An idea.", "|\n  An *idea* with `code`.\n\n  - a <i>list</i>\n")
    lesson = reader.parse(text, "mine", "mine.yaml")
    return page.render(engine.run(lesson, lambda _: sample)).decode()


def test_an_infinite_bar_is_drawn_and_named(sample):
    text = MINE.replace("two: twice}", "never: 'epochs_to(fast, 0.999)'}")
    lesson = reader.parse(text, "mine", "mine.yaml")
    html = page.render(engine.run(lesson, lambda _: sample)).decode()
    assert "M 0 0 z" not in html


def test_texts_of_a_lesson_are_no_markup(html):
    body = html.partition("<body>")[2]
    assert "&lt;script&gt;alert(1)" in body
    assert "&lt;b&gt;Fast&lt;/b&gt;" in body
    assert "<i>" not in body
    assert "<em>idea</em> with <code>code</code>" in body


def test_a_claim_that_did_not_hold_is_marked(html):
    assert '<li class="failed">' in html
    assert "<b>Did not hold:</b>" in html


def test_every_figure_and_picture_has_a_text(html):
    assert html.count("<svg") == 2
    for element in re.findall(r"<(?:svg|img) [^>]*>", html):
        assert re.search(r'(?:aria-label|alt)="[^"]+"', element), element
    assert "Accuracy. fast: " in html
    assert "Bars. gain: " in html
    identities = re.findall(r' id="([^"]+)"', html)
    assert len(identities) == len(set(identities))


def test_the_policy_forbids_styles_and_scripts_of_others(html):
    assert "default-src 'none'" in html
    assert " style=" not in html.partition("<body>")[2]
    assert not re.search(r'(?:src|href)="(?!data:|#)', html)


def test_the_page_has_the_settings_of_each_network(html):
    assert "learning_rate: 0.001" in html
    assert "rotation: 10.0" in html
