"""Cells of grids: drawn straight or at a slant, with strokes on lines, and with nothing in them."""

import cv2
import numpy as np
import pytest
from PIL import Image

from dlcli.vision.grid_cells import find_cells

CELL = 60
PAD = 50
LAYOUT = ["5.3", "..7", "1.."]


@pytest.fixture(scope="module")
def grid(sample) -> np.ndarray:
    """A grid of three rows and columns with digits in some cells, dark on white."""
    side = 3 * CELL + 2 * PAD
    page = np.full((side, side), 255, np.uint8)
    for number in range(4):
        at = PAD + CELL * number
        page[at - 1 : at + 2, PAD : side - PAD] = 60
        page[PAD : side - PAD, at - 1 : at + 2] = 60
    for row, line in enumerate(LAYOUT):
        for column, character in enumerate(line):
            if character != ".":
                index = np.flatnonzero(sample.test.labels == int(character))[0]
                digit = cv2.resize(sample.test.images[index].reshape(28, 28), (54, 54))
                top, left = PAD + CELL * row + 3, PAD + CELL * column + 3
                part = page[top : top + 54, left : left + 54]
                np.minimum(part, 255 - digit, out=part)
    return page


def filled(page: np.ndarray, rows: int = 3, columns: int = 3) -> list[str]:
    cells = find_cells(Image.fromarray(page), rows, columns)
    return ["".join("." if cell.pixels is None else "x" for cell in row) for row in cells]


EXPECTED = ["x.x", "..x", "x.."]


def test_digits_stand_in_their_cells_without_the_lines(grid, sample):
    cells = find_cells(Image.fromarray(grid), 3, 3)
    assert filled(grid) == EXPECTED
    for row, line in enumerate(LAYOUT):
        for column, character in enumerate(line):
            if character != ".":
                index = np.flatnonzero(sample.test.labels == int(character))[0]
                found = cells[row][column].pixels
                assert found is not None
                assert np.corrcoef(found, sample.test.images[index])[0, 1] > 0.8


def test_boxes_are_fractions_of_the_picture(grid):
    cells = find_cells(Image.fromarray(grid), 3, 3)
    side = len(grid)
    start, end = (PAD + CELL) / side, (PAD + 2 * CELL) / side
    assert cells[1][1].box == pytest.approx((start, start, end, end), abs=0.01)  # empty
    left, top, right, bottom = cells[2][0].box  # a 1 that leans
    assert PAD / side < left < right < start
    assert end < top < bottom < (PAD + 3 * CELL) / side


@pytest.mark.parametrize("degrees", [-9, 6])
def test_a_grid_may_be_turned_a_little(grid, degrees):
    turned = Image.fromarray(grid).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)
    assert filled(np.asarray(turned)) == EXPECTED


def test_a_grid_may_be_seen_at_a_slant_in_a_shadow(grid):
    side = len(grid)
    corners = np.array([(0, 0), (side, 0), (side, side), (0, side)], np.float32)
    moved = corners + np.array([(20, 5), (-5, 25), (-25, -5), (0, -20)], np.float32)
    slant = cv2.getPerspectiveTransform(corners, moved)
    seen = cv2.warpPerspective(grid, slant, (side, side), borderValue=255)
    assert filled((seen * np.linspace(0.4, 1, side)).astype(np.uint8)) == EXPECTED


def test_without_a_frame_the_picture_is_the_grid(grid):
    inside = grid[PAD : PAD + 3 * CELL, PAD : PAD + 3 * CELL].copy()
    assert filled(inside) == EXPECTED
    inside[inside == 60] = 255  # the lines
    assert filled(inside) == EXPECTED


def test_boxes_may_stand_apart(sample):
    page = np.full((140, 500), 255, np.uint8)
    for place in range(6):
        left = 40 + 70 * place
        cv2.rectangle(page, (left, 40), (left + 60, 100), 90, 2)
        if place % 2:
            digit = cv2.resize(sample.test.images[0].reshape(28, 28), (50, 50))
            part = page[45:95, left + 5 : left + 55]
            np.minimum(part, 255 - digit, out=part)
    assert filled(page, 1, 6) == [".x.x.x"]


def test_an_empty_grid_has_empty_cells_and_a_blank_page_has_none(grid):
    lines = np.where(grid == 60, grid, 255).astype(np.uint8)
    assert filled(lines) == ["...", "...", "..."]
    assert filled(np.full_like(grid, 255)) == []


@pytest.mark.parametrize(("side", "thickness"), [(36, 4), (60, 1), (100, 1)])
def test_digits_may_touch_lines_of_any_thickness(sample, side, thickness):
    """A tight crop of nine rows, in which no line closes the grid on the right and below."""
    page = np.full((9 * side, 9 * side), 255, np.uint8)
    for edge in range(0, 9 * side, side):
        page[edge : edge + thickness] = page[:, edge : edge + thickness] = 40
    expected = np.full((9, 9), ".")
    for number in range(36):
        row, column = number % 9, number * 7 % 9
        image = sample.test.images[number].reshape(28, 28)
        digit = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        top, left = row * side, column * side
        part = page[top : top + side, left : left + side]
        np.minimum(part, 255 - digit, out=part)
        expected[row, column] = "x"
    assert filled(page, 9, 9) == ["".join(row) for row in expected]
