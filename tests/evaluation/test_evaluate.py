"""A network with known predictions has exactly the scores worked out by hand."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from dlcli.data.examples import Examples
from dlcli.data.splits import split_validation
from dlcli.errors import CheckpointError, DatasetError
from dlcli.evaluation import evaluate
from dlcli.nn.network import Network
from dlcli.runs import checkpoint
from dlcli.runs.metadata import TrainingImages
from dlcli.vision.test_time_augmentation import tta_variants

# The network below predictions the digit whose pixel is lit.
LABELS = [0, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9]
PREDICTIONS = [0, 1, 2, 3, 3, 3, 4, 5, 5, 5, 8, 9]
LOGIT = 3.0


def lit(predictions) -> np.ndarray:
    images = np.zeros((len(predictions), 784), np.uint8)
    images[np.arange(len(predictions)), predictions] = 255
    return images


def examples(labels=LABELS, predictions=PREDICTIONS) -> Examples:
    return Examples(lit(predictions), np.array(labels, np.uint8))


@pytest.fixture
def model(make_checkpoint):
    network = Network([784, 10], [], "softmax")
    network.weights[0][np.arange(10), np.arange(10)] = LOGIT
    return checkpoint.load(
        make_checkpoint("lit.npz", network, dataset={"name": "x", "checksum": "0"})
    )


@pytest.fixture
def result(model):
    return evaluate.evaluate([model], examples())


def test_correct_predictions_are_counted(result):
    assert (result.images, result.correct, result.accuracy) == (12, 9, 0.75)
    assert result.predictions.tolist() == PREDICTIONS
    assert result.labels.tolist() == LABELS
    # proportion_confint(9, 12, method="wilson") of statsmodels 0.15.0
    assert result.interval == pytest.approx((0.46769466506643426, 0.9110583316059453))


def test_the_loss_is_the_mean_negative_log_of_the_labels_probability(result):
    total = math.exp(LOGIT) + 9
    right, wrong = -math.log(math.exp(LOGIT) / total), -math.log(1 / total)
    assert result.loss == pytest.approx((9 * right + 3 * wrong) / 12, rel=1e-5)


def test_the_calibration_error_is_the_distance_between_confidence_and_accuracy(result):
    confidence = math.exp(LOGIT) / (math.exp(LOGIT) + 9)
    assert result.calibration_error == pytest.approx(abs(confidence - 0.75), abs=1e-6)


def test_each_digit_has_scores(result):
    five, seven, three = result.classes[5], result.classes[7], result.classes[3]
    assert (five.precision, five.recall, five.f1) == pytest.approx((1 / 3, 1, 0.5))
    assert (seven.precision, seven.recall, seven.f1, seven.images) == (0, 0, 0, 1)
    assert (three.precision, three.recall, three.f1) == pytest.approx((2 / 3, 1, 0.8))


def test_the_confusion_matrix_has_a_row_for_each_label(result):
    assert result.confusion.shape == (10, 10)
    assert result.confusion.sum() == 12
    assert result.confusion[2].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0]
    assert result.confusion[7, 5] == result.confusion[6, 5] == 1


def test_scores_become_plain_values_for_json(result):
    values = json.loads(json.dumps(result.to_builtins()))
    assert values["accuracy"] == 0.75
    assert values["per_digit"][7] == {
        "digit": 7,
        "precision": 0,
        "recall": 0,
        "f1": 0,
        "images": 1,
    }


def test_errors_on_disputed_images_are_counted_apart(result):
    marked = replace(result, disputed={3: "another", 4: "none", 8: "none"})
    assert marked.disputed_errors == [3, 8]
    assert marked.undisputed_accuracy == 8 / 9
    values = marked.to_builtins()
    assert values["accuracy_undisputed"] == 8 / 9
    assert values["disputed_errors"] == [
        {"index": 3, "label": "2", "prediction": "3", "agreed": True},
        {"index": 8, "label": "6", "prediction": "5", "agreed": False},
    ]


def test_augmentation_scores_the_mean_over_the_variants(model):
    images = examples().images
    result = evaluate.evaluate([model], examples())
    counted: list[float] = []
    scores = evaluate.score_tta(result, [model], images, counted.append).tta
    assert scores is not None
    assert (scores.images, scores.variants, sum(counted)) == (12, 46, 12)
    expected = [model.infer(tta_variants(image))[1].mean(axis=0).argmax() for image in images]
    assert scores.correct == np.count_nonzero(np.array(expected) == LABELS)
    assert scores.to_builtins()["accuracy"] == scores.correct / 12


def test_variants_of_dark_digits_have_a_light_background(model):
    images = replace(
        model.metadata,
        images=TrainingImages("dark_on_light", True, True, 20, "mass"),
    )
    inverted = replace(model, metadata=images)
    pixels = 255 - examples().images
    result = evaluate.evaluate([model], examples())
    scores = evaluate.score_tta(result, [inverted], pixels).tta
    assert scores is not None
    shown = [255 - tta_variants(image) for image in examples().images]
    expected = [model.infer(each)[1].mean(axis=0).argmax() for each in shown]
    assert scores.correct == np.count_nonzero(np.array(expected) == LABELS)


def test_outputs_that_overflow_are_an_error_of_the_checkpoint(make_checkpoint):
    network = Network([784, 10, 10], ["relu"], "softmax")
    network.weights[0][...] = 3e38
    network.weights[1][...] = 3e38
    model = checkpoint.load(make_checkpoint("huge.npz", network))
    with pytest.raises(CheckpointError, match=r"huge\.npz: its weights are so large"):
        evaluate.evaluate([model], examples())


@pytest.fixture
def sample_model(make_checkpoint, sample):
    def make(**config):
        path = make_checkpoint(
            "own.npz",
            config={"dataset": "sample", **config},
            dataset={"name": "sample", "checksum": sample.checksum},
        )
        return checkpoint.load(path)

    return make


@pytest.mark.parametrize(("size", "seed"), [(0.1, 0), (0.1, 7), (2500, 0)])
def test_splits_are_those_of_the_training(sample_model, sample, size, seed):
    model = sample_model(validation_size=size, seed=seed)
    learn, validate = split_validation(sample.train, size, seed)
    assert evaluate.select_split(model, sample, "test") is sample.test
    chosen = [evaluate.select_split(model, sample, split) for split in ("train", "validation")]
    assert (chosen[0].images == learn.images).all()
    assert (chosen[1].images == validate.images).all()
    assert (chosen[1].labels == validate.labels).all()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_training_images_of_another_dataset_cannot_be_split(model, sample, split):
    with pytest.raises(DatasetError, match=f"--split {split}: the model was trained on other data"):
        evaluate.select_split(model, sample, split)


def test_a_model_trained_without_validation_images_has_no_validation_split(sample_model, sample):
    model = sample_model(validation_size=0)
    with pytest.raises(DatasetError, match="trained with validation_size 0"):
        evaluate.select_split(model, sample, "validation")
    assert len(evaluate.select_split(model, sample, "train")) == 10_000


def test_a_damaged_config_is_an_error_where_it_is_needed(sample_model, sample):
    model = sample_model(validation_size="many")
    assert evaluate.select_split(model, sample, "test") is sample.test
    with pytest.raises(CheckpointError, match=r"own\.npz: validation_size: expected"):
        evaluate.select_split(model, sample, "train")
