"""The frame of every page: Jinja2 templates and a strict Content-Security-Policy."""

import base64
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dlcli import __version__
from dlcli.evaluation.formatting import duration, loss, percent, short
from dlcli.report import tables, thumbnails

_TEMPLATES = Path(__file__).parent / "templates"
_DRAW = Path(__file__).parent / "draw"


def render(
    template: str, styles: Sequence[str] = (), scripts: Sequence[str] = (), **values: Any
) -> bytes:
    """Fill in a template that extends ``base.html``, as UTF-8.

    A strict Content-Security-Policy lets the page use these styles and scripts and the pictures
    inside it, and nothing else: no network, no inline event handlers, no ``style`` attributes.
    Every page has ``report.css`` besides ``styles``. The template needs a ``title``.
    """
    style = "\n".join([asset("report.css"), *styles])
    script = "\n".join(scripts)
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    values |= {"version": __version__, "policy": policy, "style": style, "script": script}
    text = _environment().get_template(template).render(values)
    # A file name may hold bytes that are not valid text.
    return text.encode("utf-8", "xmlcharrefreplace")


def asset(name: str) -> str:
    """The text of a file beside the templates."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([_TEMPLATES, _DRAW]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "probability": tables.probability,
        "loss": loss,
        "number": tables.number,
        "setting": short,
        "thousands": "{:,}".format,
        "duration": duration,
        "architecture": tables.architecture,
        "digit": thumbnails.digit,
    }
    return environment


def _digest(content: str) -> str:
    """The source expression that allows exactly this inline style or script."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
