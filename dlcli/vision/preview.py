"""PNG files to look at: images, grids of images, and the steps of the preprocessing."""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from dlcli.files import atomic_write
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Pixels
from dlcli.vision import Preprocessing
from dlcli.vision.candidate import Box, PreprocessingTrace

# Sizes in pixels.
TILE_SIDE = 280
_CAPTION_HEIGHT = 16
_TILE_GAP = 8
_GRID_SCALE = 3
_GRID_GAP = 4
_NAME_WIDTH, _NAME_LENGTH = 100, 15  # pixels and characters of the name of a row
_GREY = 90
_RED = (220, 40, 40)


PREPARATION = "preparation"
"""The text in a PNG file that says how its image was made of a picture."""


def write_image(pixels: Pixels, path: Path, prepared: Preprocessing | None = None) -> None:
    """Write a 28x28 image, shape (784,); the file says how it was ``prepared``, if known."""
    about = PngInfo()
    if prepared is not None:
        about.add_text(PREPARATION, prepared)
    with atomic_write(path, durable=False) as file:
        _image(pixels).save(file, format="PNG", pnginfo=about)


def write_grid(rows: Sequence[Pixels], file: BinaryIO, names: Sequence[str] = ()) -> None:
    """Write a grid of enlarged images, a row for each array of shape (n, 784).

    With ``names``, the name of each row stands before it.
    """
    side = _GRID_SCALE * IMAGE_SIDE
    step = side + _GRID_GAP
    columns = max(len(row) for row in rows)
    left = _NAME_WIDTH if names else 0
    size = (left + columns * step + _GRID_GAP, len(rows) * step + _GRID_GAP)
    grid = Image.new("L", size, _GREY)
    draw = ImageDraw.Draw(grid)
    for down, row in enumerate(rows):
        if names:
            draw.text((_GRID_GAP, _GRID_GAP + down * step), names[down][:_NAME_LENGTH], fill=255)
        for across, pixels in enumerate(row):
            enlarged = _image(pixels).resize((side, side), Image.Resampling.NEAREST)
            grid.paste(enlarged, (left + _GRID_GAP + across * step, _GRID_GAP + down * step))
    grid.save(file, format="PNG")


def write_preview(
    trace: PreprocessingTrace, pixels: Pixels | None, prediction: str, path: Path
) -> None:
    """Write a row of tiles: the picture, its foreground, the digit, and the 28x28 image."""
    tiles = [("picture", _boxed(trace.picture.convert("RGB"), trace.box))]
    if trace.foreground is not None and trace.box is not None:
        foreground = Image.fromarray(trace.foreground).convert("RGB")
        box = _scaled(trace.box, max(foreground.size) / max(trace.picture.size))
        tiles += [
            ("foreground", _boxed(foreground, box)),
            ("digit", _tile(foreground.crop(box))),
        ]
    if pixels is not None:
        enlarged = _image(pixels).resize((TILE_SIDE, TILE_SIDE), Image.Resampling.NEAREST)
        tiles.append((f"28x28: {prediction}", enlarged))
    step = TILE_SIDE + _TILE_GAP
    size = (len(tiles) * step - _TILE_GAP, _CAPTION_HEIGHT + TILE_SIDE)
    row = Image.new("RGB", size, (_GREY, _GREY, _GREY))
    draw = ImageDraw.Draw(row)
    for number, (caption, tile) in enumerate(tiles):
        row.paste(tile, (number * step, _CAPTION_HEIGHT))
        draw.text((number * step + 2, 2), caption, fill=(255, 255, 255))
    _write(row, path)


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels.reshape(IMAGE_SIDE, IMAGE_SIDE))


def _write(image: Image.Image, path: Path) -> None:
    with atomic_write(path, durable=False) as file:
        image.save(file, format="PNG")


def _tile(picture: Image.Image) -> Image.Image:
    """Scaled to the size of a tile, the aspect ratio kept."""
    scale = TILE_SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size)


def _boxed(picture: Image.Image, box: Box | None) -> Image.Image:
    """A tile of a picture with a box drawn on it."""
    tile = _tile(picture)
    if box is not None:
        left, top, right, bottom = _scaled(box, TILE_SIDE / max(picture.size))
        right, bottom = min(right, tile.width - 1), min(bottom, tile.height - 1)
        corners = (min(left, right), min(top, bottom), right, bottom)
        ImageDraw.Draw(tile).rectangle(corners, outline=_RED, width=2)
    return tile


def _scaled(box: Box, scale: float) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(edge * scale) for edge in box)
    return left, top, max(right, left + 1), max(bottom, top + 1)
