"""Fit what tells numbers from letters on a page: ``dlcli.inference.numeral_lattice``.

``dlcli read`` finds digits in words, too, as it cuts them where it can. A logistic regression on a
few features tells whether a row of digits is more likely a number or letters. This prints its
weights, for pages with numbers of MNIST's training digits, and for words in print and strings of
drawn letters. Takes 2 minutes on two cores.

    python -m tools.fit_letters
"""

import argparse
import io
import os
from collections.abc import Iterator
from functools import cache, partial
from itertools import chain
from multiprocessing import Pool
from pathlib import Path

# Each process has a core to itself; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from PIL import Image, ImageDraw
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from dlcli.data import location
from dlcli.inference.numeral_lattice import Part
from dlcli.inference.numeral_strings import Recognizer
from dlcli.runs import lookup
from dlcli.vision.decode import PAGE_SIDE_PX, to_grey_or_rgb
from dlcli.vision.segmentation import segment
from tools import non_digits, train_cuts
from tools.number_pages import TOUCHING, pages
from tools.train_rejection import training_digits
from tools.writers import Writers

# Pages of each kind: of numbers that touch and others, of words in print, and of drawn letters.
_NUMBERS = {
    **dict.fromkeys(TOUCHING, 60),
    **dict.fromkeys(("6 digits", "ruled paper", "squared paper", "form boxes", "everything"), 40),
}
_PRINTED, _DRAWN = "printed words", "drawn letters"
_LETTERS = {_PRINTED: 160, _DRAWN: 120}
# Other pages than those that are counted.
_SEED = 7
_WORDS = [
    *("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "hello", "invoice", "street"),
    *("garden", "window", "Monday", "December", "paper", "number", "total", "amount", "please"),
    *("signature", "Berlin", "London", "water", "school", "teacher", "kitchen", "summer", "winter"),
    *("morning", "holiday", "music", "letter", "picture", "family", "doctor", "bridge", "market"),
]
_FONT_PX, _MARGIN_PX = (30, 90), 40

Random = np.random.Generator
Row = tuple[tuple[float, ...], bool, bool]
"""The features of a row of several digits, whether they are a number, and whether it is right."""


def printed_words(random: Random) -> Image.Image:
    """One to three words in a font, black on white."""
    font = non_digits.any_font(random, int(random.integers(*_FONT_PX)))
    text = " ".join(random.choice(_WORDS, int(random.integers(1, 4))))
    if random.random() < 0.2:
        text = text.upper()
    left, top, right, bottom = map(round, font.getbbox(text))
    size = right - left + 2 * _MARGIN_PX, bottom - top + 2 * _MARGIN_PX
    page = Image.new("L", size, int(random.integers(220, 256)))
    pen, corner = ImageDraw.Draw(page), (_MARGIN_PX - left, _MARGIN_PX - top)
    pen.text(corner, text, font=font, fill=int(random.integers(0, 90)))
    return page


def drawn_letters(random: Random) -> Image.Image:
    """A string of letters, most of them touching, black on white."""
    return Image.fromarray(255 - np.pad(train_cuts.drawn_letters(random), _MARGIN_PX))


_model = cache(lookup.load_named)


@cache
def _writers(data_dir: Path) -> Writers:
    return Writers(training_digits(data_dir)[1])


def rows(data_dir: Path, page: tuple[str, int]) -> list[Row]:
    """What is found on a page, its kind and its number among the pages of this kind."""
    kind, number = page
    if kind in _LETTERS:
        make = printed_words if kind == _PRINTED else drawn_letters
        picture, texts = make(np.random.default_rng([_SEED, number])), set[str]()
    else:
        (written,) = pages(kind, _writers(data_dir), range(number, number + 1), _SEED)
        picture = Image.open(io.BytesIO(written.content))
        texts = {number.text for number in written.numbers}
    return [
        (part.features, kind not in _LETTERS, _text(part) in texts)
        for part in _parts(picture)
        if len(part.digits) > 1
    ]


def _parts(picture: Image.Image) -> Iterator[Part]:
    page = segment(to_grey_or_rgb(picture, "page", PAGE_SIDE_PX), None)
    for _, path in Recognizer(_model("pretrained"), page).ways(None):
        yield from path


def _text(part: Part) -> str:
    return "".join(str(int(digit.probabilities.argmax())) for digit in part.digits)


def main() -> None:
    """Fit the weights, and print them and what they decide."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data-dir", type=Path, default=location.default().path)
    data_dir = parser.parse_args().data_dir
    work = [(kind, i) for kind, count in (_NUMBERS | _LETTERS).items() for i in range(count)]
    with Pool() as pool:
        made = pool.imap(partial(rows, data_dir), work, chunksize=5)
        found = list(chain.from_iterable(tqdm(made, total=len(work))))
    features, numbers, right = map(np.array, zip(*found, strict=True))
    fitted = LogisticRegression(C=10, max_iter=1000).fit(features, numbers)
    print(f"weights {fitted.coef_[0].round(2).tolist()}, and {fitted.intercept_[0]:.2f}")
    kept = fitted.predict(features)
    of_letters = ~numbers
    print(f"of {right.sum()} right numbers {np.count_nonzero(right & ~kept)} are taken for letters")
    print(
        f"of {of_letters.sum()} rows of letters {(of_letters & kept).sum()} are taken for numbers"
    )


if __name__ == "__main__":
    main()
