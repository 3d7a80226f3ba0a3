"""The scorer chooses among candidates, from likely to unlikely ways of finding the digit."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from dlcli.vision.candidate import Candidate
from dlcli.vision.localization import MAX_OOD_ACCEPTED, Search, locate_digit
from dlcli.vision.rejection import RejectionReason
from dlcli.vision.test_time_augmentation import FIRST_VARIANTS

Box = tuple[int, int, int, int]
ONE = (140, 60, 160, 240)
SEVEN = (ONE, (60, 60, 160, 80))


def page(*boxes: Box, size: tuple[int, int] = (300, 300), paper: int = 240, pen: int = 20):
    picture = Image.new("L", size, paper)
    for box in boxes:
        picture.paste(pen, box)
    return picture


def accept_all(images: np.ndarray) -> np.ndarray:
    return np.zeros(len(images), np.float32)


def reject_all(images: np.ndarray) -> np.ndarray:
    return np.ones(len(images), np.float32)


def is_wide(images: np.ndarray) -> np.ndarray:
    """Whether each image is wider than high: a score that takes upright bars for digits."""
    levels = images.reshape(-1, 28, 28)
    high, wide = (np.count_nonzero(levels.max(axis=axis) > 127, axis=1) for axis in (2, 1))
    return (wide > high).astype(np.float32)


def is_no_bar(images: np.ndarray) -> np.ndarray:
    """Whether each image has more strokes than a single upright bar."""
    levels = images.reshape(-1, 28, 28)
    high, wide = (np.count_nonzero(levels.max(axis=axis) > 127, axis=1) for axis in (2, 1))
    return (wide > high / 5).astype(np.float32)


class Counted:
    """A scorer that remembers how many images it was asked about each time."""

    def __init__(self, score: float) -> None:
        self.score = score
        self.counts: list[int] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.counts.append(len(images))
        return np.full(len(images), self.score, np.float32)


def is_near(found: Box | None, expected: Box, by: int) -> bool:
    return found is not None and max(abs(np.subtract(found, expected))) <= by


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(("paper", "pen"), [(240, 20), (20, 240), (200, 150), (60, 110)])
def test_a_stroke_is_found_in_either_polarity(mode, paper, pen):
    found = locate_digit(page(ONE, paper=paper, pen=pen).convert(mode), accept_all)
    assert found.rejection is None
    assert is_near(found.box, ONE, 2)
    assert found.pixels is not None
    assert np.count_nonzero(found.pixels.reshape(28, 28)[14] > 127) in {2, 3, 4}


@pytest.mark.parametrize(
    "size", [(28, 28), (50, 20), (111, 90), (320, 320), (1000, 700), (60, 900)]
)
def test_boxes_are_in_the_pixels_of_the_picture(size):
    width, height = size
    box = (round(0.4 * width), round(0.3 * height), round(0.6 * width), round(0.7 * height))
    found = locate_digit(page(box, size=size), accept_all)
    assert is_near(found.box, box, max(2, max(size) // 100))


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (3, 500), (500, 3), (1, 40), (2000, 9)])
def test_the_smallest_and_longest_pictures_are_searched(size):
    noise = np.random.default_rng(0).integers(0, 256, size[::-1], dtype=np.uint8)
    for scorer in (accept_all, reject_all):
        found = locate_digit(Image.fromarray(noise), scorer, explain=True)
        assert (found.pixels is None) == (found.box is None)
        if found.box is not None:
            left, top, right, bottom = found.box
            assert 0 <= left <= right <= size[0]
            assert 0 <= top <= bottom <= size[1]


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (300, 200), (28, 28)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_even_picture_is_blank(size, level):
    found = locate_digit(Image.new("L", size, level), accept_all, explain=True)
    assert found.rejection == RejectionReason.BLANK
    assert (found.pixels, found.box, found.variants) == (None, None, None)
    assert found.trace is not None
    assert (found.trace.box, found.trace.foreground) == (None, None)


def test_a_speck_alone_is_no_likely_digit():
    search = Search(page((50, 50, 54, 54)))
    assert search.likely() == []
    assert not search.is_blank


def test_the_best_candidate_is_the_digit_and_not_the_heaviest():
    bar = (20, 250, 280, 280)
    assert is_near(locate_digit(page(ONE, bar), is_wide).box, ONE, 2)


def test_of_equal_candidates_the_likeliest_is_taken():
    search = Search(page(ONE, (20, 250, 280, 280)))
    candidates = search.likely()
    assert candidates[0].penalty == 0
    assert all(candidate.penalty > 0 for candidate in candidates[1:])
    picture = page(ONE, (20, 250, 280, 280))
    for scorer in (Counted(0.2), reject_all):
        assert locate_digit(picture, scorer).box == candidates[0].box


def test_costlier_ways_are_tried_only_if_nothing_is_accepted(monkeypatch):
    asked = []
    unlikely = Search.unlikely

    def counted(search, likely):
        asked.append(len(likely))
        return unlikely(search, likely)

    monkeypatch.setattr(Search, "unlikely", counted)
    accepts, rejects = Counted(MAX_OOD_ACCEPTED - 0.01), Counted(MAX_OOD_ACCEPTED)
    lined = page(*SEVEN, (0, 236, 300, 239))
    assert locate_digit(lined, accepts).ood_score == pytest.approx(MAX_OOD_ACCEPTED - 0.01)
    assert asked == []
    locate_digit(lined, rejects)
    assert len(asked) == 1
    assert rejects.counts[: asked[0]] == [1] * asked[0]
    assert rejects.counts[asked[0]] > 1


def test_one_candidate_that_is_accepted_is_enough(monkeypatch):
    monkeypatch.setattr(Search, "unlikely", None)
    assert is_near(locate_digit(page(ONE, (20, 250, 280, 280)), is_wide).box, ONE, 2)


@pytest.mark.parametrize(("factor", "number"), [(1, FIRST_VARIANTS), (5, 46)])
def test_the_score_is_the_mean_over_the_first_variants_or_over_all_if_it_is_doubtful(
    sample, factor, number
):
    digit = Image.fromarray(255 - sample.test.images[0].reshape(28, 28)).resize((200, 200))
    found = locate_digit(digit, lambda images: factor * images.mean(axis=1) / 255)
    variants = found.all_variants
    assert variants is not None
    assert variants.shape == (46, 784)
    assert (variants[0] == found.pixels).all()
    assert found.variants is not None
    assert (found.variants == variants[:FIRST_VARIANTS]).all()
    expected = factor * variants[:number].mean() / 255
    assert found.ood_score == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("score", [0, 0.01, 0.15])
def test_candidates_that_cannot_become_the_best_are_not_scored(score):
    picture = page(ONE, (20, 250, 280, 280))
    scorer = Counted(score)
    found = locate_digit(picture, scorer)
    candidates = Search(picture).likely()
    asked = [1 for candidate in candidates if candidate.penalty < score] or [1]
    assert scorer.counts == [*asked, FIRST_VARIANTS]
    assert found.box == candidates[0].box


def boxes_of(candidates) -> list[Box]:
    return [candidate.box for candidate in candidates]


def test_a_digit_on_a_printed_line_is_separated_by_the_costlier_ways():
    whole = (60, 60, 160, 240)
    search = Search(page(*SEVEN, (0, 236, 300, 239)))
    likely = search.likely()
    assert not any(is_near(box, whole, 5) for box in boxes_of(likely))
    assert any(is_near(box, whole, 5) for box in boxes_of(search.unlikely(likely)))


def test_a_pen_that_is_lighter_in_some_colours_is_searched_where_it_is_darker():
    """Closing fills what a light stroke and the border enclose in red and green."""
    paper, yellow = (180, 175, 160), (225, 205, 60)
    picture = Image.new("RGB", (300, 200), paper)
    for box in ((10, 0, 22, 60), (50, 0, 62, 110), (22, 48, 50, 60)):  # a 4 in the corner
        picture.paste(yellow, box)
    search = Search(picture)
    likely = search.likely()

    def are_open(candidates: list[Candidate]) -> list[bool]:
        return [not candidate.foreground[30, 36] for candidate in candidates]

    assert not any(are_open(likely))
    assert any(are_open(search.unlikely(likely)))


def test_the_costlier_ways_find_no_bars():
    """What is left of a line looks like a 1."""
    search = Search(page(ONE, (0, 236, 300, 239)))
    likely = search.likely()
    assert not any(is_near(box, ONE, 5) for box in boxes_of(search.unlikely(likely)))


@pytest.mark.parametrize("end", [(220, 60), (80, 60), (150, 40)])
def test_the_costlier_ways_find_no_slanting_bars_either(end):
    picture = page((0, 236, 300, 239))
    ImageDraw.Draw(picture).line([(150, 225), end], fill=20, width=20)
    search = Search(picture)
    assert not search.unlikely(search.likely())


FRAME = ((60, 30, 70, 270), (230, 30, 240, 270), (60, 30, 240, 40), (60, 260, 240, 270))


@pytest.mark.parametrize("others", [((40, 60, 100, 120),), FRAME], ids=["beside", "in a frame"])
def test_a_one_beside_something_else_is_found(others):
    boxes = boxes_of(Search(page(ONE, *others)).likely())
    assert any(is_near(box, ONE, 2) for box in boxes)


def test_a_sheet_of_paper_is_searched_for_what_is_on_it():
    desk = page((40, 40, 260, 260), paper=30, pen=230)
    desk.paste(20, ONE)
    search = Search(desk)
    likely = search.likely()
    assert any(is_near(box, ONE, 3) for box in boxes_of(likely + search.unlikely(likely)))


SECOND = (200, 60, 220, 240)


@pytest.mark.parametrize(
    ("other", "are_several"),
    [
        (SECOND, True),
        ((80, 80, 100, 230), True),
        ((250, 60, 270, 240), True),  # far away
        ((200, 60, 220, 130), False),  # less than half as high
        ((140, 255, 160, 290), False),  # below
        ((280, 60, 300, 240), False),  # cut off by the border
    ],
)
@pytest.mark.parametrize("scorer", [is_no_bar, lambda images: 0.9 + 0.1 * is_no_bar(images)])
def test_a_digit_beside_another_is_one_of_several(other, are_several, scorer):
    found = locate_digit(page(ONE, other), scorer)
    assert (found.rejection == RejectionReason.SEVERAL_DIGITS) == are_several
    assert (found.variants is None) == are_several
    assert (found.ood_score is None) == are_several
    assert found.pixels is not None
    assert found.box is not None


def test_strokes_beside_each_other_may_be_one_digit_together():
    candidates = Search(page(ONE, SECOND)).likely()
    both = (*ONE[:2], *SECOND[2:])
    together = [candidate for candidate in candidates if is_near(candidate.box, both, 2)]
    alone = [candidate for candidate in candidates if is_near(candidate.box, ONE, 2)]
    assert together
    assert alone
    assert not any(candidate.has_neighbour for candidate in together)
    assert all(candidate.has_neighbour for candidate in alone)
    found = locate_digit(page(ONE, SECOND), lambda images: 1 - is_no_bar(images))
    assert found.rejection is None
    assert found.box == together[0].box


def test_the_steps_are_kept_if_asked_for():
    picture = page(ONE)
    assert locate_digit(picture, accept_all).trace is None
    found = locate_digit(picture, accept_all, explain=True)
    assert found.trace is not None
    assert found.trace.picture is picture
    assert found.trace.box == found.box
    assert found.trace.foreground is not None
    assert found.trace.foreground[150, 150] > 200
    assert found.trace.foreground[10, 10] == 0


def test_a_loop_with_a_dot_inside_is_not_taken_for_an_empty_loop():
    picture = page((140, 140, 165, 165))
    ImageDraw.Draw(picture).ellipse((80, 50, 220, 250), outline=20, width=16)
    assert np.count_nonzero(Search(picture).likely()[0].pixels.reshape(28, 28)[12:16, 12:16]) > 8


@pytest.mark.parametrize("longest", [900, 1000])
def test_the_box_of_a_reduced_picture_is_in_the_pixels_it_had_before(longest):
    picture = page(ONE)
    found = locate_digit(picture, accept_all, size=(longest, longest), explain=True)
    scale = longest / 300
    expected = tuple(round(scale * edge) for edge in ONE)
    assert is_near(found.box, expected, 2 * round(scale))
    assert found.trace is not None
    assert is_near(found.trace.box, ONE, 3)


@pytest.mark.parametrize("size", [(400, 300), (500, 333), (700, 500), (333, 500)])
def test_boxes_are_rounded_outwards(size):
    """Nothing of the digit is cut off by its box."""
    box = (101, 77, 131, 215)
    found = locate_digit(page(box, size=size), accept_all).box
    assert found is not None
    left, top, right, bottom = found
    assert left <= box[0]
    assert top <= box[1]
    assert right >= box[2]
    assert bottom >= box[3]


@pytest.mark.parametrize(("pen", "side"), [(4, 15), (5, 17), (6, 15)])
@pytest.mark.parametrize("is_inverted", [False, True])
def test_a_six_with_a_filled_loop_wider_than_a_window_is_no_one(pen, side, is_inverted):
    picture = Image.new("L", (28, 28), 255)
    draw = ImageDraw.Draw(picture)
    draw.line([(4, 1), (4, 26 - side // 2)], fill=0, width=pen)
    draw.ellipse([3, 28 - side, 3 + side, 26], fill=0)
    found = locate_digit(ImageOps.invert(picture) if is_inverted else picture)
    assert found.pixels is not None
    strokes = found.pixels.reshape(28, 28) > 127
    assert np.count_nonzero(strokes.any(axis=0)) >= 10  # a bar is narrower


def test_what_a_window_leaves_of_a_thick_seven_is_no_one():
    """Its background is uneven, so windows are all there is."""
    picture = page((60, 60, 200, 130), (150, 60, 200, 260))
    levels = np.asarray(picture) * np.linspace(0.7, 1, 300)
    found = locate_digit(Image.fromarray(levels.astype(np.uint8)), is_no_bar_or_likely)
    assert is_near(found.box, (60, 60, 200, 260), 6)


def is_no_bar_or_likely(images: np.ndarray) -> np.ndarray:
    """A score that likes bars better than whatever else it takes for a digit."""
    return 0.25 * is_no_bar(images)


def test_the_grey_of_an_enlarged_picture_is_kept():
    """Pixels that are strokes in part keep their level; in larger pictures they become strokes."""
    small = np.zeros((28, 28), np.uint8)
    small[4:24, 10:18] = np.array([90, 170, 255, 255, 255, 255, 170, 90], np.uint8)
    large = np.kron(small, np.ones((8, 8), np.uint8))
    grey, sharp = (locate_digit(Image.fromarray(levels), accept_all) for levels in (small, large))
    assert grey.pixels is not None
    assert sharp.pixels is not None
    assert int(grey.pixels.sum()) < 0.9 * int(sharp.pixels.sum())
