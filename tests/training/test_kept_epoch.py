"""The rule that decides which epoch of a run is kept."""

import pytest

from dlcli.training.epoch_metrics import EpochRecord
from dlcli.training.kept_epoch import NO_SCORES, kept_record, replaces_kept


def epoch(number, accuracy, loss):
    return EpochRecord(
        epoch=number,
        train_loss=1.0,
        train_accuracy=0.5,
        validation_loss=loss,
        validation_accuracy=accuracy,
        learning_rate=0.1,
        gradient_norm=1.0,
        seconds=1.0,
        samples_per_second=60.0,
    )


@pytest.mark.parametrize(
    ("keep", "scores", "kept", "expected"),
    [
        ("best_accuracy", (0.9, 1.0), (0.8, 0.1), True),
        ("best_accuracy", (0.9, 1.0), (0.9, 1.1), True),
        ("best_accuracy", (0.9, 1.0), (0.9, 1.0), False),
        ("best_loss", (0.9, 1.0), (0.8, 0.1), False),
        ("best_loss", (0.7, 0.1), (0.8, 0.2), True),
        ("best_loss", (0.9, 0.1), (0.8, 0.1), True),
        ("last", (0.1, 9.0), (0.9, 0.1), True),
        ("best_accuracy", (0.0, 1e30), NO_SCORES, True),
        ("best_accuracy", None, NO_SCORES, True),
    ],
)
def test_a_better_epoch_replaces_the_kept_one(keep, scores, kept, expected):
    assert replaces_kept(keep, scores, kept) is expected


SCORES = [(0.5, 2.0), (0.9, 0.9), (0.9, 0.7), (0.9, 0.7), (0.8, 0.5)]


@pytest.mark.parametrize(("keep", "number"), [("best_accuracy", 3), ("best_loss", 5), ("last", 5)])
def test_the_kept_record_is_that_of_training(keep, number):
    records = [epoch(i, *scores) for i, scores in enumerate(SCORES, start=1)]
    kept = kept_record(keep, records)
    assert kept is not None
    assert kept.epoch == number


@pytest.mark.parametrize("keep", ["best_accuracy", "best_loss", "last"])
def test_without_validation_images_the_last_epoch_is_kept_and_of_none_none(keep):
    kept = kept_record(keep, [epoch(1, None, None), epoch(2, None, None)])
    assert kept is not None
    assert kept.epoch == 2
    assert kept_record(keep, []) is None
