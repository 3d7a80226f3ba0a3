"""The page to draw on, in a real browser: its predictions, and how it can be used."""

import base64
import io
import itertools
import json
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.losses import LOSSES, one_hot
from dlcli.nn.network import Network
from dlcli.report import draw as demo
from dlcli.report.draw.section import _stored
from dlcli.runs import checkpoint as checkpoints
from dlcli.runs import lookup
from tests.browser.demo_page import bytes_of, digit_of, draw, png, predicted, prediction, ready
from tests.browser.drawn import drawings, strokes
from tests.browser.layout import FAINT, MISPLACED, SKIPPED_HEADINGS

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SEEDED = 20


@pytest.fixture(scope="module")
def pretrained():
    return lookup.load_named("pretrained")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "demo.html"
    path.write_bytes(demo.page(lookup.load_named("pretrained")))
    return path


@pytest.fixture
def board(open_page, page_file):
    """The page, ready to draw on."""
    return ready(open_page(page_file, viewport=DESK))


@pytest.fixture(scope="module")
def light_file(tmp_path_factory, trained_model):
    """The page of a smaller model: it opens and predicts faster."""
    path = tmp_path_factory.mktemp("demo") / "light.html"
    path.write_bytes(demo.page(lookup.load_named(str(trained_model))))
    return path


@pytest.fixture
def light_board(open_page, light_file):
    """That page, ready to draw on."""
    return ready(open_page(light_file, viewport=DESK))


def test_ten_drawn_digits_are_read(board, pretrained, sample, keep_screenshot):
    right = 0
    for digit in range(10):
        index = np.flatnonzero(sample.test.labels == digit)[2]
        if digit:
            board.locator("#demo-clear").click()
        draw(board, strokes(sample.test.images[index]))
        result = prediction(board)
        assert result["variants"] in (10, 46)
        expect(board.locator("#demo-digit")).to_have_text(digit_of(result))
        right += digit_of(result) == str(digit)
        keep_screenshot(board, str(digit))
    assert right >= 9


def test_drawings_get_the_digit_or_the_refusal_that_predict_gives(board, pretrained, sample):
    """At least 98 % of 200 drawings do: digits, several digits, scribbles, shapes and nothing."""
    different = []
    refused = 0
    variants = set()
    for name, drawing in drawings(sample.test.images, 200, SEEDED):
        address, result = board.evaluate(
            """(strokes) => {
              const { drawing } = dlcliDemo;
              drawing.state = { strokes, example: null };
              return [drawing.png(), drawing.isEmpty ? { reason: 'blank' } : dlcliDemo.predict()];
            }""",
            drawing,
        )
        expected = predicted(pretrained, bytes_of(address))
        if digit_of(result) != expected:
            different.append((name, digit_of(result), expected))
        refused += expected == "?"
        variants.add(result.get("variants"))
    assert variants == {None, 10, 46}
    assert 40 < refused < 80
    assert len(different) <= 4, different


def test_a_thousand_mnist_images_get_the_probabilities_that_predict_gives(board, dlcli, tmp_path):
    folder = tmp_path / "digits"
    assert dlcli("data", "export", "--dataset", "sample", "--limit", 1000, "-o", folder).code == 0
    result = dlcli("predict", "-m", "pretrained", "--format", "json", folder)
    expected = [json.loads(line)["probabilities"] for line in result.stdout.splitlines()]
    images = [np.asarray(Image.open(path)).tobytes() for path in sorted(folder.iterdir())]
    found = board.evaluate(
        """(images) => images.map((image) => dlcliDemo.predict(
          Uint8Array.from(atob(image), (character) => character.charCodeAt(0))).probabilities)""",
        [base64.b64encode(image).decode() for image in images],
    )
    assert len(found) == 1000
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_examples_are_saved_as_they_are(light_board, sample):
    light_board.get_by_label("Example of a 7").click()
    index = np.flatnonzero(sample.test.labels == 7)[0]
    saved = np.asarray(Image.open(png(light_board)).convert("L")).reshape(-1)
    np.testing.assert_array_equal(255 - saved, sample.test.images[index])


@pytest.mark.parametrize(("output", "loss"), list(itertools.product(OUTPUT_ACTIVATIONS, LOSSES)))
def test_gradients_are_those_of_backpropagation(light_board, sample, output, loss):
    for activation in ACTIVATIONS:
        network = Network([784, 6, 5, 10], [activation] * 2, output)
        network.initialize("glorot_normal", 0.1, np.random.default_rng(SEEDED))
        back = Backpropagation(network, loss, batch_size=1)
        pixels, label = sample.test.images[:1], sample.test.labels[:1]
        logits = back.run(pixels, one_hot(label, 10), np.random.default_rng(0))
        value = LOSSES[loss].value(output, logits, one_hot(label, 10))
        result = light_board.evaluate(
            "([network, pixels, digit]) =>"
            " dlcliDemo.gradient(network, Uint8Array.from(pixels), digit)",
            [_stored(network) | {"loss": loss}, pixels[0].tolist(), int(label[0])],
        )
        np.testing.assert_allclose(result["loss"], value[0], rtol=1e-5)
        np.testing.assert_allclose(result["gradient"], back.gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("hidden", "activation", "output", "loss"),
    [
        ([], "relu", "softmax", "cross_entropy"),
        ([32, 16], "sigmoid", "sigmoid", "mse"),
        ([700], "tanh", "linear", "mse"),
        ([20], "leaky_relu", "sigmoid", "cross_entropy"),
    ],
)
def test_the_walkthrough_explains_every_network(
    open_page, make_checkpoint, tmp_path, hidden, activation, output, loss
):
    network = Network([784, *hidden, 10], [activation] * len(hidden), output)
    network.initialize("glorot_normal", 0.1, np.random.default_rng(SEEDED))
    checkpoint = make_checkpoint("net.npz", network)
    model = checkpoints.load(checkpoint)
    checkpoints.save(checkpoint, network, loss, model.metadata, {})
    path = tmp_path / "page.html"
    path.write_bytes(demo.page(lookup.load_named(str(checkpoint))))
    page = ready(open_page(path, viewport=DESK))
    page.get_by_label("Example of a 3").click()
    prediction(page)
    for _ in range(2 * len(hidden) + 3):
        assert page.locator("#demo-step-body table, #demo-step-body .demo-formula").count()
        assert not re.search("undefined|NaN|Infinity", page.locator("#demo-step").inner_text())
        assert hidden or "chain rule" not in page.locator("#demo-walkthrough").inner_text()
        page.locator("#demo-next").click()
    expect(page.locator("#demo-next")).to_be_disabled()
    page.locator("#demo-take").click()
    expect(page.locator("#demo-step-result")).to_contain_text("Step 1 is taken. Probability of 3:")


def test_a_step_raises_the_probability_of_the_target_and_can_be_taken_back(
    light_board, keep_screenshot
):
    light_board.get_by_label("Example of a 4").click()
    before = prediction(light_board)
    light_board.locator("#demo-target").select_option("9")
    light_board.locator("#demo-rate").select_option("0.01")
    light_board.locator("#demo-take").click()
    message = light_board.locator("#demo-step-result")
    expect(message).to_contain_text("Step 1 is taken. Probability of 9:")
    changed = prediction(light_board)
    assert changed["probabilities"][9] > before["probabilities"][9] + 0.01
    assert "changed by 1 of your steps" in light_board.locator("#demo-state").text_content()
    expect(light_board.locator("#demo-target")).to_have_value("9")
    keep_screenshot(light_board.locator("#demo-walkthrough"), "taken")
    light_board.locator("#demo-reset").click()
    expect(message).to_have_text("The network is as it was.")
    assert prediction(light_board) == before


def test_the_keyboard_is_enough(board, pretrained):
    for _ in range(4):  # past the links to the content, to how it learns and to networks to train
        board.keyboard.press("Tab")
    expect(board.locator("#demo-canvas")).to_be_focused()
    for _ in range(14):
        board.keyboard.press("ArrowUp")
    board.keyboard.press("Space")
    for _ in range(28):
        board.keyboard.press("ArrowDown")
    board.keyboard.press("Space")
    drawn = prediction(board)
    assert digit_of(drawn) == predicted(pretrained, png(board)) == "1"
    expect(board.locator("#demo-says")).to_contain_text("This is a 1")
    for name in ("undo", "clear", "save", "label", "pen"):
        board.keyboard.press("Tab")
        expect(board.locator(f"#demo-{name}")).to_be_focused()
    board.keyboard.press("Tab")
    board.keyboard.press("Enter")
    assert digit_of(prediction(board)) == "0"
    board.locator("#demo-undo").press("Enter")
    assert prediction(board) == drawn
    board.locator("#demo-clear").press("Space")
    expect(board.locator("#demo-says")).to_have_text("Nothing is drawn yet.")
    expect(board.locator("#demo-digit")).to_have_text("\u2013")
    board.locator("#demo-next").press("Enter")
    expect(board.locator("#demo-step-title")).to_be_focused()


def test_predict_reads_the_saved_picture(board, pretrained, tmp_path):
    draw(board, [[(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]])
    drawn = prediction(board)
    with board.expect_download() as saving:
        board.locator("#demo-save").click()
    assert re.fullmatch(r"7-\d+\.png", saving.value.suggested_filename)
    saving.value.save_as(tmp_path / "digit.png")
    assert digit_of(drawn) == predicted(pretrained, tmp_path / "digit.png") == "7"
    board.locator("#demo-label").select_option("1")  # as whoever drew it knows
    with board.expect_download() as saving:
        board.locator("#demo-save").click()
    assert re.fullmatch(r"1-\d+\.png", saving.value.suggested_filename)


def test_a_finger_draws_on_a_phone(open_page, light_file, keep_screenshot):
    page = ready(open_page(light_file, viewport=PHONE, has_touch=True, is_mobile=True))
    box = page.locator("#demo-canvas").bounding_box()
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        places = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in points
        ]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (0.5, 0.2))
    for step in range(1, 13):
        touch("touchMove", (0.5, 0.2 + step * 0.05))
    touch("touchEnd")
    assert digit_of(prediction(page)) == "1"
    assert page.evaluate("scrollY") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    # Not a tap: on a busy machine it may take so long that it becomes a press.
    page.locator("#demo-clear").click()
    expect(page.locator("#demo-says")).to_have_text("Nothing is drawn yet.")
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#demo-digit")).to_have_text("?")
    page.get_by_label("Example of an 8").click()
    assert digit_of(prediction(page)) == "8"
    keep_screenshot(page, "phone", full_page=True)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_everything_is_in_its_place_and_readable_in_light_and_dark(
    open_page, page_file, size, scheme, is_dark
):
    page = ready(open_page(page_file, viewport=size, color_scheme=scheme))
    page.get_by_label("Example of a 5").click()
    prediction(page)
    page.locator("#demo-take").click()
    prediction(page)
    with Image.open(io.BytesIO(page.screenshot(full_page=True))) as picture:
        assert picture.width == size["width"]
        assert (np.median(np.asarray(picture.convert("L"))) < 128) == is_dark
    assert page.evaluate(MISPLACED) == []
    assert page.evaluate(FAINT) == []
    assert page.evaluate(SKIPPED_HEADINGS) == []


def test_the_page_begins_with_an_example_which_the_first_stroke_replaces(
    board, pretrained, sample, keep_screenshot
):
    expect(board.locator("#demo-digit")).to_have_text("3")
    expect(board.locator("#demo-hint")).to_be_visible()
    expect(board.locator("#demo-undo")).to_be_disabled()
    index = np.flatnonzero(sample.test.labels == 3)[0]
    shown = np.asarray(Image.open(png(board)).convert("L")).reshape(-1)
    np.testing.assert_array_equal(255 - shown, sample.test.images[index])
    keep_screenshot(board, "start")
    draw(board, [[(0.5, 0.2), (0.5, 0.8)]])
    assert digit_of(prediction(board)) == predicted(pretrained, png(board)) == "1"
    expect(board.locator("#demo-hint")).to_be_hidden()


def test_an_8_has_the_right_article(light_board):
    light_board.get_by_label("Example of an 8").click()
    prediction(light_board)
    expect(light_board.locator("#demo-says")).to_contain_text("This is an 8")
    expect(light_board.locator("#demo-certain")).to_contain_text("almost certain that this is an 8")
    assert not re.search(r"\ba 8\b", light_board.content())


@pytest.mark.parametrize("keys", ["Control+z", "Meta+z"])
def test_undo_by_keys_works_wherever_the_focus_is(light_board, keys):
    before = prediction(light_board)
    draw(light_board, [[(0.5, 0.2), (0.5, 0.8)]])
    prediction(light_board)
    light_board.locator("#demo-clear").click()
    light_board.keyboard.press(keys)
    assert digit_of(prediction(light_board)) == "1"
    light_board.locator("#demo-canvas").focus()
    light_board.keyboard.press(keys)
    assert prediction(light_board) == before


def test_a_stroke_that_is_undone_while_it_is_drawn_is_gone(light_board):
    before = prediction(light_board)
    box = light_board.locator("#demo-canvas").bounding_box()
    light_board.mouse.move(box["x"] + 99, box["y"] + 50)
    light_board.mouse.down()
    light_board.mouse.move(box["x"] + 99, box["y"] + 90)
    light_board.keyboard.press("Control+z")
    light_board.mouse.move(box["x"] + 99, box["y"] + 200)
    light_board.mouse.up()
    assert prediction(light_board) == before


def test_how_to_draw_with_the_keyboard_can_be_read(light_board):
    help_text = light_board.locator("#demo-keys")
    expect(help_text).to_be_visible()
    expect(help_text).to_contain_text("arrow keys move the pen")
    assert help_text.bounding_box()["height"] > 10


@pytest.mark.parametrize("rate", ["0.0001", "0.01"])
def test_the_table_shows_how_each_weight_changes(board, rate):
    board.get_by_label("Example of a 4").click()
    prediction(board)
    board.locator("#demo-target").select_option("9")
    board.locator("#demo-rate").select_option(rate)
    board.locator("#demo-path button").last.click()
    rows = board.locator("#demo-step-body tbody tr").all()
    assert len(rows) == 12
    for row in rows:
        cells = [cell.inner_text().replace("\u2212", "-") for cell in row.locator("td").all()]
        before, change, after = cells[-3:]
        assert before != after
        assert float(before) + float(change) == pytest.approx(
            float(after), abs=1.1 * 10 ** -len(after.partition(".")[2])
        )


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_changed_prediction_is_in_sight_after_a_step(open_page, light_file, size):
    page = ready(open_page(light_file, viewport=size))
    expect(page.locator("#demo-changed")).to_be_hidden()
    page.locator("#demo-target").select_option("9")
    page.locator("#demo-take").click()
    result = prediction(page)
    changed = page.locator("#demo-changed")
    for part in (changed.locator(".demo-digit"), changed.locator("li").last):
        expect(part).to_be_in_viewport(ratio=1)
    expect(changed.locator(".demo-digit")).to_have_text(digit_of(result))
    assert changed.locator(".demo-value").all_text_contents() == (
        page.locator("#demo-bars .demo-value").all_text_contents()
    )
    page.locator("#demo-reset").click()
    expect(changed).to_be_hidden()


def test_a_link_leads_to_how_it_learns(light_board):
    light_board.get_by_role("link", name="how it learns").click()
    expect(light_board.locator("#demo-walkthrough-title")).to_be_in_viewport()
