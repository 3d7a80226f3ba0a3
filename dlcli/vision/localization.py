"""Localisation: the digit on a picture of any size, or why there is none.

The picture is searched twice, from coarse to fine: an overview of at most 256 pixels shows where
candidates are, and a crop around each shows its strokes. Candidates follow one another from the
likeliest on; the first that the rejection network accepts is the digit. If none is, digits are
separated from lines and boxes that they are joined with, and a page that was taken for a digit is
searched with the other polarity.

Constants without a source were set by hand on synthetic photographs (``make photographs``).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

import numpy as np
from PIL import Image

from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Array, Pixels
from dlcli.vision.candidate import Box, Candidate, FloatImage, Mask, PreprocessingTrace
from dlcli.vision.components import HIGH_THRESHOLD, LOW_THRESHOLD, ComponentGroup, find_digit
from dlcli.vision.foreground import Foreground, extract_foreground, is_dark_on_light, remove_lines
from dlcli.vision.mnist_format import DIGIT_SIDE_PX, bounding_box, to_mnist_format
from dlcli.vision.morphology import dilate, thicken
from dlcli.vision.rejection import RejectionReason, ood_scores
from dlcli.vision.test_time_augmentation import tta_variants

Scorer = Callable[[Pixels], Array]

# The longest side of the overview, and the length of the digit in a crop.
_OVERVIEW_SIDE_PX = 256
_CROP_DIGIT_LENGTH_PX = 100
# Room around the digit in a crop, as a fraction of its length.
_CROP_MARGIN = 0.4
# Windows for closing: in the overview, fractions of its longest side, for strokes of any width;
# in a crop, so many times the width of the strokes, and at most a fraction of its longest side.
_OVERVIEW_WINDOWS = (0.05, 0.12, 0.35)
_CROP_WINDOW_STROKES = 4
_MAX_CROP_WINDOW = 0.6

# The least intersection over union (IoU) of two boxes that are the same place, and of a digit in
# the overview and in a crop.
_MIN_IOU_SAME_PLACE = 0.8
_MIN_IOU_SAME_DIGIT = 0.6

# A line that a digit is joined with is at least this fraction as long as both together, or so many
# times as long as the digit, and at most so many times as thick as its strokes.
_MIN_LINE_LENGTH = 0.85
_MIN_LINE_TO_DIGIT = 1.15
_MAX_LINE_THICKNESS = 2.0
# The fraction of a box's height or width in which its own lines run.
_BORDER = 0.25
# Without the lines, at least this fraction of the foreground must be the digit.
_MIN_DIGIT_FRACTION = 0.7
# How far, in a crop, a digit may reach beyond the box found in the overview.
_BOX_TOLERANCE_PX = 2

# What covers more of its bounding box than MNIST's digits do, and is wider than a bar, is a page.
_MAX_COVERAGE = 0.7
_MIN_PAGE_ASPECT = 0.5

# 95 % of MNIST's digits, scaled to 20x20, have strokes wider than 1.9 pixels; the median is 2.7.
# Thinner strokes are thickened to this.
MIN_STROKE_WIDTH_PX = 2.6

# Foreground at the first fraction of the pen's level is background, at the second full
# foreground, and grey in between, as the antialiased edges of MNIST's strokes are.
_BACKGROUND_LEVEL, _FULL_LEVEL = 0.2, 0.7
# The grey edge of a stroke reaches two pixels beyond its mask on either side.
_SOFT_EDGE_WINDOW_PX = 5

# Up to these OOD scores a candidate may be a digit, is accepted at once, and is accepted although
# an earlier one may be a digit. When they were set, 99 %, 99 % and 92 % of the digits on synthetic
# photographs were below.
_MAX_OOD_POSSIBLE = 0.2
_MAX_OOD_ACCEPTED = 0.1
_MAX_OOD_PREFERRED = 0.01


def locate_digit(picture: Image.Image, scorer: Scorer = ood_scores) -> Candidate:
    """The digit on a picture in mode L or RGB, or a rejected candidate.

    The scorer gives the OOD score of each image, shape (n, 784).
    """
    overview = picture.copy()
    overview.thumbnail((_OVERVIEW_SIDE_PX, _OVERVIEW_SIDE_PX), Image.Resampling.BOX)
    dark_on_light = is_dark_on_light(_channels(overview), _overview_windows(overview)[1:])
    search = _Search(picture, overview, dark_on_light=dark_on_light)
    best = _select(chain(search.candidates(), search.candidates_without_lines()), scorer)
    if best is None:
        is_blank = all(foreground.is_blank for foreground in search.foregrounds)
        reason = RejectionReason.BLANK if is_blank else RejectionReason.NO_DIGIT
        return Candidate(None, reason, trace=PreprocessingTrace(picture))
    if _is_page(best):
        inverted = _Search(picture, overview, dark_on_light=not dark_on_light)
        other = _select(inverted.candidates(), scorer)
        if other is not None and other.rejection is None and not _is_page(other):
            return other
    return best


def _select(candidates: Iterable[Candidate], scorer: Scorer) -> Candidate | None:
    """The first candidate that is certainly a digit, or several digits.

    Else the first that may be a digit, else the very first. Each candidate's variants are scored
    in one batch; the score of the first variant, the candidate as it is, selects.
    """
    first = possible = None
    for candidate in candidates:
        if candidate.rejection is not None or candidate.pixels is None:
            first = first or candidate
            if candidate.rejection == RejectionReason.SEVERAL_DIGITS and possible is None:
                return candidate
            continue
        variants = tta_variants(candidate.pixels)
        scores = scorer(variants)
        scored = replace(candidate, variants=variants, ood_score=float(scores.mean()))
        first = first or scored
        if scores[0] < (_MAX_OOD_ACCEPTED if possible is None else _MAX_OOD_PREFERRED):
            return scored
        if scores[0] < _MAX_OOD_POSSIBLE:
            possible = possible or scored
    return possible or first


def _is_page(candidate: Candidate) -> bool:
    """Whether a candidate covers so much of its bounding box that it may be a sheet of paper."""
    if candidate.pixels is None:
        return False
    mask = candidate.pixels.reshape(IMAGE_SIDE, IMAGE_SIDE) > np.iinfo(np.uint8).max / 2
    box = mask[bounding_box(mask)]
    return bool(box.mean() > _MAX_COVERAGE) and min(box.shape) > _MIN_PAGE_ASPECT * max(box.shape)


class _Search:
    """The search for the digit on a picture, for one polarity."""

    def __init__(self, picture: Image.Image, overview: Image.Image, *, dark_on_light: bool) -> None:
        self.picture = picture
        # From the longer side, because that of the shorter one is rounded too much.
        self.scale = max(picture.size) / max(overview.size)
        channels = _channels(overview)
        self.foregrounds = [
            extract_foreground(channels, window, dark_on_light=dark_on_light)
            for window in _overview_windows(overview)
        ]
        if all(foreground.is_blank for foreground in self.foregrounds):
            window = _largest_window(overview)
            self.foregrounds = [extract_foreground(channels, window, dark_on_light=dark_on_light)]
        self.dark_on_light = dark_on_light

    def candidates(self) -> Iterator[Candidate]:
        """The candidates on the picture, from the likeliest on."""
        tried: list[Box] = []
        found = filter(None, map(find_digit, self.foregrounds))
        for group in sorted(found, key=lambda group: -group.score):
            if all(_iou(group.box, box) < _MIN_IOU_SAME_PLACE for box in tried):
                tried.append(group.box)
                yield from self._refine(group)

    def candidates_without_lines(self) -> Iterator[Candidate]:
        """The candidates that appear when lines and boxes joined with a digit are removed."""
        for foreground in self.foregrounds:
            joined = find_digit(foreground)
            if joined is None:
                continue
            left, top, right, bottom = joined.box
            rows, columns = _MIN_LINE_LENGTH * (right - left), _MIN_LINE_LENGTH * (bottom - top)
            for lengths in ((rows, columns), (rows, np.inf)):
                separated = _without_lines(foreground, joined, lengths)
                lines = joined.mask & (separated.levels == 0)
                if not _is_box_or_underline(lines[top:bottom, left:right]):
                    continue
                group = find_digit(separated)
                rest = float(foreground.levels[joined.mask & ~lines].sum())
                if (
                    group is not None
                    and foreground.levels[group.mask].sum() >= _MIN_DIGIT_FRACTION * rest
                ):
                    yield from self._refine(group, lines_removed=True)

    def _refine(self, group: ComponentGroup, *, lines_removed: bool = False) -> Iterator[Candidate]:
        """The candidates in a crop around a group of the overview."""
        crop_box, crop, crop_scale = self._crop(group)
        window = _CROP_WINDOW_STROKES * group.stroke_width * self.scale * crop_scale
        window = _odd(min(window, _MAX_CROP_WINDOW * max(crop.size)))
        channels = _channels(crop)
        foreground = extract_foreground(channels, window, dark_on_light=self.dark_on_light)
        if foreground.is_blank:
            window = _largest_window(crop)
            foreground = extract_foreground(channels, window, dark_on_light=self.dark_on_light)
        expected = self._box_in_crop(group.box, crop_box, crop_scale)
        for threshold in (LOW_THRESHOLD, HIGH_THRESHOLD):
            digit = find_digit(foreground, threshold)
            if digit is not None and lines_removed:
                digit = find_digit(_restricted(foreground, digit, expected), threshold)
            if digit is None:
                continue
            strokes = _extract_digit(foreground.levels, digit)
            levels = foreground.levels / digit.components.level
            yield Candidate(
                to_mnist_format(strokes),
                self._rejection(group, digit, _iou(expected, digit.box), crop_box),
                trace=PreprocessingTrace(self.picture, crop_box, levels, digit.box, strokes),
            )

    def _crop(self, group: ComponentGroup) -> tuple[tuple[int, int, int, int], Image.Image, float]:
        """The box around a group in the picture, and that part scaled, with its scale."""
        left, top, right, bottom = (edge * self.scale for edge in group.box)
        length = max(right - left, bottom - top)
        margin = _CROP_MARGIN * length
        box = (
            max(0, int(left - margin)),
            max(0, int(top - margin)),
            min(self.picture.width, int(right + margin) + 1),
            min(self.picture.height, int(bottom + margin) + 1),
        )
        scale = _CROP_DIGIT_LENGTH_PX / length
        width, height = (max(1, round(side * scale)) for side in (box[2] - box[0], box[3] - box[1]))
        method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
        return box, self.picture.crop(box).resize((width, height), method), scale

    def _box_in_crop(self, box: Box, crop_box: Box, crop_scale: float) -> Box:
        """A box of the overview in the coordinates of a crop."""
        x, y = crop_box[:2]
        left, top, right, bottom = (edge * self.scale for edge in box)
        return (
            (left - x) * crop_scale,
            (top - y) * crop_scale,
            (right - x) * crop_scale,
            (bottom - y) * crop_scale,
        )

    def _rejection(
        self, group: ComponentGroup, digit: ComponentGroup, iou: float, crop_box: Box
    ) -> RejectionReason | None:
        """Why the digit of a crop, which overlaps with that of the overview, is not one."""
        if digit.rejection is not None:
            return digit.rejection
        if self._is_cut_off(digit, crop_box):
            return RejectionReason.NO_DIGIT
        if digit.has_others or (group.has_others and iou >= _MIN_IOU_SAME_DIGIT):
            return RejectionReason.SEVERAL_DIGITS
        return None

    def _is_cut_off(self, digit: ComponentGroup, crop_box: Box) -> bool:
        """Whether the digit continues beyond the crop."""
        left, top, right, bottom = crop_box
        width, height = self.picture.size
        continues = {
            "top": top > 0,
            "bottom": bottom < height,
            "left": left > 0,
            "right": right < width,
        }
        contact = digit.components.contact
        return any(continues[side] and contact[side][digit.parts].any() for side in continues)


def _without_lines(
    foreground: Foreground, group: ComponentGroup, lengths: tuple[float, float]
) -> Foreground:
    """The foreground without lines of these lengths that are as thin and strong as the group."""
    threshold = LOW_THRESHOLD * group.components.level
    thickness = _MAX_LINE_THICKNESS * group.stroke_width
    return remove_lines(foreground, threshold, thickness, lengths)


def _extract_digit(levels: FloatImage, digit: ComponentGroup) -> FloatImage:
    """The foreground of the digit alone, 0 to 1, its strokes thickened to MNIST's if thinner."""
    pen_level = digit.components.level
    grey_range = _FULL_LEVEL - _BACKGROUND_LEVEL
    strokes = np.clip((levels / pen_level - _BACKGROUND_LEVEL) / grey_range, 0, 1)
    strokes *= dilate(digit.mask, _SOFT_EDGE_WINDOW_PX, _SOFT_EDGE_WINDOW_PX)
    left, top, right, bottom = digit.box
    mnist_pixel = max(right - left, bottom - top) / DIGIT_SIDE_PX
    missing = MIN_STROKE_WIDTH_PX * mnist_pixel - digit.stroke_width
    return thicken(strokes, max(round(missing / 2), 0))


def _is_box_or_underline(lines: Mask) -> bool:
    """Whether lines run along all sides of a bounding box, or along its lower side alone."""
    height, width = lines.shape
    rows = lines.mean(axis=1) > _MIN_LINE_LENGTH / 2
    columns = lines.mean(axis=0) > _MIN_LINE_LENGTH / 2
    border_rows, border_columns = round(_BORDER * height), round(_BORDER * width)
    below = rows[-border_rows:].any()
    others = rows[:-border_rows].any()
    around = (
        rows[:border_rows].any()
        and columns[:border_columns].any()
        and columns[-border_columns:].any()
    )
    return bool(below and (around or not (others or columns.any())))


def _restricted(foreground: Foreground, digit: ComponentGroup, expected: Box) -> Foreground:
    """The foreground in the expected box, without lines that are longer than the box."""
    left, top, right, bottom = expected
    inside = np.zeros(foreground.levels.shape, np.bool_)
    inside[
        max(round(top) - _BOX_TOLERANCE_PX, 0) : round(bottom) + _BOX_TOLERANCE_PX,
        max(round(left) - _BOX_TOLERANCE_PX, 0) : round(right) + _BOX_TOLERANCE_PX,
    ] = True
    lengths = (_MIN_LINE_TO_DIGIT * (right - left), _MIN_LINE_TO_DIGIT * (bottom - top))
    separated = _without_lines(foreground, digit, lengths)
    return replace(separated, levels=np.where(inside, separated.levels, np.float32(0)))


def _iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    intersection = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return intersection / (sum(areas) - intersection)


def _channels(picture: Image.Image) -> Pixels:
    """The picture as an array of shape (channels, height, width)."""
    return np.ascontiguousarray(np.atleast_3d(np.asarray(picture)).transpose(2, 0, 1))


def _overview_windows(overview: Image.Image) -> list[int]:
    return [_odd(fraction * max(overview.size)) for fraction in _OVERVIEW_WINDOWS]


def _largest_window(picture: Image.Image) -> int:
    """A window for strokes so thick that smaller windows left nothing of them."""
    return _odd(2 * max(picture.size))


def _odd(side: float) -> int:
    """The nearest odd number, so that a window has a pixel in its middle."""
    return max(3, round(side) | 1)
