"""What became of a picture, as a picture: what was found on it and what the network saw."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dlcli.dimensions import IMAGE_SIDE
from dlcli.files import atomic_write
from dlcli.images import Pixels, Steps
from dlcli.ink import Levels

_SIDE = 10 * IMAGE_SIDE
_CAPTION = 16
_GAP = 8
_BOX = (220, 40, 40)


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
    picture = steps.picture.convert("RGB")
    tile = _fit(picture)
    if steps.part is not None:
        scale = tile.width / picture.width
        box = [round(edge * scale) for edge in steps.part]
        right, bottom = min(box[2], tile.width - 1), min(box[3], tile.height - 1)
        ImageDraw.Draw(tile).rectangle((box[0], box[1], right, bottom), outline=_BOX, width=2)
    return tile


def _ink(ink: Levels, steps: Steps) -> Image.Image:
    """How strong the ink is, with a box around what was taken for the digit."""
    full = _grey(ink)
    tile = _fit(full)
    if steps.box is not None:
        scale = tile.width / full.width
        box = [round(edge * scale) for edge in steps.box]
        ImageDraw.Draw(tile).rectangle((box[0], box[1], box[2], box[3]), outline=_BOX, width=2)
    return tile


def _grey(levels: Levels) -> Image.Image:
    return Image.fromarray((np.clip(levels, 0, 1) * 255).astype(np.uint8)).convert("RGB")


def _fit(picture: Image.Image) -> Image.Image:
    """Scaled to the size of a tile, the aspect ratio kept."""
    scale = _SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size)
