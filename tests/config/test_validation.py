"""Which configs are valid, and the message for each that is not."""

import pytest

from dlcli.config import files, validation
from dlcli.config.schema import Config
from dlcli.config.yaml_loader import parse
from dlcli.errors import ConfigError
from dlcli.nn.activations import ACTIVATIONS
from dlcli.nn.initializers import INITIALIZERS
from dlcli.nn.schedules import SCHEDULES


def resolve(text: str) -> Config:
    return validation.resolve(parse(text, "f.yaml"))


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        resolve(text)
    return str(error.value).splitlines()


def test_three_lines_make_a_config():
    config = resolve("hidden_layers: [128, 64]\nactivation: relu\nlearning_rate: 0.1\n")
    assert config.layer_sizes(10) == (784, 128, 64, 10)
    assert config.activations == ("relu", "relu")


def test_no_lines_make_one_too():
    assert resolve("") == Config()


WRONG = {
    "augmentation: 3": "augmentation: expected a mapping or null, got 3",
    "augmentation: {rotation: 200}": "augmentation.rotation: expected a number at least 0",
    "augmentation: {rotatoin: 5}": "unknown key; did you mean augmentation.rotation?",
    "augmentation: {rotation: {a: 1}}": "augmentation.rotation: expected a number",
    "colour:\n  a: 1\n  b: 2": "colour: unknown key",
    "augmentatoin:\n  shift: 2": "unknown key; did you mean augmentation?",
    "epochs:\n  low: 1": "got a mapping; a search is for dlcli sweep",
    "learning_rte: 0.1": "unknown key; did you mean learning_rate?",
    "colour: blue": "colour: unknown key",
    "learning_rate: fast": "learning_rate: expected a number above 0, at most 1,000, got fast",
    "learning_rate: 0": "expected a number above 0",
    "learning_rate: -1": "expected a number above 0",
    "learning_rate: .inf": "got .inf",
    "learning_rate: .nan": "got .nan",
    "learning_rate: 1e999": "got .inf",
    "learning_rate: true": "got true",
    "learning_rate: '0.1'": "expected a number",
    "learning_rate: [0.1]": "expected a number",
    "learning_rate:": "got null",
    "hidden_layers: 128": "expected a list of whole numbers at least 1",
    "hidden_layers: [0]": "expected a list of whole numbers at least 1",
    "hidden_layers: [12.5]": "expected a list of whole numbers",
    "hidden_layers: [1, .nan]": "expected a list of whole numbers",
    "hidden_layers: [true]": "expected a list of whole numbers",
    "hidden_layers: [wide]": "expected a list of whole numbers",
    "hidden_layers: {a: 1}": "expected a list of whole numbers",
    "hidden_layers: [100000, 100000]": "parameters are more than the 250,000,000 supported",
    "activation: rleu": "did you mean relu?",
    "activation: [relu, rleu]": f"expected {', '.join(sorted(ACTIVATIONS))} or a list",
    "activation: [relu, relu]": "2 activations for 1 hidden layers",
    "output_activation: softmx": "did you mean softmax?",
    "output_activation: linear": "cross_entropy needs probabilities",
    "loss: rmse": "did you mean mse?",
    "initializer: xavier": f"expected {', '.join(sorted(['auto', *INITIALIZERS]))}, got xavier",
    "optimizer: adamm": "did you mean adam?",
    "momentum: 1": "expected a number at least 0, below 1",
    "nesterov: 1": "expected true or false, got 1",
    "nesterov: true\nmomentum: 0": "needs a momentum above 0",
    "dropout: 1.0": "expected a number at least 0, below 1",
    "input_dropout: -0.1": "expected a number at least 0, below 1",
    "schedule: falling": f"expected {', '.join(sorted(SCHEDULES))}, got falling",
    "warmup_epochs: 1\nschedule: one_cycle": "one_cycle has a warm-up of its own",
    "batch_norm: true\nbatch_size: 1": "one image has no variance",
    "batch_norm: true\nbatch_size: 2": "two images have no variance",
    "receptive_field: 0.4": "expected a number at least 0.5",
    "epsilon: 1.0e-16\noptimizer: adam": "expected a number at least 1e-15",
    "warmup_epochs: 11": "11 epochs of warm-up do not fit into 10 epochs",
    "batch_size: 0": "expected a whole number at least 1",
    "batch_size: 32.0": "expected a whole number",
    "epochs: 1000000": "at most 100,000",
    "epochs: 10.5": "expected a whole number",
    "validation_size: 1.5": "expected a whole number at least 0",
    "validation_size: -1": "expected a whole number at least 0",
    "early_stopping: 0": "expected a whole number at least 1",
    "half_size_epochs: -1": "expected a whole number at least 0",
    "half_size_epochs: 1\noptimizer: adam": "works with optimizer: sgd, not adam",
    "half_size_epochs: 1\naugmentation: {shift: 1}": "distorted images have the whole size",
    "half_size_epochs: 1\nfreeze_layers: 1": "would blur the frozen weights",
    "half_size_epochs: 1\ninit_from: pretrained": "would blur the weights to start from",
    "early_stopping: 3\nvalidation_size: 0": "needs validation images",
    "early_stopping: 3\nkeep: last": "does not work with keep: last",
    "keep: first": "expected best_accuracy, best_loss, last",
    "gradient_clip: 0": "expected a number above 0",
    "min_gradient_norm: -1": "expected a number above 0",
    "seed: -1": "expected a whole number at least 0",
    "seed: 4294967296": "at most 4,294,967,295",
    "dataset: mnits": "did you mean mnist?",
    "dataset: 5": "expected a name or a folder",
    "dataset: ''": "expected a name or a folder",
}


@pytest.mark.parametrize(("text", "expected"), WRONG.items(), ids=WRONG)
def test_a_wrong_config_gets_one_line_that_names_file_line_and_key(text, expected):
    (problem,) = problems(text)
    assert problem.startswith("f.yaml:1: ")
    assert expected in problem


def test_all_problems_are_reported_at_once():
    found = problems("learning_rte: 1\nepochs: no\nactivation: [relu, tanh]\nloss: mse\nseed: -1\n")
    assert [line.split(": ")[0] for line in found] == [
        "f.yaml:1",
        "f.yaml:2",
        "f.yaml:5",
        "f.yaml:3",
    ]


def test_a_contradiction_is_not_reported_about_a_key_that_is_itself_wrong():
    assert len(problems("hidden_layers: [0, 1]\nactivation: [relu, relu, relu]\n")) == 1


def test_of_a_file_that_is_no_config_the_first_fifty_problems_are_reported():
    found = problems("".join(f"word{number}: 1\n" for number in range(200)))
    assert len(found) == 50
    assert found[-1].startswith("f.yaml:50: word49: unknown key")


@pytest.mark.parametrize(
    "text",
    [
        "warmup_epochs: 10",
        "hidden_layers: [64]\nactivation: [relu]",
        "batch_norm: true\nbatch_size: 3",
        "validation_size: 0.9",
        "seed: 4294967295",
    ],
)
def test_what_just_fits_is_allowed(text):
    assert resolve(f"epochs: 10\n{text}")


def test_a_long_wrong_value_is_shortened():
    (problem,) = problems(f"learning_rate: {'x' * 500}\n")
    assert len(problem) < 200


@pytest.mark.parametrize(
    ("text", "learning_rate"),
    [
        ("", 0.1),
        ("optimizer: adam", 0.001),
        ("optimizer: adamw", 0.001),
        ("optimizer: adam\nlearning_rate: 0.1", 0.1),
    ],
)
def test_the_default_learning_rate_suits_the_optimizer(text, learning_rate):
    assert resolve(text).learning_rate == learning_rate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optimizer: adam\nmomentum: 0.5", ["momentum has no effect with optimizer: adam"]),
        ("beta1: 0.8", ["beta1 has no effect with optimizer: sgd"]),
        ("initializer_stddev: 1", ["initializer_stddev has no effect with initializer: auto"]),
        ("step_epochs: 3", ["step_epochs has no effect with schedule: constant"]),
        ("dropout: 0.1\nhidden_layers: []", ["dropout has no effect without hidden layers"]),
        (
            "hidden_layers: []\nbatch_norm: true\nmax_norm: 3",
            [
                "batch_norm has no effect without hidden layers",
                "max_norm has no effect without hidden layers",
            ],
        ),
        (
            "receptive_field: 4\ninit_from: pretrained",
            ["receptive_field has no effect with init_from: pretrained"],
        ),
        ("receptive_field: 4\ninit_from: pretrained\nhidden_layers: []", []),
        ("receptive_field: 4", []),
        ("schedule: step\nstep_epochs: 3\nmomentum: 0.5", []),
        ("optimizer: adam\nlearning_rate: 0.01", []),
        ("hidden_layers: [784]", []),
        ("hidden_layers: [10]", []),
        ("hidden_layers: [10, 30]", []),
        (
            "optimizer: adam\nlearning_rate: 0.05",
            ["learning_rate 0.05 is high for adam; 0.001 is usual"],
        ),
    ],
)
def test_probable_mistakes_get_a_warning(text, expected):
    assert validation.warnings(resolve(text)) == expected


@pytest.mark.parametrize(
    ("layers", "network", "meant"),
    [
        ("[784, 30, 10]", "784-784-30-10-10", "[30]"),
        ("[784, 30]", "784-784-30-10", "[30]"),
        ("[128, 10]", "784-128-10-10", "[128]"),
    ],
)
def test_input_and_output_among_the_hidden_layers_get_a_warning(layers, network, meant):
    (warning,) = validation.warnings(resolve(f"hidden_layers: {layers}"))
    assert warning.endswith(f"the network is {network}; did you mean {meant}?")


@pytest.mark.parametrize("key", ["dataset", "init_from", "learning_rate", "classes"])
@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
def test_no_key_takes_infinity_or_nan_for_a_number_or_a_name(tmp_path, key, value):
    path = tmp_path / "c.yaml"
    path.write_text(f"{key}: {value}\n")
    with pytest.raises(ConfigError, match=rf"c\.yaml:1: {key}: expected .*, got {value}"):
        files.load([str(path)])
