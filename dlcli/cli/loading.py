"""What commands load: models, datasets, optional extras; and the threads they compute with."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlcli.cli import output
from dlcli.cli.download_progress import DownloadProgress
from dlcli.errors import CheckpointError, ConfigError, DatasetError
from dlcli.files import quoted

if TYPE_CHECKING:
    from dlcli.config.schema import Config
    from dlcli.data.datasets import Source
    from dlcli.data.examples import Dataset
    from dlcli.runs.checkpoint import Model
    from dlcli.runs.lookup import DefaultModel
    from dlcli.training.threads import Threads
    from dlcli.vision import Preparation


_MAX_UNUSABLE_SHOWN = 5


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Import the libraries of an extra in the block.

    Raises
    ------
    ConfigError
        A library is not installed; the message says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = str(error.name).partition(".")[0]
        raise ConfigError(
            f"{library} is not installed; get it with: pip install 'dlcli[{extra}]'"
        ) from error


def load_config(
    sources: Sequence[str], overrides: Sequence[str], init: str | None = None
) -> "Config":
    """Read the config of a training; ``init`` is the model to start from, if it is named.

    The network of a config that starts from a model is that of the model. NumPy is imported only
    for that, so that a wrong config is refused at once.
    """
    from dlcli.config import files
    from dlcli.config.yaml_loader import settings_of

    settings, problems = files.read(sources, overrides, {})
    if init is not None:
        settings.pop("init_checksum", None)  # that of another model
        settings |= settings_of({"init_from": init}, "--init")
    config = files.resolved(settings, problems)
    if config.init_from is None:
        return config
    from dlcli.runs import initial_model

    return files.resolved(initial_model.complete(settings), [])


def load_models(names: Sequence[str]) -> "list[Model]":
    """Load the models, by default the latest run, and say which they are."""
    from dlcli.runs import lookup

    if not names:
        return [load_default_model()]
    models = [lookup.load_named(name) for name in names]
    for model in models:
        output.message(f"Model: {model.path}")
    return models


def load_default_model(arguments: str = "pretrained", *, or_pretrained: bool = False) -> "Model":
    """Load the model that is meant where none is named, and say which it is.

    ``arguments`` are what to type after the command to name one.
    """
    from dlcli.runs import lookup

    default = default_model(arguments, or_pretrained=or_pretrained)
    try:
        model = lookup.load_named(default.name)
    except CheckpointError as error:
        if default.name != os.environ.get("DLCLI_MODEL"):
            raise
        raise CheckpointError(f"{error} (DLCLI_MODEL names it)") from error
    say_default(str(model.path), default.note)
    return model


def default_model(arguments: str, *, or_pretrained: bool = False) -> "DefaultModel":
    """Which model is meant where none is named; ``arguments`` name one after the command."""
    from dlcli.runs import lookup

    command = click.get_current_context().command_path
    return lookup.default_model(f"{command} {arguments}", or_pretrained=or_pretrained)


def say_default(path: str, note: str | None) -> None:
    """Say which model is used where none was named, and in spite of --quiet why, if need be."""
    if note is None:
        output.message(f"Model: {path}")
    else:
        output.echo_error(output.printable(f"Model: {path} ({note})"))


def load_dataset(
    source: "Source",
    data_dir: Path,
    preparation: "Preparation | None" = None,
    usual: "Preparation | None" = None,
) -> "Dataset":
    """Load a dataset; show its download and preparation, and what pictures cannot be used."""
    from dlcli.data import datasets

    with downloads(data_dir) as progress:
        dataset = datasets.load(source, data_dir, progress, preparation, usual)
    say_unusable(dataset)
    for note in dataset.notes:
        output.message(f"{dataset.name}: {note}")
    return dataset


def load_dataset_of_config(config: "Config", data_dir: Path) -> "Dataset":
    """Load the dataset, or the part of its classes, that a config is to train on."""
    dataset = load_dataset(config.dataset, data_dir, config.preparation)
    return dataset.for_training(config.classes)


def say_unusable(dataset: "Dataset") -> None:
    """Warn of the pictures that are left out, naming the first ones."""
    count = len(dataset.unusable)
    if not count:
        return
    subject = "1 picture" if count == 1 else f"{count:,} pictures"
    shown = "" if count <= _MAX_UNUSABLE_SHOWN else f"; the first {_MAX_UNUSABLE_SHOWN}"
    output.warn(f"{dataset.name}: {subject} cannot be used{shown}:")
    for each in dataset.unusable[:_MAX_UNUSABLE_SHOWN]:
        output.message(f"  {each.name}: {each.reason}")
    if count > _MAX_UNUSABLE_SHOWN and dataset.folder is not None:
        output.message(f"All of them: dlcli data verify {quoted(Path(dataset.folder))}")


def load_dataset_of(
    models: "Sequence[Model]", name: str | None, data_dir: Path, split: str = "test"
) -> "Dataset":
    """Load the dataset that was named or, without a name, the one that models were trained on.

    ``split`` is the part of it that is wanted.
    """
    from dlcli.runs import training_data

    load = partial(load_dataset, data_dir=data_dir)
    if name is None:
        return training_data.load_common(models, load, split)
    return training_data.load_named(name, models, load)


@contextmanager
def downloads(data_dir: Path) -> Iterator[DownloadProgress]:
    """Show the downloads in the block, and say what to do without a network if they fail."""
    from dlcli.data.cache import UnavailableError

    with DownloadProgress() as progress:
        try:
            yield progress
        except UnavailableError as error:
            raise DatasetError(*error.args, _offline_advice(error.name, data_dir)) from error


def _offline_advice(name: str, data_dir: Path) -> str:
    """What the command that failed can use instead, with an option that it has."""
    from dlcli.data import location

    context = click.get_current_context()
    options = {parameter.name for parameter in context.command.params}
    instead = ""
    # Where a command has both options, what was typed says which of them is meant.
    has_config = any(context.params.get(name) for name in ("sources", "overrides"))
    takes_settings = "overrides" in options and (has_config or "dataset" not in options)
    if takes_settings and context.params.get("resumed") is None:
        instead = "use the embedded sample (--set dataset=sample), or "
    elif "dataset" in options:
        instead = "use the embedded sample (--dataset sample), or "
    command = f"dlcli data import DIR --dataset {name}{location.option(data_dir)}"
    return (
        f"Without a network, {instead}copy the files to this machine and import them ({command})."
    )


@contextmanager
def limit_threads(count: int | None, first: int | None = None) -> "Iterator[Threads]":
    """Use ``count`` BLAS threads in the block; for None a training may choose how many.

    It starts with ``first``, if that is given. Before, and without a training, they are as many as
    BLAS chose.
    """
    from threadpoolctl import ThreadpoolController

    from dlcli.training.threads import Threads, candidates

    controller = ThreadpoolController().select(user_api="blas")

    def used() -> int:
        return max((pool["num_threads"] for pool in controller.info()), default=1)

    most = used()
    with controller.limit(limits=count or first):
        yield Threads(candidates(most) if count is None else [used()], first, controller)
