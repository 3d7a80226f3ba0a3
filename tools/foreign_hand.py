"""The digits of one person whom the pretrained model does not know, to teach it to read them.

The forms are none of those that ``tools.handwriting`` wrote for the pretrained model, and they lean
far to the right. The same seed gives the same digits.

    python -m tools.foreign_hand mine              # 20 pictures of each digit: mine/7/00.png
    python -m tools.foreign_hand held-out --count 100 --seed 1
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from dlcli.data.examples import Examples
from dlcli.vision.preview import write_image
from tools import characters, handwriting
from tools.alphabets import Alphabet
from tools.characters import Strokes
from tools.handwriting import Kind, Random

FORMS: Alphabet = {
    "0": ("~20 02 04 26 44 42 20|05 41", "~20 01 05 26 45 41 20|06 40"),
    "1": ("06 30 36", "05 30 37"),
    "2": ("00 40 06 46", "00 30 05 35"),
    "3": ("00 40 12|~12 43 35 06", "00 40 13|~13 44 36 07"),
    "4": ("00 03 43|40 06", "10 02 42|40 05"),
    "5": ("~40 10 02 13 44 25 05", "~40 11 02 23 45 26 06"),
    "6": ("00 06|~03 22 45 26 06", "00 07|~04 33 46 27 07"),
    "7": ("02 00 40 16|03 43", "02 00 40 16|04 53"),
    "8": ("00 46 06 40 00", "10 56 06 50 10"),
    "9": ("~40 10 02 23 41|~41 46 17 06", "~30 10 02 33 31|~31 37 18 07"),
}
# How far the top of a digit leans to the right, as a fraction of its height: the mean and the
# standard deviation. The pretrained model has learned -0.25 to 0.3.
LEAN = (0.6, 0.05)


def _leaning(digit: str, random: Random) -> Strokes:
    lean = np.array([[1, 0], [-random.normal(*LEAN), 1]])
    return [stroke @ lean for stroke in characters.write(FORMS, digit, random)]


def examples(count: int, seed: int) -> Examples:
    """So many of each digit in MNIST's format."""
    random = np.random.default_rng([3, seed])
    kinds = [Kind(int(digit), partial(_leaning, digit)) for digit in FORMS]
    images = [handwriting.written(kind, random) for kind in kinds for _ in range(count)]
    labels = np.repeat([kind.digit for kind in kinds], count).astype(np.uint8)
    return Examples(np.stack(images).reshape(len(images), -1), labels)


def write(folder: Path, count: int, seed: int) -> None:
    """Write the digits as pictures, in a folder for each digit."""
    written = examples(count, seed)
    for index, (image, label) in enumerate(zip(written.images, written.labels, strict=True)):
        path = folder / str(label) / f"{index % count:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(image, path)


def main() -> None:
    """Write pictures of the digits of one person."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=20, help="of each digit")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write(arguments.folder, arguments.count, arguments.seed)


if __name__ == "__main__":
    main()
