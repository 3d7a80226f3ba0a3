"""``dlcli lesson``: the list, a lesson as text, as JSON and as a page."""

import json
import sys
import webbrowser
from pathlib import Path

import pytest

from dlcli.lessons import catalog
from tests.lessons.test_reader import MINE

SMALL = MINE.replace("epochs: 2", "epochs: 2, validation_size: 200")


@pytest.fixture
def mine(workdir) -> str:
    """A lesson of a teacher, whose claim holds."""
    Path("mine.yaml").write_text(SMALL.replace("gain > 0.1", "gain > -2"))
    return "./mine.yaml"


def test_without_a_name_the_lessons_are_listed_in_order(dlcli):
    result = dlcli("lesson")
    assert result.code == 0
    lines = result.stdout.splitlines()
    names = [entry.name for entry in catalog.shipped()]
    assert [line.split()[:2] for line in lines[1:]] == [
        [str(number), name] for number, name in enumerate(names, 1)
    ]
    assert "dlcli lesson 1" in result.stderr


def test_the_list_as_json_has_a_line_a_lesson(dlcli):
    rows = [json.loads(line) for line in dlcli("lesson", "--format=json").stdout.splitlines()]
    assert [row["name"] for row in rows] == [entry.name for entry in catalog.shipped()]
    assert all(row["title"] and row["number"] for row in rows)


def test_a_teachers_lesson_says_what_is_tried_and_what_happened(dlcli, mine):
    result = dlcli("lesson", mine)
    assert result.code == 0, result.stderr
    parts = ["Mine", "What is tried", "What do you expect?", "1. this", "What happened"]
    parts += ["Fast gains", "Accuracy", "Bars", "Weights", "Why", "It gains", "Change it", "Page:"]
    places = [result.stdout.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)
    assert "{gain" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert b'name="generator"' in Path("lesson-mine.html").read_bytes()
    assert "Training 2 networks" in result.stderr


def test_a_changed_lesson_says_that_its_sentences_are_of_the_lesson(dlcli, mine):
    result = dlcli("lesson", mine, "--set", "epochs=1", "--set", "fast.batch_size=50")
    assert "You changed epochs=1, fast.batch_size=50." in " ".join(result.stdout.split())
    assert "You changed" in Path("lesson-mine.html").read_text()
    assert "You changed" not in dlcli("lesson", mine, "--force").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine.yaml", "--set", "fsat.epochs=1"], "there is no network fsat; did you mean fast?"),
        (["--open"], "--open is for a lesson; name one, as in: dlcli lesson 1"),
        (["--set", "epochs=1"], "--set is for a lesson; name one, as in: dlcli lesson 1"),
    ],
)
@pytest.mark.usefixtures("mine")
def test_an_option_without_its_lesson_or_network_is_refused(dlcli, arguments, message):
    result = dlcli("lesson", *arguments)
    assert (result.code, result.stdout) == (2, "")
    assert message in result.stderr


def test_json_has_the_claims_with_their_figures_and_no_page(dlcli, mine):
    result = dlcli("lesson", mine, "--format=json")
    assert result.code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["name"], found["held"], found["page"]) == ("mine", True, None)
    (claim,) = found["claims"]
    assert claim["held"] is True
    assert claim["rule"] == "gain > -2"
    assert claim["figures"] == {"gain": found["figures"]["gain"]}
    assert [len(each["epochs"]) for each in found["networks"].values()] == [3, 3]
    assert not list(Path().glob("*.html"))


def test_a_claim_that_does_not_hold_is_exit_code_1_and_is_still_shown(dlcli, workdir):
    Path("mine.yaml").write_text(SMALL.replace("gain > 0.1", "gain > 2"))
    result = dlcli("lesson", "mine.yaml", "--format=json")
    assert result.code == 1
    assert json.loads(result.stdout)["claims"][0]["held"] is False
    assert result.stderr.endswith("Error: 1 of 1 claims did not hold\n")
    result = dlcli("lesson", "mine.yaml", "--set", "seed=1")
    assert result.code == 1
    assert "DID NOT HOLD: Fast gains" in result.stdout
    assert "Did not hold" in Path("lesson-mine.html").read_text()
    assert "1 of 1 claims did not hold; your settings changed the outcome" in result.stderr


def test_a_network_that_diverged_is_named_with_what_happened(dlcli, mine):
    settings = ["loss=mse", "output_activation=linear", "activation=tanh"]
    settings += ["batch_size=5", "fast.learning_rate=100"]
    result = dlcli("lesson", mine, *(word for each in settings for word in ("--set", each)))
    message = "training diverged in epoch 1"
    text = " ".join(result.stdout.split())
    assert f"fast: {message}" in text
    assert text.index(message) < text.index("Fast gains")
    assert text.count(message) == 1
    assert f"<b>fast:</b> {message}" in Path("lesson-mine.html").read_text()
    assert message not in dlcli("lesson", mine).stdout


def test_a_wrong_lesson_file_is_exit_code_2(dlcli, workdir):
    Path("mine.yaml").write_text(SMALL.replace("2 * gain", "2 * gian"))
    result = dlcli("lesson", "mine.yaml")
    assert (result.code, result.stdout) == (2, "")
    assert "mine.yaml:23: figures.twice: gian: no such figure; did you mean gain?" in result.stderr
    assert dlcli("lesson", "csot").code == 2


def test_a_measure_that_does_not_fit_the_network_is_exit_code_2(dlcli, workdir):
    Path("mine.yaml").write_text(SMALL.replace("2 * gain", "weight_change(fast, 3)"))
    result = dlcli("lesson", "mine.yaml")
    assert result.code == 2
    expected = "mine.yaml: figures.twice: weight_change(fast, 3): layer 3: there are 2 layers"
    assert result.stderr.endswith(f"{expected}, from 1 on\n")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("2 * gain", "weight_change(fast, 2)", "figures.twice"),
        ("gain > 0.1", "weight_change(fast, 2) > 0", "claims[1].holds"),
    ],
)
def test_a_measure_that_does_not_fit_changed_settings_names_them(dlcli, workdir, old, new, key):
    Path("mine.yaml").write_text(SMALL.replace(old, new))
    result = dlcli("lesson", "mine.yaml", "--set", "hidden_layers=[]", "--set", "seed=1")
    assert result.code == 2
    assert f"mine.yaml: {key}: " in result.stderr
    assert result.stderr.endswith("; you changed hidden_layers=[], seed=1\n")


def test_only_an_earlier_page_is_replaced_without_force(dlcli, mine):
    assert dlcli("lesson", mine).code == 0
    assert dlcli("lesson", mine).code == 0
    Path("lesson-mine.html").write_text("mine")
    result = dlcli("lesson", mine)
    assert result.code == 2
    assert "lesson-mine.html: exists already; add --force" in result.stderr
    Path("other.html").write_text("mine")
    assert dlcli("lesson", mine, "--output=other.html").code == 2
    assert dlcli("lesson", mine, "--output=other.html", "--force", "-f", "json").code == 0
    assert len(Path("other.html").read_text()) > 1000


def test_without_the_extra_the_lesson_runs_and_says_how_to_get_the_page(dlcli, mine, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("dlcli.report.")]:
        monkeypatch.delitem(sys.modules, name)
    result = dlcli("lesson", mine)
    assert result.code == 0, result.stderr
    assert "No page will be written: matplotlib is not installed" in result.stderr
    assert "Page:" not in result.stdout
    for wanted in ("--output=page.html", "--open"):
        assert dlcli("lesson", mine, wanted).code == 2


def test_a_lesson_without_networks_has_nothing_to_set(dlcli):
    result = dlcli("lesson", "6", "-y", "-s", "learning_rate=9")
    message = "Error: --set learning_rate=9: this lesson trains no networks\n"
    assert (result.code, result.stderr) == (2, message)


def test_the_page_is_opened_where_this_is_asked_for(dlcli, mine, monkeypatch):
    opened: list[str] = []

    def open_page(address):
        opened.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", open_page)
    result = dlcli("lesson", mine, "--open", "--format", "json")
    assert result.code == 0, result.stderr
    page = Path(json.loads(result.stdout)["page"])
    assert opened == [page.resolve().as_uri()]


def answer(monkeypatch, *words):
    """Answer the prompts as at a terminal; return what was asked."""
    asked = []
    replies = iter(words)

    def prompt(text, **_options):
        asked.append(text)
        return next(replies)

    monkeypatch.setattr("click.prompt", prompt)
    monkeypatch.setattr("dlcli.cli.lesson._is_at_a_terminal", lambda: True)
    return asked


def test_at_a_terminal_a_prediction_is_asked_for_and_compared(dlcli, mine, monkeypatch):
    asked = answer(monkeypatch, "7", "1")
    result = dlcli("lesson", mine)
    assert len(asked) == 2
    assert "Type a number from 1 to 2." in result.stderr
    assert "You expected 1, but the answer is 2: that" in result.stdout
    answer(monkeypatch, "2")
    assert "You were right: the answer is 2: that" in dlcli("lesson", mine).stdout
    answer(monkeypatch, "")
    assert "The answer is 2: that" in dlcli("lesson", mine).stdout


@pytest.mark.parametrize("arguments", [["--yes"], ["--quiet"], ["--format=json"]])
def test_nothing_is_asked_where_nobody_wants_it(dlcli, mine, monkeypatch, arguments):
    assert answer(monkeypatch) == []
    assert dlcli("lesson", mine, *arguments).code == 0


def test_the_list_fits_a_narrow_terminal(dlcli, monkeypatch):
    monkeypatch.setattr("dlcli.cli.layout.width", lambda _stream: 40)
    lines = dlcli("lesson").stdout.splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[0] == " 1  one-layer"


def test_every_line_fits_a_narrow_terminal(dlcli, mine, monkeypatch):
    monkeypatch.setattr("dlcli.cli.layout.width", lambda _stream: 40)
    lines = dlcli("lesson", mine, "-q").stdout.splitlines()
    assert max(map(len, lines)) <= 40
