"""Vectors on huge pages are vectors like any other."""

import numpy as np
import pytest

from dlcli.nn.memory import zeros


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 7850, 600_000, 3_000_000])
def test_a_vector_begins_on_a_huge_page_and_is_all_zero(size, dtype):
    vector = zeros(size, dtype)
    assert vector.shape == (size,)
    assert vector.dtype == dtype
    assert vector.flags.c_contiguous
    assert vector.flags.writeable
    assert vector.ctypes.data % (2 << 20) == 0
    assert not vector.any()


def test_vectors_share_no_memory():
    assert not np.shares_memory(zeros(1000, np.float32), zeros(1000, np.float32))
