"""The strokes of a line whose digits touch, at the scale at which they are cut.

The components to be cut become pieces here, and images are made of what stands between two cuts:
for the recogniser alone, in MNIST's format, and for the network that judges cuts as it stands on
the line, with the strokes of its neighbours.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from dlcli.nn.dimensions import IMAGE_SIDE, IMAGE_SIZE
from dlcli.nn.types import Pixels
from dlcli.vision.candidate import Box, FloatImage, Mask
from dlcli.vision.components import Components, Integers, strokes_of
from dlcli.vision.cuts import candidate_cuts, side_of_cut, slant
from dlcli.vision.mnist_format import DIGIT_SIDE_PX, bounding_box, centre_digit
from dlcli.vision.morphology import dilate, label, rescale, stroke_widths, thicken
from dlcli.vision.normalization import MIN_STROKE_WIDTH_PX, STROKE_LEVEL, count_holes

# A line's digits are shrunk to this height before they are cut.
_HEIGHT_PX = 60
# The height of a line's digits in the images that show their neighbours, which have MNIST's size.
_CONTEXT_HEIGHT_PX = 20
# Parts of a candidate with a smaller fraction of its area are scraps of other digits.
_MIN_PART_AREA = 0.07


@dataclass(frozen=True)
class Pieces:
    """What the cuts of a component divide it into.

    Attributes
    ----------
    labels
        Of all pieces; they follow those of the components.
    boxes, mass
        Of each piece; the boxes in pixels of the foreground.
    on_left
        For each cut the pieces to the left of it.
    """

    labels: tuple[int, ...]
    boxes: tuple[Box, ...]
    mass: tuple[float, ...]
    on_left: tuple[frozenset[int], ...]


class LineImage:
    """A line, shrunk, and what each of its pixels belongs to.

    Attributes
    ----------
    lean
        How much its digits lean to the right, columns a row.
    """

    def __init__(self, components: Components, members: list[int], line_height: float) -> None:
        self._scale = min(1.0, _HEIGHT_PX / line_height)
        self._height = line_height * self._scale
        left, top, right, bottom = components.box(members)
        rows = slice(max(0, top - 1), bottom + 1)
        columns = slice(max(0, left - 1), right + 1)
        self._corner = columns.start, rows.start
        strokes = strokes_of(components, members)
        is_member = np.zeros(len(components.mass), np.bool_)
        is_member[members] = True
        size = strokes.shape
        if self._scale < 1:
            strokes = rescale(strokes, self._scale)
        self._window = rows, columns
        self._places = _places(size, strokes.shape)
        labels = self.sampled(components.labels)
        self.strokes: FloatImage = strokes
        self._is_stroke: Mask = strokes >= STROKE_LEVEL
        labels = np.where(is_member[labels], labels, 0).astype(np.int32)
        self.labels: npt.NDArray[np.int32] = _filled(labels, strokes)
        widths = stroke_widths(self._is_stroke)
        self._stroke_width = max(1.0, float(widths.mean())) if widths.size else 1.0
        self.lean = slant(self._pixels_by_label())

    def sampled(self, page: Integers) -> Integers:
        """The values of the line's pixels on an image as large as the page."""
        found: Integers = page[self._window][self._places]
        return found

    def _pixels_by_label(self) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
        """The rows and the columns of each component's strokes."""
        rows, columns = np.nonzero((self.labels != 0) & self._is_stroke)
        found = self.labels[rows, columns]
        order = np.argsort(found, kind="stable")
        ends = np.flatnonzero(np.diff(found[order])) + 1
        yield from zip(np.split(rows[order], ends), np.split(columns[order], ends), strict=True)

    def cut(self, components: Components, atom: int, first: int) -> Pieces | None:
        """Cut a component wherever digits may meet; its pieces have labels from the first on."""
        whole = self.labels == atom
        if not whole.any():
            return None
        window = bounding_box(whole)
        whole = whole[window]
        mask = np.asarray(whole & self._is_stroke[window], np.bool_)
        cuts = candidate_cuts(mask, self._height, self.lean)
        if not cuts:
            return None
        # Pixels on the right of the same cuts are a piece: the sum of their cuts' hashes is equal.
        rows, columns = np.nonzero(whole)
        hashes = np.random.default_rng(0).integers(2**64, size=len(cuts), dtype=np.uint64)
        codes = np.zeros(len(rows), np.uint64)
        parts = label(mask.view(np.uint8), connectivity=8)
        is_right = [side_of_cut(mask, cut, self._height, parts)[rows, columns] for cut in cuts]
        for right_of_cut, hashed in zip(is_right, hashes, strict=True):
            codes[right_of_cut] += hashed
        _, some, piece = np.unique(codes, return_index=True, return_inverse=True)
        self.labels[window][rows, columns] = first + piece
        mass = np.bincount(piece, self.strokes[window][rows, columns]).astype(np.float64)
        mass *= components.mass[atom] / max(float(mass.sum()), 1e-6)
        rows, columns = rows + window[0].start, columns + window[1].start
        return Pieces(
            tuple(range(first, first + len(some))),
            self._boxes(rows, columns, piece, components.box([atom])),
            tuple(mass.tolist()),
            tuple(
                frozenset((first + np.flatnonzero(~right_of_cut[some])).tolist())
                for right_of_cut in is_right
            ),
        )

    def _boxes(
        self, rows: Integers, columns: Integers, piece: npt.NDArray[np.intp], within: Box
    ) -> tuple[Box, ...]:
        """The boxes of pieces in pixels of the foreground, none larger than their component's."""
        low, high = _extents(np.stack([columns, rows]), piece)
        corner, end = np.reshape(within, (2, 2, 1))
        origin = np.array(self._corner)[:, np.newaxis]
        lows = np.clip(np.floor(low / self._scale).astype(int) + origin, corner, end - 1)
        highs = np.ceil((high + 1) / self._scale).astype(int) + origin
        highs = np.minimum(np.maximum(highs, lows + 1), end)
        return tuple(map(tuple, np.concatenate([lows, highs]).T.tolist()))

    def pixels(self, members: Iterable[int]) -> Pixels:
        """Components and pieces in MNIST's format, shape (784,)."""
        strokes, labels = self._drawn
        low, high = self._extents
        found = [member for member in members if member < low.shape[1] and high[0, member] >= 0]
        if not found:
            return np.zeros(IMAGE_SIZE, np.uint8)
        (left, top), (right, bottom) = low[:, found].min(axis=1), high[:, found].max(axis=1) + 1
        window = np.s_[top:bottom, left:right]
        is_member = np.zeros(low.shape[1], np.bool_)
        is_member[found] = True
        digit = np.where(is_member[labels[window]], strokes[window], np.float32(0))
        digit = _without_scraps(digit)
        is_stroke = digit >= STROKE_LEVEL
        if is_stroke.any():
            digit = digit[bounding_box(is_stroke)]
        scale = DIGIT_SIDE_PX / max(digit.shape)
        digit = np.clip(rescale(digit, scale), 0, 1)
        digit *= np.float32(255 / max(float(digit.max()), 1e-6))
        return centre_digit(digit).reshape(-1)

    @cached_property
    def _drawn(self) -> tuple[FloatImage, npt.NDArray[np.int32]]:
        """The strokes, thin ones thickened, and labels, when all is cut.

        Loops stay open, as in :func:`dlcli.vision.normalization.normalize_digit`.
        """
        pixel = self._height / DIGIT_SIDE_PX
        missing = max(0, round((MIN_STROKE_WIDTH_PX * pixel - self._stroke_width) / 2))
        holes = count_holes(self._is_stroke, pixel) if missing else 0
        while missing:
            thick = thicken(self.strokes, missing)
            if count_holes(thick >= STROKE_LEVEL, pixel) >= holes:
                labels = np.pad(self.labels, missing)
                for _ in range(missing):
                    labels = _filled(labels, thick)
                return thick, labels
            missing //= 2
        return self.strokes, self.labels

    @cached_property
    def _extents(self) -> tuple[Integers, Integers]:
        """The least and greatest column and row of each component and piece."""
        _, labels = self._drawn
        rows, columns = np.nonzero(labels)
        return _extents(np.stack([columns, rows]), labels[rows, columns])

    def upright(self) -> tuple[FloatImage, npt.NDArray[np.int32]]:
        """The strokes and labels at the height of the context images, without their slant."""
        drawn, labels = self._drawn
        scale = _CONTEXT_HEIGHT_PX / self._height
        strokes = np.clip(rescale(drawn, scale), 0, 1)
        height, width = strokes.shape
        labels = _filled(labels[_places(labels.shape, strokes.shape)], strokes)
        shifts = np.rint(self.lean * np.arange(height)).astype(int)
        shifts -= shifts.min()
        margin = IMAGE_SIDE
        size = height + 2 * margin, width + int(shifts.max()) + 2 * margin
        sheared, sheared_labels = np.zeros(size, np.float32), np.zeros(size, np.int32)
        at = (
            np.arange(height)[:, np.newaxis] + margin,
            np.arange(width) + shifts[:, np.newaxis] + margin,
        )
        sheared[at], sheared_labels[at] = strokes, labels
        return sheared, sheared_labels

    @cached_property
    def _context(
        self,
    ) -> tuple[Pixels, npt.NDArray[np.intp], dict[int, int], Integers, Integers]:
        """What :meth:`upright` gives: grey levels, and for each pixel the place of its label.

        The places by label, that of the background left out; and the extents of each.
        """
        strokes, labels = self.upright()
        found, index = np.unique(labels, return_inverse=True)
        index = index.reshape(labels.shape)
        rows, columns = np.nonzero(labels)
        low, high = _extents(np.stack([columns, rows]), index[rows, columns], len(found))
        place_of = {int(member): place for place, member in enumerate(found) if member}
        return np.rint(strokes * 255).astype(np.uint8), index, place_of, low, high

    def in_context(self, candidates: Sequence[Iterable[int]], shift: int = 0) -> Pixels:
        """Candidates, and the strokes around each, shape (n, 2 * 784).

        The line's digits are 20 pixels high, and upright; the middle of the candidate's box is in
        the middle of the image, or so many pixels to the right. The first half shows the candidate
        and the second its neighbours.
        """
        levels, index, place_of, low, high = self._context
        is_member = np.zeros((len(candidates), low.shape[1]), np.bool_)
        for number, members in enumerate(candidates):
            is_member[number, [place_of[m] for m in members if m in place_of]] = True
        start = np.where(is_member, low[:, np.newaxis], levels.size).min(axis=2)
        end = np.where(is_member, high[:, np.newaxis], -1).max(axis=2)
        middles = np.where(end < 0, IMAGE_SIDE, (start + end + 1) // 2)
        left, top = middles - IMAGE_SIDE // 2
        left -= shift
        windows = (IMAGE_SIDE, IMAGE_SIDE)
        shown = np.lib.stride_tricks.sliding_window_view(levels, windows)[top, left]
        owners = np.lib.stride_tricks.sliding_window_view(index, windows)[top, left]
        is_own = is_member[np.arange(len(candidates))[:, np.newaxis, np.newaxis], owners]
        images = np.stack([np.where(is_own, shown, 0), np.where(is_own, 0, shown)], axis=1)
        return images.astype(np.uint8, copy=False).reshape(len(candidates), -1)


def _places(
    whole: tuple[int, ...], size: tuple[int, ...]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The row and the column of an image that each pixel of a smaller or larger copy shows."""
    down, across = (
        ((np.arange(new) + 0.5) * (old / new)).astype(np.intp)
        for new, old in zip(size, whole, strict=True)
    )
    return down[:, np.newaxis], across


def _extents(
    points: Integers, group: Integers, count: int | None = None
) -> tuple[Integers, Integers]:
    """The least and greatest coordinates of each group of points, shape (2, groups)."""
    groups = int(group.max()) + 1 if count is None else count
    low = np.full((2, groups), np.iinfo(np.int64).max)
    high = np.full((2, groups), -1)
    for axis in range(2):
        np.minimum.at(low[axis], group, points[axis])
        np.maximum.at(high[axis], group, points[axis])
    return low, high


def _filled(labels: Integers, strokes: FloatImage) -> npt.NDArray[np.int32]:
    """The labels, with the grey edges of strokes given to what is beside them."""
    beside = dilate(labels.astype(np.float32), 3, 3)
    is_edge = (labels == 0) & (strokes > 0)
    return np.where(is_edge, beside, labels).astype(np.int32)


def _without_scraps(strokes: FloatImage) -> FloatImage:
    """The strokes without small parts, as cuts leave them of the digits beside."""
    mask = (strokes >= STROKE_LEVEL).view(np.uint8)
    labels, statistics = label(mask, connectivity=8)
    if len(statistics) <= 2:
        return strokes
    areas = statistics[1:, -1]
    # The largest part stays: of many equal ones, each is small.
    scraps = 1 + np.flatnonzero(areas < min(_MIN_PART_AREA * areas.sum(), areas.max()))
    if not scraps.size:
        return strokes
    return np.where(dilate(np.isin(labels, scraps).view(np.uint8), 3, 3), np.float32(0), strokes)
