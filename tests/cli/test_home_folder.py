"""``~`` is the home folder wherever a path is named, also where shells leave it as it is."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dlcli.cli import options
from dlcli.cli.main import cli
from dlcli.runs import listing, lookup
from dlcli.vision import preview


@pytest.fixture
def home(workdir, tmp_path_factory, monkeypatch) -> Iterator[Path]:
    """The user's home folder, which is not the current one."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    yield folder
    assert not Path("~").exists()


def every_parameter(command: click.Command, name: str):
    """The options and arguments of a command and its subcommands."""
    yield from ((f"{name} {parameter.name}", parameter) for parameter in command.params)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from every_parameter(found, f"{name} {inner}")


def test_every_path_on_the_command_line_may_begin_with_the_home_folder():
    paths = {
        name: type(parameter.type)
        for name, parameter in every_parameter(cli, "dlcli")
        if isinstance(parameter.type, click.Path)
        or (parameter.metavar or "").strip("[].").endswith(("FILE", "DIR", "MODEL", "RUN"))
    }
    assert len(paths) > 40
    others = {name for name, kind in paths.items() if not issubclass(kind, options.PathType)}
    # A name or a folder: data.datasets expands it, also in a config.
    assert others == {name for name in paths if name.endswith(" dataset")}


def test_a_run_is_trained_and_used_in_the_home_folder(dlcli, home, make_idx_folder, monkeypatch):
    make_idx_folder(home / "digits")
    (home / "mine.yaml").write_text("dataset: ~/digits\nhidden_layers: []\nepochs: 1\n")
    result = dlcli("train", "-q", "--config=~/mine.yaml", "--runs-dir=~/r", "--name=a")
    assert (result.code, result.stdout) == (0, f"{home}/r/a\n")
    assert dlcli("train", "-q", "--resume=~/r/a", "--set", "epochs=2").code == 0
    assert dlcli("eval", "~/r/a", "--dataset=~/digits", "--predictions=~/p.csv").code == 0
    assert (home / "p.csv").exists()
    monkeypatch.setenv("DLCLI_MODEL", "~/r/a")
    assert json.loads(dlcli("eval", "-f", "json").stdout)["accuracy"] >= 0
    assert lookup.load_named("~/r/a").path == home / "r/a/best.npz"
    result = dlcli("config", "check", "~/mine.yaml")
    assert result.code == 0, result.stderr


def test_a_dataset_in_the_home_folder_may_be_set_and_exported(dlcli, home, make_idx_folder):
    make_idx_folder(home / "digits")
    arguments = ["--set", "dataset=~/digits", "--set", "epochs=1", "--set", "hidden_layers=[]"]
    assert dlcli("train", "-q", *arguments).code == 0
    assert dlcli("data", "show", *arguments, "-o", "~/grid.png").stdout == f"{home}/grid.png\n"
    result = dlcli("data", "export", "--dataset", "~/digits", "--limit", "2", "--output=~/pngs")
    assert (result.code, result.stdout) == (0, f"{home}/pngs\n")


def test_the_cache_may_be_in_the_home_folder(dlcli, home, monkeypatch):
    monkeypatch.setenv("DLCLI_DATA_DIR", "~/cache")
    rows = json.loads(dlcli("data", "status", "-f", "json").stdout)
    assert rows[0]["folder"] == f"{home}/cache/mnist"


def test_a_search_may_be_in_the_home_folder(dlcli, home, tiny, monkeypatch, without_workers):
    without_workers()
    monkeypatch.setenv("DLCLI_STORAGE", "sqlite:///~/study.db")
    space = ["--set", "learning_rate={choices: [0.1]}", "--set", "hidden_layers=[]"]
    data = ["--set", f"dataset={tiny}", "--set", "validation_size=20", "--set", "epochs=1"]
    result = dlcli("sweep", "-q", *space, *data, "--trials", "1", "--runs-dir=~/s")
    assert result.code == 0, result.stderr
    assert (home / "study.db").is_file()
    assert len(list(listing.list_runs(home / "s/default"))) == 1
    assert dlcli("sweep", "report").code == 0


def test_pictures_in_the_home_folder_may_be_named_and_listed(dlcli, home, sample):
    preview.write_image(sample.test.images[0], home / "seven.png")
    Path("list").write_text("~/seven.png\n")
    for arguments in (["~/seven.png"], ["--from-file=list"], ["--from-file", "-"]):
        result = dlcli("predict", *arguments, stdin=b"~/seven.png\n")
        assert (result.code, result.stdout.split()[2]) == (0, f"{home}/seven.png")
