"""Grey-scale morphology, run lengths and connected components, on NumPy arrays.

The terms are those of Serra, "Image analysis and mathematical morphology", 1982. All structuring
elements are squares, except in ``thicken``.
"""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Image = TypeVar("Image", npt.NDArray[np.uint8], FloatImage, Mask)


def close(image: Image, window: int) -> Image:
    """Grey-scale closing: dark details narrower than the window, in pixels, vanish."""
    for extremum in (np.maximum, np.minimum):
        for axis in (0, 1):
            image = _sliding_extremum(image, window, axis, extremum)
    return np.ascontiguousarray(image)


def dilate(image: Image, radius: int) -> Image:
    """Grey-scale dilation: each pixel becomes the maximum of its square neighbourhood."""
    for axis in (0, 1):
        image = _sliding_extremum(image, 2 * radius + 1, axis, np.maximum)
    return np.ascontiguousarray(image)


def thicken(image: FloatImage, radius: int) -> FloatImage:
    """Dilate by about a disc; the image grows by the radius on every side."""
    image = np.pad(image, radius)
    for step in range(radius):
        # Crosses and squares in turn make an octagon.
        along_columns = _sliding_extremum(image, 3, 0, np.maximum)
        if step % 2:
            image = _sliding_extremum(along_columns, 3, 1, np.maximum)
        else:
            image = np.maximum(along_columns, _sliding_extremum(image, 3, 1, np.maximum))
    return image


def _sliding_extremum(image: Image, window: int, axis: int, extremum: np.ufunc) -> Image:
    """The maximum or minimum over a window along one axis, centred on each pixel."""
    count = image.shape[axis]
    padding = [(0, 0), (0, 0)]
    padding[axis] = (window // 2, window // 2)
    spans = np.moveaxis(np.pad(image, padding, mode="edge"), axis, 0)
    # The extremum over 1, 2, 4, ... pixels, each from two spans of half the length.
    length = 1
    while length * 2 <= window:
        spans = extremum(spans[:-length], spans[length:])
        length *= 2
    last = window - length
    return np.moveaxis(extremum(spans[:count], spans[last : last + count]), 0, axis)


def row_run_lengths(mask: Mask) -> npt.NDArray[np.intp]:
    """For each pixel of the mask, the length of the unbroken run along its row; 0 elsewhere."""
    starts, ends = _row_runs(np.pad(mask, ((0, 0), (0, 1))))
    lengths = ends - starts
    result = np.zeros(mask.shape, np.intp)
    result[mask] = np.repeat(lengths, lengths)
    return result


def stroke_widths(mask: Mask) -> npt.NDArray[np.intp]:
    """The stroke width at each pixel of the mask, in row-major order.

    It is estimated as the shorter of the runs along the pixel's row and column.
    """
    return np.minimum(row_run_lengths(mask), row_run_lengths(mask.T).T)[mask]


def label_components(mask: Mask) -> tuple[npt.NDArray[np.intp], int]:
    """Label 8-connected components.

    The runs along rows are the vertices of a graph, with an edge between touching runs of
    neighbouring rows; each run takes the least label it is connected to, until none changes.

    Returns
    -------
    tuple
        Labels from 1, and 0 where the mask is unset, shape (height, width); their number.
    """
    height, width = mask.shape
    stride = width + 2  # an unset column on either side separates the rows
    starts, ends = _row_runs(np.pad(mask, ((0, 0), (1, 1))))
    # A run touches those of the row above that end at its start or later and start at its end
    # or earlier.
    first = np.searchsorted(ends, starts - stride, side="left")
    counts = np.searchsorted(starts, ends - stride, side="right") - first
    below = np.repeat(np.arange(starts.size), counts)
    offsets = np.arange(below.size) - np.repeat(np.cumsum(counts) - counts, counts)
    above = np.repeat(first, counts) + offsets
    least = np.arange(starts.size)
    changed = True
    while changed:
        before = least.copy()
        lesser = np.minimum(least[below], least[above])
        np.minimum.at(least, least[below], lesser)
        np.minimum.at(least, least[above], lesser)
        while (least[least] != least).any():
            least = least[least]
        changed = bool((least != before).any())
    roots, numbers = np.unique(least, return_inverse=True)
    steps = np.zeros(height * stride + 1, np.intp)
    steps[starts] = numbers + 1
    steps[ends] -= numbers + 1
    return np.cumsum(steps[:-1]).reshape(height, stride)[:, 1:-1], roots.size


def _row_runs(mask: Mask) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Flat indices where the runs along rows start and end; the last column must be unset."""
    edges = np.diff(mask.reshape(-1).view(np.int8), prepend=np.int8(0))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def quantiles(values: npt.NDArray[Any], *fractions: float) -> list[float]:
    """The values at these fractions of the sorted array: ``np.quantile`` without interpolation."""
    ranks = [int(fraction * values.size) for fraction in fractions]
    return [float(value) for value in np.partition(values, ranks, axis=None)[ranks]]
