"""``dlcli config``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dlcli.config import files, template
from dlcli.config.files import shipped_configs
from dlcli.config.reference import reference
from dlcli.config.schema import Config, differences, to_builtins
from dlcli.data.registry import DATASETS


def test_show_prints_every_key(dlcli):
    result = dlcli("config", "show", "--set", "optimizer=adam")
    assert result.code == 0
    assert result.stderr == ""
    values = yaml.safe_load(result.stdout)
    assert list(values) == list(Config.__struct_fields__)
    assert values["optimizer"] == "adam"


def test_show_as_json(dlcli):
    assert json.loads(dlcli("config", "show", "-f", "json").stdout) == to_builtins(Config())


def test_what_show_prints_is_a_config(dlcli, workdir):
    shown = dlcli("config", "show", "-c", "mnist").stdout
    assert dlcli("config", "show", "-c", "-", stdin=shown.encode()).stdout == shown


def test_letters_beyond_ascii_are_written_as_they_are(dlcli, workdir):
    (workdir / "üxö").mkdir()
    assert dlcli("config", "init", "my.yaml", "--dataset", "üxö").code == 0
    assert "\ndataset: üxö\n" in (workdir / "my.yaml").read_text(encoding="utf-8")
    assert "dataset: üxö\n" in dlcli("config", "show", "-c", "my.yaml").stdout
    command = [sys.executable, "-m", "dlcli", "config", "show", "-c", "my.yaml"]
    latin = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    shown = subprocess.run(command, env=latin, capture_output=True, check=True).stdout
    assert rb'dataset: "\xFCx\xF6"' in shown  # a config file is UTF-8


def test_check_accepts_valid_files_and_mentions_idle_keys(dlcli, workdir):
    (workdir / "a.yaml").write_text("optimizer: adam\nmomentum: 0.5")
    result = dlcli("config", "check", "a.yaml", "mnist")
    assert result.code == 0
    assert result.stdout == ""
    assert "Warning: a.yaml: momentum has no effect with optimizer: adam" in result.stderr
    assert "mnist: valid" in result.stderr


def test_check_reports_the_problems_of_all_files(dlcli, workdir):
    (workdir / "a.yaml").write_text("epochs: 0\nseed: -1")
    (workdir / "b.yaml").write_text("epoch: 1")
    result = dlcli("config", "check", "a.yaml", "b.yaml", "missing.yaml")
    assert result.code == 2
    for problem in ("a.yaml:1: epochs", "a.yaml:2: seed", "b.yaml:1: epoch", "missing.yaml: no"):
        assert problem in result.stderr


@pytest.mark.parametrize(
    "command", [["config", "show", "-c"], ["train", "-c"], ["gradcheck", "-c"]]
)
def test_a_wrong_config_ends_any_command_with_2_before_anything_is_done(dlcli, workdir, command):
    (workdir / "bad.yaml").write_text("learning_rte: 1\n")
    result = dlcli(*command, "bad.yaml")
    assert result.code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "Error: bad.yaml:1: learning_rte: unknown key; did you mean learning_rate?\n"
    )
    assert [path.name for path in workdir.iterdir()] == ["bad.yaml"]


def test_schema_is_json_schema_or_the_reference(dlcli):
    schema = json.loads(dlcli("config", "schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert dlcli("config", "schema", "-f", "markdown").stdout == reference()


def test_a_search_is_checked_too(dlcli, workdir):
    (workdir / "good.yaml").write_text("dropout: {low: 0.1, high: 0.5}\nepochs: 3\n")
    (workdir / "bad.yaml").write_text("dropout: {low: 0.1}\nsweep: {trials: 0}\n")
    result = dlcli("config", "check", "good.yaml", "sweep")
    assert result.code == 0
    assert "good.yaml: valid; a search over dropout\n" in result.stderr
    result = dlcli("config", "check", "good.yaml", "bad.yaml")
    assert result.code == 2
    assert "bad.yaml:1: dropout: high missing" in result.stderr
    assert "bad.yaml:2: sweep.trials: expected a whole number" in result.stderr


def test_the_shipped_configs_are_listed_with_what_they_reach(dlcli):
    text = dlcli("config", "list").stdout
    listed = json.loads(dlcli("config", "list", "--format", "json").stdout)
    assert [shipped["name"] for shipped in listed] == list(shipped_configs())
    for shipped in listed:
        assert f"{shipped['name']:<12}{shipped['title']}" in text
        assert shipped["dataset"] in DATASETS


def test_init_writes_a_config_with_a_comment_on_every_key(dlcli, workdir):
    result = dlcli("config", "init", "my.yaml", "--hidden-layers", "64, 32", "--epochs", "3")
    assert (result.code, result.stdout) == (0, "my.yaml\n")
    blocks = (workdir / "my.yaml").read_text().split("\n\n")[1:]
    assert all(block.startswith("# ") for block in blocks)
    config = files.load([str(workdir / "my.yaml")])
    assert differences(Config(), config).keys() == {"dataset", "hidden_layers", "epochs"}
    assert (config.dataset, config.hidden_layers, config.epochs) == ("sample", (64, 32), 3)


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="stdout has no name")
@pytest.mark.parametrize("stream", ["/dev/stdout", "/dev/null"])
def test_init_into_a_stream_gives_no_advice_to_train_with_it(workdir, stream):
    command = [sys.executable, "-m", "dlcli", "config", "init", stream]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert "dlcli train" not in result.stdout
    if stream == "/dev/stdout":
        assert result.stdout.startswith("# Every key there is: ")
        assert result.stdout == template.commented(files.load([], ["dataset=sample"]), None)


def test_init_with_distortions_takes_those_of_the_most_accurate_config(dlcli, workdir):
    assert dlcli("config", "init", "my.yaml", "--augment").code == 0
    assert files.load(["my.yaml"]).augmentation == files.load(["best"]).augmentation


def test_init_asks_on_a_terminal_and_asks_again_after_a_wrong_answer(dlcli, workdir, monkeypatch):
    answers = iter(["mnost", "mnist", "16", "2", "y"])
    monkeypatch.setattr("dlcli.cli.config.can_ask", lambda: True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: next(answers))
    result = dlcli("config", "init", "my.yaml")
    assert result.code == 0
    assert "did you mean mnist?" in result.stderr
    config = files.load(["my.yaml"])
    assert (config.dataset, config.hidden_layers, config.epochs) == ("mnist", (16,), 2)
    assert config.augmentation is not None


def test_init_refuses_wrong_answers_and_keeps_files(dlcli, workdir):
    wrong = dlcli("config", "init", "my.yaml", "--epochs", "many")
    assert (wrong.code, list(workdir.iterdir())) == (2, [])
    assert "--epochs: expected" in wrong.stderr
    (workdir / "my.yaml").write_text("seed: 1\n")
    assert dlcli("config", "init", "my.yaml").code == 2
    assert (workdir / "my.yaml").read_text() == "seed: 1\n"
    assert dlcli("config", "init", "my.yaml", "--force").code == 0
