"""Reports in a real browser: on a desktop and on a phone, in light and dark mode."""

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import create_trial
from playwright.sync_api import expect

from dlcli.data.examples import Dataset
from dlcli.report import models
from dlcli.report import page as pages
from dlcli.report.models import EvaluatedModel
from dlcli.runs import checkpoint, lookup
from tests.browser.layout import FAINT, MISPLACED, SKIPPED_HEADINGS

PHONE = {"width": 390, "height": 844}
SMALL = {"width": 320, "height": 568}
DESKTOP = {"width": 1280, "height": 900}
SCRIPT = "<script>window.injected = true</script><img src=x onerror='window.injected = true'>"


@pytest.fixture(scope="module")
def entry(trained_model, sample) -> EvaluatedModel:
    (found,) = models.evaluate_models([lookup.load_named(str(trained_model))], sample.test)
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory, sample: Dataset):
    """Write a page of entrys into a file."""

    def write(*found: EvaluatedModel) -> Path:
        path = tmp_path_factory.mktemp("report") / "report.html"
        path.write_bytes(pages.render(found, "sample", sample.test))
        return path

    return write


@pytest.fixture(scope="module")
def report(written, entry) -> Path:
    return written(entry)


@pytest.fixture(scope="module")
def comparison(written, entry, tmp_path_factory, sample) -> Path:
    """Three models, one of them a bare checkpoint with a long name, another one overfitting."""
    bare = tmp_path_factory.mktemp("bare") / "a-checkpoint-whose-name-is-longer-than-most.npz"
    bare.write_bytes(entry.model.path.read_bytes())
    (other,) = models.evaluate_models([lookup.load_named(str(bare))], sample.test)
    records = [
        replace(record, validation_loss=loss)
        for record, loss in zip(entry.records, (0.5, 0.2, 0.3, 0.4), strict=True)
    ]
    return written(entry, replace(entry, name="rising", records=records), other)


@pytest.fixture(scope="module")
def search_page(tmp_path_factory) -> Path:
    """The page of a search with keys of every kind."""
    # Here, because they import scikit-learn, which takes a second.
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    from dlcli.report import search

    study = optuna.create_study(study_name="a-study", direction="maximize")
    distributions = {
        "hidden_layers": CategoricalDistribution(["[200]", "[800, 400, 200]"]),
        "learning_rate": FloatDistribution(0.001, 0.5, log=True),
        "dropout": FloatDistribution(0, 0.6, step=0.1),
        "batch_size": CategoricalDistribution(["32", "128"]),
    }
    rows = []
    for number in range(12):
        params = {
            "hidden_layers": ["[200]", "[800, 400, 200]"][number % 2],
            "learning_rate": 0.002 * 1.5**number,
            "dropout": 0.1 * (number % 5),
            "batch_size": ["32", "128"][number // 2 % 2],
        }
        accuracy = 0.97 - 0.001 * (number - 7) ** 2
        values = {epoch: accuracy - 0.1 / epoch for epoch in range(1, 9)}
        study.add_trial(
            create_trial(
                value=accuracy,
                params=params,
                distributions=distributions,
                intermediate_values=values,
            )
        )
        rows.append(
            {
                "trial": number,
                "state": "complete",
                "validation_accuracy": accuracy,
                "epochs": 8,
                "params": params,
                "run": f"runs/a-study/trial-{number:04}",
            }
        )
    path = tmp_path_factory.mktemp("search") / "search.html"
    importances = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    path.write_bytes(search.render(study, rows, rows[7], importances))
    return path


@pytest.mark.parametrize("kind", ["report", "comparison", "search_page"])
def test_everything_is_in_its_place_and_readable(request, open_page, keep_screenshot, kind):
    """At any width, in light and dark mode, which change nothing but colours."""
    path = request.getfixturevalue(kind)
    for size in (DESKTOP, PHONE, SMALL):
        page = open_page(path, viewport=size)
        if size is not SMALL:
            for scheme in ("dark", "light"):
                page.emulate_media(color_scheme=scheme)
                keep_screenshot(page, f"{size['width']}-{scheme}", full_page=True)
        page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        assert page.evaluate(MISPLACED) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert page.evaluate(SKIPPED_HEADINGS) == []
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(FAINT) == []


def test_a_cell_shows_its_images_by_mouse(report, open_page, entry):
    page = open_page(report)
    gallery = page.locator(".gallery")
    expect(gallery.locator("img").first).to_be_visible()  # at first, the cell with the most errors
    count = int(entry.scores.confusion[7, 7])
    page.get_by_role("button", name=f"7 read as 7: {count} images").click()
    expect(gallery).to_contain_text(
        f"7 classified correctly {count} images; the 24 least confident are shown"
    )
    expect(gallery.locator("img")).to_have_count(24)
    assert re.fullmatch(
        r"Test image \d+, labelled 7, read as 7 with \d+\.\d %",
        gallery.locator("img").first.get_attribute("alt"),
    )
    assert gallery.locator("img").first.evaluate("image => image.naturalWidth") == 28


def test_the_matrix_is_one_tab_stop_and_arrow_keys_move_inside_it(report, open_page):
    page = open_page(report)
    buttons = page.locator(".matrix button")
    expect(buttons).to_have_count(100)
    assert page.locator(".matrix button[tabindex='0']").count() == 1
    page.locator("[data-cell='0-0']").click()
    focused = page.locator(":focus")
    for key, cell in (
        ("ArrowLeft", "0-0"),  # already in the first column
        ("ArrowRight", "0-1"),
        ("ArrowDown", "1-1"),
        ("End", "1-9"),
        ("ArrowUp", "0-9"),
        ("Home", "0-0"),
    ):
        page.keyboard.press(key)
        expect(focused).to_have_attribute("data-cell", cell)
        expect(focused).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".gallery")).to_contain_text("0 classified correctly")
    page.keyboard.press("Tab")
    assert page.locator(".matrix :focus").count() == 0
    page.keyboard.press("Shift+Tab")
    expect(focused).to_have_attribute("data-cell", "0-0")


def test_the_values_under_the_pointer_are_shown(report, open_page, entry):
    page = open_page(report)
    reading = page.locator("[data-curve='r0-loss'] .reading")
    before = reading.text_content()
    page.locator("#r0-loss").hover(position={"x": 1, "y": 60})
    first = entry.records[0]
    expect(reading).to_have_text(
        f"epoch 1: training {first.train_loss:.4g}, validation {first.validation_loss:.4g}"
    )
    page.mouse.move(0, 0)
    expect(reading).to_have_text(before)


def test_the_film_is_played_and_moved_by_its_slider(report, open_page, entry, keep_screenshot):
    page = open_page(report, viewport=DESKTOP)
    film = page.locator(".film")
    output, slider, picture = (film.locator(name) for name in ("output", "input", "img"))
    last = picture.get_attribute("src")
    accuracy = entry.records[-1].validation_accuracy
    expect(output).to_have_text(f"epoch 4, {100 * accuracy:.2f} % right")
    diagonal = film.locator("td.correct").all_inner_texts()
    assert sum(map(int, diagonal)) == round(1000 * accuracy)
    slider.focus()
    page.keyboard.press("Home")
    expect(output).to_have_text("random start")
    assert picture.get_attribute("src") != last
    expect(film.locator("td.correct").first).to_have_text("·")
    film.get_by_role("button", name="Play").click()
    expect(output).to_have_text(f"epoch 4, {100 * accuracy:.2f} % right")
    expect(film.get_by_role("button", name="Play")).to_be_visible()
    assert picture.get_attribute("src") == last
    keep_screenshot(page.locator("#r0-film"), "film")


def test_the_map_shows_the_image_of_a_dot(report, open_page, sample, keep_screenshot):
    page = open_page(report, viewport=DESKTOP)
    chart, reading = page.locator(".map svg"), page.locator(".map .reading")
    dot = chart.locator("circle").nth(17)
    dot.scroll_into_view_if_needed()
    box = dot.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(reading).to_contain_text(f"Test image 17: {sample.test.labels[17]}, read")
    dark = "(c) => c.getContext('2d').getImageData(0, 0, 28, 28).data.filter((v) => v < 99).length"
    assert page.locator(".map canvas").evaluate(dark) > 30
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(reading).not_to_contain_text("Test image 17:")
    page.locator(".legend button").nth(3).click()
    assert chart.locator("circle:not(.faint)").count() == (sample.test.labels[:400] == 3).sum()
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(reading).to_contain_text(": 3, read")
    keep_screenshot(page.locator("#r0-map"), "map")


def test_the_reports_model_reads_a_digit(report, open_page, keep_screenshot):
    page = open_page(report, viewport=DESKTOP)
    page.locator("#demo-examples button").nth(4).click()
    expect(page.locator("#demo-digit")).to_have_text("4")
    keep_screenshot(page.locator("#demo"), "prediction")


def test_the_link_to_draw_a_digit_unfolds_the_most_accurate_model(
    written, open_page, entry, make_checkpoint, sample
):
    bare = checkpoint.load(make_checkpoint("bare.npz"))
    page = open_page(written(*models.evaluate_models([bare], sample.test), entry))
    expect(page.locator("#demo")).to_be_hidden()
    page.get_by_role("link", name="Draw a digit").first.click()
    expect(page.locator("#demo")).to_be_visible()
    page.locator("#demo-examples button").nth(1).click()
    expect(page.locator("#demo-digit")).to_have_text("1")


def test_the_navigation_names_the_parts_of_the_drawing_area(report, open_page):
    page = open_page(report, viewport=DESKTOP)
    links = page.locator("nav a")
    names = links.all_text_contents()
    assert names[names.index("Draw a digit") + 1] == "How it learns"
    for link in links.all():
        target = page.locator(link.get_attribute("href"))
        link.click()
        expect(target).to_be_in_viewport()


def test_an_8_has_the_right_article(report, open_page):
    assert not re.search(r"\ba 8\b", open_page(report).content())


def test_the_example_is_there_when_its_model_is_unfolded(
    written, open_page, entry, make_checkpoint, sample
):
    bare = checkpoint.load(make_checkpoint("bare.npz"))
    page = open_page(written(*models.evaluate_models([bare], sample.test), entry))
    page.wait_for_selector("#demo[data-predicted]", state="attached")
    page.get_by_role("link", name="Draw a digit").first.click()
    drawn = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)"
    page.wait_for_function(
        f"() => document.querySelector('#demo-canvas').width"
        f" && ({drawn})(document.querySelector('#demo-canvas')).data.some(Boolean)"
    )


def test_a_link_unfolds_its_model(comparison, open_page):
    page = open_page(comparison)
    title = page.locator("#r1-errors-title")
    expect(title).to_be_hidden()
    page.locator(".models a", has_text="rising").click()
    expect(title).to_be_visible()


def test_print_is_on_white_and_shows_every_model(comparison, open_page):
    page = open_page(comparison, color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("#r2-errors-title")).to_be_visible()
    for part in ("nav", "#demo"):  # nothing can be clicked or drawn on
        expect(page.locator(part).first).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(FAINT) == []
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#r2-errors-title")).to_be_hidden()


# Headings of matrices that reach over the next one.
OVERPRINTED = """() => {
  const found = [];
  for (const row of document.querySelectorAll(".matrix tr:first-child")) {
    const headings = [...row.querySelectorAll("th")];
    for (const e of headings) {
      const cut = getComputedStyle(e).overflow === "hidden";
      if (!cut && e.scrollWidth > e.clientWidth + 1) found.push(e.textContent);
    }
    if (!headings.length) found.push("no headings");
  }
  return found;
}"""


@pytest.mark.parametrize("viewport", [SMALL, DESKTOP], ids=["small", "desktop"])
def test_long_names_of_classes_stay_in_their_place(written, entry, open_page, viewport):
    clothes = ("T-shirt or top", "trouser", "w" * 200, "dress", "coat", "sandal", "shirt")
    names = (*clothes, "sneaker", "bag", "ankle boot")
    worded = replace(entry, scores=replace(entry.scores, class_names=names))
    page = open_page(written(worded), viewport=viewport)
    assert page.evaluate(OVERPRINTED) == []
    assert page.evaluate(MISPLACED) == []


def test_without_javascript_only_the_gallery_is_missing(report, open_page, entry):
    page = open_page(report, java_script_enabled=False)
    expect(page.locator("h1")).to_have_text("trained")
    expect(page.locator(".gallery")).to_contain_text("need JavaScript")
    expect(page.locator(".card")).to_have_count(24)


def test_hostile_names_stay_text(written, open_page, entry):
    config = msgspec.structs.replace(entry.config, dataset=SCRIPT)
    summary = msgspec.structs.replace(entry.summary, versions={SCRIPT: SCRIPT})
    hostile = replace(entry, name=SCRIPT, config=config, summary=summary)
    page = open_page(written(hostile, replace(entry, name=f"{SCRIPT}2")))
    assert page.evaluate("window.injected") is None
    expect(page.locator(".model h2.title").first).to_have_text(SCRIPT)
    assert page.title().startswith(SCRIPT)


def test_pictures_have_text_equivalents(report, open_page):
    page = open_page(report)
    for svg in page.locator("svg").all():
        assert svg.get_attribute("aria-hidden") == "true" or svg.get_attribute("aria-label")
    for image in page.locator("img").all():
        assert image.get_attribute("alt") or image.locator("xpath=ancestor::*[@aria-label]").count()
