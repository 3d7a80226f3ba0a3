"""The real executable in real shell pipelines, as the README shows them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
SETTINGS = "--set dataset=sample --set hidden_layers=[32] --set epochs=8"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a trained run and 20 exported test images."""
    folder = tmp_path_factory.mktemp("pipelines")
    shell(folder, f"dlcli train -q {SETTINGS}")
    shell(folder, "dlcli data export --dataset sample --limit 20 --output digits -q")
    return folder


def shell(folder: Path, script: str, code: int = 0) -> str:
    """Run a script with ``pipefail``; return its stdout. The exit code must be ``code``."""
    finished = subprocess.run(
        ["bash", "-c", f"set -eo pipefail\n{script}"],
        cwd=folder,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert finished.returncode == code, finished.stderr
    assert "Traceback" not in finished.stderr
    return finished.stdout


def test_a_variable_takes_the_path_of_a_run(folder):
    script = f'run=$(dlcli train {SETTINGS}); dlcli eval "$run" --min-accuracy 0.8 -q | head -1'
    assert shell(folder, script).startswith("accuracy")


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq, which .ci/run installs")
def test_jq_reads_the_json(folder):
    assert shell(folder, "dlcli eval --format json | jq -e '.accuracy > 0.9'") == "true\n"
    best = shell(folder, "dlcli runs --format json | jq -r 'max_by(.validation_accuracy).run'")
    assert best.startswith("runs/")
    digits = shell(folder, "dlcli predict digits --format json | jq .digit")
    assert len(digits.splitlines()) == 20


def test_a_list_of_files_separated_by_nul_is_predicted(folder):
    output = shell(folder, "find digits -name '*.png' -print0 | dlcli predict --from-file -")
    assert len(output.splitlines()) == 20
    again = shell(folder, "find digits -name '*.png' -print0 | xargs -0 dlcli predict")
    assert output == again


def test_a_list_of_files_by_line_is_predicted(folder):
    assert len(shell(folder, "ls digits/* | dlcli predict --from-file -").splitlines()) == 20


def test_a_picture_on_stdin_gives_the_prediction_of_its_file(folder):
    by_name = shell(folder, "dlcli predict digits/00000-7.png")
    by_stdin = shell(folder, "dlcli predict - < digits/00000-7.png")
    assert by_stdin == by_name.replace("digits/00000-7.png", "-")


def test_head_ends_a_pipeline_quietly(folder):
    script = "dlcli predict digits digits digits digits 2>err | head -1"
    assert shell(folder, script).count("\n") == 1
    assert "Broken" not in (folder / "err").read_text()


def test_a_config_is_read_from_a_pipe(folder):
    script = "printf 'dataset: sample\\nepochs: 1\\nhidden_layers: [8]\\n' | dlcli train --config -"
    assert shell(folder, script).strip().endswith("-stdin")
    shell(folder, "dlcli config show -c quickstart > mine.yaml; dlcli config check mine.yaml")


def test_a_threshold_stops_a_chain(folder):
    assert (
        shell(folder, "dlcli eval --min-accuracy 0.999 && echo deployed", code=5).count("deployed")
        == 0
    )


def test_awk_counts_the_right_predictions(folder):
    script = (
        "dlcli predict digits | awk -F'\\t' "
        "'{split($3, name, /[-.]/); right += ($1 == name[2])} END {print right}'"
    )
    assert int(shell(folder, script)) >= 15


def test_stdout_has_only_the_result_and_stderr_everything_else(folder):
    assert shell(folder, f"dlcli train {SETTINGS} 2>/dev/null").count("\n") == 1
    shell(folder, "dlcli eval nowhere 2>err", code=4)
    assert (folder / "err").read_text().count("\n") == 1


def test_options_may_come_before_or_after_arguments(folder):
    first = shell(folder, "dlcli predict --top 2 digits/00000-7.png")
    assert first == shell(folder, "dlcli predict digits/00000-7.png --top 2")


def test_python_m_dlcli_is_the_command(folder):
    module = shell(folder, f"{sys.executable} -m dlcli --version")
    assert module == shell(folder, "dlcli --version")


def test_paths_from_a_slow_list_are_predicted_one_by_one(folder):
    # The second path is written only after the first prediction.
    script = """
    mkfifo answers
    { echo digits/00000-7.png; read -t 60 -r answer <> answers; echo digits/00001-1.png; } |
        dlcli predict -q --from-file - |
        { read -r first; echo "$first" > answers; cat; }
    """
    assert shell(folder, script).endswith("digits/00001-1.png\n")


def test_a_coprocess_may_write_a_path_and_its_nul_separately(folder):
    script = """
    mkfifo replies
    { printf digits/00000-7.png; sleep 0.2; printf '\\0'; read -t 60 -r reply <> replies;
      printf 'digits/00001-1.png\\0'; } |
        dlcli predict -q --from-file - |
        { read -r first; echo "$first" > replies; cat; }
    """
    assert shell(folder, script).endswith("digits/00001-1.png\n")


def test_an_endless_list_ends_when_nobody_reads_the_predictions(folder):
    script = "yes digits/00000-7.png | dlcli predict -q --from-file - | head -1"
    assert shell(folder, script, code=141).endswith("digits/00000-7.png\n")  # yes: SIGPIPE
