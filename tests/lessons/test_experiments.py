"""The networks of a lesson: which images they see, in which order they are trained."""

import numpy as np
import pytest

from dlcli.config import files
from dlcli.errors import ConfigError
from dlcli.lessons import engine, experiments, reader
from dlcli.lessons.data import select
from dlcli.lessons.experiments import Trained
from dlcli.lessons.formulas import FormulaError
from dlcli.lessons.schema import Hand
from tests.lessons.test_reader import MINE


def config(**settings):
    small = {"dataset": "sample", "train_size": 100, "validation_size": 100, "keep": "last"}
    small |= {"hidden_layers": "[6]", "epochs": 2}
    return files.load((), [f"{key}={value}" for key, value in (small | settings).items()])


@pytest.fixture(scope="module")
def trained(sample):
    """A network with six hidden neurons, trained for two epochs."""
    network = Trained("six", config(), select(sample, config()))
    experiments.train_side_by_side([network])
    return network


def test_a_fraction_of_the_images_are_negatives(sample):
    usual, half = select(sample, config()), select(sample, config(), 0.5)
    for part in ("train", "validation", "test"):
        before, after = getattr(usual, part).images, getattr(half, part).images
        changed = (before != after).any(axis=1)
        assert changed.sum() == len(before) // 2
        assert (after[changed] == 255 - before[changed]).all()


def test_a_slanting_hand_moves_the_top_to_the_right_and_the_bottom_to_the_left(sample):
    usual, leaning = select(sample, config()), select(sample, config(), hand=Hand(slant=0.6))
    columns = np.arange(28)

    def middle(images, rows):
        ink = images.reshape(-1, 28, 28)[:, rows].sum(axis=1, dtype=float)
        return (ink @ columns / ink.sum(axis=1).clip(1)).mean()

    for part in ("train", "validation", "test"):
        before, after = getattr(usual, part).images, getattr(leaning, part).images
        assert middle(after, slice(5, 9)) > middle(before, slice(5, 9)) + 1
        assert middle(after, slice(19, 23)) < middle(before, slice(19, 23)) - 1
    assert (select(sample, config(), hand=Hand()).train.images == usual.train.images).all()


def test_a_turning_hand_turns_clockwise(sample):
    usual, turned = select(sample, config()), select(sample, config(), hand=Hand(turn=90))
    before = usual.test.images.reshape(-1, 28, 28)[:20]
    after = turned.test.images.reshape(-1, 28, 28)[:20]
    assert abs(np.rot90(before, -1, axes=(1, 2)).astype(int) - after).max() <= 2


def test_the_first_epoch_is_preceded_by_the_scores_of_the_start(trained, sample):
    assert [scores.epoch for scores in trained.history] == [0, 1, 2]
    assert trained.score("validation_accuracy", 0) < 0.4
    assert trained.score("train_loss", 0) > trained.score("train_loss")
    assert np.isnan(trained.score("gradient_norm", 0))
    with pytest.raises(FormulaError, match="epoch 3: there are 2 epochs"):
        trained.score("train_loss", 3)


def test_a_network_may_start_from_the_weights_of_another_and_waits_for_it(sample, trained):
    data = trained.data
    child = Trained("child", config(epochs=1), data, trained)
    experiments.train_side_by_side([child])
    assert child.score("validation_accuracy", 0) == trained.score("validation_accuracy")
    parent = Trained("parent", config(epochs=1), data)
    child = Trained("child", config(epochs=1), data, parent)
    order: list[Trained] = []
    experiments.train_side_by_side([child, parent], order.append)
    assert order[0].label == "parent"
    assert child.score("validation_accuracy", 0) == parent.score("validation_accuracy")


@pytest.mark.parametrize(
    "settings", [{}, {"batch_norm": True}, {"weight_averaging": 0.99}], ids=str
)
def test_a_network_that_starts_from_another_changes_from_there(sample, settings):
    still = config(learning_rate=1e-6, epochs=1, **settings)
    data = select(sample, still)
    parent = Trained("parent", config(**settings), data)
    child = Trained("child", still, data, parent)
    experiments.train_side_by_side([parent, child])
    assert child.score("validation_accuracy", 0) == parent.score("validation_accuracy")
    assert child.score("validation_accuracy", 1) == pytest.approx(
        parent.score("validation_accuracy"), abs=0.02
    )
    assert child.of_layer("changes", 1) < 1e-3
    start, end = (child.of_layer("gradients", 2, start=start) for start in (True, False))
    assert start == pytest.approx(end, rel=0.05)
    before, after = (
        parent.network.layer_outputs(data.train.images),
        child.network.layer_outputs(data.train.images),
    )
    assert np.allclose(before[-1], after[-1], atol=0.02)


def test_the_cost_at_the_start_is_that_of_the_epochs(sample):
    weighted = config(learning_rate=1e-6, epochs=1, class_weights="{'0': 10, '1': 10}")
    network = Trained("weighted", weighted, select(sample, weighted))
    experiments.train_side_by_side([network])
    for name in ("train_loss", "validation_loss"):
        assert network.score(name, 0) == pytest.approx(network.score(name, 1), rel=0.01)


def test_only_softmax_has_a_temperature(sample):
    sigmoid = config(epochs=1, output_activation="sigmoid", loss="mse")
    network = Trained("sigmoid", sigmoid, select(sample, sigmoid))
    with pytest.raises(FormulaError, match="only a network with softmax has a temperature"):
        _ = network.calibrated_test


@pytest.mark.parametrize("setting", ["hidden_layers=[9]", "batch_norm=true", "activation=tanh"])
def test_a_network_of_another_shape_cannot_start_from_those_weights(sample, setting):
    text = MINE.replace("label: fast", "label: fast\n    after: slow")
    lesson = reader.parse(text, "mine", "mine.yaml", [f"fast.{setting}"])
    with pytest.raises(ConfigError, match=r"experiments\.fast: its layers are not those of slow"):
        engine.prepare(lesson, lambda _: sample)


def test_a_divergence_ends_one_network_and_not_the_others(sample):
    settings = {"loss": "mse", "output_activation": "linear", "batch_size": 5}
    settings |= {"activation": "tanh"}
    lost = config(learning_rate=100, **settings)
    fine = config(learning_rate=0.01, **settings)
    networks = [Trained("a", lost, select(sample, lost)), Trained("b", fine, select(sample, fine))]
    experiments.train_side_by_side(networks)
    assert [each.has_diverged for each in networks] == [True, False]
    assert "training diverged in epoch 1" in str(networks[0].divergence)
    assert networks[1].epochs == 2


def test_scores_of_epochs_that_a_divergence_prevented_are_undefined(sample):
    settings = config(learning_rate=100, loss="mse", output_activation="linear", batch_size=5)
    lost = Trained("lost", settings, select(sample, settings))
    experiments.train_side_by_side([lost])
    assert lost.epochs == 0
    assert np.isfinite([lost.score("train_loss", epoch) for epoch in (0, -1)]).all()
    assert np.isnan([lost.score("train_loss", epoch) for epoch in (1, 2, -2, -3)]).all()
    for epoch in (3, -4):
        with pytest.raises(FormulaError, match="there are 0 epochs"):
            lost.score("train_loss", epoch)


def test_switching_all_neurons_off_leaves_one_answer_for_every_image(trained):
    assert trained.accuracy_without(0, important=True) == trained.test.accuracy
    everything_off = trained.accuracy_without(6, important=False)
    shares = np.bincount(trained.data.test.labels) / len(trained.data.test)
    assert everything_off in shares.tolist()


def test_layers_count_from_one_and_from_the_end(trained):
    changes = trained.by_layer("changes")
    assert trained.of_layer("changes", 1) == trained.of_layer("changes", -2) == changes[0]
    assert trained.of_layer("changes", -1) == changes[1]
    for layer in (0, 3, -3):
        with pytest.raises(FormulaError, match="there are 2 layers"):
            trained.of_layer("changes", layer)


def test_measures_of_other_networks_are_refused(trained, sample):
    with pytest.raises(FormulaError, match="without hidden layers"):
        _ = trained.stencil_likeness
    with pytest.raises(FormulaError, match="relu has no ends of its range"):
        trained.extreme_outputs(1)
    with pytest.raises(FormulaError, match="softmax has no ends of its range"):
        trained.extreme_outputs(-1)
    single = config(hidden_layers="[]", epochs=1)
    with pytest.raises(FormulaError, match="no hidden neuron"):
        Trained("single", single, select(sample, single)).accuracy_without(1, important=True)


def test_every_score_picture_and_measure_has_a_value(trained):
    from dlcli.lessons import measures

    for name in measures.PICTURES:
        pictures = measures.measure(name, [trained, 3.0])
        assert 0 < len(pictures) <= 3
        assert all(picture.values.size == 784 for picture in pictures)
    unfit = {"stencil_likeness", "start_extreme", "end_extreme"}
    for name, each in measures.MEASURES.items():
        if name not in unfit:
            arguments = [trained] * (1 + len(each.others)) + [1.0] * len(each.numbers)
            assert isinstance(measures.measure(name, arguments), float), name


def test_a_line_is_named_by_what_tells_it_from_the_others(sample):
    several = MINE.replace("curve: validation_accuracy", "curve: [train_loss, validation_loss]")
    for text, labels in (
        (several, ["training images", "unseen images"]),
        (several.replace("    experiments: [fast]\n", ""), ["slow, training images"]),
        (MINE, ["fast"]),
    ):
        result = engine.run(reader.parse(text, "mine", "mine.yaml"), lambda _: sample)
        found = [line.label for line in result.charts[0].lines]
        assert found[: len(labels)] == labels
