"""The array types that the whole program shares."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating[Any]]
"""Floating-point numbers: float32 in training, float64 in gradient checks."""

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""Images, 0 (background) to 255 (foreground)."""

Labels: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
"""The class of each image, shape (n,): uint8, or uint16 where there are more than 256 classes."""

Rows: TypeAlias = npt.NDArray[np.int64]
"""Indices of images, shape (n,)."""

Writers: TypeAlias = npt.NDArray[np.int32]
"""The number of the writer of each image, shape (n,)."""

Counts: TypeAlias = npt.NDArray[np.int64]
"""How often something occurs."""
