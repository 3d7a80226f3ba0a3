"""Exported models give the same probabilities as dlcli, and name their origin."""

import json
import re
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors.numpy import load

from benchmarks import exports
from dlcli.data import datasets
from dlcli.errors import ConfigError
from dlcli.export import onnx_format
from dlcli.export.onnx_format import to_onnx
from dlcli.export.safetensors_format import modules, to_safetensors
from dlcli.nn.activations import OUTPUT_ACTIVATIONS
from dlcli.nn.network import Network
from dlcli.nn.types import Array
from dlcli.runs import checkpoint, lookup

# What each module of PyTorch computes, in float64.
MODULES: dict[str, Callable[[Array], Array]] = {
    "Sigmoid()": lambda x: 1 / (1 + np.exp(-x)),
    "Tanh()": np.tanh,
    "Identity()": lambda x: x,
    "ReLU()": lambda x: np.maximum(x, 0),
    "LeakyReLU(0.01)": lambda x: np.where(x > 0, x, 0.01 * x),
    "GELU(approximate='tanh')": lambda x: (
        x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    ),
    "Softmax(dim=1)": lambda x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True),
}


def by_numpy(model, images):
    """What PyTorch would compute, module after module."""
    arrays, values = load(to_safetensors(model)), images.astype(np.float64) / 255
    for place, module in enumerate(re.split(r", (?=[A-Z])", modules(model))):
        if match := re.fullmatch(r"Linear\((\d+), (\d+)\)", module):
            weight, bias = arrays.pop(f"{place}.weight"), arrays.pop(f"{place}.bias")
            assert weight.shape == (int(match[2]), int(match[1]))
            assert bias.shape == (int(match[2]),)
            assert weight.dtype == bias.dtype == np.float32
            values = values @ weight.T + bias
        else:
            values = MODULES[module](values)
    assert not arrays
    return model.network.probabilities(values)


@pytest.fixture(scope="module")
def small_models(sample):
    """A network for each activation and output; linear ones diverge at the usual learning rate."""
    linear = [exports.small_model(sample, "linear", output, 0.01) for output in OUTPUT_ACTIVATIONS]
    return [*(exports.small_model(sample, *kind) for kind in exports.KINDS), *linear]


@pytest.mark.parametrize("runner", [exports.by_onnxruntime, by_numpy])
def test_every_kind_of_network_answers_alike_on_the_sample(small_models, sample, runner):
    assert exports.largest_difference(small_models, sample.test.images, runner) < exports.TOLERANCE


@pytest.mark.parametrize("runner", [exports.by_onnxruntime, by_numpy])
def test_every_kind_of_network_answers_alike_on_the_whole_test_set(small_models, mnist_dir, runner):
    images = datasets.load(str(mnist_dir)).test.images
    assert len(images) == 10_000
    assert exports.largest_difference(small_models, images, runner) < exports.TOLERANCE


@pytest.mark.parametrize("opset", [13, 17, 18, 20])
def test_every_operator_set_gives_the_same_answers(small_models, sample, opset):
    images = sample.test.images[:200]

    def run(model, images):
        session = onnxruntime.InferenceSession(
            to_onnx(model, opset), providers=["CPUExecutionProvider"]
        )
        return session.run(None, {"images": images.reshape(-1, 28, 28)})[0]

    assert exports.largest_difference(small_models, images, run) < exports.TOLERANCE


def test_every_model_is_written_for_runtimes_of_2021(small_models):
    """Old releases of onnxruntime refuse newer operator sets and formats, whatever they hold."""
    for model in small_models:
        exported = onnx.load_from_string(to_onnx(model))
        assert [(entry.domain, entry.version) for entry in exported.opset_import] == [("", 13)]
        assert exported.ir_version == 7
        assert "Gelu" not in {node.op_type for node in exported.graph.node}
    newest = onnx.load_from_string(to_onnx(small_models[0], 20))
    assert (newest.opset_import[0].version, newest.ir_version) == (20, 9)


@pytest.mark.parametrize("opset", [12, 1000])
def test_an_operator_set_that_cannot_be_written_is_refused(trained, opset):
    with pytest.raises(ConfigError, match=f"--opset {opset}: use 13 to "):
        to_onnx(trained, opset)


def test_every_output_activation_can_be_exported():
    assert onnx_format._OUTPUTS.keys() == OUTPUT_ACTIVATIONS.keys()


@pytest.fixture
def of_logits(make_checkpoint):
    """A model with the given logits for any image."""

    def make(output_activation, logits, **metadata):
        network = Network([784, 10], [], output_activation)
        network.biases[0][...] = logits
        return checkpoint.load(make_checkpoint("m.npz", network, **metadata))

    return make


@pytest.mark.parametrize(
    ("output_activation", "logits"),
    [
        ("sigmoid", np.linspace(-60, -20, 10)),
        ("sigmoid", np.linspace(-200, -100, 10)),
        ("sigmoid", np.linspace(-100, 100, 10)),
        ("linear", np.linspace(-2, -1, 10)),
        ("linear", np.linspace(-1, 1, 10)),
        ("linear", np.linspace(1, 2, 10)),
        ("linear", np.full(10, -3)),
        ("linear", np.zeros(10)),
        ("softmax", np.linspace(-300, 300, 10)),
    ],
)
def test_outputs_of_any_size_become_the_same_probabilities(
    of_logits, output_activation, logits, sample
):
    image, runner = sample.test.images[:1], exports.by_onnxruntime
    assert exports.largest_difference([of_logits(output_activation, logits)], image, runner) < 1e-6


def test_the_temperature_is_inside_where_there_is_softmax(of_logits, sample):
    image = sample.test.images[:1]
    for runner in (exports.by_onnxruntime, by_numpy):
        for output_activation in OUTPUT_ACTIVATIONS:
            hot, cold = (
                runner(of_logits(output_activation, np.arange(10), temperature=t), image)
                for t in (5.0, 1.0)
            )
            assert np.allclose(hot, cold) == (output_activation != "softmax")


@pytest.fixture(scope="module")
def trained(trained_model):
    return lookup.load_named(str(trained_model))


def test_an_onnx_graph_takes_bytes_and_any_number_of_images(trained, sample):
    content = to_onnx(trained)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(uint8)", ["batch", 28, 28])
    assert (made.name, made.type, made.shape) == ("probabilities", "tensor(float)", ["batch", 10])
    for count in (1, 3):
        images = sample.test.images[:count].reshape(-1, 28, 28)
        (probabilities,) = session.run(None, {"images": images})
        assert probabilities == pytest.approx(trained.infer(images.reshape(-1, 784))[1], abs=1e-6)


def test_safetensors_has_the_names_and_the_layout_of_pytorch(trained):
    arrays = load(to_safetensors(trained))
    shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes == {
        "0.weight": (128, 784),
        "0.bias": (128,),
        "2.weight": (10, 128),
        "2.bias": (10,),
    }
    assert np.array_equal(arrays["0.weight"], trained.network.weights[0].T)
    assert arrays["2.weight"] * np.float32(trained.temperature) == pytest.approx(
        trained.network.weights[1].T, rel=1e-6
    )
    assert modules(trained) == "Linear(784, 128), ReLU(), Linear(128, 10), Softmax(dim=1)"


def test_both_say_where_the_model_comes_from(trained):
    props = {p.key: p.value for p in onnx.load_from_string(to_onnx(trained)).metadata_props}
    content = to_safetensors(trained)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    for texts in (props, header["__metadata__"]):
        described = json.loads(texts["dlcli"])
        assert described["config"] == trained.metadata.config
        assert described["dataset"] == "sample"
        assert described["dataset_checksum"] == trained.metadata.dataset.checksum
        assert described["temperature"] == trained.temperature != 1
        assert described["version"]
        assert described["epoch"] == trained.metadata.epoch
    assert described["modules"] == modules(trained)


def test_the_same_model_gives_the_same_bytes(trained):
    for convert in (to_onnx, to_safetensors):
        assert convert(trained) == convert(trained)


def test_the_kept_differences_are_of_every_kind_on_the_whole_test_set_and_small_enough(tmp_path):
    record = json.loads(exports.RECORD.read_text())
    assert (record["images"], record["small_networks"]) == (10_000, len(exports.KINDS))
    assert [row["format"] for row in record["rows"]] == ["onnx", "safetensors"]
    record["rows"][1]["small"] = 2e-5
    (tmp_path / "worse.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="safetensors differs by more than 1e-05"):
        exports.table(tmp_path / "worse.json")
