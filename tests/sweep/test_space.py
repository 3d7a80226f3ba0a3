"""Search spaces: which are valid, and what is reported about the others."""

import pytest

from dlcli.config.schema import key_types
from dlcli.config.yaml_loader import Setting
from dlcli.errors import ConfigError
from dlcli.sweep.space import Choices, Range, parse, plain


def parsed(key: str, **words) -> Range | Choices:
    settings = {word: Setting(value, "a.yaml:3") for word, value in words.items()}
    return parse(key, settings, key_types()[key])


def ranged(key: str, **words) -> Range:
    found = parsed(key, **words)
    assert isinstance(found, Range)
    return found


def test_a_range_has_whole_numbers_if_the_key_and_both_ends_do():
    assert ranged("epochs", low=2, high=9).whole
    assert ranged("validation_size", low=100, high=200).whole
    assert not ranged("validation_size", low=0.1, high=0.2).whole
    assert not ranged("learning_rate", low=1, high=10).whole


@pytest.mark.parametrize(
    ("key", "words", "points"),
    [
        ("epochs", {"low": 2, "high": 5}, [2, 3, 4, 5]),
        ("epochs", {"low": 2, "high": 8, "step": 3}, [2, 5, 8]),
        ("dropout", {"low": 0.0, "high": 0.3, "step": 0.1}, pytest.approx([0, 0.1, 0.2, 0.3])),
        ("dropout", {"low": 0.0, "high": 0.3}, None),
    ],
)
def test_the_points_of_a_range(key, words, points):
    assert parsed(key, **words).points == points


def test_choices_are_stored_as_they_are_or_as_json():
    space = parsed("hidden_layers", choices=[[128], [256, 128], []])
    assert space.points == ["[128]", "[256, 128]", "[]"]
    assert isinstance(space, Choices)
    assert [plain(label) for label in space.points] == list(space.values)
    assert parsed("max_norm", choices=[None, 3.0]).points == [None, 3.0]
    assert plain("relu") == "relu"


def test_a_text_that_looks_like_json_is_a_choice_as_any_other():
    names = ["[fold]", "{fold}", '"fold"', "fold"]
    space = parsed("dataset", choices=names)
    assert space.points is not None
    assert [plain(label) for label in space.points] == names


def test_a_mapping_may_be_a_choice():
    space = parsed("augmentation", choices=[None, {"rotation": 10}])
    assert space.points is not None
    assert plain(space.points[1]) == {"rotation": 10}


@pytest.mark.parametrize(
    ("key", "words", "message"),
    [
        ("learning_rate", {"low": 0.1}, "a.yaml:3: learning_rate: high missing; a search space"),
        ("learning_rate", {"log": True}, "learning_rate: low and high missing"),
        ("learning_rate", {"lo": 1, "high": 2}, "learning_rate.lo: unknown in a search space"),
        ("learning_rate", {"lo": 1, "high": 2}, "did you mean low?"),
        ("learning_rate", {"low": -1, "high": 1}, "learning_rate.low: expected a number above 0"),
        ("learning_rate", {"low": 1, "high": "x"}, "learning_rate.high: expected a number"),
        ("learning_rate", {"low": None, "high": 1}, "learning_rate.low: expected a value, got"),
        ("learning_rate", {"low": 2, "high": 1}, "learning_rate.high: 1 is not above low, 2"),
        ("learning_rate", {"low": 1, "high": 1}, "learning_rate.high: 1 is not above low, 1"),
        ("learning_rate", {"low": 1, "high": 2, "log": 1}, "learning_rate.log: expected true"),
        ("dropout", {"low": 0, "high": 0.5, "log": True}, "dropout.low: 0 has no logarithm"),
        ("dropout", {"low": 0, "high": 0.5, "step": 0.3}, "dropout.step: 0.3 does not lead from"),
        ("dropout", {"low": 0, "high": 0.5, "step": 0.17}, "dropout.step: 0.17 does not lead"),
        ("dropout", {"low": 0, "high": 0.5, "step": 0}, "dropout.step: must be above 0"),
        ("dropout", {"low": 0, "high": 1}, "dropout.high: expected a number at least 0, below 1"),
        ("epochs", {"low": 1, "high": 4.5}, "epochs.high: expected a whole number"),
        ("epochs", {"low": 1, "high": 4, "step": 1.5}, "epochs.step: 1.5 is not a whole"),
        ("epochs", {"low": 1, "high": 4, "log": True, "step": 1}, "epochs.step: a logarithmic"),
        ("activation", {"low": 1, "high": 2}, "activation: only numbers can have a range; gi"),
        ("batch_norm", {"low": 0, "high": 1}, "batch_norm: only numbers can have a range"),
        ("activation", {"choices": []}, "activation.choices: expected a list of values, got []"),
        ("activation", {"choices": "relu"}, "activation.choices: expected a list"),
        ("activation", {"choices": ["rellu"]}, "did you mean relu?"),
        ("activation", {"choices": ["relu", "relu"]}, "activation.choices: relu is listed twice"),
        ("epochs", {"choices": [1], "low": 1}, "epochs.low: cannot be combined with choices"),
    ],
)
def test_problems_are_reported_with_file_line_and_key(key, words, message):
    with pytest.raises(ConfigError) as error:
        parsed(key, **words)
    assert message in str(error.value)
    assert all(line.startswith("a.yaml:3: ") for line in str(error.value).splitlines())


def test_all_problems_are_reported_at_once():
    with pytest.raises(ConfigError) as error:
        parsed("learning_rate", low=-1, high=2000)
    assert len(str(error.value).splitlines()) == 2
