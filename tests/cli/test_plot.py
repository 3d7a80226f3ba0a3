"""``dlcli plot``: its plots and its errors."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dlcli.cli.main import run


@pytest.fixture(scope="module")
def small_run(tmp_path_factory) -> Path:
    """A run with the sample whose ten neurons take less time to draw than more."""
    runs_dir = tmp_path_factory.mktemp("runs")
    settings = ("dataset=sample", "hidden_layers=[10]", "epochs=2")
    options = [word for setting in settings for word in ("--set", setting)]
    assert run(["train", "-q", *options, "--runs-dir", str(runs_dir), "--name", "small"]) == 0
    return runs_dir / "small"


@pytest.mark.parametrize("what", ["curves", "confusion", "weights", "errors"])
def test_each_kind_of_plot_of_a_run(dlcli, small_run, what):
    result = dlcli("plot", small_run, "--what", what, "-o", "plot.png", "-q")
    assert (result.code, result.stdout, result.stderr) == (0, "plot.png\n", "")
    with Image.open("plot.png") as picture:
        assert min(picture.size) > 500
    assert [path.name for path in Path().iterdir()] == ["plot.png"]


def test_curves_are_the_default_and_take_several_runs(dlcli, trained_model):
    shutil.copytree(trained_model, "other")
    Path("latest").symlink_to("other")
    result = dlcli("plot", trained_model, "latest", "-o", "plot.svg")
    assert result.code == 0
    text = Path("plot.svg").read_text()
    assert "<!-- other -->" in text  # not the link's name, which may point elsewhere tomorrow
    assert f"<!-- {trained_model} -->" in text


@pytest.mark.parametrize("what", ["curves", "confusion"])
def test_the_latest_run_is_the_default(dlcli, trained_model, what):
    Path("runs").mkdir()
    Path("runs/latest").symlink_to(trained_model)
    assert dlcli("plot", "--what", what, "-o", "default.svg").code == 0
    assert f"<!-- {trained_model}" in Path("default.svg").read_text()


def test_curves_need_only_the_config_and_the_log(dlcli, trained_model):
    Path("logs").mkdir()
    for name in ("config.yaml", "metrics.jsonl"):
        shutil.copy(trained_model / name, "logs")
    assert dlcli("plot", "logs", "-o", "plot.PNG").code == 0


@pytest.mark.parametrize("what", ["confusion", "weights", "errors"])
def test_models_without_a_run_directory_can_be_drawn(dlcli, make_checkpoint, what):
    model = make_checkpoint("bare.npz")
    dataset = () if what == "weights" else ("--dataset", "sample")
    result = dlcli("plot", model, "--what", what, *dataset, "-o", "plot.pdf")
    assert result.code == 0
    assert Path("plot.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["pretrained", "-o", "x.png"], 2, "pretrained: has no learning curves; they are in a run"),
        (["{run}/best.npz", "-o", "x.png"], 2, "{run}/best.npz: has no learning curves; they"),
        (
            ["{run}", "--dataset", "sample", "-o", "x.png"],
            2,
            "--dataset is for --what confusion and errors, not for curves",
        ),
        (["-o", "x.png"], 2, "no model is named, and there is no finished run in runs; name one"),
        (["--what", "weights", "-o", "x.png"], 2, "no model is named, and there is no finished"),
        (["nowhere", "-o", "x.png"], 4, "nowhere: no such run directory"),
        (
            [".", "-o", "x.png"],
            4,
            ".: not a run directory; it has neither config.yaml nor last.npz",
        ),
        (["nowhere", "--what", "weights", "-o", "x.png"], 4, "nowhere: no such run directory or"),
        (["{run}", "-o", "x.jpg"], 2, "x.jpg: the file must end in one of .png, .svg, .pdf"),
        (["{run}", "-o", "no/x.png"], 2, "no/x.png: the folder no does not exist"),
        (["{run}", "{run}", "--what", "errors", "-o", "x.png"], 2, "--what errors draws one model"),
    ],
)
def test_what_cannot_be_drawn_is_an_error_of_one_line(
    dlcli, trained_model, arguments, code, reason
):
    result = dlcli("plot", "-q", *(word.format(run=trained_model) for word in arguments))
    assert (result.code, result.stdout) == (code, "")
    assert result.stderr.startswith(f"Error: {reason.format(run=trained_model)}")
    assert result.stderr.count("\n") == 1
    assert not list(Path().iterdir())


def test_a_run_without_an_epoch_has_no_curves(dlcli):
    Path("r").mkdir()
    Path("r/config.yaml").touch()
    result = dlcli("plot", "r", "-o", "x.png")
    assert result.code == 2
    assert "r: has no learning curves: its metrics.jsonl holds no epochs" in result.stderr


def test_nothing_is_overwritten_without_force(dlcli, trained_model):
    Path("plot.png").write_text("mine")
    result = dlcli("plot", trained_model, "-o", "plot.png")
    assert (result.code, Path("plot.png").read_text()) == (2, "mine")
    assert "add --force" in result.stderr
    assert dlcli("plot", trained_model, "-o", "plot.png", "--force").code == 0


def test_without_matplotlib_the_error_says_how_to_install_it(tmp_path):
    code = (
        "import sys; sys.modules['matplotlib'] = None; from dlcli.cli.main import run; "
        "sys.exit(run(['plot', 'pretrained', '--what', 'weights', '-o', 'x.png']))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert finished.returncode == 2
    expected = "Error: matplotlib is not installed; get it with: pip install 'dlcli[report]'\n"
    assert finished.stderr == expected


def test_with_quiet_matplotlib_does_not_talk_about_its_folder(tmp_path):
    """It logs that where it can write no cache."""
    command = [sys.executable, "-m", "dlcli", "plot", "pretrained", "--what", "weights"]
    finished = subprocess.run(
        [*command, "-q", "-o", "w.svg"],
        cwd=tmp_path,
        env=os.environ | {"MPLCONFIGDIR": "/dev/null/none"},
        capture_output=True,
        text=True,
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "w.svg\n", "")
