"""Texts of lessons: figures filled in, Markdown for the terminal."""

import math

import pytest

from dlcli.lessons import texts


@pytest.mark.parametrize(
    ("value", "how", "text"),
    [
        (0.12345, "", "0.1235"),
        (0.12345, "%", "12.3 %"),
        (0.12345, "%0", "12 %"),
        (1793.2, "times", "1,800 times"),
        (2.34, "times", "2.3 times"),
        (4.2e8, "times", "4e+08 times"),
        (math.inf, "times", "infinitely many times"),
        (12.0, "whole", "12"),
        (math.inf, "whole", "never"),
        (-0.001, "two", "0.00"),
        (-0.126, "two", "-0.13"),
        (3.2e-9, "tiny", "3e-09"),
        (math.nan, "%", "undefined"),
    ],
)
def test_a_figure_is_written_in_the_format_after_its_colon(value, how, text):
    braces = f"{{x:{how}}}" if how else "{x}"
    assert texts.fill(f"It is {braces}.", {"x": value}) == f"It is {text}."


def test_braces_that_name_no_figure_stay_as_they_are():
    text = "{choices: [1, 2]} {} { x }"
    assert texts.figures_in(text) == []
    assert texts.fill(text, {}) == text


MARKDOWN = """\
A *new* word in a paragraph
of **two** lines.

- one `item`
- another
  of two lines

```
code  as
it is
```
Last.
"""


def test_markdown_has_paragraphs_lists_and_code():
    found = [(block.kind, block.text) for block in texts.blocks(MARKDOWN)]
    assert found == [
        ("paragraph", "A *new* word in a paragraph of **two** lines."),
        ("item", "one `item`"),
        ("item", "another of two lines"),
        ("code", "code  as\nit is"),
        ("paragraph", "Last."),
    ]


def test_code_may_name_its_language():
    found = [(block.kind, block.text) for block in texts.blocks("As\n```python\nx = 1\n```\nEnd.")]
    assert found == [("paragraph", "As"), ("code", "x = 1"), ("paragraph", "End.")]
    (block,) = texts.blocks("```code``` in a line")
    assert block.kind == "paragraph"


def test_a_line_of_markdown_has_styles():
    (block,) = texts.blocks("A *new* **bold** `word`.")
    assert block.spans == [
        ("text", "A "),
        ("emphasis", "new"),
        ("text", " "),
        ("bold", "bold"),
        ("text", " "),
        ("code", "word"),
        ("text", "."),
    ]


def test_a_product_is_no_emphasis():
    (block,) = texts.blocks("a = 2 * b and c = 3 * d")
    assert block.spans == [("text", "a = 2 * b and c = 3 * d")]


@pytest.mark.parametrize("width", [40, 80])
def test_a_terminal_gets_lines_that_fit(width):
    lines = list(texts.as_lines(MARKDOWN * 3, width))
    assert max(map(len, lines)) <= width
    assert "A new word in a paragraph of two lines."[:30] in lines[0]
    assert "    code  as" in lines


def test_no_line_ends_between_a_number_and_its_percent_sign():
    for width in range(20, 40):
        lines = texts.as_lines("It reads 12.3 % of the digits and 45 % of the others.", width)
        assert not any(line.startswith("%") for line in lines)
