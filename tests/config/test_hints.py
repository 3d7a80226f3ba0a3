"""Which key or value was probably meant, as it must be typed."""

import pytest

from dlcli import files
from dlcli.config import files as config_files
from dlcli.config.hints import _SAME_KEY, _SAME_NAME, meant_key
from dlcli.config.messages import allowed_names
from dlcli.config.schema import key_types
from dlcli.data.registry import DATASETS
from dlcli.errors import ConfigError

TYPES = key_types()


def problem(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        config_files.load([], [text])
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("activation=ReLU", "activation=relu"),
        ("activation=[relu, ReLU]", "'activation=[relu, relu]'"),
        ("optimizer=ADAM", "optimizer=adam"),
        ("schedule=one-cycle", "schedule=one_cycle"),
        ("initializer=xavier", "initializer=glorot_uniform"),
        ("keep=best", "keep=best_accuracy"),
        ("hidden_layers=64", "'hidden_layers=[64]'"),
        ("hidden_layers=64,32", "'hidden_layers=[64, 32]'"),
        ("hidden_layers='64 32'", "'hidden_layers=[64, 32]'"),
        ("nesterov=on", "nesterov=true"),
        ("batch_norm=0", "batch_norm=false"),
        ("early_stopping=None", "early_stopping=null"),
        ("max_norm=0", "max_norm=null"),
        ("augmentation=false", "augmentation=null"),
        ("epochs=1e1", "epochs=10"),
        ("epochs='3'", "epochs=3"),
        ("dropout=0,5", "dropout=0.5"),
    ],
)
def test_a_value_in_another_form_gets_the_setting_to_type(text, meant, monkeypatch):
    monkeypatch.setattr(files, "IS_WINDOWS", False)  # quoted for a shell of Unix
    assert problem(text).endswith(f"; did you mean --set {meant}?")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("augmentation=true", "got true; for example --set augmentation.rotation=15"),
        ("dataset=MNIST", "got MNIST; did you mean mnist?"),
        ("dataset=FashionMNIST", "did you mean fashion-mnist?"),
        ("lr=0.1", "--set: lr: unknown key; did you mean learning_rate?"),
        ("Learning-Rate=0.1", "did you mean learning_rate?"),
        ("rotation=15", "did you mean augmentation.rotation?"),
        ("max_norm=foo", "got foo"),
        ("dataset=[sample, {name: x, wieght: 5}]", "a dataset has name and weight, not wieght"),
        ("classes=[3]", "got [3]"),
        ("epochs=soon", "got soon"),
        ("epochs=später", "got später"),
        ("blue=1", "--set: blue: unknown key"),
    ],
)
def test_other_hints_end_the_message(text, hint):
    assert problem(text).endswith(hint)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("hidden_layers: 64", "got 64; did you mean [64]?"),
        ("activation: ReLU", "got ReLU; did you mean relu?"),
        ("augmentation: true", "got true; for example {rotation: 15}"),
        ("dataset: 1990", "got 1990; did you mean '1990'?"),
        ("lr: 0.1", "lr: unknown key; did you mean learning_rate?"),
    ],
)
def test_in_a_file_the_hint_is_yaml(workdir, line, hint):
    (workdir / "a.yaml").write_text(line)
    with pytest.raises(ConfigError) as error:
        config_files.load(["a.yaml"])
    assert str(error.value).startswith("a.yaml:1: ")
    assert str(error.value).endswith(hint)


@pytest.mark.parametrize(
    "text", ["hidden_layers=[64]", "activation=relu", "augmentation.rotation=15"]
)
def test_what_is_suggested_is_valid(text):
    config_files.load([], [text])


def test_words_of_other_libraries_stand_for_what_there_is():
    assert set(_SAME_KEY) <= set(TYPES)
    names = {name for kind in TYPES.values() for name in allowed_names(kind)}
    assert set(_SAME_NAME) <= names | set(DATASETS)
    for key, words in _SAME_KEY.items():
        assert {meant_key(word, TYPES) for word in words} == {key}
        assert not set(words) & set(TYPES)
