"""Lesson files: what is right in them, and what is wrong with its line and key."""

import pytest

from dlcli.errors import ConfigError
from dlcli.lessons import catalog, engine, reader

MINE = """\
title: Mine
source: A book
idea: An idea.
question:
  asks: Which?
  choices: [this, that]
  answer: 2
kind: training
base: {train_size: 200, hidden_layers: [8], epochs: 2}
experiments:
  slow:
    label: slow
    set: {learning_rate: 0.001}
  fast:
    label: fast
    set:
      train_size: 300
      learning_rate: 0.1
      augmentation:
        rotation: 10
figures:
  gain: validation_accuracy(fast) - validation_accuracy(slow)
  twice: 2 * gain
claims:
  - says: Fast gains {gain:%}.
    holds: gain > 0.1
charts:
  - title: Accuracy
    curve: validation_accuracy
    experiments: [fast]
  - title: Bars
    bars: {gain: gain, two: twice}
  - title: Weights
    pictures: weights(fast, 3)
explanation: It gains {gain:%}.
next:
  - to: Look
    run: dlcli lesson
"""


def read(text, *overrides):
    return reader.parse(text, "mine", "mine.yaml", overrides)


def problems(text, *overrides):
    with pytest.raises(ConfigError) as error:
        read(text, *overrides)
    return list(error.value.args)


def test_a_lesson_has_a_config_for_each_experiment():
    lesson = read(MINE)
    slow, fast = lesson.configs["slow"], lesson.configs["fast"]
    assert (slow.dataset, slow.epochs, slow.hidden_layers) == ("sample", 2, (8,))
    assert (slow.learning_rate, fast.learning_rate) == (0.001, 0.1)
    assert fast.augmentation is not None
    assert (fast.augmentation.rotation, slow.augmentation) == (10, None)


def test_what_differs_between_networks_is_described():
    slow, fast = read(MINE).descriptions()
    assert slow == "**slow** (`learning_rate: 0.001`, `augmentation: null`, `train_size: 200`)"
    assert fast.startswith("**fast** (`learning_rate: 0.1`, `augmentation: {rotation: 10.0")
    assert fast.endswith("probability: 1.0}`, `train_size: 300`)")


def test_a_label_that_is_the_name_is_not_said_twice():
    text = MINE.replace("label: slow", "label: Quick").replace(
        "  fast:\n    label: fast", "  fast:\n    label: Fast"
    )
    slow, fast = read(text).descriptions()
    assert slow.startswith("**slow**: Quick (")
    assert fast.startswith("**fast** (")


def test_set_changes_all_networks_or_one():
    lesson = read(MINE, "epochs=5", "slow.learning_rate=1", "fast.augmentation.shear=0.5")
    assert [config.epochs for config in lesson.configs.values()] == [5, 5]
    assert [config.learning_rate for config in lesson.configs.values()] == [1, 0.1]
    changed = lesson.configs["fast"].augmentation
    assert (changed.rotation, changed.shear) == (10, 0.5)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("title: Mine", "titel: Mine", "mine.yaml:1: titel: unknown key; did you mean title?"),
        ("title: Mine", "titel: Mine", "mine.yaml:1: needs the key title: one line"),
        ("title: Mine", "title: [Mine]", "mine.yaml:1: title: expected text, got [Mine]"),
        ("answer: 2", "answer: 3", "mine.yaml:7: question.answer: there are 2 choices"),
        ("[this, that]", "[this]", "question.choices: expected a list of at least 2 texts"),
        ("question:", "question: 1\nx:", "mine.yaml:4: question: expected a mapping, got 1"),
        ("epochs: 2}", "epochs: 0}", "mine.yaml:9: epochs: expected a whole number at least 1"),
        ("epochs: 2}", "lr: 2}", "mine.yaml:9: lr: unknown key; did you mean learning_rate?"),
        ("rotation: 10", "rotate: 1", "mine.yaml:20: augmentation.rotate: unknown key; did you"),
        (
            "  slow:",
            "  a-b:",
            "mine.yaml:11: experiments.a-b: the name of an experiment is letters",
        ),
        ("  slow:", "  1:", "mine.yaml:11: experiments.1: the name of an experiment is letters"),
        ("  twice:", "  1:", "mine.yaml:23: figures.1: the name of a figure is letters, digits"),
        ("  twice:", "  two-fold:", "mine.yaml:23: figures.two-fold: the name of a figure is"),
        ("epochs: 2}", "1: 2}", "mine.yaml:9: 1: unknown key"),
        ("two: twice", "0: [1]", "mine.yaml:32: charts[2].bars.0: expected text, got [1]"),
        ("asks: Which?", "0: x", "mine.yaml:5: question.0: unknown key"),
        (
            "says: Fast gains {gain:%}.",
            "says: ' '",
            "mine.yaml:25: claims[1].says: is a blank text",
        ),
        ("[this, that]", "[this, ' ']", "mine.yaml:6: question.choices: is a blank text"),
        ("2 * gain", "abs(gain, 2)", "figures.twice: abs(gain, 2): abs() takes one argument"),
        ("label: fast", "label: 3", "mine.yaml:15: experiments.fast.label: expected text, got 3"),
        ("    label: fast\n", "", "mine.yaml:14: experiments.fast: needs the key label: its name"),
        ("accuracy(slow)", "accuracy(slo)", "figures.gain: slo: no such experiment; did you mean"),
        ("accuracy(slow)", "acuracy(slow)", "no such measure; did you mean validation_accuracy?"),
        ("accuracy(slow)", "accuracy(1)", "expected validation_accuracy(experiment, epoch)"),
        ("accuracy(slow)", "accuracy()", "expected validation_accuracy(experiment, epoch)"),
        ("accuracy(slow)", "accuracy(slow, 1, 2)", "expected validation_accuracy(experiment, epo"),
        ("accuracy(slow)", "accuracy(slow, fast)", "expected validation_accuracy(experiment, epo"),
        ("2 * gain", "2 * gian", "mine.yaml:23: figures.twice: gian: no such figure; did you mean"),
        ("2 * gain", "later", "mine.yaml:23: figures.twice: later: no such figure"),
        ("2 * gain", "epochs", "figures.twice: epochs: write epochs(experiment)"),
        ("2 * gain", "gain > 2", "figures.twice: gain > 2: expected a number, not a comparison"),
        (
            "2 * gain",
            "gain.real",
            "figures.twice: gain.real: gain.real is not allowed in a formula",
        ),
        ("gain > 0.1", "gain", "mine.yaml:26: claims[1].holds: gain: expected a comparison"),
        ("gain > 0.1", "gain >", "mine.yaml:26: claims[1].holds: gain >: is no formula"),
        ("gains {gain:%}", "gains {gian}", "mine.yaml:25: claims[1].says: {gian}: no such figure"),
        ("{gain:%}", "{gain:x}", "{gain:x}: expected one of %, %0, times"),
        ("It gains {gain:%}", "It gains {no}", "mine.yaml:35: explanation: {no}: no such figure"),
        (
            "label: slow",
            "label: slow\n    after: fast",
            "slow.after: fast: no experiment above",
        ),
        ("label: slow", "label: slow\n    hand: {slat: 1}", "slow.hand.slat: unknown key; did you"),
        (
            "accuracy(slow)",
            "accuracy(slow) + accuracy_on(slow)",
            "expected accuracy_on(experiment,",
        ),
        ("accuracy(slow)", "accuracy(slow) + accuracy_on(slow, x)", "figures.gain: x: no such exp"),
        ("curve: validation_accuracy", "curve: [acc]", "charts[1].curve: expected train_loss, tra"),
        ("curve: validation_accuracy", "curve: acc", "charts[1].curve: expected train_loss, train"),
        (
            "[fast]",
            "[fas]",
            "mine.yaml:30: charts[1].experiments: fas: no such experiment; did you",
        ),
        (
            "bars: {gain: gain, two: twice}",
            "note: x",
            "charts[2]: needs one of the keys curve, bars",
        ),
        ("two: twice", "two: [1]", "mine.yaml:32: charts[2].bars.two: expected text, got [1]"),
        ("two: twice", "two: no", "mine.yaml:32: charts[2].bars.two: no: no such figure"),
        ("weights(fast, 3)", "wights(fast)", "charts[3].pictures: wights: no such measure; did"),
        (
            "weights(fast, 3)",
            "gain",
            "charts[3].pictures: gain: expected one of weights(experiment",
        ),
        (
            "weights(fast, 3)",
            "2 * weights(fast)",
            "charts[3].pictures: 2 * weights(fast): expected",
        ),
        ("weights(fast, 3)", "-weights(fast)", "charts[3].pictures: -weights(fast): expected one"),
        ("weights(fast, 3)", "weights(fast) > 1", "charts[3].pictures: weights(fast) > 1: expect"),
        ("weights(fast, 3)", "max(weights(fast), 1)", "charts[3].pictures: max(weights(fast), 1):"),
        (
            "weights(fast, 3)",
            "weights(fast, 0)",
            "charts[3].pictures: weights(fast, 0): expected a",
        ),
        ("weights(fast, 3)", "weights(fast, -1)", "charts[3].pictures: weights(fast, -1): expect"),
        ("weights(fast, 3)", "weights(fast, 1.5)", "charts[3].pictures: weights(fast, 1.5): expe"),
        ("curve: validation_accuracy", "curve: []", "charts[1].curve: expected"),
        ("kind: training", "kind: trainig", "mine.yaml:8: kind: expected training"),
        ("next:\n  - to: Look\n    run: dlcli lesson\n", "next: []\n", "next: expected a list of"),
        ("    run: dlcli lesson\n", "", "mine.yaml:37: next[1]: needs the key run: the command"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_key(old, new, problem):
    assert old in MINE
    found = problems(MINE.replace(old, new, 1))
    assert any(problem in line for line in found), found


def test_all_mistakes_are_told_at_once():
    text = MINE.replace("2 * gain", "gian").replace("gain > 0.1", "gain").replace("[fast]", "[x]")
    assert len(problems(text, "epochs=0")) == 4


def test_a_mistake_in_set_is_told_as_for_train():
    assert problems(MINE, "fast.epoch=3") == [
        "--set: epoch: unknown key; did you mean epochs?",
    ]


def test_a_file_that_is_no_lesson_is_refused(tmp_path):
    assert problems("- a") == ["mine.yaml:1: expected 'key: value' lines, found a list"]
    assert "mine.yaml:1: needs the key title: one line, for the list of lessons" in problems("")
    assert "not valid YAML" in problems("a: [")[0]
    with pytest.raises(ConfigError, match=r"none\.yaml: no such lesson file"):
        reader.read(str(tmp_path / "none.yaml"))
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not a text file"):
        reader.read(str(tmp_path / "bytes.yaml"))
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        reader.read(f"{tmp_path}/")


@pytest.mark.parametrize("word", ["3", "03", "cost", "COST", "cos"])
def test_a_lesson_is_found_by_number_name_and_beginning(word):
    assert catalog.find(word)[0] == "cost"


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("csot", "csot: no such lesson; did you mean cost?"),
        ("xyzzy", r"xyzzy: no such lesson \(for the list: dlcli lesson\)"),
        ("99", "99: no such lesson; they are numbered from 1 to"),
        ("0", "0: no such lesson; they are numbered from 1 to"),
        ("", "which lesson: one-layer, activation"),
    ],
)
def test_a_wrong_name_gets_the_nearest_one(word, problem):
    with pytest.raises(ConfigError, match=problem):
        catalog.find(word)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        (
            "init_from=pretrained",
            "--set: init_from: a network starts from another one of its lesson",
        ),
        ("preparation=plain", "--set: preparation: a lesson prepares pictures as suits"),
        ("validation_size=0", "--set: validation_size: a lesson compares networks on unseen"),
    ],
)
def test_settings_that_a_lesson_cannot_have_are_refused(override, problem):
    found = problems(MINE, override)
    assert all(each.startswith(problem) for each in found)


def test_a_lesson_may_be_about_some_classes(sample):
    few = "train_size=20", "fast.train_size=20", "validation_size=20"
    trained = engine.prepare(read(MINE, "classes=[3, 7]", *few), lambda _: sample)
    assert [each.network.layer_sizes[-1] for each in trained.values()] == [2, 2]


def test_a_label_of_a_bar_may_be_a_number():
    lesson = read(MINE.replace("two: twice", "2: twice"))
    assert list(lesson.bars) == [(1, "gain"), (1, "2")]
