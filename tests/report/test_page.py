"""The content of a report and its policy; tests/browser tests how it looks."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from dlcli.data.examples import Examples
from dlcli.evaluation.compare import compare
from dlcli.nn.network import Network
from dlcli.report import errors, models, page
from dlcli.runs import checkpoint, lookup

HOSTILE = "</script><img src=x onerror=alert(1)>'\"&{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def html(entry, sample) -> str:
    return page.render([entry], "sample", sample.test).decode()


@pytest.fixture(scope="module")
def markup(html) -> str:
    """The page without what is in its styles and scripts."""
    return re.sub(r"(<(style|script)[^>]*>).*?</\2>", r"\1</\2>", html, flags=re.DOTALL)


def found(pattern: str, html: str) -> str:
    """What the group of a pattern matches in a page that has it."""
    match = re.search(pattern, html, re.DOTALL)
    assert match is not None
    return match[1]


def test_only_its_own_styles_and_scripts_may_run(html, markup):
    policy = found(r'Content-Security-Policy" content="([^"]+)"', html)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        contents = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(contents) == 1
        digest = base64.b64encode(hashlib.sha256(contents[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    assert not re.search(r"<[^>]+\s(?:style|on\w+)=", markup)


def test_it_refers_to_nothing_outside_itself(markup):
    assert not re.findall(r"https?:|url\((?!#)|@import|//\w+\.", markup)
    for reference in re.findall(r'(?:src|href)="([^"]*)"', markup):
        assert reference.startswith(("#", "data:image/webp;base64,"))


def test_links_within_it_lead_somewhere(markup):
    identities = re.findall(r'\sid="([^"]+)"', markup)
    assert len(identities) == len(set(identities))
    for pattern in (r'href="#([^"]+)"', r'aria-labelledby="([^"]+)"'):
        assert set(re.findall(pattern, markup)) <= set(identities)


def test_the_scores_are_those_of_eval(html, entry):
    scores = entry.scores
    assert f"<b>{100 * scores.accuracy:.2f} %</b>" in html
    assert f"{100 * scores.interval[0]:.2f} % to {100 * scores.interval[1]:.2f} %" in html
    assert f"{scores.loss:.4f}" in html
    assert f"{scores.calibration_error * 100:.2f} %" in html


def test_the_script_is_given_every_cell(html, entry):
    data = json.loads(found(r'id="report-data">(.*?)</script>', html))
    cells = data["cells"]["r0"]
    assert sum(cell["count"] for cell in cells.values()) == 2000
    assert all(len(cell["images"]) <= errors.MAX_CELL_IMAGES for cell in cells.values())


def test_the_film_and_the_map_are_given_to_the_script(html, entry):
    data = json.loads(found(r'id="report-data">(.*?)</script>', html))
    assert [frame["epoch"] for frame in data["films"]["r0"]["frames"]] == [0, 1, 2, 3, 4]
    assert data["map"]["predictions"]["r0"] == entry.scores.predictions[:400].tolist()
    assert html.count("<circle") == 400
    assert html.count('class="d3') + html.count('class="d3 wrong') >= 20
    assert re.search(r"\b4 epochs, \d+ KB of this page", html)


def test_the_film_says_where_it_starts_and_what_it_shows(html, entry, sample):
    assert "and how the network read the validation images, from its random start to" in html
    assert json.loads(found(r'id="report-data">(.*?)</script>', html))["films"]["r0"]["start"] == (
        "random start"
    )
    config = msgspec.structs.replace(entry.config, init_from="pretrained", validation_size=0)
    frames = [replace(frame, confusion=None) for frame in entry.frames]
    text = page.render([replace(entry, config=config, frames=frames)], "s", sample.test).decode()
    assert "neurons of the first layer from its start to epoch 4" in text
    assert "read the validation images" not in text
    assert "random start" not in text


def test_a_checkpoint_without_a_run_has_no_film_and_without_hidden_layers_no_map(
    make_checkpoint, sample
):
    model = checkpoint.load(make_checkpoint("plain.npz", Network([784, 10], [], "softmax")))
    text = page.render(models.evaluate_models([model], sample.test), "sample", sample.test).decode()
    assert "data-film" not in text.replace("[data-film]", "")
    assert "<circle" not in text
    assert "map-sheet" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


@pytest.fixture(scope="module")
def unusual(entry, sample) -> str:
    """The page of two models with unusual names, one stopped early and the other unfinished."""
    summary = msgspec.structs.replace(
        entry.summary, versions={HOSTILE: HOSTILE}, stopped_by="early_stopping"
    )
    config = msgspec.structs.replace(entry.config, dataset=HOSTILE)
    hostile = replace(entry, name=HOSTILE, summary=summary, config=config)
    no_text = replace(entry, name="\udcff", summary=None)
    return page.render([hostile, no_text], HOSTILE, sample.test).decode()


def test_names_are_escaped_everywhere(unusual):
    assert "<img src=x" not in unusual
    assert "onerror=alert(1)&gt;" in unusual
    assert "{{ 7 * 7 }}" in unusual
    assert unusual.count("</script>") == 3
    assert "&#56575;" in unusual  # of a name that is no text


def test_names_of_words_make_both_matrices_wide(entry, sample, markup):
    names = ("T-shirt or top", *map(str, range(1, 10)))
    worded = replace(entry, scores=replace(entry.scores, class_names=names))
    text = page.render([worded], "sample", sample.test).decode()
    assert text.count('<table class="matrix many"') == 2
    assert '<div class="confusion many">' in text
    assert set(re.findall(r'class="(?:matrix|confusion)([^"]*)"', markup)) == {""}


def test_how_the_training_ended_is_said(unusual, entry):
    for said in ("; unfinished", "; ended by early stopping"):
        assert unusual.count(f"epoch {entry.model.metadata.epoch} of 4 kept{said}") == 1


def test_what_a_bare_checkpoint_lacks_is_said(make_checkpoint, sample):
    model = checkpoint.load(make_checkpoint("bare.npz"))
    text = page.render(models.evaluate_models([model], sample.test), "sample", sample.test).decode()
    assert "there is no metrics log" in text
    assert "How it learned" not in text
    assert "There is no hidden layer" in text


def test_the_pretrained_model_is_not_said_to_be_trained_again_by_its_config(markup, sample):
    few = Examples(sample.test.images[:50], sample.test.labels[:50])
    shipped = lookup.load_named("pretrained")
    text = page.render(models.evaluate_models([shipped], few), "sample", few).decode()
    assert "Train it again" not in text
    assert "to the last bit" not in text
    assert 'href="#r0-training"' in text
    assert "dlcli/runs/pretrained/MODELCARD.md" in text
    assert "to the last bit" in markup
    assert "MODELCARD" not in markup


def test_a_few_images_without_an_error_are_enough(make_checkpoint):
    network = Network([784, 10], [], "softmax")
    network.weights[0][np.arange(10), np.arange(10)] = 3
    images = np.zeros((3, 784), np.uint8)
    images[np.arange(3), np.arange(3)] = 255
    test = Examples(images, np.arange(3, dtype=np.uint8))
    model = checkpoint.load(make_checkpoint("lit.npz", network))
    text = page.render(models.evaluate_models([model], test), "three", test).decode()
    assert "There are no errors: every test image is classified correctly." in text


def test_beside_the_network_to_draw_for_the_page_is_small(html):
    (data,) = re.findall(r'id="demo-data">(.*?)</script>', html)
    assert len(html) - len(data) < 600_000  # of 784-512-512-10 the data are 2.4 MB, of 3 allowed


def test_what_is_not_trained_on_digits_has_nothing_to_draw_on(make_checkpoint, sample):
    clothes = checkpoint.load(make_checkpoint("clothes.npz", preprocessing="none"))
    text = page.render(
        models.evaluate_models([clothes], sample.test), "sample", sample.test
    ).decode()
    assert "demo" not in text


def test_several_models_are_compared_and_the_most_accurate_one_is_drawn_for(
    entry, sample, make_checkpoint
):
    bare = checkpoint.load(make_checkpoint("bare.npz"))
    (worse,) = models.evaluate_models([bare], sample.test)
    text = page.render([worse, entry], "sample", sample.test).decode()
    comparison = compare(worse.scores, entry.scores)
    assert "<h1>Side by side</h1>" in text
    assert f"<td>{comparison.only_first_right:,}</td>" in text
    assert "is more than chance" in text
    assert 'id="r1-draw"' in text
    assert text.count('id="demo"') == 1
    (data,) = re.findall(r'id="demo-data">(.*?)</script>', text)
    assert json.loads(data)["network"]["sizes"] == [784, 128, 10]
