"""Learning rates against PyTorch's schedulers, and what must hold of any."""

import doctest
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.config.schema import Config
from dlcli.nn import schedules
from dlcli.nn.schedules import SCHEDULES
from dlcli.training.builders import make_learning_rates

ORACLE = json.loads((Path(__file__).parents[1] / "oracle" / "pytorch_values.json").read_text())
STEPS_PER_EPOCH = 50


def rates(steps_per_epoch=STEPS_PER_EPOCH, **settings):
    """The learning rate of every step of a training, as fractions of 1."""
    config = Config(learning_rate=1.0, **settings)
    found = make_learning_rates(config, steps_per_epoch)
    return [found.at(step) for step in range(config.epochs * steps_per_epoch)]


def test_the_examples_in_the_docstrings_are_true():
    failed, attempted = doctest.testmod(schedules)
    assert failed == 0
    assert attempted > 0


@pytest.mark.parametrize(
    "record",
    ORACLE["schedules"],
    ids=lambda r: f"{r['config']['schedule']}-{r['config']['warmup_epochs']}",
)
def test_every_step_of_a_training_has_the_rate_that_pytorch_gives_it(record):
    config, per_epoch = Config(**record["config"]), record["steps_per_epoch"]
    learning_rates = make_learning_rates(config, per_epoch)
    found = [learning_rates.at(step) for step in range(len(record["rates"]))]
    assert len(found) == config.epochs * per_epoch
    assert found == pytest.approx(record["rates"], rel=1e-9)


def test_constant_stays():
    assert set(rates(schedule="constant", epochs=3)) == {1}


def test_step_falls_exactly_at_its_boundaries():
    found = rates(schedule="step", epochs=6, step_epochs=2, decay_factor=0.5)
    assert found == [1] * 100 + [0.5] * 100 + [0.25] * 100


@pytest.mark.parametrize("steps_per_epoch", [1, 3, 7, 49, 430])
def test_step_boundaries_survive_rounding(steps_per_epoch):
    found = rates(steps_per_epoch, schedule="step", epochs=30, step_epochs=1, decay_factor=0.5)
    assert found[::steps_per_epoch] == [0.5**epoch for epoch in range(30)]
    assert found[steps_per_epoch - 1 :: steps_per_epoch] == [0.5**epoch for epoch in range(30)]


def test_exponential_falls_by_its_factor_every_epoch():
    found = rates(schedule="exponential", epochs=4, decay_factor=0.5)
    assert found[::STEPS_PER_EPOCH] == pytest.approx([1, 0.5, 0.25, 0.125])
    assert found[25] == pytest.approx(0.5**0.5)


@pytest.mark.parametrize("warmup_epochs", [0, 2])
def test_cosine_starts_full_is_half_way_in_the_middle_and_ends_near_0(warmup_epochs):
    found = rates(schedule="cosine", epochs=10, warmup_epochs=warmup_epochs)
    falling = found[warmup_epochs * STEPS_PER_EPOCH :]
    assert falling[0] == 1
    assert falling[len(falling) // 2] == pytest.approx(0.5)
    assert 0 < falling[-1] < 1e-4
    assert falling == sorted(falling, reverse=True)


def test_one_cycle_follows_pytorchs():
    record = ORACLE["one_cycle"]
    found = rates(record["steps"] // 10, schedule="one_cycle", epochs=10)
    assert found[:: record["every"]] == pytest.approx(record["rates"], abs=1e-3)


def test_one_cycle_rises_for_three_tenths_of_the_training_and_falls_to_nearly_0():
    found = rates(schedule="one_cycle", epochs=10)
    assert found[0] == pytest.approx(1 / 25)
    assert found[150] == max(found) == 1
    assert found[:151] == sorted(found[:151])
    assert found[150:] == sorted(found[150:], reverse=True)
    assert found[75] == pytest.approx((1 + 1 / 25) / 2)
    assert found[-1] < 1e-4


@pytest.mark.parametrize(
    "schedule", [name for name, row in SCHEDULES.items() if not row.has_warmup]
)
@pytest.mark.parametrize("warmup_epochs", [0.1, 0.5, 1, 2.25])
def test_warmup_rises_in_equal_steps_to_the_full_rate_and_then_the_schedule_starts(
    schedule, warmup_epochs
):
    found = rates(steps_per_epoch=20, schedule=schedule, warmup_epochs=warmup_epochs, epochs=5)
    count = round(20 * warmup_epochs)
    assert found[:count] == pytest.approx([(step + 1) / count for step in range(count)])
    assert found[count] == pytest.approx(1)
    assert found[count:] == sorted(found[count:], reverse=True)


def test_warmup_over_the_whole_training_ends_at_the_full_rate():
    found = rates(schedule="cosine", warmup_epochs=3, epochs=3)
    assert found == sorted(found)
    assert found[-1] == 1


@given(
    schedule=st.sampled_from(sorted(SCHEDULES)),
    learning_rate=st.floats(1e-6, 1000),
    decay_factor=st.floats(0, 1, exclude_min=True),
    step_epochs=st.integers(1, 100),
    epochs=st.integers(1, 1000),
    steps_per_epoch=st.integers(1, 1000),
    fractions=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_rate_is_never_negative_and_never_above_the_learning_rate(
    schedule, learning_rate, decay_factor, step_epochs, epochs, steps_per_epoch, fractions
):
    warmup_fraction, step_fraction = fractions
    config = Config(
        schedule=schedule,
        learning_rate=learning_rate,
        decay_factor=decay_factor,
        step_epochs=step_epochs,
        epochs=epochs,
        warmup_epochs=warmup_fraction * epochs,
    )
    step = int(step_fraction * (epochs * steps_per_epoch - 1))
    assert 0 <= make_learning_rates(config, steps_per_epoch).at(step) <= learning_rate
