"""Small networks that train in the page to draw on: what they learn, and how they are used."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

from dlcli.nn.activations import ACTIVATIONS
from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.losses import LOSSES, one_hot
from dlcli.nn.network import Network
from dlcli.report import draw
from dlcli.runs import lookup
from tests.browser.layout import FAINT, MISPLACED

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """The page of a model without hidden layers: it opens faster than that of a large one."""
    path = tmp_path_factory.mktemp("live") / "demo.html"
    model = lookup.load_named("pretrained")
    path.write_bytes(draw.page(replace(model, network=Network([784, 10], [], "softmax"))))
    return path


@pytest.fixture
def page(open_page, page_file):
    return opened(open_page, page_file)


def opened(open_page, page_file, size=DESK, scheme="light"):
    """Open the page, ready to train in."""
    page = open_page(page_file, viewport=size, color_scheme=scheme)
    page.wait_for_selector("#live[data-ready]")
    page.wait_for_selector("#demo[data-predicted]")
    return page


def part(page, task, name):
    return page.locator(f"#live-{task} [data-part='{name}']")


def choose(page, task, **settings):
    for name, value in settings.items():
        part(page, task, name).select_option(str(value))


def train(page, task, epochs):
    """Take the steps of so many epochs at once; gives the fractions that are right."""
    return page.evaluate(
        """([task, epochs]) => {
          const live = dlcliDemo.lives[task];
          while (live.training.epochs < epochs - 1e-9) live.step();
          live.measureNow();
          const { training, unseen } = live.history.last;
          return [training.accuracy, unseen && unseen.accuracy];
        }""",
        [task, epochs],
    )


def test_gradients_are_those_of_backpropagation_in_python(page, sample):
    images, labels = sample.train.images[:8], sample.train.labels[:8]
    for activation, loss in itertools.product(ACTIVATIONS, LOSSES):
        network = Network([784, 5, 10], [activation], "softmax", np.float64)
        network.initialize("auto", 0.1, np.random.default_rng(20))
        back = Backpropagation(network, loss, batch_size=8)
        back.run(images, one_hot(labels, 10, np.float64), np.random.default_rng(0))
        plan = {
            "sizes": network.layer_sizes,
            "activation": activation,
            "loss": loss,
            "parameters": network.parameters.tolist(),
        }
        found = page.evaluate(
            # A single text is passed on faster than thousands of numbers.
            "(text) => JSON.stringify(dlcliDemo.batchGradient(...JSON.parse(text)))",
            json.dumps([plan, images.tolist(), labels.tolist()]),
        )
        np.testing.assert_allclose(json.loads(found), back.gradient, rtol=1e-5, atol=1e-12)


def test_it_reads_90_percent_of_the_sample_and_with_shifts_of_unseen_images(page):
    right, unseen = train(page, "digits", 8)
    assert right > 0.9
    assert 0.75 < unseen < 0.9
    choose(page, "digits", neurons=64, images="shifted")
    train(page, "digits", 25)
    choose(page, "digits", rate=0.01)  # now the accuracy jumps no longer
    right, unseen = train(page, "digits", 30)
    assert unseen > 0.9


def test_play_pause_and_restart(page):
    says, play = part(page, "digits", "says"), part(page, "digits", "play")
    expect(says).to_contain_text("It has learned nothing yet")
    play.click()
    expect(play).to_have_text("Pause")
    page.wait_for_function("() => dlcliDemo.lives.digits.history.points.length > 3")
    play.click()
    expect(play).to_have_text("Play")
    expect(says).to_contain_text("of the images trained on and")
    for name in ("cost", "accuracy"):
        lines = part(page, "digits", name).locator("path.live-line")
        assert all(line.get_attribute("d").count("L") > 2 for line in lines.all())
    steps = page.evaluate("dlcliDemo.lives.digits.training.steps")
    part(page, "digits", "step").click()
    expect(says).to_contain_text(f"Step {steps + 1:,}: cost")
    part(page, "digits", "restart").click()
    expect(part(page, "digits", "facts")).to_contain_text("0 steps (0.0 epochs)")


def test_settings_change_while_it_trains(page):
    part(page, "digits", "play").click()
    page.wait_for_function("() => dlcliDemo.lives.digits.training.epochs > 0.2")
    choose(page, "digits", activation="tanh", loss="mse", rate=0.3, batch="all")
    page.wait_for_function(
        "(before) => dlcliDemo.lives.digits.training.epochs > before + 1",
        arg=page.evaluate("dlcliDemo.lives.digits.training.epochs"),
    )
    found = page.evaluate(
        """() => {
          const { network, isPlaying, history } = dlcliDemo.lives.digits;
          return [network.activations, network.loss, isPlaying, history.changes.length];
        }"""
    )
    assert found == [["tanh"], "mse", True, 4]
    choose(page, "digits", neurons=8)
    expect(part(page, "digits", "facts")).to_contain_text("784-8-10 network")


def test_switching_neurons_off_changes_the_probabilities_at_once(page):
    choose(page, "digits", neurons=8)
    train(page, "digits", 2)
    values = part(page, "digits", "bars").locator(".demo-value")
    neurons = part(page, "digits", "pictures").get_by_role("button")
    before = values.all_text_contents()
    expect(neurons).to_have_count(8)
    for neuron in neurons.all()[:6]:
        neuron.click()
    expect(neurons.first).to_have_attribute("aria-pressed", "false")
    expect(part(page, "digits", "says")).to_contain_text("Neuron 6 of hidden layer 1 is off.")
    assert values.all_text_contents() != before
    weights = "[...dlcliDemo.lives.digits.network.weights[0]].filter((_, i) => i % 8 < 6)"
    untrained = page.evaluate(weights)
    part(page, "digits", "step").click()
    assert page.evaluate(weights) == untrained  # what is off does not learn
    part(page, "digits", "restart").click()
    train(page, "digits", 2)
    before = values.all_text_contents()
    neurons.first.focus()
    for key in ["ArrowRight"] * 4 + ["Enter"]:
        page.keyboard.press(key)
    expect(neurons.nth(4)).to_have_attribute("aria-pressed", "false")
    part(page, "digits", "all-on").click()
    expect(neurons.nth(4)).to_have_attribute("aria-pressed", "true")
    assert values.all_text_contents() == before


def test_it_reads_what_is_drawn_here_or_at_the_top_of_the_page(page):
    train(page, "digits", 5)
    reads = part(page, "digits", "reads")
    page.get_by_label("Example of a 0").click()
    expect(reads).to_have_text("It reads a 0.")
    paper = part(page, "digits", "paper")
    paper.focus()
    for key in ["ArrowUp"] * 14 + ["Space"] + ["ArrowDown"] * 28 + ["Space"]:
        page.keyboard.press(key)
    expect(reads).to_have_text("It reads a 1.")
    page.keyboard.press("Control+z")
    expect(reads).to_have_text("It reads a 0.")
    assert page.evaluate("dlcliDemo.drawing.state.example") == 0  # the other drawing
    part(page, "digits", "misread").click()
    expect(reads).to_contain_text("It is a")
    part(page, "digits", "clear").click()
    expect(reads).to_have_text("Nothing is drawn.")


def test_a_learning_rate_that_is_too_high_is_explained(page):
    choose(page, "digits", rate=10)
    train(page, "digits", 0.5)
    part(page, "digits", "play").click()
    part(page, "digits", "play").click()
    expect(part(page, "digits", "says")).to_contain_text("the learning rate may be too high")
    choose(page, "digits", activation="linear", rate=10, batch=1)
    part(page, "digits", "play").click()
    expect(part(page, "digits", "says")).to_contain_text("Choose a lower learning rate")
    expect(part(page, "digits", "play")).to_have_text("Play")


def test_a_hidden_layer_fences_in_what_a_line_cannot(page):
    assert min(train(page, "plane", 100)) > 0.95
    choose(page, "plane", layers=0)
    assert max(train(page, "plane", 100)) < 0.8
    choose(page, "plane", layers=2, neurons=8, points="spirals", activation="relu")
    assert min(train(page, "plane", 200)) > 0.9
    expect(part(page, "plane", "pictures").get_by_role("button")).to_have_count(16)


def test_points_are_added_by_click_and_by_keys(page):
    part(page, "plane", "empty").click()
    part(page, "plane", "play").click()
    expect(part(page, "plane", "says")).to_contain_text("There is nothing to learn yet")
    plane = part(page, "plane", "plane")
    plane.click(position={"x": 20, "y": 20})
    choose(page, "plane", kind=1)
    plane.focus()
    for key in ["ArrowRight"] * 10 + ["Space"]:
        page.keyboard.press(key)
    expect(part(page, "plane", "says")).to_have_text("2 points to train on.")
    assert train(page, "plane", 200) == [1, None]
    labels = "dlcliDemo.lives.plane.task.examples.training.map(({ label }) => label)"
    assert page.evaluate(labels) == [0, 1]
    choose(page, "plane", neurons=8)  # a new network for the same points
    assert page.evaluate(labels) == [0, 1]
    choose(page, "plane", points="spirals")
    assert len(page.evaluate(labels)) == 200


@pytest.mark.parametrize(
    ("size", "scheme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk-light", "phone-dark"]
)
def test_trained_networks_fit_the_page_and_can_be_read(
    open_page, page_file, keep_screenshot, size, scheme
):
    page = opened(open_page, page_file, size, scheme)
    for task in ("digits", "plane"):
        train(page, task, 3)
        part(page, task, "pictures").get_by_role("button").first.click()
    keep_screenshot(page.locator("#live"), "live")
    assert page.evaluate(MISPLACED) == []
    assert page.evaluate(FAINT) == []
