"""The schema: every key is described, and a config is the same after it was written and read."""

import json
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.config import reference, validation
from dlcli.config import schema as configs
from dlcli.config.augmentation import Augmentation
from dlcli.config.messages import allowed_names
from dlcli.config.schema import Config
from dlcli.config.yaml_loader import parse
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.initializers import INITIALIZERS
from dlcli.nn.losses import LOSSES
from dlcli.nn.optimizers import OPTIMIZERS
from dlcli.nn.schedules import SCHEDULES

FIELDS = msgspec.structs.fields(Config)


def resolve(text: str) -> Config:
    return validation.resolve(parse(text, "f.yaml"))


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_key_is_documented_and_has_a_valid_default(field):
    description = msgspec.json.schema(field.type).get("description", "")
    assert description.endswith(".")
    assert msgspec.convert(msgspec.to_builtins(field.default), field.type) == field.default


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("activation", [*ACTIVATIONS]),
        ("output_activation", [*OUTPUT_ACTIVATIONS]),
        ("loss", [*LOSSES]),
        ("initializer", ["auto", *INITIALIZERS]),
        ("optimizer", [*OPTIMIZERS]),
        ("schedule", [*SCHEDULES]),
    ],
)
def test_the_choices_of_a_key_are_the_rows_of_its_table(key, names):
    assert set(allowed_names(configs.key_types()[key])) == set(names)


NEW_ROWS = """
import numpy as np
from dlcli.nn.activations import ACTIVATIONS, Activation
from dlcli.nn.losses import LOSSES, Loss
from dlcli.nn.optimizers import OPTIMIZERS, Optimizer, OptimizerKind
from dlcli.nn.schedules import SCHEDULES, Schedule

def softsign(z, derivative):
    factor = 1 / (1 + np.abs(z))
    if derivative is not None:
        derivative[...] = factor**2
    z *= factor

ACTIVATIONS["softsign"] = Activation(
    softsign, "lecun_normal", onnx_operator="Softsign", pytorch="Softsign()", bounds=(-1, 1)
)

class Lion(Optimizer):
    def __init__(self, parameters, *, beta1):
        super().__init__(parameters)
        self.beta1 = beta1
        self.state = {"mean": np.zeros_like(parameters), "count": np.zeros(1)}

    def step(self, gradient, learning_rate):
        self.state["count"] += 1
        mean = self.state["mean"]
        mean += (1 - self.beta1) * (gradient - mean)
        self.parameters -= learning_rate * np.sign(mean).astype(np.float32)

OPTIMIZERS["lion"] = OptimizerKind("by the sign", Lion, ("beta1",), usual_learning_rate=0.0005)
SCHEDULES["linear"] = Schedule("down a line", lambda done, epochs: max(1 - done / epochs, 0))
LOSSES["half"] = Loss(
    "half the cross-entropy",
    lambda *given: LOSSES["cross_entropy"].value(*given) / 2,
    lambda activation, outputs, targets, out: np.divide(outputs - targets, 2, out=out),
    needs_probabilities=True,
)

from dlcli.cli.main import run
settings = ["--set=activation=softsign", "--set=loss=half", "--set=hidden_layers=[4]"]
assert run(["gradcheck", *settings]) == 0
assert run(["gradcheck", *settings, "--set=output_activation=linear"]) != 0
training = ["--set=optimizer=lion", "--set=schedule=linear", "--set=dataset=sample"]
assert run(["train", "-q", *settings, *training, "--set=epochs=1", "--name=new"]) == 0
assert run(["train", "-q", "--resume=runs/new", "--set=epochs=2"]) == 0
for file in ("m.onnx", "m.safetensors"):
    assert run(["export", "runs/new", "-o", file]) == 0
assert b"Softsign" in open("m.onnx", "rb").read()
assert b"Softsign()" in open("m.safetensors", "rb").read()
assert run(["config", "schema", "--format=markdown"]) == 0
"""


def test_a_new_row_of_a_table_is_all_that_the_program_needs(workdir):
    command = [sys.executable, "-c", NEW_ROWS]
    finished = subprocess.run(command, cwd=workdir, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "relu, sigmoid, softsign, tanh" in finished.stdout
    assert "lecun_normal before softsign" in finished.stdout
    assert "adam, adamw, lion: decay of the mean gradient." in finished.stdout
    assert "0.001 for adamw, 0.0005 for lion" in finished.stdout
    for summary in ("lion: by the sign", "linear: down a line", "half: half the cross-entropy"):
        assert summary in finished.stdout
    assert "half needs probabilities, and output_activation linear gives none" in finished.stderr


def test_a_config_survives_yaml():
    config = resolve(
        "hidden_layers: [5, 4]\nactivation: [relu, gelu]\nlearning_rate: 1e-7\nearly_stopping: 3\n"
        "validation_size: 500\ndataset: ./my folder\n"
    )
    assert resolve(configs.to_yaml(config)) == config


@given(
    st.builds(
        Config,
        learning_rate=st.floats(1e-300, 1000),
        weight_decay=st.floats(0, 10),
        seed=st.integers(0, 2**32 - 1),
        hidden_layers=st.lists(st.integers(1, 50), max_size=5).map(tuple),
        gradient_clip=st.none() | st.floats(1e-10, 1e6),
        validation_size=st.integers(0, 1000) | st.floats(0, 0.99),
    )
)
def test_any_config_survives_yaml(config):
    assert resolve(configs.to_yaml(config)) == config


def test_differences_name_old_and_new():
    assert configs.differences(Config(), Config(epochs=3, seed=1)) == {
        "epochs": (10, 3),
        "seed": (0, 1),
    }


def test_the_json_schema_describes_every_key():
    schema = json.loads(json.dumps(reference.json_schema()))
    properties = schema["$defs"]["Config"]["properties"]
    assert set(properties) == {field.name for field in FIELDS}
    assert properties["learning_rate"]["exclusiveMinimum"] == 0
    assert schema["$defs"]["Config"]["additionalProperties"] is False


def test_the_reference_has_a_row_for_every_key():
    rows = reference.reference().splitlines()[2:]
    keys = [row.split("`")[1] for row in rows]
    assert [key for key in keys if "." not in key] == [field.name for field in FIELDS]
    inner = [field.name for field in msgspec.structs.fields(Augmentation)]
    assert [key for key in keys if "." in key] == [f"augmentation.{name}" for name in inner]
    assert keys.index("augmentation.rotation") == keys.index("augmentation") + 1
