"""``dlcli export``: what it writes, refuses, and lacks."""

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from safetensors.numpy import load_file


def test_the_path_is_the_only_line_on_stdout(dlcli, trained_model):
    result = dlcli("export", trained_model, "--format", "onnx", "-o", "digits.bin")
    assert (result.code, result.stdout) == (0, "digits.bin\n")
    assert result.stderr == f"Model: {trained_model}/best.npz\n"
    onnx.checker.check_model("digits.bin")
    assert [path.name for path in Path().iterdir()] == ["digits.bin"]


def test_the_files_ending_tells_the_format(dlcli, trained_model):
    result = dlcli("export", trained_model, "-o", "digits.safetensors")
    assert result.code == 0
    told = "Load it into: Sequential(Linear(784, 128), ReLU(), Linear(128, 10), Soft"
    assert told in result.stderr
    assert load_file("digits.safetensors")["0.weight"].shape == (128, 784)
    result = dlcli("export", trained_model, "-q", "-o", "digits.onnx")
    assert (result.code, result.stderr) == (0, "")
    onnx.checker.check_model("digits.onnx")


def test_the_operator_set_can_be_chosen(dlcli, trained_model):
    assert dlcli("export", trained_model, "-o", "a.onnx").code == 0
    assert dlcli("export", trained_model, "-o", "b.onnx", "--opset", "18").code == 0
    versions = [onnx.load(name).opset_import[0].version for name in ("a.onnx", "b.onnx")]
    assert versions == [13, 18]


def test_the_pretrained_model_can_be_exported(dlcli):
    assert dlcli("export", "pretrained", "-o", "digits.onnx").code == 0
    onnx.checker.check_model("digits.onnx", full_check=True)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["pretrained", "-o", "digits.bin"], 2, "digits.bin: say which --format: onnx or safe"),
        (["pretrained", "-o", "-", "-f", "onnx"], 2, "-: name a file"),
        (["pretrained", "-o", "no/digits.onnx"], 2, "no/digits.onnx: the folder no does not"),
        (["-o", "digits.onnx"], 2, "no model is named, and there is no finished run in runs; name"),
        (
            ["pretrained", "-f", "onnx", "-o", "y.safetensors"],
            2,
            "y.safetensors: would hold ONNX; name it y.onnx, or leave out --format",
        ),
        (
            ["pretrained", "-f", "safetensors", "-o", "y.ONNX"],
            2,
            "y.ONNX: would hold safetensors; name it y.safetensors, or leave out --format",
        ),
        (["pretrained", "-f", "onnx", "-o", "y.npz"], 2, "y.npz: would hold ONNX; name it y.onnx"),
        (["pretrained", "-o", "y.onnx", "--opset", "12"], 2, "--opset 12: use 13 to "),
        (["pretrained", "-o", "y.onnx", "--opset", "0"], 2, "--opset 0: use 13 to "),
        (["pretrained", "-o", "y.safetensors", "--opset", "13"], 2, "--opset is for ONNX; y.safe"),
        (["nowhere", "-o", "digits.onnx"], 4, "nowhere: no such run directory or checkpoint"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(dlcli, arguments, code, reason):
    result = dlcli("export", "-q", *arguments)
    assert (result.code, result.stdout) == (code, "")
    assert result.stderr.startswith(f"Error: {reason}")
    assert result.stderr.count("\n") == 1
    assert not list(Path().iterdir())


def test_nothing_is_overwritten_without_force(dlcli, trained_model):
    path = Path("digits.onnx")
    path.write_text("mine")
    result = dlcli("export", trained_model, "-o", path)
    assert result.code == 2
    assert "digits.onnx: exists already; add --force" in result.stderr
    assert path.read_text() == "mine"
    assert dlcli("export", trained_model, "-o", path, "--force").code == 0
    onnx.checker.check_model(path)


@pytest.mark.parametrize(("kind", "library"), [("onnx", "onnx"), ("safetensors", "safetensors")])
def test_a_missing_library_is_named_with_the_command_that_brings_it(kind, library, tmp_path):
    code = (
        f"import sys; sys.modules[{library!r}] = None; from dlcli.cli.main import run; "
        f"sys.exit(run(['export', '-q', 'pretrained', '-o', 'digits.{kind}']))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert finished.returncode == 2
    told = f"Error: {library} is not installed; get it with: pip install 'dlcli[export]'\n"
    assert finished.stderr == told
    assert not list(tmp_path.iterdir())
