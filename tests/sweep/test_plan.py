"""Search files: what is fixed, what is searched, and what is refused before anything runs."""

import pytest

from dlcli.config.augmentation import Augmentation
from dlcli.errors import ConfigError
from dlcli.sweep import plan as plans
from dlcli.sweep.space import Choices, Range


def problems_of(make_plan, text: str, **options) -> list[str]:
    with pytest.raises(ConfigError) as error:
        make_plan(text, **options)
    return str(error.value).splitlines()


def test_the_shipped_search_is_valid():
    plan = plans.load(["sweep"], [], None)
    assert {"hidden_layers", "learning_rate", "dropout"} <= set(plan.space)
    assert list(plan.datasets) == ["sample"]
    assert plan.trials == 60


def test_fixed_keys_spaces_and_settings_are_separated(make_plan):
    plan = make_plan("augmentation: {rotation: {low: 0, high: 9}, shift: 2}\nsweep: {seed: 7}")
    assert plan.space["augmentation.rotation"] == Range(0.0, 9.0, log=False, step=None)
    assert plan.space["hidden_layers"] == Choices(([4], [8]))
    assert plan.search.seed == 7
    labels = {"hidden_layers": "[8]", "learning_rate": 0.5, "augmentation.rotation": 3.0}
    config = plan.config(labels)
    assert (config.hidden_layers, config.learning_rate) == ((8,), 0.5)
    assert config.augmentation == Augmentation(rotation=3.0, shift=2)


def test_a_mixture_may_be_a_choice_of_the_dataset(make_plan):
    plan = make_plan("dataset: {choices: [sample, [sample, mnist]]}")
    assert list(plan.datasets) == ["sample", "sample + mnist"]
    assert plan.datasets["sample"] == "sample"


def test_augmentation_as_a_whole_may_be_a_choice(make_plan):
    plan = make_plan("augmentation: {choices: [null, {rotation: 10}]}")
    labels = {"hidden_layers": "[8]", "learning_rate": 0.5}
    assert plan.config(labels | {"augmentation": None}).augmentation is None
    turned = plan.config(labels | {"augmentation": '{"rotation": 10}'})
    assert turned.augmentation == Augmentation(rotation=10)


def test_later_files_and_set_override_a_space(make_plan, workdir):
    assert "learning_rate" not in make_plan("learning_rate: 0.2").space
    overrides = ["epochs={low: 1, high: 3}", "sweep={pruner: none}"]
    plan = plans.load(["start.yaml"], overrides, 9)
    assert plan.space["epochs"] == Range(1, 3, log=False, step=None)
    assert (plan.search.pruner, plan.search.trials) == ("none", 9)
    assert make_plan("learning_rate: {choices: [1, 2]}").space["learning_rate"] == Choices((1, 2))
    assert make_plan("learning_rate: {low: 1, high: 2}").space["learning_rate"] == Range(
        1.0, 2.0, log=False, step=None
    )


def test_the_largest_number_of_epochs_and_the_datasets(make_plan, tiny):
    assert make_plan().max_epochs == 2
    assert make_plan("epochs: {low: 1, high: 30}").max_epochs == 30
    assert make_plan("epochs: {choices: [9, 3]}").max_epochs == 9
    assert make_plan("dataset: {choices: [sample, mnist]}").datasets == {
        "sample": "sample",
        "mnist": "mnist",
    }
    assert list(make_plan().datasets) == [str(tiny)]


def test_every_problem_is_reported_with_file_line_and_key(make_plan):
    text = (
        "epochs: none\n"
        "learnin_rate: {low: 1, high: 2}\n"
        "dropout: {low: 0.5, high: 0.1}\n"
        "sweep:\n"
        "  sampler: tpa\n"
        "  trils: 5\n"
        "  trials: 0\n"
    )
    assert problems_of(make_plan, text, trials=None) == [
        "search.yaml:3: dropout.high: 0.1 is not above low, 0.5",
        "search.yaml:5: sweep.sampler: expected gp, grid, random, tpe, got tpa; did you mean tpe?",
        "search.yaml:6: sweep.trils: unknown key; did you mean trials?",
        "search.yaml:7: sweep.trials: expected a whole number at least 1, at most 1,000,000, got 0",
        "search.yaml:1: epochs: expected a whole number at least 1, at most 100,000, got none",
        "search.yaml:2: learnin_rate: unknown key; did you mean learning_rate?",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour:\n  blue: 1\n  red: 2", "search.yaml:1: colour: unknown key"),
        (
            "augmentation:\n  scale:\n    low: 0\n    hihg: 0.5",
            "search.yaml:4: augmentation.scale.hihg: unknown in a search space",
        ),
        (
            "augmentation:\n  scale:\n    low: 0.1",
            "search.yaml:2: augmentation.scale: high missing",
        ),
        ("dropout:\n  low: 0.1", "search.yaml:1: dropout: high missing"),
        (
            "class_weights:\n  7: {low: 1, high: 3}",
            "search.yaml:2: class_weights.7: a single weight cannot be searched",
        ),
        (
            "augmentation: {choices: [null, {rotation: 30}], shift: 2}",
            "search.yaml:1: augmentation.shift: cannot be given, as augmentation is searched as a",
        ),
        (
            'class_weights: {choices: [balanced, null], "7": 3}',
            "search.yaml:1: class_weights.7: cannot be given, as class_weights is searched as a",
        ),
        ("sweep: 5", "search.yaml:1: sweep: expected a mapping of its keys"),
        (
            "early_stopping: 2\nkeep: last",
            "search.yaml:1: early_stopping: does not work with keep: last",
        ),
        ("validation_size: 0", "search.yaml:1: validation_size: a search compares trials on val"),
        ("validation_size: {low: 0, high: 9}", "search.yaml:1: validation_size: a search compares"),
        ("validation_size: {choices: [0, 9]}", "search.yaml:1: validation_size: a search compares"),
        ("sweep: {sampler: grid}", "start.yaml:4: learning_rate: sampler grid needs a step or"),
        (
            "sweep: {sampler: grid}\nlearning_rate: 0.1\nseed: {low: 0, high: 3999999999}",
            "a grid of 8,000,000,000 combinations is too large; the most is 1,000,000",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(make_plan, text, message):
    assert any(line.startswith(message) for line in problems_of(make_plan, text))


def test_a_file_without_a_space_is_refused(make_plan):
    (problem,) = problems_of(make_plan, "", start="epochs: 3")
    assert problem.startswith("nothing to search: give a key a range")


def test_searched_keys_may_contradict_each_other_in_some_trials_only(make_plan):
    plan = make_plan("warmup_epochs: {low: 0, high: 4, step: 2}")
    labels = {"hidden_layers": "[8]", "learning_rate": 0.5}
    assert plan.config(labels | {"warmup_epochs": 2.0}).warmup_epochs == 2
    with pytest.raises(ConfigError, match="proposed: warmup_epochs: 4 epochs of warm-up do not"):
        plan.config(labels | {"warmup_epochs": 4.0})


def test_a_grid_has_no_more_trials_than_combinations(make_plan):
    grid = "learning_rate: {choices: [0.1, 0.2, 0.5]}\nsweep: {sampler: grid}"
    assert make_plan(grid, trials=100).trials == 6
    assert make_plan(grid, trials=5).trials == 5


def test_the_description_tells_plans_apart(make_plan):
    plan = make_plan().describe()
    assert make_plan("sweep: {worker_timeout: 9}", trials=77).describe() == plan
    assert make_plan("sweep: {seed: 1}").describe() != plan
    assert make_plan("learning_rate: {low: 0.01, high: 1}").describe() != plan
    assert make_plan("momentum: 0.5").describe() != plan
