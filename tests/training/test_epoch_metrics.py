"""Loss and accuracy of an epoch while it goes on."""

import numpy as np
import pytest

from dlcli.config.schema import Config
from dlcli.errors import DivergenceError
from dlcli.nn.losses import one_hot
from dlcli.nn.network import Network
from dlcli.training.epoch_metrics import RunningScores

CONFIG = Config(output_activation="linear", loss="mse")


def make() -> RunningScores:
    network = Network([2, 2], [], "linear")
    return RunningScores(CONFIG, network, epoch=3, batch_size=2, block_steps=2)


def test_scores_are_means_over_the_images_so_far():
    scores, labels = make(), np.array([0, 1, 1, 0], np.uint8)
    targets = one_hot(labels, 2, np.float32)
    scores.logits[...] = [[1, 0], [0, 1], [1, 0], [2, 0]]
    scores.add(targets, labels)
    assert (scores.loss, scores.accuracy) == ((0 + 0 + 1 + 0.5) / 4, 3 / 4)
    scores.logits[:2] = [[1, 2], [0, 1]]
    scores.add(targets[:2], labels[:2])
    assert (scores.loss, scores.accuracy) == ((1.5 + 2 + 0) / 6, 4 / 6)


def test_the_step_of_the_first_infinite_loss_is_named():
    scores, labels = make(), np.zeros(4, np.uint8)
    targets = one_hot(labels, 2, np.float32)
    scores.logits[...] = 0
    scores.add(targets, labels)
    scores.logits[2:] = np.inf
    with pytest.raises(DivergenceError, match="epoch 3, step 4: its loss is inf"):
        scores.add(targets, labels)
