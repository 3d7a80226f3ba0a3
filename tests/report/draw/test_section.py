import base64
import hashlib
import json
import re
from importlib import resources

import numpy as np
import pytest

from dlcli.errors import CheckpointError
from dlcli.nn.network import Network
from dlcli.report import draw
from dlcli.runs import checkpoint, lookup
from dlcli.vision import components, foreground, localization, mnist_format, pipeline, rejection

# What a constant of a script is called in the module that it is from, where names differ.
_RENAMED = {
    "MARKED": "MARKED",
    "SEVERAL": "SEVERAL",
    "LINE_THICKNESS": "_LINE_WIDTH",
    "FAINTEST_DIGIT": "_FAINTEST_INK",
}
_MODULES = {
    "ink": foreground,
    "pieces": components,
    "placement": mnist_format,
    "views": localization,
    "images": pipeline,
    "model": rejection,
}
# Of the script alone: how its pictures are turned over.
_OWN = {"LARGEST", "LEAST", "LOOKS_AT_ONCE"}


@pytest.fixture(scope="module")
def pretrained():
    return draw.section("pretrained")


@pytest.mark.parametrize("name", _MODULES)
def test_constants_of_a_script_are_those_of_its_module(name):
    script = resources.files(draw).joinpath(f"{name}.js").read_text()
    constants = re.findall(r"^const ([A-Z][A-Z_]+) = ([^;{]+);", script, re.MULTILINE)
    assert constants
    for constant, value in constants:
        if constant in _OWN:
            continue
        module = _MODULES[name]
        called = _RENAMED.get(constant, f"_{constant}")
        expected = getattr(module, called if hasattr(module, called) else constant)
        read = json.loads(value.replace("'", '"'))
        assert (tuple(read) if isinstance(read, list) else read) == expected, constant


def test_the_data_hold_the_network_as_it_is_used(pretrained):
    data = json.loads(pretrained.data)
    network = lookup.load_named("pretrained").network
    stored = np.frombuffer(base64.b64decode(data["network"]["parameters"]), "<f2")
    assert data["network"]["precision"] == "float16"
    np.testing.assert_array_equal(stored.astype(np.float32), network.parameters)
    assert len(data["maps"]) == 45


def test_small_networks_are_kept_exact(make_checkpoint):
    path = make_checkpoint("small.npz")
    data = json.loads(draw.section(str(path)).data)
    stored = np.frombuffer(base64.b64decode(data["network"]["parameters"]), "<f4")
    assert data["network"]["precision"] == "float32"
    np.testing.assert_array_equal(stored, checkpoint.load(path).network.parameters)


def test_examples_are_one_of_each_digit(pretrained, sample):
    examples = json.loads(pretrained.data)["examples"]
    assert [example["digit"] for example in examples] == list(range(10))
    for example in examples:
        pixels = np.frombuffer(base64.b64decode(example["pixels"]), np.uint8)
        at = np.flatnonzero((sample.test.images == pixels).all(axis=1))
        assert sample.test.labels[at[0]] == example["digit"]


def test_the_page_allows_its_own_script_and_style_alone(pretrained):
    page = draw.page(pretrained).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        content = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"\s(style|on[a-z]+)=", pretrained.html)
    assert "unsafe" not in policy
    assert "http" not in pretrained.html + pretrained.css + pretrained.javascript


def test_a_name_cannot_break_out_of_the_data(make_checkpoint):
    network = Network([784, 3, 10], ["tanh"], "softmax")
    path = make_checkpoint("<script>&.npz", network)
    data = draw.section(str(path)).data
    assert "<" not in data
    assert json.loads(data)["name"] == str(path)


def test_a_model_of_other_things_is_refused(make_checkpoint):
    path = make_checkpoint(
        "shirts.npz",
        preprocessing="none",
        dataset={"name": "fashion-mnist", "checksum": "0"},
    )
    with pytest.raises(CheckpointError, match="fashion-mnist, which cannot be drawn"):
        draw.section(str(path))
