"""Test images of MNIST whose labels people dispute.

Networks found these labels improbable, and people looked at the images: Northcutt, Athalye and
Mueller, "Pervasive label errors in test sets destabilize machine learning benchmarks", 2021
(https://labelerrors.com).
"""

from typing import Literal

from dlcli.data.examples import Dataset

Dispute = Literal["another", "none"]
"""People agree on another label, or on none."""

_MNIST_CHECKSUM = "c65580678af93f1ea48c2c0d01d543ec89307c6b8a0eb7ca542d7c18c5f4c681"
_TEST_IMAGES = 10_000
_AGREED = (947, 1621, 1901, 2462, 2597, 3558, 5937, 6651, 6783, 9729)
_NOT_AGREED = (2130, 2654, 3520, 8527, 9679)
DISPUTED_IMAGES = len(_AGREED + _NOT_AGREED)


def disputes(dataset: Dataset) -> dict[int, Dispute]:
    """The disputed images by their index in the test set; none, if it is not all of MNIST's."""
    if dataset.checksum != _MNIST_CHECKSUM or len(dataset.test) != _TEST_IMAGES:
        return {}
    return {**dict.fromkeys(_AGREED, "another"), **dict.fromkeys(_NOT_AGREED, "none")}
