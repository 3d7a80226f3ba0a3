import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from dlcli.errors import CheckpointError
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.losses import LOSSES, fits
from dlcli.nn.network import Network
from dlcli.report import draw
from dlcli.runs import checkpoint, lookup
from dlcli.vision import rejection
from dlcli.vision.test_time_augmentation import tta_variants


@pytest.fixture(scope="module")
def pretrained():
    return draw.section(lookup.load_named("pretrained"))


@pytest.fixture(scope="module")
def page():
    return draw.page(lookup.load_named("pretrained")).decode()


def test_large_networks_are_stored_in_16_bits(pretrained):
    """The networks that come with dlcli are, already in the package: nothing is lost."""
    data = json.loads(pretrained.data)
    shipped = {
        "network": lookup.load_named("pretrained").network,
        "rejection": rejection.network(),
    }
    for name, network in shipped.items():
        stored = np.frombuffer(base64.b64decode(data[name]["parameters"]), "<f2")
        assert data[name]["precision"] == "float16"
        np.testing.assert_array_equal(stored.astype(np.float32), network.parameters)


def test_the_data_hold_the_maps_of_all_variants(pretrained):
    data = json.loads(pretrained.data)
    assert 1 + len(data["maps"]) == len(tta_variants(np.zeros(784, np.uint8)))


def test_small_networks_are_stored_exactly(make_checkpoint):
    path = make_checkpoint("small.npz")
    data = json.loads(draw.section(lookup.load_named(str(path))).data)
    stored = np.frombuffer(base64.b64decode(data["network"]["parameters"]), "<f4")
    assert data["network"]["precision"] == "float32"
    np.testing.assert_array_equal(stored, checkpoint.load(path).network.parameters)


def test_there_is_one_example_of_each_digit(pretrained, sample):
    examples = json.loads(pretrained.data)["examples"]
    assert [example["digit"] for example in examples] == list(range(10))
    for example in examples:
        pixels = np.frombuffer(base64.b64decode(example["pixels"]), np.uint8)
        at = np.flatnonzero((sample.test.images == pixels).all(axis=1))
        assert sample.test.labels[at[0]] == example["digit"]


def test_only_hidden_layers_have_a_heading_for_their_neurons(page, make_checkpoint):
    bare = draw.page(lookup.load_named(str(make_checkpoint("bare.npz")))).decode()
    for text, has_any in ((page, True), (bare, False)):
        assert ("Every neuron, layer by layer" in text) is has_any
        assert ('id="demo-layers"' in text) is has_any
        assert ("are its neurons" in text) is has_any


def found(pattern: str, text: str) -> str:
    """What the group of a pattern matches in a text that has it."""
    match = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    assert match is not None
    return match[1]


def test_the_page_holds_images_to_train_on_and_unseen_ones(page, sample):
    stored = json.loads(found(r'id="demo-data">(.*?)</script>', page))["live"]
    pixels = gzip.decompress(base64.b64decode(stored["images"]))
    images = np.frombuffer(pixels, np.uint8).reshape(-1, 784)
    labels = np.array([int(label) for label in stored["labels"]])
    assert stored["training"] == 1000
    for rows, part in ((slice(1000), sample.train), (slice(1000, None), sample.test)):
        count = len(labels[rows])
        np.testing.assert_array_equal(images[rows], part.images[:count])
        np.testing.assert_array_equal(labels[rows], part.labels[:count])
    assert len(labels) == 1500


def test_networks_to_train_add_less_than_400_kb_to_the_page_and_nothing_to_a_report(
    page, pretrained
):
    report = sum(map(len, (pretrained.css, pretrained.javascript, pretrained.data)))
    assert 0 < len(page) - report < 400_000
    assert "class Live" in page
    assert "class Live" not in pretrained.javascript


def test_the_page_allows_only_its_own_script_and_style(page, pretrained):
    policy = found(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        content = found(f"<{tag}>(.*?)</{tag}>", page)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    html = re.sub("<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"\s(style|on[a-z]+)=", html)
    assert "unsafe" not in policy
    assert "http" not in html.replace("http-equiv", "") + pretrained.css + pretrained.javascript


def test_every_colour_that_the_page_uses_is_defined(page):
    style = found("<style>(.*?)</style>", page)
    used = re.findall(r"var\((--[\w-]+)", style)
    used += re.findall(r"(?:read|getPropertyValue)\('(--[\w-]+)'", page)
    assert {"--heat", "--demo-none"} <= set(used)
    assert set(used) <= set(re.findall(r"(--[\w-]+):", style))


PAIRS = [f"{loss} {out}" for loss in LOSSES for out in OUTPUT_ACTIVATIONS if fits(loss, out)]


@pytest.mark.parametrize(
    ("script", "table", "names"),
    [
        ("network.js", "ACTIVATIONS", ACTIVATIONS),
        ("network.js", "OUTPUTS", OUTPUT_ACTIVATIONS),
        ("network.js", "LOSSES", LOSSES),
        ("walkthrough.js", "OUTPUT_TEXTS", OUTPUT_ACTIVATIONS),
        ("walkthrough.js", "LOSS_TEXTS", PAIRS),
        ("walkthrough.js", "ERROR_TEXTS", PAIRS),
    ],
)
def test_the_page_has_a_formula_and_a_text_for_every_function(script, table, names):
    text = (Path(draw.__file__).parent / script).read_text(encoding="utf-8")
    rows = found(rf"^const {table} = {{\n(.*?)^}};", text)
    present = re.findall(r"^  '?(\w[\w ]*)'?: ", rows, re.MULTILINE)
    missing = [name for name in names if name not in present and name.split()[0] not in present]
    assert not missing, f"add {missing} to {table} in dlcli/report/draw/{script}"


def test_a_name_cannot_break_out_of_the_data(make_checkpoint):
    network = Network([784, 3, 10], ["tanh"], "softmax")
    path = make_checkpoint("<script>&.npz", network)
    data = draw.section(lookup.load_named(str(path))).data
    assert "<" not in data
    assert json.loads(data)["name"] == str(path)


def test_a_model_of_other_images_than_digits_is_refused(make_checkpoint):
    path = make_checkpoint(
        "shirts.npz",
        preprocessing="none",
        dataset={"name": "fashion-mnist", "checksum": "0"},
    )
    with pytest.raises(CheckpointError, match="fashion-mnist, which cannot be drawn"):
        draw.section(lookup.load_named(str(path)))
