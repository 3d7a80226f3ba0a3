"""Photographs and drawings of handwritten digits, made from MNIST's test images.

What ``dlcli predict`` has to read is no 28x28 array but a file with paper, light, lines and
a pen. A :class:`Scene` describes one; each entry of :data:`CONDITIONS` draws scenes of one
kind from a seeded generator, and :func:`photograph` makes the file.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
Levels = npt.NDArray[np.float32]

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
# The side at which a digit's strokes are thinned to their middle lines.
_SKELETON_SIDE = 140
# Pictures smaller than this are drawn larger and shrunk, for smooth strokes.
_SMALLEST_CANVAS = 500


@dataclass(frozen=True)
class Scene:
    """What a picture shows beside the digit, and how it was taken.

    Attributes
    ----------
    size
        Width and height of the picture in pixels.
    digit
        The digit's longer side as a share of the picture's shorter one.
    place
        Where the digit lies in what room there is, from 0 (left, top) to 1 (right, bottom).
    pen_width
        As a share of the digit's longer side; None: the strokes as they are in MNIST.
    opacity
        How much of the paper the pen covers.
    texture
        Roughness of the paper: standard deviation of its levels.
    gradient, shadow, shadow_edge
        How much of the light is lost at the dark end, and in a shadow whose edge takes that
        share of the picture.
    lines, pitch, line_strength, line_colour, tilt
        None, "ruled" or "grid"; distance as a share of the shorter side; how much of the
        paper they cover; degrees by which they are turned.
    desk
        Colour of what the paper lies on, seen at one or two edges of the picture.
    blur, noise
        Standard deviations: as a share of the digit's longer side; in levels.
    specks
        Number of dark specks.
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


def photograph(marks: npt.NDArray[np.uint8], scene: Scene, random: np.random.Generator) -> bytes:
    """The content of a picture file that shows ``marks``: light on dark, shape (height, width)."""
    width, height = scene.size
    enlarged = max(1, -(-_SMALLEST_CANVAS // max(width, height)))
    size = (width * enlarged, height * enlarged)
    ink = _ink(marks, scene, size) * scene.opacity
    picture = _paper(scene, size, random)
    picture += ink[..., None] * (np.float32(scene.pen) - picture)
    picture *= _light(scene, size, random)[..., None]
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    _add_desk_and_specks(image, scene, random)
    radius = scene.blur * scene.digit * min(size)
    image = image.filter(ImageFilter.GaussianBlur(radius)).resize(scene.size, Image.Resampling.BOX)
    if scene.noise:
        noisy = np.float32(image) + random.normal(0, scene.noise, (height, width, 3))
        image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    coverage = Image.fromarray((ink * 255).astype(np.uint8)).resize(
        scene.size, Image.Resampling.BOX
    )
    return FILES[scene.file](image, coverage, scene)


def _ink(marks: npt.NDArray[np.uint8], scene: Scene, size: tuple[int, int]) -> Levels:
    """The share of each pixel that the pen covers, shape (height, width)."""
    width, height = size
    if not marks.any():
        return np.zeros((height, width), np.float32)
    rows, columns = np.flatnonzero(marks.any(axis=1)), np.flatnonzero(marks.any(axis=0))
    digit = marks[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longer = scene.digit * min(size)
    scale = longer / max(digit.shape)
    drawn = (
        _as_written(digit, scale)
        if scene.pen_width is None
        else _with_pen(digit, scale, scene.pen_width * longer)
    )
    page = Image.new("L", size, 0)
    room = (width - drawn.width, height - drawn.height)
    page.paste(
        drawn, tuple(round(share * free) for share, free in zip(scene.place, room, strict=True))
    )
    return np.asarray(page, np.float32) / 255


def _as_written(digit: npt.NDArray[np.uint8], scale: float) -> Image.Image:
    """The digit enlarged, with strokes as crisp as a pen's."""
    padded = Image.fromarray(np.pad(digit, 1))
    size = (round(padded.width * scale), round(padded.height * scale))
    large = padded.resize((max(1, size[0]), max(1, size[1])), Image.Resampling.BICUBIC)
    steepness = max(1.0, min(scale / 2, 6.0))
    return large.point(lambda level: int(min(max((level - 110) * steepness + 128, 0), 255)))


def _with_pen(digit: npt.NDArray[np.uint8], scale: float, pen_width: float) -> Image.Image:
    """The middle lines of the digit's strokes, drawn with a round pen."""
    enlarged = _SKELETON_SIDE / max(digit.shape)
    image = Image.fromarray(np.pad(digit, 2))
    size = (round(image.width * enlarged), round(image.height * enlarged))
    bold = np.asarray(image.resize(size, Image.Resampling.BICUBIC)) > 100
    points = np.argwhere(thin(bold)) * (scale / enlarged)
    drawn = Image.new("L", tuple(int(side * scale / enlarged + 2 * pen_width) + 1 for side in size))
    pen = ImageDraw.Draw(drawn)
    radius = max(pen_width / 2, 0.5)
    for y, x in points + pen_width:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return drawn.crop(drawn.getbbox())


def thin(marked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The middle lines of what is marked.

    Source: Zhang and Suen, "A fast parallel algorithm for thinning digital patterns", 1984.
    """
    image = np.pad(marked, 1)
    while True:
        before = image.sum()
        for first in (True, False):
            p = [
                np.roll(image, shift, (0, 1))
                for shift in ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
            ]
            neighbours = sum(side.astype(int) for side in p)
            rises = sum((~p[i] & p[(i + 1) % 8]).astype(int) for i in range(8))
            if first:
                sides = ~(p[0] & p[2] & p[4]) & ~(p[2] & p[4] & p[6])
            else:
                sides = ~(p[0] & p[2] & p[6]) & ~(p[0] & p[4] & p[6])
            image &= ~((neighbours >= 2) & (neighbours <= 6) & (rises == 1) & sides)
        if image.sum() == before:
            return image[1:-1, 1:-1]


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
        paper += cover * (np.float32(scene.line_colour) - paper)
    return paper


def _lines(scene: Scene, size: tuple[int, int], random: np.random.Generator) -> Levels:
    """The share of each pixel that printed lines cover, shape (height, width)."""
    width, height = size
    pitch = scene.pitch * min(size)
    thickness = max(1.0, pitch * random.uniform(0.03, 0.07))
    angle = np.radians(scene.tilt)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across = y * np.cos(angle) + x * np.sin(angle) + random.uniform(0, pitch)
    along = x * np.cos(angle) - y * np.sin(angle) + random.uniform(0, pitch)

    def stripes(distance: Levels) -> Levels:
        off_line = np.abs((distance + pitch / 2) % pitch - pitch / 2)
        return np.clip(thickness / 2 + 0.5 - off_line, 0, 1)

    if scene.lines == "ruled":
        return stripes(across)
    return np.maximum(stripes(across), stripes(along))


def _light(scene: Scene, size: tuple[int, int], random: np.random.Generator) -> Levels:
    """The share of light that reaches each pixel, shape (height, width)."""
    width, height = size
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)

    def ramp(centre: float, softness: float) -> Levels:
        angle = random.uniform(0, 2 * np.pi)
        bend = random.uniform(-0.3, 0.3)
        t = x * np.cos(angle) + y * np.sin(angle) + bend * (x * x - y * y)
        return np.clip((t - centre) / softness + 0.5, 0, 1)

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


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _rotated(image: Image.Image, coverage: Image.Image, scene: Scene) -> bytes:
    """A picture taken with the camera on its side, as EXIF says."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return _saved(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=90)


def _sixteen_bits(image: Image.Image, coverage: Image.Image, scene: Scene) -> bytes:
    return _saved(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), "PNG")


def _transparent(image: Image.Image, coverage: Image.Image, scene: Scene) -> bytes:
    inked = Image.new("RGB", image.size, scene.pen)
    inked.putalpha(coverage)
    return _saved(inked, "PNG")


# A picture and the pen's share of each pixel to a file.
FILES: dict[str, Callable[[Image.Image, Image.Image, Scene], bytes]] = {
    "PNG": lambda image, coverage, scene: _saved(image, "PNG", compress_level=1),
    "grey": lambda image, coverage, scene: _saved(image.convert("L"), "PNG"),
    "one bit": lambda image, coverage, scene: _saved(
        image.convert("L").point(lambda level: 255 * (level > 127)).convert("1"), "PNG"
    ),
    "dithered": lambda image, coverage, scene: _saved(image.convert("1"), "PNG"),
    "palette": lambda image, coverage, scene: _saved(image.quantize(16), "GIF"),
    "16 bits": _sixteen_bits,
    "CMYK": lambda image, coverage, scene: _saved(image.convert("CMYK"), "TIFF"),
    "transparent": _transparent,
    "EXIF": _rotated,
    "JPEG 95": lambda image, coverage, scene: _saved(image, "JPEG", quality=95),
    "JPEG 60": lambda image, coverage, scene: _saved(image, "JPEG", quality=60),
    "JPEG 20": lambda image, coverage, scene: _saved(image, "JPEG", quality=20),
}

PENS = {
    "black": (25, 25, 30),
    "blue": (30, 50, 150),
    "red": (200, 30, 40),
    "green": (20, 130, 70),
    "orange": (240, 130, 20),
    "light blue": (110, 190, 240),
    "yellow": (245, 220, 40),
    "pencil": (120, 120, 122),
}
PAPERS = [(252, 252, 250), (245, 240, 225), (250, 245, 160), (200, 225, 240), (205, 185, 150)]


def _anywhere(random: np.random.Generator, **changes: object) -> Scene:
    """A picture of common size with a digit of common size somewhere on it."""
    long = int(random.integers(240, 1200))
    short = int(long * random.uniform(0.6, 1))
    scene = Scene(
        size=(long, short) if random.random() < 0.5 else (short, long),
        digit=random.uniform(0.3, 0.8),
        place=(random.uniform(0, 1), random.uniform(0, 1)),
        pen_width=random.uniform(0.05, 0.14),
    )
    if random.random() < 0.4:
        scene = replace(scene, pen_width=None)
    return replace(scene, **changes)


def _photo(random: np.random.Generator, **changes: object) -> Scene:
    """What a telephone makes of a sheet of paper: not quite white, even, sharp or clean."""
    level = int(random.integers(170, 245))
    return _anywhere(
        random,
        **{
            "paper": (level, level - 2, level - int(random.integers(0, 14))),
            "pen": PENS[str(random.choice(["black", "blue"]))],
            "opacity": random.uniform(0.8, 1),
            "texture": random.uniform(1, 3),
            "gradient": random.uniform(0, 0.25),
            "blur": random.uniform(0, 0.012),
            "noise": random.uniform(0, 4),
            "file": "JPEG 95",
        }
        | changes,
    )


def any_photo(random: np.random.Generator) -> Scene:
    """A drawing, a photograph, or one on squared paper."""
    kind = random.integers(3)
    if kind == 0:
        return _anywhere(random)
    return _photo(random) if kind == 1 else _lined(random, "grid", 0.1, 0.4)


def _square(random: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    side = round(float(np.exp(random.uniform(np.log(low), np.log(high)))))
    return side, side


def _lined(
    random: np.random.Generator, kind: str, low: float, high: float, **more: object
) -> Scene:
    return _photo(
        random,
        lines=kind,
        pitch=random.uniform(0.05, 0.3),
        line_strength=random.uniform(low, high),
        line_colour=[(110, 150, 210), (150, 150, 150), (190, 120, 120)][random.integers(3)],
        tilt=random.uniform(-4, 4),
        **more,
    )


# Whatever is plain must come out almost as well as MNIST's own images.
PLAIN: dict[str, Callable[[np.random.Generator], Scene]] = {
    "dark on light, anywhere": _anywhere,
    "light on dark": lambda r: _anywhere(r, paper=BLACK, pen=WHITE),
    "28x28, not centred as MNIST": lambda r: Scene(
        size=(28, 28),
        digit=r.uniform(0.55, 0.95),
        place=(r.uniform(0, 1), r.uniform(0, 1)),
        paper=BLACK,
        pen=WHITE,
    ),
    "28x28, dark on light": lambda r: Scene(
        size=(28, 28), digit=r.uniform(0.55, 0.95), place=(r.uniform(0, 1), r.uniform(0, 1))
    ),
    "20 to 28 pixels": lambda r: Scene(size=_square(r, 20, 28), digit=r.uniform(0.8, 1)),
    "28 to 100 pixels": lambda r: Scene(size=_square(r, 28, 100), digit=r.uniform(0.6, 0.95)),
    "1,000 to 3,000 pixels": lambda r: _anywhere(r, size=_square(r, 1000, 3000)),
    "a small digit in a corner": lambda r: _anywhere(
        r,
        size=_square(r, 300, 1000),
        digit=r.uniform(0.12, 0.25),
        place=(int(r.integers(2)) * 0.9 + 0.05, int(r.integers(2)) * 0.9 + 0.05),
    ),
    "cropped to the digit": lambda r: _anywhere(r, digit=0.99, pen_width=None),
    "grey": lambda r: _anywhere(r, file="grey"),
    "one bit": lambda r: _anywhere(r, file="one bit"),
    "palette": lambda r: _anywhere(r, file="palette"),
    "16 bits": lambda r: _anywhere(r, file="16 bits"),
    "CMYK": lambda r: _anywhere(r, file="CMYK"),
    "dark ink on transparency": lambda r: _anywhere(r, file="transparent"),
    "light ink on transparency": lambda r: _anywhere(r, file="transparent", pen=(250, 250, 240)),
    "turned by EXIF": lambda r: _anywhere(r, file="EXIF"),
    "JPEG, quality 95": lambda r: _anywhere(r, file="JPEG 95"),
    "JPEG, quality 60": lambda r: _anywhere(r, file="JPEG 60"),
}

HARD: dict[str, Callable[[np.random.Generator], Scene]] = {
    "photograph": _photo,
    "soft shadow": lambda r: _photo(
        r, shadow=r.uniform(0.3, 0.6), shadow_edge=r.uniform(0.1, 0.4), gradient=r.uniform(0, 0.5)
    ),
    "hard shadow": lambda r: _photo(
        r, shadow=r.uniform(0.25, 0.6), shadow_edge=r.uniform(0.005, 0.05)
    ),
    "coloured pen": lambda r: _photo(
        r, pen=PENS[str(r.choice(["red", "green", "orange", "light blue", "yellow"]))]
    ),
    "tinted paper": lambda r: _photo(
        r,
        paper=PAPERS[r.integers(len(PAPERS))],
        pen=PENS[str(r.choice(["black", "blue", "red", "green"]))],
    ),
    "pencil": lambda r: _photo(r, pen=PENS["pencil"], opacity=r.uniform(0.5, 0.9)),
    "thin pen": lambda r: _photo(r, pen_width=r.uniform(0.015, 0.04), digit=r.uniform(0.4, 0.8)),
    "thick marker": lambda r: _photo(r, pen_width=r.uniform(0.15, 0.2)),
    "faint grid": lambda r: _lined(r, "grid", 0.1, 0.3),
    "strong grid": lambda r: _lined(r, "grid", 0.3, 0.7),
    "faint ruled lines": lambda r: _lined(r, "ruled", 0.1, 0.3),
    "strong ruled lines": lambda r: _lined(r, "ruled", 0.3, 0.8),
    "thin pen on a grid": lambda r: _lined(r, "grid", 0.1, 0.5, pen_width=r.uniform(0.03, 0.06)),
    "shadow on a grid": lambda r: _lined(r, "grid", 0.1, 0.4, shadow=r.uniform(0.2, 0.5)),
    "whiteboard": lambda r: _photo(
        r,
        pen=PENS[str(r.choice(["black", "blue", "red", "green"]))],
        gradient=r.uniform(0.2, 0.5),
        opacity=r.uniform(0.7, 0.95),
        pen_width=r.uniform(0.05, 0.1),
    ),
    "blackboard": lambda r: _photo(
        r,
        paper=(45, 60, 52),
        pen=(225, 225, 215),
        opacity=r.uniform(0.6, 0.95),
        texture=r.uniform(2, 6),
    ),
    "edge of a desk": lambda r: _photo(
        r,
        desk=[(60, 40, 30), (120, 90, 60), (20, 20, 22)][r.integers(3)],
        digit=r.uniform(0.3, 0.6),
        place=(r.uniform(0.4, 0.8), r.uniform(0.4, 0.8)),
    ),
    "specks": lambda r: _photo(r, specks=int(r.integers(3, 25))),
    "blurred": lambda r: _photo(r, blur=r.uniform(0.02, 0.045)),
    "noisy": lambda r: _photo(r, noise=r.uniform(10, 25)),
    "JPEG, quality 20": lambda r: _photo(r, file="JPEG 20"),
    "everything": lambda r: _lined(
        r,
        str(r.choice(["grid", "ruled"])),
        0.1,
        0.4,
        shadow=r.uniform(0.1, 0.5),
        shadow_edge=r.uniform(0.01, 0.3),
        gradient=r.uniform(0, 0.4),
        noise=r.uniform(0, 8),
        pen=PENS[str(r.choice(["black", "blue", "red", "green"]))],
        specks=int(r.integers(0, 5)),
        pen_width=r.uniform(0.04, 0.12),
        file="JPEG 60",
    ),
}

CONDITIONS = PLAIN | HARD


def _several(digits: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint8]:
    """Digits side by side, with a little room between."""
    return np.hstack(
        [digit[:, digit.any(axis=0)] for digit in np.pad(digits[:count], ((0, 0), (0, 0), (2, 2)))]
    )


def _drawn(draw: Callable[[ImageDraw.ImageDraw], None]) -> npt.NDArray[np.uint8]:
    image = Image.new("L", (140, 140))
    draw(ImageDraw.Draw(image))
    return np.asarray(image)


def _text(characters: str) -> npt.NDArray[np.uint8]:
    font = ImageFont.load_default(100)
    return _drawn(lambda draw: draw.text((10, 5), characters, fill=255, font=font))


def _scribble(random: np.random.Generator) -> npt.NDArray[np.uint8]:
    points = [tuple(point) for point in random.uniform(10, 130, (int(random.integers(12, 30)), 2))]
    return _drawn(lambda draw: draw.line(points, fill=255, width=7, joint="curve"))


def _star(random: np.random.Generator) -> npt.NDArray[np.uint8]:
    angles = np.arange(6) * 4 * np.pi / 5 + random.uniform(0, 1)
    points = [(70 + 60 * np.sin(angle), 70 + 60 * np.cos(angle)) for angle in angles]
    return _drawn(lambda draw: draw.line(points, fill=255, width=7, joint="curve"))


def _face(draw: ImageDraw.ImageDraw) -> None:
    draw.ellipse((10, 10, 130, 130), outline=255, width=7)
    draw.ellipse((42, 45, 54, 57), fill=255)
    draw.ellipse((86, 45, 98, 57), fill=255)
    draw.arc((40, 50, 100, 105), 20, 160, fill=255, width=7)


def _house(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((25, 60, 115, 130), outline=255, width=7)
    draw.line([(15, 65), (70, 12), (125, 65)], fill=255, width=7)
    draw.rectangle((60, 90, 82, 130), outline=255, width=7)


EMPTY = np.zeros((28, 28), np.uint8)

# What shows no digit, or more than one: marks for a scene, from a generator and MNIST's images.
NO_DIGIT: dict[
    str, Callable[[np.random.Generator, npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]
] = {
    "two digits": lambda r, digits: _several(digits, 2),
    "three digits": lambda r, digits: _several(digits, 3),
    "a letter": lambda r, digits: _text("ACEFGHKMNPRTUVWXYadefhkmnprtuwx"[r.integers(31)]),
    "a scribble": lambda r, digits: _scribble(r),
    "a star": lambda r, digits: _star(r),
    "a face": lambda r, digits: _drawn(_face),
    "a house": lambda r, digits: _drawn(_house),
    "a filled square": lambda r, digits: np.full((28, 28), 255, np.uint8),
    "a blank page": lambda r, digits: EMPTY,
}
