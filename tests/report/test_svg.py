"""Figures become SVG in the colours of the page, which a strict policy accepts."""

import re

import pytest

from dlcli.report import charts, svg
from dlcli.report.svg import COLOURS


@pytest.fixture
def figure():
    with svg.page_style():
        figure = charts.page_figure(420, 240)
        axes = figure.subplots()
        axes.plot([1, 2], [1, 2], label="a <b> & $c$")
        axes.scatter([1], [2], color="tab:blue")
        axes.axvspan(1, 2, color=COLOURS["shade"])
        figure.legend()
        yield figure


def test_colours_are_variables_of_the_page(figure):
    text = svg.inline(figure, "one", colours={"#1f77b4": "var(--s3)"})
    for name in ("s0", "s3", "shade", "grid", "line"):
        assert f"var(--{name})" in text
    assert not re.search(r'"#[0-9a-f]{6}"', text)


def test_nothing_is_left_that_a_strict_policy_forbids(figure):
    text = svg.inline(figure, "one")
    assert not re.search(r"<style|\sstyle=|https?:|<\?xml|<metadata|\son\w+=", text)


def test_text_stays_text_in_the_font_of_the_page(figure):
    text = svg.inline(figure, "one")
    assert ">a &lt;b&gt; &amp; $c$</text>" in text
    assert "font-family" not in text


def test_ids_of_two_figures_differ_and_are_all_used(figure):
    one, two = (svg.inline(figure, name) for name in ("one", "two"))
    used = set(re.findall(r"#([\w-]+)", one))
    ids = set(re.findall(r'\sid="([^"]+)"', one))
    assert ids - used == {"one"}
    assert not ids & set(re.findall(r'\sid="([^"]+)"', two))


def test_the_description_is_the_accessible_name(figure):
    assert 'role="img" aria-label="A &lt;chart&gt;."' in svg.inline(figure, "one", "A <chart>.")
    assert 'aria-hidden="true"' in svg.inline(figure, "one")


def test_the_same_figure_gives_the_same_text(figure):
    assert svg.inline(figure, "one") == svg.inline(figure, "one")
