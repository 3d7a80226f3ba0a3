"""Pictures to what the network was trained on: MNIST's digits, or other images.

Preprocessing makes of any picture an image in MNIST's format, light on dark, and knows digits from
other signs. A model that records what its training images look like is shown others where these
are others.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Pixels
from dlcli.runs.metadata import Metadata, TrainingImages
from dlcli.runs.training_images import light_fraction
from dlcli.vision import pipeline, plain
from dlcli.vision.candidate import Located
from dlcli.vision.mnist_format import bounding_box, centre_of_mass
from dlcli.vision.rejection import indifferent_scores
from dlcli.vision.test_time_augmentation import FIRST_VARIANTS, tta_variants

# What covers more of an image is its ground, and not thick strokes.
_MIN_GROUND = 0.6

Prepare = Callable[[Image.Image, str], Located]
"""Prepares a picture of a name; raises ``ImageError`` for one that is damaged or too large."""


def preparation(metadata: Metadata, *, raw: bool, explain: bool) -> Prepare:
    """How to prepare pictures for a model.

    Parameters
    ----------
    metadata
        Of the model.
    raw
        Take 28x28 pictures as they are.
    explain
        Keep the steps that led to the result.
    """
    if raw or metadata.preprocessing == "none":
        return partial(pipeline.take_as_is, explain=explain)
    if metadata.preprocessing == "plain":
        return partial(plain.prepare, explain=explain)
    if metadata.images is None:
        return partial(pipeline.preprocess, explain=explain)
    return partial(_as_trained, metadata.images, explain=explain)


def laid_out(images: Pixels, trained: TrainingImages | None) -> Pixels:
    """Images in MNIST's format, shape (n, 784), as the training images are."""
    if trained is None:
        return images
    if not trained.mnist_format:
        images = np.stack([_laid_out_pixels(pixels, trained) for pixels in images])
    return 255 - images if trained.polarity == "dark_on_light" else images


def _as_trained(
    trained: TrainingImages, image: Image.Image, name: str, *, explain: bool
) -> Located:
    """Prepare a picture as the training images are."""
    if image.size == (IMAGE_SIDE, IMAGE_SIDE) and not trained.mnist_format:
        found = pipeline.take_as_is(image, name, explain=explain)
        is_other = found.pixels is not None and _is_inverted(found.pixels, trained)
        return _inverted(found) if is_other else found
    if trained.digits:
        found = pipeline.preprocess(image, name, explain=explain)
    else:
        found = _accepted(pipeline.preprocess(image, name, indifferent_scores, explain=explain))
    if not trained.mnist_format:
        found = _laid_out(found, trained)
    return _inverted(found) if trained.polarity == "dark_on_light" else found


def _is_inverted(pixels: Pixels, trained: TrainingImages) -> bool:
    """Whether an image has clearly the other polarity than those of training."""
    light = light_fraction(pixels[np.newaxis])
    return (light if trained.polarity == "light_on_dark" else 1 - light) > _MIN_GROUND


def _accepted(found: Located) -> Located:
    """A candidate that is not rejected for not being a digit, if anything was found."""
    if found.pixels is None:
        return found
    accepted = replace(found, rejection=None, ood_score=None)
    return accepted if found.variants is not None else _with_variants(accepted, found.pixels)


def _laid_out(found: Located, trained: TrainingImages) -> Located:
    """A candidate as large and centred as the strokes of the training images."""
    if found.pixels is None or found.variants is None:
        return found
    return _with_variants(found, _laid_out_pixels(found.pixels, trained))


def _with_variants(found: Located, pixels: Pixels) -> Located:
    """A candidate with other pixels."""
    first, make_all = tta_variants(pixels, FIRST_VARIANTS), partial(tta_variants, pixels)
    return replace(found, pixels=pixels, variants=first, make_variants=make_all)


def _laid_out_pixels(pixels: Pixels, trained: TrainingImages) -> Pixels:
    square = pixels.reshape(IMAGE_SIDE, IMAGE_SIDE)
    strokes = square[bounding_box(square >= square.max() / 2)]
    scale = trained.side_px / max(strokes.shape)
    height, width = (max(1, round(side * scale)) for side in strokes.shape)
    resized = Image.fromarray(strokes).resize((width, height), Image.Resampling.BICUBIC)
    middle = IMAGE_SIDE / 2
    row, column = height / 2, width / 2
    if trained.centring == "mass":
        row, column = centre_of_mass(np.asarray(resized))
    corner = (
        min(max(round(middle - column), 0), IMAGE_SIDE - width),
        min(max(round(middle - row), 0), IMAGE_SIDE - height),
    )
    image = Image.new("L", (IMAGE_SIDE, IMAGE_SIDE))
    image.paste(resized, corner)
    return np.asarray(image).reshape(-1)


def _inverted(found: Located) -> Located:
    if found.pixels is None:
        return found
    make = found.make_variants
    return replace(
        found,
        pixels=255 - found.pixels,
        variants=None if found.variants is None else 255 - found.variants,
        make_variants=None if make is None else lambda: 255 - make(),
    )
