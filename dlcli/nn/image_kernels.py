"""The passes over images that distort them: by NumPy, and as loops (see ``kernels``)."""

import numpy as np
import numpy.typing as npt

from dlcli.nn.types import Array, Pixels


def interpolate(padded: Pixels, quads: Pixels, points: Array, pixels: Pixels) -> None:
    """Look up each image at points of its own, by bilinear interpolation.

    Parameters
    ----------
    padded
        The images, shape (n, side, side).
    quads
        Memory for each pixel with its neighbours to the right, below and diagonally, shape
        (n, side - 1, side - 1, 4).
    points
        x and y, from 0 to side - 2, float32 of shape (2, n, pixels).
    pixels
        Where the levels are written to, shape (n, pixels).
    """
    quads[..., 0], quads[..., 1] = padded[:, :-1, :-1], padded[:, :-1, 1:]
    quads[..., 2], quads[..., 3] = padded[:, 1:, :-1], padded[:, 1:, 1:]
    corners = np.floor(points)
    x_weight, y_weight = (points - corners).reshape(2, -1)
    images, side = quads.shape[:2]
    index = (corners[0] + np.float32(side) * corners[1]).astype(np.int32)
    index += np.arange(images, dtype=np.int32)[:, np.newaxis] * side**2
    # The four bytes of a quad are taken at once, as one 32-bit number.
    taken = np.take(quads.view(np.uint32).reshape(-1), index.reshape(-1), mode="clip")
    levels = taken.view(np.uint8).reshape(-1, 4)
    top, top_right, bottom, bottom_right = (levels[:, i].astype(np.float32) for i in range(4))
    top += x_weight * (top_right - top)
    bottom += x_weight * (bottom_right - bottom)
    top += y_weight * (bottom - top)
    pixels.reshape(-1)[:] = np.rint(top, out=top)


def interpolate_loop(padded: Pixels, _quads: Pixels, points: Array, pixels: Pixels) -> None:
    """The same as a loop."""
    for i in range(pixels.shape[0]):
        for j in range(pixels.shape[1]):
            x, y = int(points[0, i, j]), int(points[1, i, j])
            x_weight, y_weight = points[0, i, j] - np.float32(x), points[1, i, j] - np.float32(y)
            top, top_right = np.float32(padded[i, y, x]), np.float32(padded[i, y, x + 1])
            bottom = np.float32(padded[i, y + 1, x])
            bottom_right = np.float32(padded[i, y + 1, x + 1])
            top += x_weight * (top_right - top)
            bottom += x_weight * (bottom_right - bottom)
            pixels[i, j] = np.uint8(np.rint(top + y_weight * (bottom - top)))


def look_up(tables: Pixels, rows: npt.NDArray[np.intp], pixels: Pixels) -> None:
    """Replace the levels of each image by those in a row of ``tables``, shape (tables, 256)."""
    index = pixels + tables.shape[1] * rows[:, np.newaxis]
    np.take(tables.reshape(-1), index, out=pixels, mode="clip")


def look_up_loop(tables: Pixels, rows: npt.NDArray[np.intp], pixels: Pixels) -> None:
    """The same as a loop."""
    for i in range(pixels.shape[0]):
        for j in range(pixels.shape[1]):
            pixels[i, j] = tables[rows[i], pixels[i, j]]
