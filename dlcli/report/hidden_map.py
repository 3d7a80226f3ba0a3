"""A map of images by the outputs of the last hidden layer: what the network sees as alike.

The map shows the two directions in which these outputs differ most (principal component analysis;
Pearson, "On lines and planes of closest fit to systems of points in space", 1901).
"""

from dataclasses import dataclass

import numpy as np

from dlcli.data.examples import Examples
from dlcli.nn.network import Network
from dlcli.nn.types import Array
from dlcli.report import thumbnails
from dlcli.report.thumbnails import Sheet

# Images on the map: enough to see groups, few enough for a small page.
MAX_IMAGES = 400
COLUMNS = 20  # of the sheet with all pictures
WIDTH, HEIGHT, _MARGIN = 640, 480, 12  # of the map
# A second direction with less of the first one's spread holds nothing but rounding errors.
_LEAST_SPREAD = 1e-6


@dataclass(frozen=True)
class HiddenMap:
    """The map of one network.

    Attributes
    ----------
    points
        Where each image is, in pixels, shape (n, 2).
    explained
        The fraction of the outputs' variance that the map shows.
    layer
        The number of the layer, from 1.
    """

    points: Array
    explained: float
    layer: int


def of_network(network: Network, test: Examples) -> HiddenMap | None:
    """The map of the first test images.

    None without a hidden layer, and if its outputs differ in fewer than two directions.
    """
    images = test.images[:MAX_IMAGES]
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = network.layer_outputs(images)[:-1]
    if not outputs or len(images) < 3:
        return None
    points, explained = principal_components(outputs[-1].astype(np.float64))
    spread = np.ptp(points, axis=0)
    if spread[1] <= _LEAST_SPREAD * spread[0]:
        return None
    room = np.array([WIDTH, HEIGHT]) - 2 * _MARGIN
    placed = _MARGIN + (points - points.min(axis=0)) / spread * room
    return HiddenMap(placed.round(1), explained, len(outputs))


def principal_components(values: Array) -> tuple[Array, float]:
    """The first two principal components of values, shape (n, d): (n, 2); their variance's part.

    They come from the eigenvectors of the n x n matrix of products, which is small for few values
    however many dimensions they have. Of each component the largest value is positive.
    """
    centred = values - values.mean(axis=0)
    eigenvalues, vectors = np.linalg.eigh(centred @ centred.T)
    largest = np.maximum(eigenvalues[:-3:-1], 0)
    components = vectors[:, :-3:-1] * np.sqrt(largest)
    components *= np.sign(components[np.abs(components).argmax(axis=0), [0, 1]])
    total = float(np.square(centred).sum())
    return components, float(largest.sum()) / total if total else 0.0


def sheet(test: Examples) -> Sheet:
    """The pictures of all images on the map."""
    return thumbnails.digit_sheet(test.images[:MAX_IMAGES], COLUMNS)
