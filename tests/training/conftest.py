"""Images for small trainings."""

import pytest

from dlcli.data import datasets


@pytest.fixture
def data(tiny):
    """60 training and 20 test images that are easy to tell apart."""
    return datasets.load(str(tiny))
