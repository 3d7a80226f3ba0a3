"""The range test finds the learning rate at which the loss falls fastest, and where it rises."""

import msgspec
import numpy as np
import pytest

from dlcli.config.schema import Config
from dlcli.data import datasets
from dlcli.data.classes import DIGITS
from dlcli.data.examples import Examples
from dlcli.errors import ConfigError
from dlcli.training import learning_rate_finder
from dlcli.training.learning_rate_finder import find, steps_of
from dlcli.training.loop import fit
from dlcli.training.state import initial_state


@pytest.fixture
def train(tiny):
    return datasets.load(str(tiny)).train


def test_known_curves_are_read_right():
    rates = np.geomspace(1e-5, 10, 121)
    at = np.log10(rates)
    fall = 2 - 1.5 / (1 + np.exp(-8 * (at + 2)))  # falls fastest at 0.01
    rise = np.maximum(at, 0) * 3  # rises from 1 on
    found = learning_rate_finder._result(rates.tolist(), fall.tolist(), (fall + rise).tolist())
    assert found.steepest == pytest.approx(0.01, rel=0.15)
    assert found.divergence == pytest.approx(10**0.25, rel=0.15)  # half of 1.5 is lost again
    assert found.suggestion == found.steepest
    early = learning_rate_finder._result(
        rates.tolist(), fall.tolist(), (fall + np.maximum(at + 1.5, 0) * 9).tolist()
    )
    assert early.divergence is not None
    assert early.suggestion == pytest.approx(early.divergence / 10)
    flat = learning_rate_finder._result(rates.tolist(), fall.tolist(), fall.tolist())
    assert (flat.divergence, flat.suggestion) == (None, flat.steepest)


def test_a_few_batches_with_errors_are_no_rise():
    """Of trained weights, most batches have no error: one that has some is no divergence."""
    losses = [0.001] * 150 + [2.3] * 50
    for odd in (9, 12, 40, 90):
        losses[odd] = 1.0
    for step in range(10, 140):
        assert max(losses[step - 9 : step + 1]) / 10 < learning_rate_finder._too_high(losses[:step])
    rates = np.geomspace(1e-5, 10, 200).tolist()
    found = learning_rate_finder._result(rates, losses, losses, is_trained=True)
    assert found.steepest is None
    assert found.divergence == rates[150]


@pytest.mark.parametrize(
    ("batch_size", "images", "steps"),
    [(128, 54_000, 200), (64, 9_000, 141), (128, 9_000, 100), (100_000, 54_000, 100)],
)
def test_an_epoch_but_at_least_100_and_at_most_200_steps(batch_size, images, steps):
    assert steps_of(Config(batch_size=batch_size), images) == steps


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "adamw", "weight_decay": 0.1},
        {"loss": "mse", "output_activation": "sigmoid", "class_weights": {"1": 3.0}},
        {"gradient_clip": 0.5, "max_norm": 1.0, "dropout": 0.2, "batch_norm": True},
    ],
    ids="-".join,
)
def test_the_suggested_rate_trains_well(settings, train):
    config = Config(hidden_layers=(12,), batch_size=16, **settings)
    seen: list[int] = []
    found = find(config, train, initial_state(config, 10), DIGITS, seen.append)
    assert seen[-1] == len(found.losses) == len(found.rates) == len(found.smoothed) <= 100
    assert list(found.rates) == sorted(found.rates)
    assert found.rates[0] < found.suggestion < found.rates[-1]
    config = Config(
        hidden_layers=(12,), batch_size=16, epochs=25, learning_rate=found.suggestion, **settings
    )
    *_, last = fit(config, train, train, initial_state(config, 10))
    assert last.validation_accuracy is not None
    assert last.validation_accuracy > 0.8


def test_the_first_batch_alone_neither_ends_the_test_nor_hides_the_fall(train):
    """Batches of one image have losses far apart."""
    config = Config(hidden_layers=(12,), batch_size=1, initializer="normal", initializer_stddev=0.5)
    refused = 0
    for seed in range(20):
        seeded = msgspec.structs.replace(config, seed=seed)
        try:
            found = find(seeded, train, initial_state(seeded, 10), DIGITS)
        except ConfigError as error:
            assert "use a larger batch_size" in str(error)  # noqa: PT017 - some seeds are refused
            refused += 1
        else:
            assert len(found.losses) > 50
            assert found.rates[0] < found.suggestion < found.rates[-1]
    assert refused < 10


def test_trained_weights_get_a_tenth_of_the_rate_that_spoils_them(sample):
    """Their loss cannot fall much more; what it falls is noise."""
    config = Config(hidden_layers=(30,), batch_size=32, epochs=8, learning_rate=0.02)
    state, rows = initial_state(config, 10), np.arange(len(sample.train))
    seen, others = sample.train.take(rows % 2 == 0), sample.train.take(rows % 2 == 1)
    list(fit(config, seen, others, state))
    config = msgspec.structs.replace(config, init_from="pretrained")
    found = find(config, others, state, DIGITS)
    assert found.steepest is None
    assert found.divergence is not None
    assert found.suggestion == found.divergence / 10


def test_the_same_config_gives_the_same_rates(train):
    config = Config(hidden_layers=(5,), dropout=0.3)
    first, second = (find(config, train, initial_state(config, 10), DIGITS) for _ in range(2))
    assert first == second


def test_images_of_which_nothing_can_be_learned_get_an_error(train):
    black = Examples(np.zeros_like(train.images), train.labels)
    config = Config(hidden_layers=(5,), batch_size=60)
    with pytest.raises(ConfigError, match="the loss fell at no rate from 1e-05 to 10; check"):
        find(config, black, initial_state(config, 10), DIGITS)
