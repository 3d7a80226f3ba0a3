"""Drawings of what is no digit: letters and signs, shapes, scribbles and ruined digits.

The rejection network learns from them what is no digit. Letters are drawn along the strokes of
``tools.characters`` with a pen of any width, printed in a font, or drawn along the strokes of a
font.
"""

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dlcli.nn.types import Labels
from dlcli.vision.mnist_format import bounding_box
from tools import alphabets, characters, handwriting, shapes
from tools.characters import Points, Strokes
from tools.photographs import Marks
from tools.shapes import rotated

Random = np.random.Generator

SIDE = 140
# Digits that are no digits when mirrored, when lying on their side, when upside down, or when
# seen in a mirror below them.
MIRRORED = frozenset({3, 4, 6, 7, 9})
LYING = frozenset({2, 3, 4, 5, 7})
TURNED = frozenset({3, 4, 7})
REFLECTED = frozenset({4, 6, 7, 9})
_MARGIN = 15
# Fraction of the traced characters.
_TRACED_LATIN = 0.4
# Shapes that are filled, too.
_SOLID = ("polygon", "star", "heart", "house", "tree", "flower", "lightning", "flag", "cup")
# Files of packages: Matplotlib's fonts, and some that look as if drawn by hand.
_FONTS = (
    *(
        f"matplotlib/mpl-data/fonts/ttf/{name}.ttf"
        for name in (
            *("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif"),
            *("STIXGeneral", "STIXGeneralItalic", "cmr10", "cmss10"),
        )
    ),
    *(f"font_amatic_sc/files/AmaticSC-{weight}.ttf" for weight in ("Regular", "Bold")),
    *(f"font_caladea/files/Caladea-{style}.ttf" for style in ("Italic", "Bold")),
    "font_fredoka_one/files/FredokaOne-Regular.ttf",
    *(f"font_hanken_grotesk/files/HankenGrotesk-{w}.otf" for w in ("Light", "Italic", "Bold")),
    "font_intuitive/files/Intuitive.ttf",
    *(f"font_manrope/files/Manrope-{weight}.ttf" for weight in ("Light", "Medium", "ExtraBold")),
)
# Characters that are seldom taken for a digit.
_LATIN = "ABCEFGHJKLMNPQRTUVWXYacdefhkmnprtuvwxy#&?@%$€+*"
# Letters of other alphabets, and Arabic and Persian digits, in fonts that have them. Left out is
# what is easily taken for a digit of ours.
_GREEK_AND_CYRILLIC = "ΓΔΘΛΞΠΣΦΨΩαβγδεζηκλμνξπσςτυφχψωϑϕϖ" + "БДЖИЛПФЦЧШЩЫЭЮЯдёжилмпфцчшщэюя"
_OTHERS = (
    "ԱԲԳԴԵԶԷԸԹԺԽԾԿՀՁՂՃՄ"
    "აბგდევზთიკლმნპჟრსტ"
    "אבגדהזחטכלמנעפצקרשת"
    "بجدرسشصضطعفقكلمن"
    "٢٣٤٦۴۵۶"
    "ກຂຄງຈຊຍດຕຖທນບປຜພຟມຢລວສຫຮ"
    "ⴷⴹⴻⴼⴽⵀⵃⵄⵅⵇⵊⵎⵕⵖⵙⵚⵛⵟⵡⵢⵣⵥ"
    "ᐁᐃᐊᐯᐱᐸᑌᑎᑕᑫᒉᒋᒐᒣᒥᒪᓀᓂᓇᓭᓯᓴᔦᔨᔭ"
    "∇∈∉∋∏∑√∝∞∠∩∴≈≠≡≤≥⊂⊃⊕⊗⊥"
    "←↑→↓↖↗↘↙↔↩↪↻⇐⇒⇔"
    "☀☁☂★☆☎☐☑☒☘☚☛☠☢☤☥☭☮☯☸☹☺☻☼☽☾♀♂♃♄♅♆♈♉♊♋♌♍♎♏♐♑♒♓♔♕♖♗♘♙♚♛♜♝♞♟♠♣♥♦♡♢♤♧♩♪♫♬♭♮♯⚓⚔⚕⚖⚗⚘⚙⚛⚠⚡"
    "✂✆✈✉✌✍✎✐✓✔✗✘✚✠✡✢✣✤✥✪✳✴✶✿❀❁❄❦❤➔➘➙➚➜➤➲"
)
_MATPLOTLIB = "matplotlib/mpl-data/fonts/ttf/"
_OTHERS_FONTS = (f"{_MATPLOTLIB}DejaVuSans.ttf",)
_GREEK_FONTS = (
    *_OTHERS_FONTS,
    f"{_MATPLOTLIB}DejaVuSerif-Italic.ttf",
    f"{_MATPLOTLIB}STIXGeneral.ttf",
    f"{_MATPLOTLIB}STIXGeneralItalic.ttf",
)
_GREEK_FRACTION = 0.4


def letter(random: Random) -> Strokes:
    """A letter, or a sign of punctuation."""
    return characters.any_of(alphabets.LETTERS, random)


def sign(random: Random) -> Strokes:
    """A character of another script, or a sign of mathematics or astronomy."""
    return characters.any_of(alphabets.SCRIPTS_AND_SIGNS, random)


def typed(random: Random, alphabet: str = _LATIN, fonts: Sequence[str] = _FONTS) -> Marks:
    """One character of the alphabet, printed in a font, cropped and slightly askew."""
    font = any_font(random, SIDE - 2 * _MARGIN, fonts)
    image = Image.new("L", (2 * SIDE, 2 * SIDE))
    pen, middle = ImageDraw.Draw(image), (SIDE, SIDE)
    pen.text(middle, random.choice(list(alphabet)), fill=255, font=font, anchor="mm")
    slant, narrowing = random.uniform(-0.15, 0.3), random.uniform(0.85, 1.5)
    coefficients = (narrowing, slant, SIDE * (1 - narrowing - slant), 0, 1, 0)
    sheared = image.transform(
        image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    rotated = np.asarray(sheared.rotate(random.uniform(-10, 10), Image.Resampling.BICUBIC))
    rows, columns = np.nonzero(rotated > 127)
    return rotated[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def any_font(random: Random, size: int, fonts: Sequence[str] = _FONTS) -> ImageFont.FreeTypeFont:
    """One of the fonts, which packages bring."""
    package, _, file = str(random.choice(fonts)).partition("/")
    return ImageFont.truetype(Path(str(resources.files(package))) / file, size)


def typed_foreign(random: Random) -> Marks:
    """One character of another alphabet, or a symbol, printed."""
    if random.random() < _GREEK_FRACTION:
        return typed(random, _GREEK_AND_CYRILLIC, _GREEK_FONTS)
    return typed(random, _OTHERS, _OTHERS_FONTS)


def traced(random: Random) -> Marks:
    """A printed character, drawn along the middle lines of its strokes with a pen."""
    marks = typed(random) if random.random() < _TRACED_LATIN else typed_foreign(random)
    bent = _bent(np.pad(marks, SIDE // 10), random)
    return handwriting.cropped(handwriting.retraced(bent[bounding_box(bent > 127)], random))


def _bent(marks: Marks, random: Random) -> Marks:
    """Marks with wavy strokes, as by hand."""
    y, x = np.mgrid[: marks.shape[0], : marks.shape[1]].astype(np.float32) / np.float32(SIDE)
    for _ in range(2):
        (across, down), phases = random.uniform(2, 9, 2), random.uniform(0, 7, 2)
        size = random.uniform(0, 0.03)
        x, y = x + size * np.sin(y * across + phases[0]), y + size * np.sin(x * down + phases[1])
    moved = (np.float32(SIDE) * x).astype(np.float32), (np.float32(SIDE) * y).astype(np.float32)
    return cv2.remap(marks, *moved, cv2.INTER_LINEAR).astype(np.uint8)


def silhouette(random: Random) -> Marks:
    """A simple drawing, filled."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    outlines = shapes.SHAPES[str(random.choice(_SOLID))](random)
    for outline in _placed(outlines, random):
        cv2.fillPoly(image, [np.rint(outline).astype(np.int32)], 255)
    return image


def penned_digit(random: Random, digit: int) -> Strokes:
    """A digit as it is taught at school, in America or Europe."""
    return characters.write(alphabets.DIGITS, str(digit), random)


def drawn(strokes: Strokes, random: Random) -> Marks:
    """Strokes drawn with a pen, slanted and wobbly as by hand."""
    image = Image.new("L", (SIDE, SIDE))
    pen, radius = ImageDraw.Draw(image), random.uniform(1.5, 8)
    for path in _placed(strokes, random):
        pen.line([tuple(p) for p in path], fill=255, width=round(2 * radius), joint="curve")
        for x, y in path[[0, -1]]:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image)


def _placed(strokes: Strokes, random: Random) -> Strokes:
    """Strokes as a hand writes them, in pixels of the image."""
    fine = [_in_small_steps(stroke) for stroke in strokes]
    points = rotated(np.concatenate(fine), random.uniform(-12, 12))
    points = points * [random.uniform(0.65, 1.2), 1]
    points[:, 0] += random.uniform(-0.3, 0.3) * points[:, 1]
    points = _fitted(points, 1)
    for _ in range(2):
        waves, phases = random.uniform(2, 9, 2), random.uniform(0, 7, 2)
        points = points + random.uniform(0, 0.03) * np.sin(points[:, ::-1] * waves + phases)
    points = _fitted(points, SIDE - 2 * _MARGIN) + _MARGIN
    return np.split(points, np.cumsum([len(stroke) for stroke in fine])[:-1])


def _in_small_steps(stroke: Points) -> Points:
    positions = np.linspace(0, len(stroke) - 1, max(2, 60 // len(stroke)) * len(stroke))
    return np.column_stack([np.interp(positions, np.arange(len(stroke)), xs) for xs in stroke.T])


def _fitted(points: Points, length: float) -> Points:
    """Points moved and scaled to a box with a corner at 0 and sides of at most this length."""
    moved = points - points.min(axis=0)
    fitted: Points = moved * (length / max(moved.max(), 1e-6))
    return fitted


def ruined(digits: Marks, labels: Labels, random: Random) -> Marks:
    """A digit spoilt so that it is no digit any more, or two digits that touch.

    Parameters
    ----------
    digits
        Two of MNIST's images, shape (2, 28, 28).
    labels
        Their digits.
    """
    one, two = digits
    kinds: list[Callable[[], Marks]] = [
        lambda: _struck_out(one, random),
        lambda: _touching(one, two, int(random.integers(0, 6))),
        lambda: _touching(one, two, int(random.integers(6, 14))),
        lambda: np.vstack([np.roll(one[:14], random.integers(5, 10), axis=1), two[14:]]),
    ]
    if labels[0] in MIRRORED:
        kinds.append(lambda: one[:, ::-1])
    if labels[0] in LYING:
        kinds.append(lambda: np.rot90(one, random.choice([1, 3])))
    if labels[0] in TURNED:
        kinds.append(lambda: np.rot90(one, 2))
    if labels[0] in REFLECTED:
        kinds.append(lambda: one[::-1])
    return kinds[random.integers(len(kinds))]()


def _struck_out(digit: Marks, random: Random) -> Marks:
    image = Image.fromarray(digit).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pen, width = ImageDraw.Draw(image), int(random.integers(6, 14))
    left, right, top, bottom = random.integers(20, 120, 4).tolist()
    pen.line([(20, left), (120, right)], fill=255, width=width)
    pen.line([(top, 20), (bottom, 120)], fill=255, width=width)
    return np.asarray(image)


def _touching(one: Marks, two: Marks, columns: int) -> Marks:
    """Two digits that overlap by this many columns, or by as many more as make them touch."""
    left, right = (digit[:, digit.any(axis=0)] for digit in (one, two))
    most = min(left.shape[1], right.shape[1])
    for shared in range(min(columns, most), most + 1):
        middle = np.maximum(left[:, left.shape[1] - shared :], right[:, :shared])
        both = np.hstack([left[:, : left.shape[1] - shared], middle, right[:, shared:]])
        if cv2.connectedComponents((both > 127).view(np.uint8))[0] == 2:
            break
    return both


DRAWINGS: dict[str, Callable[[Random], Strokes]] = {
    "letter": letter,
    "sign": sign,
    "invented": shapes.invented,
    "doodle": shapes.doodle,
    "scrawl": shapes.scrawl,
    "shape": shapes.shape,
}
MARKS: dict[str, Callable[[Random], Marks]] = {
    "typed": typed,
    "typed foreign": typed_foreign,
    "traced": traced,
    "silhouette": silhouette,
}
