"""A trained model, evaluated for a report."""

from collections.abc import Callable
from typing import Any

import pytest

from dlcli.report import models
from dlcli.report.models import EvaluatedModel
from dlcli.runs import lookup
from dlcli.training.epoch_metrics import EpochRecord

RECORD = EpochRecord(
    epoch=1,
    train_loss=1.0,
    train_accuracy=0.5,
    validation_loss=2.0,
    validation_accuracy=0.25,
    learning_rate=0.1,
    gradient_norm=1.0,
    seconds=1.0,
    samples_per_second=1.0,
)


@pytest.fixture(scope="session")
def model(trained_model):
    """The model of ``trained_model``, ready for use."""
    return lookup.load_named(str(trained_model))


@pytest.fixture(scope="session")
def entry(model, sample) -> EvaluatedModel:
    """That model, evaluated."""
    (found,) = models.evaluate_models([model], sample.test)
    return found


@pytest.fixture
def make_record() -> Callable[..., EpochRecord]:
    """An epoch of a successful training: ``make_record(3, validation_loss=None)``."""

    def make(epoch: int, **values: object) -> EpochRecord:
        usual: dict[str, Any] = {
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
