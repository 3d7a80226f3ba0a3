"""What became of a picture, as a picture: what was found on it and what the network saw."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dlcli.config.dimensions import IMAGE_SIDE
from dlcli.files import atomic_write
from dlcli.nn.types import Pixels
from dlcli.vision.foreground import Levels
from dlcli.vision.localization import SHOWN_SIDE, Box, Steps

_SIDE = SHOWN_SIDE
_CAPTION = 16
_GAP = 8
_RED = (220, 40, 40)


def write(steps: Steps, pixels: Pixels | None, answer: str, path: Path) -> None:
    """Write a PNG file with a row of tiles: the picture, its ink, the digit, the 28x28."""
    tiles = [("picture", _picture(steps))]
    if steps.ink is not None and steps.strokes is not None:
        tiles += [("ink", _ink(steps.ink, steps)), ("digit", _fit(_grey(steps.strokes)))]
    if pixels is not None:
        square = Image.fromarray(pixels.reshape(IMAGE_SIDE, IMAGE_SIDE))
        seen = square.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
        tiles.append((f"28x28: {answer}", seen))
    width = len(tiles) * (_SIDE + _GAP) - _GAP
    row = Image.new("RGB", (width, _CAPTION + _SIDE), (90, 90, 90))
    draw = ImageDraw.Draw(row)
    for number, (caption, tile) in enumerate(tiles):
        left = number * (_SIDE + _GAP)
        row.paste(tile, (left, _CAPTION))
        draw.text((left + 2, 2), caption, fill=(255, 255, 255))
    with atomic_write(path, durable=False) as file:
        row.save(file, format="PNG")


def _picture(steps: Steps) -> Image.Image:
    """The picture with a box around the part that was looked at closely."""
    return _boxed(steps.picture.convert("RGB"), steps.part)


def _ink(ink: Levels, steps: Steps) -> Image.Image:
    """How strong the ink is, with a box around what was taken for the digit."""
    return _boxed(_grey(ink), steps.box)


def _boxed(picture: Image.Image, box: Box | None) -> Image.Image:
    """A tile of a picture with a box drawn on it."""
    tile = _fit(picture)
    if box is not None:
        scale = _SIDE / max(picture.size)
        left, top, right, bottom = (round(edge * scale) for edge in box)
        right, bottom = min(right, tile.width - 1), min(bottom, tile.height - 1)
        corners = (min(left, right), min(top, bottom), right, bottom)
        ImageDraw.Draw(tile).rectangle(corners, outline=_RED, width=2)
    return tile


def _grey(levels: Levels) -> Image.Image:
    return Image.fromarray((np.clip(levels, 0, 1) * 255).astype(np.uint8)).convert("RGB")


def _fit(picture: Image.Image) -> Image.Image:
    """Scaled to the size of a tile, the aspect ratio kept."""
    scale = _SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size)
