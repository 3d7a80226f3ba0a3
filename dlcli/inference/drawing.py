"""A picture with the numbers that were read on it drawn in."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont, ImageOps

from dlcli.files import atomic_write
from dlcli.inference.reading import EMPTY, Number, ReadDigit, Reading
from dlcli.vision.candidate import Box
from dlcli.vision.decode import FULL_SIZE

# Small digits are enlarged to this height, in pixels, so that captions are legible; on a
# large page of small digits, captions are as if these were at least so high.
_DIGIT_HEIGHT_PX = 64
_MAX_SIDE_PX = 2_400
_MIN_UNIT_PX = 40
# Sizes as fractions of the median height of a picture's digits.
_DIGIT_FONT, _PROBABILITY_FONT = 0.4, 0.2
_LINE_WIDTH = 1 / 32
_BORDER = 1 / 2  # white around the picture, for captions outside it
# A digit whose probability is lower is drawn as doubtful.
_SURE = 0.9

_Colour: TypeAlias = tuple[int, int, int]
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
    heights = [digit.box[3] - digit.box[1] for number in numbers for digit in number.digits]
    usual = max(median(heights), 1) if heights else _DIGIT_HEIGHT_PX
    scale = min(max(_DIGIT_HEIGHT_PX / usual, 1.0), _MAX_SIDE_PX / max(full_size))
    unit = max(usual * scale, _MIN_UNIT_PX)
    border = round(_BORDER * unit)
    width, height = (max(1, round(side * scale)) for side in full_size)
    copy = ImageOps.expand(picture.convert("RGB").resize((width, height)), border, _WHITE)
    pen = _Pen(ImageDraw.Draw(copy), unit, scale, border)
    for number in numbers:
        pen.draw_box(number.box, _BLUE, outside=2)
        for character, digit in zip(number.text, number.digits, strict=True):
            pen.draw_digit(character, digit)
    return copy


@dataclass(frozen=True)
class _Pen:
    """Draws at a scale, with a border; ``unit`` is the height of digits there, in pixels."""

    draw: ImageDraw.ImageDraw
    unit: float
    scale: float
    border: int

    @property
    def width(self) -> int:
        """The width of lines."""
        return max(1, round(_LINE_WIDTH * self.unit))

    def draw_box(self, box: Box, colour: _Colour, *, outside: int = 0) -> None:
        """Draw a box around another, so many line widths outside it."""
        left, top, right, bottom = self._scaled(box)
        more = outside * self.width
        corners = (left - more, top - more, right + more, bottom + more)
        self.draw.rectangle(corners, outline=colour, width=self.width)

    def draw_digit(self, character: str, digit: ReadDigit) -> None:
        """Draw a box around a digit, with what was read above and the probability below."""
        if character == EMPTY:
            self.draw_box(digit.box, _GREY)
            return
        colour = _GREEN if digit.probability >= _SURE else _ORANGE
        if digit.digit is None:
            colour = _RED
        self.draw_box(digit.box, colour)
        left, top, right, bottom = self._scaled(digit.box)
        middle = (left + right) / 2
        self._draw_caption((middle, top), character, colour, _DIGIT_FONT)
        below = (middle, bottom + (_PROBABILITY_FONT + 2 * _LINE_WIDTH) * self.unit)
        self._draw_caption(below, f"{digit.probability:.0%}", colour, _PROBABILITY_FONT)

    def _draw_caption(
        self, foot: tuple[float, float], text: str, colour: _Colour, size: float
    ) -> None:
        """Draw a text on the middle of its foot, in the bundled font of Pillow."""
        self.draw.text(
            foot,
            text,
            colour,
            ImageFont.load_default(size * self.unit),
            "md",
            stroke_width=self.width,
            stroke_fill=_WHITE,
        )

    def _scaled(self, box: Box) -> Box:
        left, top, right, bottom = (self.border + round(edge * self.scale) for edge in box)
        return left, top, max(right, left + 1), max(bottom, top + 1)
