"""Matplotlib figures as SVG inside a page, in the page's own colours and font.

Figures are drawn in placeholder colours. In the SVG each of them becomes a CSS variable of
``report.css``, so that a figure follows light and dark mode as the rest of the page does.
"""

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from cycler import cycler
from markupsafe import Markup
from matplotlib.figure import Figure

SERIES = 6  # colours of lines; the seventh line has the first one's again
# The CSS variables; text is black in Matplotlib unless something else is asked for.
_VARIABLES = ("soft", "line", "grid", "shade", *(f"s{number}" for number in range(SERIES)))
COLOURS = {name: f"#{number:06x}" for number, name in enumerate(_VARIABLES)}
_FROM_PLACEHOLDER = {colour: f"var(--{name})" for name, colour in COLOURS.items()}

_PAGE_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a dollar sign in a run's name is a dollar sign
    "font.size": 12,
    "figure.dpi": 72,  # one unit of the SVG is a pixel
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": COLOURS["line"],
    "axes.prop_cycle": cycler(color=[COLOURS[f"s{number}"] for number in range(SERIES)]),
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.left": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": COLOURS["grid"],
    "legend.frameon": False,
    "lines.linewidth": 2,
    "xtick.bottom": False,
    "ytick.left": False,
}


@contextmanager
def page_style() -> Iterator[None]:
    """Draw figures of a page inside this context, and convert them inside it as well."""
    with mpl.rc_context(_PAGE_STYLE), warnings.catch_warnings():
        # The browser has its own fonts; Matplotlib only measures the text.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def inline(
    figure: Figure, name: str, description: str = "", colours: Mapping[str, str] | None = None
) -> Markup:
    """A figure as an ``svg`` element, with ``name`` as its id, which must be unique on the page.

    Screen readers say the description; without one they skip the figure. ``colours`` maps
    colours of the figure besides the placeholders to those of CSS. ``style`` attributes, which a
    strict Content-Security-Policy forbids, become presentation attributes.
    """
    buffer = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    layout = figure.get_layout_engine()
    if layout is not None:
        # Matplotlib would draw everything once more to lay it out.
        layout.execute(figure)
        figure.set_layout_engine(None)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 - Matplotlib wrote it just now
    used = set(re.findall(r"#(\w+)", buffer.getvalue().decode()))
    replacements = _FROM_PLACEHOLDER | dict(colours or {})
    for element in root.iter():
        _simplify(element, used, replacements)
    root.attrib = {"viewBox": root.attrib["viewBox"], "id": name, "class": "figure"}
    root.attrib |= (
        {"role": "img", "aria-label": description} if description else {"aria-hidden": "true"}
    )
    return Markup(ET.tostring(root, "unicode"))  # noqa: S704 - ElementTree has escaped it


def _simplify(element: ET.Element, used: set[str], replacements: Mapping[str, str]) -> None:
    """Keep of an element what a page needs, with two decimals."""
    element.tag = element.tag.rpartition("}")[2]
    element.tail = None
    if element.text and not element.text.strip():
        element.text = None
    for part in element.findall("{*}defs[{*}style]"):  # its rules would hold for the whole page
        element.remove(part)
    attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    for declaration in filter(None, attributes.pop("style", "").split(";")):
        key, _, value = declaration.partition(":")
        attributes[key.strip()] = replacements.get(value.strip(), value.strip())
    attributes.pop("font-family", None)
    if attributes.get("id") not in used:
        attributes.pop("id", None)
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    element.attrib = {
        key: re.sub(r"(\.\d\d)\d+", r"\1", value.replace("\n", " ").strip())
        for key, value in attributes.items()
    }
