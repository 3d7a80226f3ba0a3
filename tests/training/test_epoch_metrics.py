"""Means over an epoch so far, and what a run's records say about overfitting."""

import numpy as np
import pytest

from dlcli.config.schema import Config
from dlcli.errors import DivergenceError
from dlcli.nn.losses import one_hot
from dlcli.training.epoch_metrics import EpochMetrics, EpochRecord, overfitting_since

CONFIG = Config(output_activation="linear", loss="mse")


def make() -> EpochMetrics:
    return EpochMetrics(CONFIG, epoch=3, batch_size=2)


def test_metrics_are_means_over_the_images_so_far():
    metrics, labels = make(), np.array([0, 1, 1, 0], np.uint8)
    targets = one_hot(labels, 2, np.float32)
    metrics.add(np.array([[1, 0], [0, 1], [1, 0], [2, 0]], np.float32), targets, labels)
    assert (metrics.loss, metrics.accuracy) == ((0 + 0 + 1 + 0.5) / 4, 3 / 4)
    metrics.add(np.array([[1, 2], [0, 1]], np.float32), targets[:2], labels[:2])
    assert (metrics.loss, metrics.accuracy) == ((1.5 + 2 + 0) / 6, 4 / 6)


def test_the_gradient_norm_is_the_mean_over_batches():
    metrics = make()
    metrics.add_norm(1.0)
    metrics.add_norm(4.0)
    assert metrics.gradient_norm == 2.5


def test_the_step_of_the_first_infinite_loss_is_named():
    metrics, labels = make(), np.zeros(4, np.uint8)
    targets, logits = one_hot(labels, 2, np.float32), np.zeros((4, 2), np.float32)
    metrics.add(logits, targets, labels)
    logits[2:] = np.inf
    with pytest.raises(DivergenceError, match="epoch 3, step 4: its loss is inf"):
        metrics.add(logits, targets, labels)


def epoch_record(epoch, train_loss, validation_loss):
    return EpochRecord(
        epoch=epoch,
        train_loss=train_loss,
        train_accuracy=0.9,
        validation_loss=validation_loss,
        validation_accuracy=None if validation_loss is None else 0.9,
        learning_rate=0.1,
        gradient_norm=1.0,
        seconds=1.0,
        samples_per_second=60.0,
    )


@pytest.mark.parametrize(
    ("train_losses", "validation_losses", "since"),
    [
        ([], [], None),
        ([3, 2, 1], [3, 2, 1], None),
        ([3, 2, 1, 0.5], [3, 2, 2.5, 3], 2),
        ([3, 2, 1], [3, 2, 3], None),
        ([3, 2, 1, 0.5], [3, 2, 2.01, 2.019], None),
        ([3, 2, 1, 0.5], [3, 2, 2.01, 2.021], 2),
        ([3, 2, 2, 2], [3, 2, 3, 4], None),
        ([3, 2, 1, 0.5], [1, 2, 3, 4], 1),
        ([3, 2, 1, 0.5], [3, 0, 0.1, 0.1], 2),
        ([3, 2, 1, 0.5], [None, None, None, None], None),
        ([5, 3, 2, 1, 0.5], [None, 3, 2, 2.5, 3], 3),
    ],
)
def test_overfitting_is_dated_from_the_lowest_validation_loss(
    train_losses, validation_losses, since
):
    losses = zip(train_losses, validation_losses, strict=True)
    records = [epoch_record(epoch, *both) for epoch, both in enumerate(losses, start=1)]
    assert overfitting_since(records) == since
