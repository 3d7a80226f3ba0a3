"""The schema of ``augmentation``: random distortions of training images."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Augmentation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Random distortions of training images."""

    rotation: Annotated[
        float, Meta(ge=0, le=180, description="Largest rotation in either direction, in degrees.")
    ] = 0.0
    scale: Annotated[
        float,
        Meta(ge=0, le=0.9, description="Largest change of width and of height, as a fraction."),
    ] = 0.0
    shear: Annotated[
        float, Meta(ge=0, le=2, description="Largest slant: pixels sideways for each pixel down.")
    ] = 0.0
    shift: Annotated[
        float, Meta(ge=0, le=28, description="Largest horizontal and vertical shift, in pixels.")
    ] = 0.0
    elastic_alpha: Annotated[
        float,
        Meta(
            ge=0,
            le=1000,
            description="Strength of the elastic distortion, which moves every pixel a little "
            "differently from its neighbours; 34 to 38 is usual.",
        ),
    ] = 0.0
    elastic_sigma: Annotated[
        float, Meta(gt=0, le=28, description="Distance within which pixels move alike, in pixels.")
    ] = 5.0
    gamma: Annotated[
        float,
        Meta(
            ge=0,
            le=3,
            description="Thinner and thicker strokes: levels from 0 to 1 are raised to a power "
            "between e^-gamma and e^gamma.",
        ),
    ] = 0.0
    probability: Annotated[
        float, Meta(gt=0, le=1, description="Fraction of the images that are distorted.")
    ] = 1.0

    @property
    def distorts(self) -> bool:
        """Whether any image can change."""
        geometry = self.rotation, self.scale, self.shear, self.shift, self.elastic_alpha
        return any((*geometry, self.gamma))
