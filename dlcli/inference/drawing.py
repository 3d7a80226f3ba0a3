"""A picture with the numbers that were read on it drawn in."""

from pathlib import Path
from statistics import median

from PIL import Image, ImageDraw, ImageFont

from dlcli.files import atomic_write
from dlcli.inference.reading import EMPTY, Number, ReadDigit, Reading
from dlcli.vision.candidate import Box
from dlcli.vision.decode import FULL_SIZE

# Sizes in pixels of the picture that is written.
_DIGIT_HEIGHT = 64  # to which small digits are enlarged, so that captions are legible
_MAX_SIDE = 2_400
_DIGIT_FONT = 26
_PROBABILITY_FONT = 13
_HALO = 2  # white around captions
_MARGIN = 4  # between the box of a number and those of its digits
# A digit whose probability is lower is drawn as doubtful.
_SURE = 0.9

_WHITE, _GREY = (255, 255, 255), (150, 150, 150)
_BLUE, _GREEN, _ORANGE, _RED = (30, 90, 200), (15, 120, 55), (200, 95, 0), (205, 30, 30)


def write_drawing(reading: Reading, path: Path) -> None:
    """Write a picture as PNG with its numbers drawn in (:func:`drawn`)."""
    if reading.picture is None:
        raise AssertionError("the picture was not kept")
    with atomic_write(path, durable=False) as file:
        drawn(reading.picture, reading.numbers).save(file, format="PNG")


def drawn(picture: Image.Image, numbers: tuple[Number, ...]) -> Image.Image:
    """A copy of a picture, large enough to read, with its numbers drawn in.

    Each number has a blue box. Each digit has a box with the digit above and its probability below:
    green, orange where the probability is below 90 %, red where it is ?. Empty boxes of a grid are
    grey.
    """
    full_size = picture.info.get(FULL_SIZE, picture.size)
    scale = _scale(full_size, numbers)
    width, height = (max(1, round(side * scale)) for side in full_size)
    copy = _opaque(picture).resize((width, height))
    draw = ImageDraw.Draw(copy)
    for number in numbers:
        left, top, right, bottom = _scaled(number.box, scale)
        outline = (left - _MARGIN, top - _MARGIN, right + _MARGIN, bottom + _MARGIN)
        draw.rectangle(outline, outline=_BLUE)
        for character, digit in zip(number.text, number.digits, strict=True):
            _draw_digit(draw, character, digit, scale)
    return copy


def _scale(size: tuple[int, int], numbers: tuple[Number, ...]) -> float:
    """The factor that makes digits high enough for captions, but not the picture too large."""
    heights = [digit.box[3] - digit.box[1] for number in numbers for digit in number.digits]
    enlarged = _DIGIT_HEIGHT / max(median(heights), 1) if heights else 1.0
    return min(max(enlarged, 1.0), _MAX_SIDE / max(size))


def _opaque(picture: Image.Image) -> Image.Image:
    """A picture in RGB, on white where it is transparent."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    ground = Image.new("RGBA", picture.size, _WHITE)
    return Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")


def _draw_digit(draw: ImageDraw.ImageDraw, character: str, digit: ReadDigit, scale: float) -> None:
    left, top, right, bottom = box = _scaled(digit.box, scale)
    if character == EMPTY:
        draw.rectangle(box, outline=_GREY)
        return
    colour = _GREEN if digit.probability >= _SURE else _ORANGE
    if digit.digit is None:
        colour = _RED
    draw.rectangle(box, outline=colour, width=2)
    middle = (left + right) / 2
    captions = (
        (top - 1, "md", character, _DIGIT_FONT),
        (bottom + 2, "ma", f"{digit.probability:.0%}", _PROBABILITY_FONT),
    )
    for edge, anchor, text, size in captions:
        draw.text(
            (middle, edge),
            text,
            colour,
            ImageFont.load_default(size),
            anchor,
            stroke_width=_HALO,
            stroke_fill=_WHITE,
        )


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = (round(edge * scale) for edge in box)
    return left, top, max(right, left + 1), max(bottom, top + 1)
