"""Sphinx builds these pages as a site: ``make docs``.

On a forge the pages link to files of the repository. On the site there are no such files, so these
links become plain text; the README is the site's first page.
"""

import re
from pathlib import Path

import click
from sphinx.application import Sphinx

from dlcli import __version__

project = "dlcli"
author = "dlcli contributors"
copyright = author  # noqa: A001 - Sphinx's name
version = release = __version__

extensions = ["myst_parser", "sphinx_click"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3  # links to headings work as they do on a forge

html_theme = "furo"
html_title = f"dlcli {__version__}"
pygments_style = "friendly"

_REPOSITORY = Path(__file__).parent.parent
# What reStructuredText would take for markup in a help text, such as --filter 'run=*quick*'.
_MARKUP = re.compile(r"[*`|]")


def read_page(_: Sphinx, name: str, source: list[str]) -> None:
    """Give the page its text on the site."""
    text = source[0]
    if name == "index":
        readme = (_REPOSITORY / "README.md").read_text(encoding="utf-8")
        trees = re.findall(r"^```{toctree}\n.*?^```\n", text, flags=re.MULTILINE | re.DOTALL)
        hidden = "\n".join(tree.replace(":maxdepth: 1", ":hidden:") for tree in trees)
        text = f"{readme.replace('](docs/', '](')}\n{hidden}"
        text = re.sub(r"\]\((?=[\w./-]*/|[A-Z])", "](../", text)
        text = re.sub(r"<source .*?>\n *|</?picture>\n", "", text)
        text = re.sub(r'<img alt="(.*?)" src="docs/(.*?)">', r"![\1](\2)", text)
    elif name == "changelog":
        text = (_REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    text = text.replace("](../CHANGELOG.md)", "](changelog.md)")
    text = text.replace("](../README.md", "](index.md")
    source[0] = re.sub(r"\[([^\]]+)\]\(\.\./[^)]*\)", r"\1", text)


def escape_markup(_: Sphinx, _context: click.Context, lines: list[str]) -> None:
    """Take a command's help text as it is."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith(".."):
            bar = "| " if line.startswith("| ") else ""  # of a line that is not wrapped
            lines[number] = bar + _MARKUP.sub(r"\\\g<0>", line.removeprefix("| "))


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("source-read", read_page)
    for part in ("description", "options"):
        app.connect(f"sphinx-click-process-{part}", escape_markup)
