"""Picture files as a camera, a scanner or a drawing program makes them, of digits and other marks.

A :class:`Scene` describes the paper, the pen, the light and the camera; :func:`photograph` makes
the file with a seeded generator. ``tools.conditions`` has scenes of many kinds. The tests, the
training of the rejection network and ``make photographs`` use both.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter
from skimage.morphology import skeletonize

Colour = tuple[int, int, int]
Levels = npt.NDArray[np.float32]
Marks = npt.NDArray[np.uint8]  # light on dark, shape (height, width)

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
# The size at which the strokes of a digit are thinned to their middle lines.
_SKELETON_SIDE_PX = 140
_CANVAS_SIDE_PX = 500


@dataclass(frozen=True)
class Scene:
    """What a picture shows besides the digit, and how it was taken.

    Attributes
    ----------
    size
        Width and height of the picture in pixels.
    digit
        The digit's longer side as a fraction of the picture's shorter side.
    place
        The position of the digit in the free space, from 0 (left, top) to 1 (right, bottom).
    pen_width
        A fraction of the digit's longer side; None leaves the strokes as they are in MNIST.
    opacity
        How much of the paper the pen covers, from 0 (nothing) to 1 (all).
    texture
        Roughness of the paper: the standard deviation of its levels.
    gradient, shadow, shadow_edge
        The fraction of light lost at the dark end, and in a shadow; the width of the shadow's edge
        as a fraction of the picture.
    lines, pitch, line_strength, line_colour, tilt
        None, "ruled" or "grid"; the distance between lines as a fraction of the shorter side; how
        much of the paper they cover; degrees by which they are rotated.
    desk
        The colour of the desk under the paper, visible at one or two edges of the picture.
    blur, noise
        Standard deviations: as a fraction of the digit's longer side, and in levels.
    specks
        Number of dark specks.
    file
        A key of :data:`FILES`.
    """

    size: tuple[int, int] = (320, 240)
    digit: float = 0.5
    place: tuple[float, float] = (0.5, 0.5)
    paper: Colour = WHITE
    pen: Colour = BLACK
    pen_width: float | None = None
    opacity: float = 1.0
    texture: float = 0.0
    gradient: float = 0.0
    shadow: float = 0.0
    shadow_edge: float = 0.02
    lines: str | None = None
    pitch: float = 0.1
    line_strength: float = 0.3
    line_colour: Colour = (110, 150, 210)
    tilt: float = 0.0
    desk: Colour | None = None
    blur: float = 0.0
    noise: float = 0.0
    specks: int = 0
    file: str = "PNG"


def photograph(
    marks: Marks,
    scene: Scene,
    random: np.random.Generator,
    canvas_side: int = _CANVAS_SIDE_PX,
) -> bytes:
    """The content of a picture file that shows the marks.

    Pictures smaller than ``canvas_side`` are drawn larger and shrunk, for smooth strokes.
    """
    size = canvas_size(scene, canvas_side)
    return compose(_pen_coverage(marks, scene, size), scene, random)


def canvas_size(scene: Scene, canvas_side: int = _CANVAS_SIDE_PX) -> tuple[int, int]:
    """Width and height at which a picture is drawn: those of the scene, or a multiple of them."""
    width, height = scene.size
    enlarged = max(1, math.ceil(canvas_side / max(width, height)))
    return width * enlarged, height * enlarged


def compose(
    pen: Levels, scene: Scene, random: np.random.Generator, printed: Levels | None = None
) -> bytes:
    """The content of a picture file, from what the pen covers of a canvas.

    Parameters
    ----------
    pen
        The fraction of each pixel of the canvas that the pen covers, shape (height, width).
    scene
        All the rest.
    random
        Where texture, light, desk, specks and noise come from.
    printed
        What is printed on the paper in the colour and strength of the scene's lines.
    """
    size = (pen.shape[1], pen.shape[0])
    width, height = scene.size
    pen = pen * np.float32(scene.opacity)
    picture = _paper(scene, size, random)
    if printed is not None:
        cover = printed[..., None] * np.float32(scene.line_strength)
        picture += cover * (_colour(scene.line_colour) - picture)
    picture += pen[..., None] * (_colour(scene.pen) - picture)
    picture *= _light(scene, size, random)[..., None]
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    _add_desk_and_specks(image, scene, random)
    radius = scene.blur * scene.digit * min(size)
    image = image.filter(ImageFilter.GaussianBlur(radius)).resize(scene.size, Image.Resampling.BOX)
    if scene.noise:
        noisy = np.asarray(image, np.float32) + random.normal(0, scene.noise, (height, width, 3))
        image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    coverage = Image.fromarray((pen * 255).astype(np.uint8)).resize(
        scene.size, Image.Resampling.BOX
    )
    return FILES[scene.file](image, coverage, scene)


def digit_box(marks: Marks, scene: Scene) -> tuple[int, int, int, int]:
    """Where the marks are on a photograph: left, top, right and bottom in pixels."""
    coverage = _pen_coverage(marks, scene, scene.size)
    rows, columns = np.nonzero(coverage > coverage.max() / 2)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def _colour(colour: Colour) -> Levels:
    return np.asarray(colour, np.float32)


def _pen_coverage(marks: Marks, scene: Scene, size: tuple[int, int]) -> Levels:
    """The fraction of each pixel that the pen covers, shape (height, width)."""
    width, height = size
    if not marks.any():
        return np.zeros((height, width), np.float32)
    rows, columns = np.flatnonzero(marks.any(axis=1)), np.flatnonzero(marks.any(axis=0))
    digit = marks[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longer = scene.digit * min(size)
    scale = longer / max(digit.shape)
    drawn = draw(digit, scale, None if scene.pen_width is None else scene.pen_width * longer)
    page = Image.new("L", size, 0)
    room = (width - drawn.width, height - drawn.height)
    page.paste(drawn, (round(scene.place[0] * room[0]), round(scene.place[1] * room[1])))
    return np.asarray(page, np.float32) / np.float32(255)


def draw(digit: Marks, scale: float, pen_width: float | None) -> Image.Image:
    """A digit enlarged, as it was written or with a round pen of a width in pixels."""
    return _as_written(digit, scale) if pen_width is None else _with_pen(digit, scale, pen_width)


def _as_written(digit: Marks, scale: float) -> Image.Image:
    """The digit enlarged, with strokes as crisp as a pen's."""
    padded = Image.fromarray(np.pad(digit, 1))
    size = (round(padded.width * scale), round(padded.height * scale))
    large = padded.resize((max(1, size[0]), max(1, size[1])), Image.Resampling.BICUBIC)
    steepness = max(1.0, min(scale / 2, 6.0))
    return large.point(lambda level: int(min(max((level - 110) * steepness + 128, 0), 255)))


def _with_pen(digit: Marks, scale: float, pen_width: float) -> Image.Image:
    """The middle lines of the digit's strokes, drawn with a round pen."""
    enlarged, lines = skeleton(digit, _SKELETON_SIDE_PX)
    points = np.argwhere(lines) * (scale / enlarged)
    height, width = (int(side * scale / enlarged + 2 * pen_width) + 1 for side in lines.shape)
    drawn = Image.new("L", (width, height))
    pen = ImageDraw.Draw(drawn)
    radius = max(pen_width / 2, 0.5)
    for y, x in points + pen_width:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return drawn.crop(drawn.getbbox())


def skeleton(digit: Marks, side: int) -> tuple[float, npt.NDArray[np.bool_]]:
    """The middle lines of a digit's strokes, one pixel wide.

    The digit is first enlarged to this many pixels; returned are the factor and the lines.
    """
    enlarged = side / max(digit.shape)
    image = Image.fromarray(np.pad(digit, 2))
    size = (round(image.width * enlarged), round(image.height * enlarged))
    bold = np.asarray(image.resize(size, Image.Resampling.BICUBIC)) > 100
    lines = skeletonize(bold)  # type: ignore[no-untyped-call]  # scikit-image has no types
    return enlarged, lines


def _paper(scene: Scene, size: tuple[int, int], random: np.random.Generator) -> Levels:
    """Paper with its texture and printed lines, shape (height, width, 3)."""
    width, height = size
    paper = np.full((height, width, 3), scene.paper, np.float32)
    if scene.texture:
        for cell in (1, 4, 30):
            grain = random.normal(0, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
            grown = Image.fromarray(grain).resize(size, Image.Resampling.BICUBIC)
            paper += scene.texture / 2 * np.asarray(grown)[..., None]
    if scene.lines:
        cover = _lines(scene, size, random)[..., None] * scene.line_strength
        paper += cover * (_colour(scene.line_colour) - paper)
    return paper


def _lines(scene: Scene, size: tuple[int, int], random: np.random.Generator) -> Levels:
    """The fraction of each pixel that printed lines cover, shape (height, width)."""
    width, height = size
    pitch = scene.pitch * min(size)
    thickness = max(1.0, pitch * random.uniform(0.03, 0.07))
    angle = np.radians(scene.tilt)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across = y * np.cos(angle) + x * np.sin(angle) + random.uniform(0, pitch)
    along = x * np.cos(angle) - y * np.sin(angle) + random.uniform(0, pitch)

    def stripes(distance: Levels) -> Levels:
        off_line = np.abs((distance + pitch / 2) % pitch - pitch / 2)
        covered: Levels = np.clip(thickness / 2 + 0.5 - off_line, 0, 1)
        return covered

    if scene.lines == "ruled":
        return stripes(across)
    return np.maximum(stripes(across), stripes(along))


def _light(scene: Scene, size: tuple[int, int], random: np.random.Generator) -> Levels:
    """The fraction of light that reaches each pixel, shape (height, width)."""
    width, height = size
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)

    def ramp(centre: float, softness: float) -> Levels:
        angle = random.uniform(0, 2 * np.pi)
        bend = random.uniform(-0.3, 0.3)
        t = x * np.cos(angle) + y * np.sin(angle) + bend * (x * x - y * y)
        risen: Levels = np.clip((t - centre) / softness + 0.5, 0, 1)
        return risen

    light = 1 - scene.gradient * ramp(0, 2.5)
    if scene.shadow:
        light *= 1 - scene.shadow * ramp(random.uniform(-0.5, 0.5), 2 * scene.shadow_edge)
    return light


def _add_desk_and_specks(image: Image.Image, scene: Scene, random: np.random.Generator) -> None:
    width, height = image.size
    draw = ImageDraw.Draw(image)
    if scene.desk:
        reach = random.uniform(0.02, 0.12, 2) * min(image.size)
        slope = random.uniform(-0.03, 0.03) * height
        left = [(0, 0), (reach[0] + slope, 0), (reach[0] - slope, height), (0, height)]
        draw.polygon(left, fill=scene.desk)
        if random.random() < 0.5:
            top = [(0, 0), (width, 0), (width, reach[1] - slope), (0, reach[1] + slope)]
            draw.polygon(top, fill=scene.desk)
    for _ in range(scene.specks):
        x, y = random.uniform(0, width), random.uniform(0, height)
        radius = random.uniform(0.001, 0.008) * min(image.size)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=scene.pen)


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _rotated(image: Image.Image) -> bytes:
    """A picture taken with the camera on its side, as its EXIF block says."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return _saved(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=90)


def _sixteen_bits(image: Image.Image) -> bytes:
    return _saved(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), "PNG")


def _transparent(image: Image.Image, coverage: Image.Image, scene: Scene) -> bytes:
    drawn = Image.new("RGB", image.size, scene.pen)
    drawn.putalpha(coverage)
    return _saved(drawn, "PNG")


# From a picture, and the pen's coverage of each pixel, to the content of a file.
FILES: dict[str, Callable[[Image.Image, Image.Image, Scene], bytes]] = {
    "PNG": lambda image, _coverage, _scene: _saved(image, "PNG", compress_level=1),
    "grey": lambda image, _coverage, _scene: _saved(image.convert("L"), "PNG"),
    "one bit": lambda image, _coverage, _scene: _saved(
        image.convert("L").point(lambda level: 255 * (level > 127)).convert("1"), "PNG"
    ),
    "dithered": lambda image, _coverage, _scene: _saved(image.convert("1"), "PNG"),
    "palette": lambda image, _coverage, _scene: _saved(image.quantize(16), "GIF"),
    "16 bits": lambda image, _coverage, _scene: _sixteen_bits(image),
    "CMYK": lambda image, _coverage, _scene: _saved(image.convert("CMYK"), "TIFF"),
    "transparent": _transparent,
    "EXIF": lambda image, _coverage, _scene: _rotated(image),
    "JPEG 95": lambda image, _coverage, _scene: _saved(image, "JPEG", quality=95),
    "JPEG 60": lambda image, _coverage, _scene: _saved(image, "JPEG", quality=60),
    "JPEG 20": lambda image, _coverage, _scene: _saved(image, "JPEG", quality=20),
}
