"""A trained model as a report sees it."""

from collections.abc import Callable

import pytest

from dlcli.report import subjects
from dlcli.report.subjects import Subject
from dlcli.runs import lookup
from dlcli.training.epoch_metrics import EpochRecord


@pytest.fixture(scope="session")
def model(trained_model):
    """The model of ``trained_model``, ready for use."""
    return lookup.load_named(str(trained_model))


@pytest.fixture(scope="session")
def subject(model, sample) -> Subject:
    """That model, judged."""
    (found,) = subjects.gather([model], sample.test)
    return found


@pytest.fixture
def make_record() -> Callable[..., EpochRecord]:
    """An epoch of a training that goes well: ``make_record(3, validation_loss=None)``."""

    def make(epoch: int, **values: object) -> EpochRecord:
        usual = {
            "train_loss": 1 / epoch,
            "train_accuracy": 1 - 0.3 / epoch,
            "validation_loss": 1.2 / epoch,
            "validation_accuracy": 1 - 0.4 / epoch,
            "learning_rate": 0.1,
            "gradient_norm": 1.0,
            "seconds": 2.0,
            "samples_per_second": 100.0,
        }
        return EpochRecord(epoch=epoch, **{**usual, **values})

    return make
