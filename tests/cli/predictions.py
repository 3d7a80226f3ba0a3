"""What several tests of ``dlcli predict`` share."""

import json
from typing import Any

import numpy as np
from PIL import Image


def lines_of(result) -> list[list[str]]:
    return [line.split("\t") for line in result.stdout.splitlines()]


def objects_of(result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def drawing(mode: str = "L") -> Image.Image:
    """A picture with enough detail for every format to need some bytes."""
    random = np.random.default_rng(0)
    levels = random.integers(200, 256, (90, 90), dtype=np.uint8)
    levels[20:70, 40:50] = random.integers(0, 60, (50, 10), dtype=np.uint8)
    return Image.fromarray(levels).convert(mode)
