"""Pictures to predictions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dlcli.errors import ImageError
from dlcli.inference.parallel import available_cores, in_order
from dlcli.inference.preparation import preparation
from dlcli.inference.sources import ImageSource
from dlcli.nn.types import Array, Pixels
from dlcli.runs.checkpoint import Model
from dlcli.vision.candidate import Box, Located, PreprocessingTrace
from dlcli.vision.decode import ignore_warnings, read_pages, to_grey_or_rgb
from dlcli.vision.rejection import RejectionReason, rejection_reason, rejection_threshold

# Above this mean probability of its first variants a picture's others are not shown to the network.
SURE_PROBABILITY = 0.98

if TYPE_CHECKING:
    Preprocessed = tuple[str, Located | ImageError]  # and the name of the page


@dataclass(frozen=True, eq=False)
class Prediction:
    """The prediction for one picture."""

    name: str  # its path; the pages of a file that has several are path, path#2, ...
    pixels: Pixels | None = None  # what the network was shown, shape (784,)
    probabilities: Array | None = None  # of each class; None if the picture was rejected
    rejection: RejectionReason | None = None
    reason: str | None = None  # the rejection for users, with details
    box: Box | None = None  # where the digit lies, in the picture's pixels; None if unknown
    error: str | None = None  # why the picture could not be used at all
    trace: PreprocessingTrace | None = None  # if it was asked for


def predict(
    model: Model,
    sources: Iterable[ImageSource | None],
    *,
    raw: bool,
    reject: float = 0.0,
    explain: bool = False,
    threads: int | None = None,
    is_unread: Callable[[], bool] = lambda: False,
) -> Iterator[Prediction]:
    """Predict each picture, in order; one that cannot be used does not stop the others.

    For a picture in MNIST's format the prediction is that of ``evaluate``. For any other it is
    the mean over variants of the picture (test-time augmentation).

    Parameters
    ----------
    model
        The classifier.
    sources
        The pictures, read as predictions are asked for. None among them says that the next one
        may take a while, so everything before it is predicted first.
    raw
        Take 28x28 pictures, light on dark, without preprocessing.
    reject
        Reject predictions whose probability is lower.
    explain
        Keep the steps of the preprocessing.
    threads
        How many pictures to preprocess at once, where that pays; None for the number of cores.
    is_unread
        Whether nobody wants the predictions any more, asked from any thread. From then on
        pictures are only decoded, to report those that cannot be.
    """
    as_is = raw or model.metadata.preprocessing == "none"
    prepare = preparation(model.metadata, raw=raw, explain=explain)

    def prepared(name: str, image: Image.Image | ImageError) -> Located | ImageError:
        if isinstance(image, ImageError):
            return image
        try:
            if is_unread() and not as_is:
                to_grey_or_rgb(image, name)
                return Located(None)
            return prepare(image, name)
        except ImageError as error:
            return error

    def prepare_pages(source: ImageSource) -> "list[Preprocessed]":
        if source.error is not None:
            return [(source.name, ImageError(source.error))]
        return [(name, prepared(name, page)) for name, page in read_pages(source.file, source.name)]

    def classify(batch: "list[Preprocessed]") -> list[Prediction]:
        return list(_classify(model, batch, reject))

    with ignore_warnings():
        for batch in in_order(prepare_pages, classify, sources, threads or available_cores()):
            yield from batch


def predict_image(model: Model, image: Image.Image, name: str, reject: float = 0.0) -> Prediction:
    """Predict one picture that is decoded already.

    Raises
    ------
    ImageError
        It is damaged.
    """
    found = preparation(model.metadata, raw=False, explain=False)(image, name)
    (prediction,) = _classify(model, [(name, found)], reject)
    return prediction


def _classify(model: Model, batch: "list[Preprocessed]", reject: float) -> Iterator[Prediction]:
    """Predict a batch of pictures."""
    outputs = iter(
        mean_probabilities(
            lambda images: model.infer(images)[1],
            [f for _, f in batch if isinstance(f, Located) and f.variants is not None],
        )
    )
    for name, found in batch:
        if isinstance(found, ImageError):
            yield Prediction(name, error=str(found))
            continue
        probabilities, rejection = None, found.rejection
        reason = rejection and str(rejection)
        if found.variants is not None:
            probabilities = next(outputs)
            rejection = _rejection(found, probabilities, reject)
            reason = rejection and _explained(rejection, probabilities, model.class_names)
        yield Prediction(
            name,
            found.pixels,
            probabilities if rejection is None else None,
            rejection,
            reason,
            box=found.box,
            trace=found.trace,
        )


def mean_probabilities(
    classify: Callable[[Pixels], Array], found: Sequence[Located]
) -> list[Array]:
    """The mean over each picture's variants, or over the first ones if that is sure."""
    means = _means(classify, [located.variants for located in found])
    unsure = [
        index
        for index, mean in enumerate(means)
        if found[index].make_variants is not None and not mean.max() > SURE_PROBABILITY
    ]
    others = _means(classify, [found[index].all_variants for index in unsure])
    for index, mean in zip(unsure, others, strict=True):
        means[index] = mean
    return means


def _means(classify: Callable[[Pixels], Array], variants: Sequence[Pixels | None]) -> list[Array]:
    """The mean over each picture's variants, by one forward pass for all pictures."""
    images = [several for several in variants if several is not None]
    if not images:
        return []
    ends = np.cumsum([len(several) for several in images])
    outputs = np.split(classify(np.concatenate(images)), ends[:-1])
    return [output.mean(axis=0) if len(output) > 1 else output[0] for output in outputs]


def _rejection(
    found: Located, probabilities: Array, min_probability: float
) -> RejectionReason | None:
    """Why a candidate is rejected by its scores, if it is."""
    reason = None
    if found.ood_score is not None:
        reason = rejection_reason(found.ood_score, probabilities, rejection_threshold(found.box))
    if reason is None and not probabilities.max() >= min_probability:  # true for nan as well
        reason = RejectionReason.LOW_CONFIDENCE
    return reason


def _explained(rejection: RejectionReason, probabilities: Array, class_names: Sequence[str]) -> str:
    """A rejection reason for users, with the two most probable digits where it is between them."""
    first, second = (class_names[i] for i in np.argsort(-probabilities, kind="stable")[:2])
    if rejection == RejectionReason.AMBIGUOUS:
        return f"{rejection}: {first} or {second}"
    if rejection == RejectionReason.LOW_CONFIDENCE:
        return f"{rejection} ({probabilities.max():.4f}): {first} or {second}"
    return str(rejection)
