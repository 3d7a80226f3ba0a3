"""``dlcli report``: where it writes the page, and its errors."""

import shutil
import sys
import webbrowser
from pathlib import Path

import pytest


@pytest.fixture
def run(trained_model, tmp_path) -> Path:
    """A copy of the trained run."""
    return Path(shutil.copytree(trained_model, tmp_path / "runs" / "mine", symlinks=True))


def test_the_page_goes_into_the_run_and_its_path_to_stdout(dlcli, run):
    """Into the latest run, if none is named."""
    (run.parent / "latest").symlink_to(run.name)
    result = dlcli("report")
    assert (result.code, result.stdout) == (0, "runs/mine/report.html\n")
    assert result.stderr == "Model: runs/mine/best.npz\n"
    assert "<title>mine · dlcli report</title>" in (run / "report.html").read_text("utf-8")


def test_without_a_run_no_page_is_made_of_another_model(dlcli):
    result = dlcli("report")
    assert (result.code, result.stdout) == (2, "")
    assert "no model is named" in result.stderr
    assert "as in: dlcli report pretrained" in result.stderr


def test_several_models_make_one_page_in_the_current_folder(dlcli, make_checkpoint, tiny):
    models = make_checkpoint("bare.npz"), make_checkpoint("other.npz")
    result = dlcli("report", *models, "--dataset", tiny)
    assert (result.code, result.stdout) == (0, "report.html\n")
    assert "Side by side" in Path("report.html").read_text("utf-8")


def test_the_page_of_a_checkpoint_goes_into_the_current_folder(dlcli, make_checkpoint, tiny):
    result = dlcli("report", make_checkpoint("bare.npz"), "--dataset", tiny)
    assert result.stdout == "report.html\n"


def test_an_earlier_report_is_replaced_but_no_other_file(dlcli, run, tiny):
    (run / "metrics.jsonl").unlink()  # without curves a page is made faster
    arguments = ["report", run, "--dataset", tiny]
    path = run / "report.html"
    path.write_text("my notes")
    result = dlcli(*arguments)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"Error: {path}: exists already; add --force to replace it\n")
    assert path.read_text() == "my notes"
    assert dlcli(*arguments, "-q", "--force").code == 0
    first = path.read_text("utf-8")
    assert first.startswith("<!doctype html>")
    path.write_text(f"{first}<!-- changed -->", "utf-8")
    assert dlcli(*arguments, "-q").code == 0
    assert "<!-- changed -->" not in path.read_text("utf-8")


def test_a_named_output_is_never_overwritten_without_force(dlcli, run):
    assert dlcli("report", "--demo", run, "-o", "page.html").stdout == "page.html\n"
    assert dlcli("report", "--demo", run, "-o", "page.html").code == 2
    assert dlcli("report", "--demo", run, "-o", "page.html", "--force").code == 0


def test_open_opens_the_page(dlcli, run, monkeypatch):
    opened: list[str] = []

    def open_page(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", open_page)
    assert dlcli("report", "-q", "--demo", run, "--open").stderr == ""
    assert opened == [(run / "demo.html").as_uri()]


def test_without_a_browser_the_page_is_still_written(dlcli, run, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    result = dlcli("report", "--demo", run, "--open")
    assert (result.code, result.stdout) == (0, f"{run / 'demo.html'}\n")
    assert "Warning: no web browser was found" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--demo"]])
def test_without_jinja_the_error_says_how_to_install_it(dlcli, run, monkeypatch, arguments):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    for module in [name for name in sys.modules if name.startswith("dlcli.report")]:
        monkeypatch.delitem(sys.modules, module)
    result = dlcli("report", "-q", *arguments, run)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: jinja2 is not installed; get it with: pip install 'dlcli[report]'\n"
    )


def test_a_missing_dataset_is_the_same_error_as_in_eval(dlcli, run):
    arguments = [run, "--dataset", "no-such-folder"]
    expected = dlcli("report", *arguments)
    assert expected.code == 3
    assert expected.stderr == dlcli("eval", *arguments).stderr


def test_models_of_different_data_need_a_dataset(dlcli, run, make_checkpoint, tiny):
    other = make_checkpoint("other.npz", dataset={"name": "mnist", "checksum": "0"})
    result = dlcli("report", run, other)
    assert result.code == 3
    assert "trained on different data (sample " in result.stderr
    assert dlcli("report", run, other, "--dataset", tiny).code == 0


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("best.npz", "no model", "best.npz: not a whole .npz checkpoint"),
        ("metrics.jsonl", "no json\n", "metrics.jsonl:1: damaged line"),
        ("summary.json", "[]", "summary.json: damaged"),
    ],
)
def test_a_damaged_file_of_the_run_is_an_error_with_its_name(dlcli, run, file, content, expected):
    (run / file).unlink()
    (run / file).write_text(content)
    result = dlcli("report", run)
    assert (result.code, result.stdout) == (4, "")
    assert expected in result.stderr
    assert not (run / "report.html").exists()


@pytest.mark.parametrize("options", [["--dataset", "tiny"], ["--demo"]])
def test_the_page_draws_with_the_model_that_was_loaded(dlcli, make_checkpoint, options, tiny):
    """A file of the name ``pretrained`` is not the model of this name."""
    make_checkpoint("pretrained")
    assert dlcli("report", *options, "./pretrained", "-o", "page.html").code == 0
    assert '"network": {"sizes": [784, 10],' in Path("page.html").read_text("utf-8")


def test_the_demo_is_a_page_of_its_own(dlcli, run, make_checkpoint):
    assert dlcli("report", "--demo", run).stdout == f"{run / 'demo.html'}\n"
    assert 'id="demo-canvas"' in (run / "demo.html").read_text("utf-8")
    assert dlcli("report", "--demo", run).code == 0  # its own page is replaced
    assert dlcli("report", "--demo", make_checkpoint("bare.npz")).stdout == "demo.html\n"


def test_the_demo_is_for_one_model_that_reads_digits(dlcli, run, make_checkpoint):
    for arguments in ([run, run], [run, "--dataset", "sample"]):
        result = dlcli("report", "--demo", *arguments)
        assert result.code == 2
        assert "--demo takes one model and no --dataset" in result.stderr
    result = dlcli("report", "--demo", make_checkpoint("clothes.npz", preprocessing="none"))
    assert result.code == 4
    assert "cannot be drawn" in result.stderr
