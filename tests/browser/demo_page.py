"""Draw on the page to draw on, and read what it shows."""

import base64
import io

import numpy as np

from dlcli.inference import predictor
from dlcli.inference.sources import ImageSource


def ready(page):
    page.wait_for_selector("#demo[data-predicted]")
    return page


def prediction(page):
    """Wait for the mean over the variants."""
    page.wait_for_function(
        "() => dlcliDemo.latest()"
        " && document.querySelector('#demo').dataset.predicted === String(dlcliDemo.version())"
    )
    return page.evaluate("dlcliDemo.latest()")


def draw(page, paths):
    """Draw with the mouse; points from 0 to 1."""
    canvas = page.locator("#demo-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()

    def at(point):
        return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]

    for first, *others in paths:
        page.mouse.move(*at(first))
        page.mouse.down()
        for point in others:
            page.mouse.move(*at(point))
        page.mouse.up()


def bytes_of(address):
    return io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,")))


def png(page):
    """The picture that is on the page."""
    return bytes_of(page.evaluate("dlcliDemo.drawing.png()"))


def predicted(model, source):
    """The digit that ``dlcli predict`` prints."""
    [result] = predictor.predict(model, [ImageSource(source, "drawn")], raw=False)
    return "?" if result.probabilities is None else str(result.probabilities.argmax())


def digit_of(prediction):
    return "?" if prediction["reason"] else str(np.argmax(prediction["probabilities"]))
