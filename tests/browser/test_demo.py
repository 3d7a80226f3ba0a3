"""The page to draw on, in a real browser: what it answers, and what it is like to use."""

import base64
import io
import itertools
import json
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from dlcli.inference import predictor
from dlcli.inference.predictor import Picture
from dlcli.nn.activations import ACTIVATIONS
from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.losses import LOSSES, one_hot
from dlcli.nn.network import Network
from dlcli.report import draw as demo
from dlcli.report.draw.section import _stored
from dlcli.runs import checkpoint as checkpoints
from dlcli.runs import lookup
from dlcli.vision import pipeline
from tests.browser.drawn import strokes

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SEEDED = 20


@pytest.fixture(scope="module")
def pretrained():
    return lookup.load_named("pretrained")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "demo.html"
    path.write_bytes(demo.page(demo.section("pretrained")))
    return path


@pytest.fixture
def board(open_page, page_file):
    """The page, ready to be drawn on."""
    return ready(open_page(page_file, viewport=DESK))


def ready(page):
    page.wait_for_selector("#demo[data-answered]")
    return page


def whole_answer(page):
    """What the page answers when all looks are taken."""
    page.wait_for_function(
        "() => { const latest = dlcliDemo.latest();"
        " return latest && !document.querySelector('#demo-state').textContent.startsWith('First')"
        " && document.querySelector('#demo').dataset.answered === String(dlcliDemo.version()); }"
    )
    return page.evaluate("dlcliDemo.latest()")


def draw(page, paths):
    """Draw with the mouse; points from 0 to 1."""
    canvas = page.locator("#demo-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()

    def at(point):
        return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]

    for first, *others in paths:
        page.mouse.move(*at(first))
        page.mouse.down()
        for point in others:
            page.mouse.move(*at(point))
        page.mouse.up()


def png(page):
    """The picture that is on the page."""
    address = page.evaluate("dlcliDemo.drawing.png()")
    return io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,")))


def predicted(model, source):
    """What ``dlcli predict`` answers."""
    [answer] = predictor.predict(model, [Picture(source, "drawn")], raw=False)
    return answer


def assert_same(answer, expected):
    """The page's answer, or its reason for none, is that of ``dlcli predict``."""
    assert answer["doubt"] == expected.doubt
    if expected.probabilities is not None:
        np.testing.assert_allclose(answer["shares"], expected.probabilities, atol=1e-3)


def test_ten_drawn_digits_are_answered_as_predict_does(board, pretrained, sample, keep_screenshot):
    right = 0
    for digit in range(10):
        index = np.flatnonzero(sample.test.labels == digit)[2]
        if digit:
            board.locator("#demo-clear").click()
        draw(board, strokes(sample.test.images[index]))
        answer = whole_answer(board)
        expected = predicted(pretrained, png(board))
        assert_same(answer, expected)
        text = "?" if expected.doubt else str(expected.probabilities.argmax())
        expect(board.locator("#demo-digit")).to_have_text(text)
        assert answer["looks"] == 46
        right += text == str(digit)
        keep_screenshot(board, str(digit))
    assert right >= 9


def test_a_thousand_exported_images_are_answered_as_predict_does(board, dlcli, tmp_path):
    folder = tmp_path / "digits"
    assert dlcli("data", "export", "--dataset", "sample", "--limit", 1000, "-o", folder).code == 0
    result = dlcli("predict", "-m", "pretrained", "--format", "json", folder)
    expected = [json.loads(line) for line in result.stdout.splitlines()]
    addresses = [
        "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
        for path in sorted(folder.iterdir())
    ]
    answers = board.evaluate(
        """async (addresses) => {
          const canvas = new OffscreenCanvas(28, 28);
          const context = canvas.getContext('2d', { willReadFrequently: true });
          const answers = [];
          for (const address of addresses) {
            const image = new Image();
            image.src = address;
            await image.decode();
            context.drawImage(image, 0, 0);
            const { data } = context.getImageData(0, 0, 28, 28);
            const levels = Uint8Array.from({ length: 784 }, (_, i) => data[4 * i]);
            answers.push(dlcliDemo.answerTo({ width: 28, height: 28, levels, channels: 1 }));
          }
          return answers.map(({ shares, doubt }) => ({ shares, doubt }));
        }""",
        addresses,
    )
    assert len(answers) == len(expected) == 1000
    for answer, line in zip(answers, expected, strict=True):
        assert answer["doubt"] is line.get("reason") is None
        assert int(np.argmax(answer["shares"])) == line["digit"]
    shares = np.array([answer["shares"] for answer in answers])
    np.testing.assert_allclose(shares, [line["probabilities"] for line in expected], atol=1e-3)


def _bar(level):
    picture = Image.new("L", (160, 160), 255)
    ImageDraw.Draw(picture).line((70, 40, 78, 120), fill=level, width=8)
    return picture


def _in_shadow(digit, slope):
    """A digit on whose page half lies in a shadow, below a line of so many percent of slope."""
    page = np.full((160, 160), 235.0)
    page[np.add.outer(np.arange(160), np.arange(160) * slope / 100) > 90] = 130
    page[40:120, 40:120] *= 0.1 + 0.9 * np.asarray(digit) / 255
    return Image.fromarray(page.astype(np.uint8))


def _odd_pictures(sample):
    """What is hard to see through: scribbles, boxes, lines, blots, digits, white on black."""
    random = np.random.default_rng(SEEDED)

    def paper(colour=255):
        picture = Image.new("L", (160, 160), colour)
        return picture, ImageDraw.Draw(picture)

    def digit(side):
        pixels = sample.test.images[random.integers(len(sample.test.images))].reshape(28, 28)
        return Image.fromarray(255 - pixels).resize((side, side), Image.Resampling.BICUBIC)

    yield paper()[0]
    yield paper(0)[0]
    for width in (3, 8, 30):
        picture, pen = paper()
        points = [tuple(random.uniform(10, 150, 2)) for _ in range(6)]
        pen.line(points, fill=0, width=width, joint="curve")
        yield picture
    for shape in ("box", "line", "two", "corner", "inverse", "small"):
        picture, pen = paper()
        picture.paste(digit(28 if shape == "small" else 80), (40, 40))
        if shape == "box":
            pen.rectangle((20, 20, 140, 140), outline=0, width=3)
        elif shape == "line":
            pen.line((30, 130, 130, 132), fill=0, width=4)
        elif shape == "two":
            picture.paste(digit(70), (0, 50))
            picture.paste(digit(70), (85, 50))
        elif shape == "corner":
            picture = picture.transform(
                picture.size, Image.Transform.AFFINE, (1, 0, 60, 0, 1, 60), fillcolor=255
            )
        elif shape == "inverse":
            picture = Image.fromarray(255 - np.asarray(picture))
        yield picture
    picture, pen = paper()
    pen.ellipse((40, 40, 120, 120), fill=0)
    yield picture
    picture, pen = paper()
    pen.rectangle((0, 0, 60, 160), fill=0)
    yield picture
    yield _in_shadow(digit(80), 0)
    yield _in_shadow(digit(80), 60)
    yield _bar(215)
    yield _bar(243)  # too faint for a digit
    picture = _bar(238)  # too faint beside something so strong
    ImageDraw.Draw(picture).rectangle((5, 100, 55, 150), fill=0)
    yield picture
    yield Image.fromarray(np.asarray(digit(28)) // 2 + 100)  # no picture like MNIST's own


def test_other_pictures_are_seen_as_predict_sees_them(board, pretrained, sample):
    doubts = set()
    for picture in _odd_pictures(sample):
        file = io.BytesIO()
        picture.convert("RGB").save(file, "PNG")
        expected = predicted(pretrained, file)
        answer = board.evaluate(
            """([side, levels]) => {
              const bytes = Uint8Array.from(atob(levels), (c) => c.charCodeAt(0));
              const grey = { width: side, height: side, levels: bytes, channels: 3 };
              const { shares, doubt, pixels } = dlcliDemo.answerTo(grey);
              return { shares, doubt, pixels: pixels && [...pixels] };
            }""",
            [picture.width, base64.b64encode(picture.tobytes()).decode()],
        )
        assert_same(answer, expected)
        seen = pipeline.prepare(picture.convert("RGB"), "drawn").pixels
        assert (seen is None) == (answer["pixels"] is None)
        if seen is not None:
            # One level is what a single rounding otherwise makes.
            assert np.abs(np.subtract(answer["pixels"], seen, dtype=int)).max() <= 1
        doubts.add(expected.doubt)
    assert len(doubts) > 4


@pytest.mark.parametrize(
    ("output", "loss"), list(itertools.product(["softmax", "sigmoid", "linear"], LOSSES))
)
def test_slopes_are_those_of_backpropagation(board, sample, output, loss):
    for activation in ACTIVATIONS:
        network = Network([784, 6, 5, 10], [activation] * 2, output)
        network.initialize("glorot_normal", 0.1, np.random.default_rng(SEEDED))
        back = Backpropagation(network, loss, batch_size=1)
        pixels, label = sample.test.images[:1], sample.test.labels[:1]
        logits = back.run(pixels, one_hot(label, 10), np.random.default_rng(0))
        cost = LOSSES[loss].value(output, logits, one_hot(label, 10))
        result = board.evaluate(
            "([network, pixels, digit]) =>"
            " dlcliDemo.gradient(network, Uint8Array.from(pixels), digit)",
            [_stored(network) | {"loss": loss}, pixels[0].tolist(), int(label[0])],
        )
        np.testing.assert_allclose(result["cost"], cost[0], rtol=1e-5)
        np.testing.assert_allclose(result["slopes"], back.gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("hidden", "activation", "output", "loss"),
    [
        ([], "relu", "softmax", "cross_entropy"),
        ([32, 16], "sigmoid", "sigmoid", "mse"),
        ([700], "tanh", "linear", "mse"),
        ([20], "leaky_relu", "sigmoid", "cross_entropy"),
    ],
)
def test_every_network_can_be_learned_from(
    open_page, make_checkpoint, tmp_path, hidden, activation, output, loss
):
    network = Network([784, *hidden, 10], [activation] * len(hidden), output)
    network.initialize("glorot_normal", 0.1, np.random.default_rng(SEEDED))
    checkpoint = make_checkpoint("net.npz", network)
    model = checkpoints.load(checkpoint)
    checkpoints.save(checkpoint, network, loss, model.metadata, {})
    path = tmp_path / "page.html"
    path.write_bytes(demo.page(demo.section(str(checkpoint))))
    page = ready(open_page(path, viewport=DESK))
    page.get_by_label("Example of a 3").click()
    whole_answer(page)
    for _ in range(2 * len(hidden) + 3):
        assert page.locator("#demo-step-body table, #demo-step-body .demo-formula").count()
        assert not re.search("undefined|NaN|Infinity", page.locator("#demo-step").inner_text())
        page.locator("#demo-next").click()
    expect(page.locator("#demo-next")).to_be_disabled()
    page.locator("#demo-take").click()
    expect(page.locator("#demo-taken")).to_contain_text("Step 1 is taken. Probability of 3:")


def test_a_step_makes_the_right_answer_likelier_and_can_be_taken_back(board, keep_screenshot):
    board.get_by_label("Example of a 4").click()
    before = whole_answer(board)
    board.locator("#demo-target").select_option("9")
    board.locator("#demo-rate").select_option("0.01")
    board.locator("#demo-take").click()
    told = board.locator("#demo-taken")
    expect(told).to_contain_text("Step 1 is taken. Probability of 9:")
    changed = whole_answer(board)
    assert changed["shares"][9] > before["shares"][9] + 0.01
    assert "changed by 1 of your steps" in board.locator("#demo-state").text_content()
    expect(board.locator("#demo-target")).to_have_value("9")
    keep_screenshot(board.locator("#demo-lesson"), "taken")
    board.locator("#demo-reset").click()
    expect(told).to_have_text("The network is as it was.")
    assert whole_answer(board) == before


def test_the_keyboard_is_enough(board, pretrained):
    board.keyboard.press("Tab")
    expect(board.locator("#demo-canvas")).to_be_focused()
    for _ in range(14):
        board.keyboard.press("ArrowUp")
    board.keyboard.press("Space")
    for _ in range(28):
        board.keyboard.press("ArrowDown")
    board.keyboard.press("Space")
    answer = whole_answer(board)
    assert np.argmax(answer["shares"]) == 1
    assert_same(answer, predicted(pretrained, png(board)))
    expect(board.locator("#demo-says")).to_contain_text("This is a 1")
    for name in ("undo", "clear", "save", "pen"):
        board.keyboard.press("Tab")
        expect(board.locator(f"#demo-{name}")).to_be_focused()
    board.keyboard.press("Tab")
    board.keyboard.press("Enter")
    assert np.argmax(whole_answer(board)["shares"]) == 0
    board.locator("#demo-undo").press("Enter")
    assert whole_answer(board) == answer
    board.locator("#demo-clear").press("Space")
    expect(board.locator("#demo-says")).to_have_text("Nothing is drawn yet.")
    expect(board.locator("#demo-digit")).to_have_text("\u2013")
    board.locator("#demo-next").press("Enter")
    expect(board.locator("#demo-step-title")).to_be_focused()


def test_the_saved_picture_is_answered_alike(board, pretrained, tmp_path):
    draw(board, [[(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]])
    answer = whole_answer(board)
    with board.expect_download() as saving:
        board.locator("#demo-save").click()
    assert saving.value.suggested_filename == "digit.png"
    saving.value.save_as(tmp_path / "digit.png")
    assert_same(answer, predicted(pretrained, tmp_path / "digit.png"))


def test_a_finger_draws_on_a_phone(open_page, page_file, keep_screenshot):
    page = ready(open_page(page_file, viewport=PHONE, has_touch=True, is_mobile=True))
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
    assert np.argmax(whole_answer(page)["shares"]) == 1
    assert page.evaluate("scrollY") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    # On a busy machine a tap may last so long that it is a press, which clicks nothing.
    page.locator("#demo-clear").click()
    expect(page.locator("#demo-says")).to_have_text("Nothing is drawn yet.")
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#demo-digit")).to_have_text("?")
    page.get_by_label("Example of a 8").click()
    assert np.argmax(whole_answer(page)["shares"]) == 8
    keep_screenshot(page, "phone", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_kept_as_a_picture(open_page, page_file, keep_screenshot, scheme):
    page = ready(open_page(page_file, viewport=DESK, color_scheme=scheme))
    keep_screenshot(page, "empty")
    page.get_by_label("Example of a 5").click()
    whole_answer(page)
    keep_screenshot(page, "example", full_page=True)
