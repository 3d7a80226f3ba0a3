"""dlcli as a library: the same probabilities as the command line's, and no guesses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli import Classifier, load_model
from dlcli.errors import CheckpointError, ImageError
from dlcli.evaluation import evaluate
from dlcli.nn.network import Network
from dlcli.runs import lookup
from dlcli.vision.preview import write_image


@pytest.fixture(scope="module")
def classifier(trained_model) -> Classifier:
    return load_model(trained_model)


def test_probabilities_are_those_of_eval(classifier, trained_model, sample):
    model = lookup.load_named(str(trained_model))
    assert model.temperature != 1
    result = evaluate.evaluate([model], sample.test)
    shares = classifier.predict_proba(sample.test.images)
    assert shares.dtype == np.float32
    assert np.array_equal(shares, result.probabilities)
    answers = classifier.predict(sample.test.images)
    assert np.array_equal(answers, result.predictions)


def test_probabilities_are_those_of_predict_raw(classifier, trained_model, sample, dlcli):
    write_image(sample.test.images[3], Path("three.png"))
    line = dlcli("predict", "three.png", "--raw", "-m", trained_model, "-f", "json").stdout
    (shares,) = classifier.predict_proba(sample.test.images[3])
    assert json.loads(line)["probabilities"] == pytest.approx(shares.tolist(), abs=1e-6)


def test_a_run_directory_a_file_and_the_pretrained_model_can_be_named(trained_model, sample):
    images, labels = sample.test.images, sample.test.labels
    for named, floor in (
        (str(trained_model), 0.9),
        (trained_model / "best.npz", 0.9),
        ("pretrained", 0.99),
    ):
        assert np.mean(load_model(named).predict(images) == labels) > floor


@pytest.mark.parametrize("missing", ["nowhere", Path("no.npz"), ""])
def test_a_model_that_is_not_there_is_refused(missing, workdir):
    with pytest.raises(CheckpointError):
        load_model(missing)


def test_images_come_in_several_shapes_and_types(classifier, sample):
    flat = sample.test.images[:5]
    square = flat.reshape(-1, 28, 28)
    shares = classifier.predict_proba(flat)
    assert np.array_equal(classifier.predict_proba(square), shares)
    assert np.array_equal(classifier.predict_proba(np.asfortranarray(square)), shares)
    for one in (flat[0], square[0]):
        assert classifier.predict_proba(one) == pytest.approx(shares[:1], abs=1e-6)
        assert classifier.predict(one).shape == (1,)
    for kind in (np.float32, np.float64):
        assert classifier.predict_proba(square.astype(kind) / 255) == pytest.approx(
            shares, abs=1e-5
        )
    assert classifier.predict((flat / 255).tolist()).tolist() == shares.argmax(axis=1).tolist()
    assert classifier.predict_proba(flat[:0]).shape == (0, 10)
    assert classifier.predict(square[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (np.zeros((3, 783), np.uint8), r"found \(3, 783\)"),
        (np.zeros((2, 1, 28, 28), np.uint8), r"found \(2, 1, 28, 28\)"),
        (np.uint8(0), r"found \(\)"),
        (np.zeros((28, 28), np.int64), "found int64"),
        (np.zeros((28, 28), np.bool_), "found bool"),
        (np.zeros((28, 28), np.complex64), "found complex64"),
        (np.full((28, 28), "0"), "found <U1"),
        (np.full((1, 784), 255.0), "0 to 1, found 255 to 255; pixels from 0 to 255 are taken"),
        (np.full((1, 784), -0.1), "found -0.1 to -0.1"),
        (np.full((1, 784), np.nan), "found nan to nan"),
        (np.full((1, 784), np.inf, np.float32), "found inf to inf"),
    ],
)
def test_what_cannot_be_images_is_refused(classifier, images, reason):
    with pytest.raises(ValueError, match=f"^images: .*{reason}"):
        classifier.predict(images)


@pytest.mark.parametrize(
    "options",
    [
        *({"lines": 0}, {"digits": -1}, {"grid": (1, 0)}, {"reject": 5.0}),
        *({"lines": 1.5}, {"digits": "3"}, {"grid": "9x9"}, {"grid": 9}, {"reject": "0.5"}),
        *({"grid": (1, None)}, {"grid": (1, 2, 3)}, {"grid": (1, 2), "lines": 1}),
    ],
    ids=str,
)
def test_numbers_that_no_page_can_have_are_refused(options):
    page = Image.new("L", (60, 30), 255)
    with pytest.raises(ValueError, match=f"^{next(iter(options))}: "):
        load_model("pretrained").read(page, **options)
    if "reject" in options:
        with pytest.raises(ValueError, match=r"^reject: "):
            load_model("pretrained").predict_picture(page, **options)


def test_a_damaged_image_is_an_error_of_the_picture(tmp_path):
    file = tmp_path / "half.jpg"
    Image.effect_noise((400, 400), 80).save(file)
    file.write_bytes(file.read_bytes()[:5000])
    with Image.open(file) as image:
        for picture in (file, image):
            with pytest.raises(ImageError):
                load_model("pretrained").predict_picture(picture)


def test_damaged_exif_data_is_no_reason_to_refuse_a_picture(tmp_path):
    picture = Image.new("L", (28, 28))
    picture.putpixel((14, 14), 255)
    picture.save(tmp_path / "junk.png", exif=b"JUNKJUNKJUNKJUNK")
    picture.save(tmp_path / "plain.png")
    classifier = load_model("pretrained")
    expected = classifier.predict_picture(tmp_path / "plain.png")
    with Image.open(tmp_path / "junk.png") as image:
        for given in (tmp_path / "junk.png", image):
            assert classifier.predict_picture(given).digit == expected.digit


@pytest.mark.parametrize("output_activation", ["softmax", "sigmoid", "linear"])
def test_layers_and_temperature_are_all_that_inference_needs(
    make_checkpoint, sample, output_activation
):
    network = Network([784, 6, 10], ["relu"], output_activation)
    network.initialize("auto", 0.1, np.random.default_rng(0))
    model = load_model(make_checkpoint("m.npz", network, temperature=2.5))
    hidden, last = model.layers
    assert [layer.activation for layer in model.layers] == ["relu", output_activation]
    pixels = sample.test.images[:50] / 255
    sums = np.maximum(pixels @ hidden.weight + hidden.bias, 0) @ last.weight + last.bias
    if output_activation == "softmax":
        assert model.temperature == 2.5
        shares = np.exp(sums / model.temperature)
    else:
        assert model.temperature == 1
        shares = 1 / (1 + np.exp(-sums)) if output_activation == "sigmoid" else np.maximum(sums, 0)
    shares /= shares.sum(axis=1, keepdims=True)
    assert model.predict_proba(sample.test.images[:50]) == pytest.approx(shares, abs=1e-5)


def test_layers_cannot_be_changed_by_accident(classifier):
    layer = classifier.layers[0]
    assert (layer.weight.shape, layer.bias.shape) == ((784, 128), (128,))
    with pytest.raises(ValueError, match="read-only"):
        layer.weight[0, 0] = 1


def test_the_classifier_says_what_it_is(classifier, trained_model):
    assert repr(classifier) == f"<Classifier '{trained_model}/best.npz': 784-128-10>"


def test_import_dlcli_imports_nothing_else_until_a_name_is_asked_for():
    code = (
        "import sys; before = set(sys.modules); import dlcli; "
        "assert {'load_model', 'Classifier', 'Layer'} <= set(dir(dlcli)); "
        "print(*(set(sys.modules) - before)); dlcli.load_model; assert 'numpy' in sys.modules"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert not [name for name in finished.stdout.split() if name.startswith(("numpy", "dlcli."))]


def test_other_names_are_no_attributes():
    with pytest.raises(ImportError, match="cannot import name 'load_modle' from 'dlcli'"):
        from dlcli import load_modle  # type: ignore[attr-defined]  # noqa: F401


def test_activations_are_those_of_every_layer_computed_by_hand(classifier, sample):
    images = sample.test.images[:1200]  # more than one block
    found = classifier.activations(images)
    assert [array.shape for array in found] == [(1200, 128), (1200, 10)]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    hidden, last = classifier.layers
    by_hand = np.maximum(images / np.float32(255) @ hidden.weight + hidden.bias, 0)
    np.testing.assert_allclose(found[0], by_hand, rtol=1e-4, atol=1e-4)
    logits = found[0] @ last.weight + last.bias
    scaled = np.exp(logits / classifier.temperature)
    np.testing.assert_allclose(
        scaled / scaled.sum(axis=1, keepdims=True), classifier.predict_proba(images), atol=1e-5
    )
    np.testing.assert_allclose(found[1].sum(axis=1), 1, rtol=1e-5)
    assert np.array_equal(found[1].argmax(axis=1), classifier.predict(images))


def test_activations_of_a_normalised_network_are_those_of_inference(make_checkpoint, sample):
    network = Network([784, 6, 5, 10], ["tanh", "relu"], "softmax", batch_norm=True)
    network.initialize("auto", 0.1, np.random.default_rng(0))
    network.statistics[...] = np.random.default_rng(1).uniform(0.5, 2, network.statistics.size)
    model = load_model(make_checkpoint("n.npz", network=network))
    *hidden, outputs = model.activations(sample.test.images[0])
    assert [array.shape for array in hidden] == [(1, 6), (1, 5)]
    np.testing.assert_array_equal(outputs, model.predict_proba(sample.test.images[0]))


def test_activations_of_what_is_no_image_are_refused(classifier):
    with pytest.raises(ValueError, match="expected shape"):
        classifier.activations(np.zeros((3, 5)))
