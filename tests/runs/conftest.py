"""What the tests of runs share."""

import pytest

from dlcli.data import datasets


@pytest.fixture
def dataset(tiny):
    return datasets.load(str(tiny))
