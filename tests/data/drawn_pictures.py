"""Folders of pictures: printed letters, and images of MNIST as PNG files."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dlcli.data.examples import Examples

LETTERS = "ABCDEFGHIJ"
_FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono")


def letter(character: str, number: int) -> Image.Image:
    """A printed letter, dark on light; ``number`` decides the font, the size and the place."""
    random = np.random.default_rng([ord(character[0]), number])
    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{_FONTS[number % len(_FONTS)]}.ttf"
    font = ImageFont.truetype(path, int(random.integers(30, 44)))
    picture = Image.new("L", (70, 70), int(random.integers(200, 255)))
    place = tuple(random.integers(28, 42, 2).tolist())
    ImageDraw.Draw(picture).text(place, character, int(random.integers(0, 60)), font, anchor="mm")
    return picture


def write_letters(folder: Path, letters: str = LETTERS, each: int = 10, first: int = 0) -> Path:
    """A folder for each letter with some pictures of it."""
    for character in letters:
        (folder / character).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + each):
            letter(character, number).save(folder / character / f"{number}.png")
    return folder


def write_digits(folder: Path, examples: Examples, count: int = 40) -> Path:
    """A folder for each digit with the first images of a dataset."""
    for number in range(count):
        place = folder / str(examples.labels[number])
        place.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(examples.images[number].reshape(28, 28))
        image.save(place / f"{number:03}.png")
    return folder
