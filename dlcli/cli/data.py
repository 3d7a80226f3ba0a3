"""``dlcli data``: the dataset cache."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dlcli.cli import data_audit, options
from dlcli.cli.help import Group
from dlcli.cli.loading import downloads, load_dataset
from dlcli.cli.output import (
    echo,
    message,
    open_output,
    print_csv,
    print_json,
    print_path,
    print_table,
    printable,
)
from dlcli.data import location
from dlcli.data.classes import are_digits, summary
from dlcli.data.registry import DATASETS, FILES, downloadable
from dlcli.errors import ConfigError, DatasetError
from dlcli.files import quoted

if TYPE_CHECKING:
    from dlcli.data.examples import Dataset

_MAX_NAMES = 200  # characters of all names of classes on a line

_Name = click.Choice(downloadable())


class _NameOrFolder(options.PathType):
    """A dataset that is downloaded, or a folder."""

    def convert(
        self,
        value: "str | os.PathLike[str]",
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Take a path, and a folder that there is; anything else must be a name."""
        text = os.fspath(value)
        is_path = "/" in text or os.sep in text or os.path.lexists(text)
        if text not in DATASETS and is_path:
            return super().convert(value, param, ctx)
        if text not in DATASETS:
            self.fail(f"{text!r}: no such folder, and not one of {', '.join(downloadable())}")
        return _Name.convert(value, param, ctx)


@click.group("data", cls=Group)
@options.debug_and_quiet
def command() -> None:
    """Fetch, check, import, export and audit datasets.

    \b
    Examples:
      dlcli data fetch mnist
      dlcli data export --split test --limit 100 --output digits/
    """


@command.command("fetch")
@click.argument("names", nargs=-1, type=_Name, metavar="[NAME]...")
@options.data_dir
@options.debug_and_quiet
def fetch(names: tuple[str, ...], data_dir: Path) -> None:
    """Download datasets into the cache (by default mnist).

    Tries the mirrors in turn, $DLCLI_MIRROR (a URL prefix) first. Verifies each file by its
    SHA-256 sum, and downloads only missing and damaged files. Prints the folder of each
    dataset.

    \b
    Examples:
      dlcli data fetch
      dlcli data fetch mnist fashion-mnist --data-dir /var/cache/dlcli
      DLCLI_MIRROR=http://localhost:8000/mnist dlcli data fetch mnist
    """
    from dlcli.data import cache

    for name in names or ("mnist",):
        with downloads(data_dir) as progress:
            fetched = cache.fetch(name, data_dir, progress)
        done = f"fetched {len(fetched)} of {len(FILES)} files" if fetched else "already complete"
        message(f"{name}: {done}")
        echo(data_dir / name)


@command.command("status")
@click.argument("names", nargs=-1, type=options.PathType(readable=False), metavar="[NAME|DIR]...")
@options.data_dir
@options.output_format("text", "json", "csv")
@options.debug_and_quiet
def status(names: tuple[str, ...], data_dir: Path, output_format: str) -> None:
    """Show which datasets are in the cache; on stderr, where that is, and why.

    NAME shows one of them. With DIR, a folder of IDX files or pictures, show instead how many
    classes and images it has, and how many of its pictures cannot be used.

    \b
    Examples:
      dlcli data status
      dlcli data status mnist
      dlcli data status ./mine
      dlcli data status --format json | jq '.[] | select(.status == "absent")'
    """
    from dlcli.data import cache, datasets

    folders = [name for name in names if name not in DATASETS]
    if folders and len(folders) < len(names):
        for folder in folders:
            datasets.refuse_missing(folder)
        raise click.UsageError(
            f"{quoted(*folders)}: a folder beside names of datasets; ask for one kind at a time"
        )
    if folders:
        _show_folders(folders, data_dir, output_format)
        return
    message(f"Cache: {data_dir} ({_why_there()})")
    rows = [
        {
            "dataset": name,
            "status": "embedded" if info.embedded else cache.status(name, data_dir),
            "folder": "" if info.embedded else str(data_dir / name),
        }
        for name, info in DATASETS.items()
        if not names or name in names
    ]
    _print_rows(rows, output_format, left=3)


def _show_folders(folders: Sequence[str], data_dir: Path, output_format: str) -> None:
    """Print a row for each folder of images."""
    rows = []
    for folder in folders:
        dataset = load_dataset(folder, data_dir)
        rows.append(
            {
                "dataset": folder,
                "classes": len(dataset.class_names),
                "train": len(dataset.train),
                "test": len(dataset.test),
                "unusable": len(dataset.unusable),
                "preparation": dataset.preprocessing,
                "checksum": dataset.checksum,
            }
        )
        names = ", ".join(dataset.class_names)
        message(f"{folder}: {names if len(names) <= _MAX_NAMES else summary(dataset.class_names)}")
    _print_rows(rows, output_format)


def _print_rows(rows: list[dict[str, Any]], output_format: str, left: int = 1) -> None:
    columns = list(rows[0])
    if output_format == "json":
        print_json(rows)
    elif output_format == "csv":
        print_csv(rows, columns)
    else:
        print_table(columns, [list(map(str, row.values())) for row in rows], left=left)


def _why_there() -> str:
    source = click.get_current_context().get_parameter_source("data_dir")
    if source is ParameterSource.COMMANDLINE:
        return "--data-dir"
    return location.default().reason


@command.command("verify")
@click.argument("names", nargs=-1, type=_NameOrFolder(readable=False), metavar="[NAME|DIR]...")
@options.data_dir
@options.debug_and_quiet
def verify(names: tuple[str, ...], data_dir: Path) -> None:
    """Check every file of the cached datasets, or every picture of folders.

    Without NAME, checks all datasets in the cache. Prints one line for each file of a dataset, and
    one for each picture of a folder that cannot be used; exits with 3 if a file is missing or
    corrupt, or a picture cannot be used.

    \b
    Examples:
      dlcli data verify
      dlcli data verify ./mine
      dlcli data verify mnist || dlcli data fetch mnist
    """
    from dlcli.data import cache

    folders = [name for name in names if name not in DATASETS]
    names = tuple(name for name in names if name in DATASETS)
    unusable = sum(_verify_folder(folder, data_dir) for folder in folders)
    faults = cache.verify(data_dir, names) if names or not folders else {}
    if not faults and not folders:
        raise DatasetError(
            f"{data_dir}: contains no dataset; "
            f"fetch one with: dlcli data fetch{location.option(data_dir)}"
        )
    for name, by_file in faults.items():
        for file, fault in by_file.items():
            echo(f"{printable(str(data_dir / name / file))}: {fault or 'ok'}")
    found = [fault for by_file in faults.values() for fault in by_file.values()]
    bad = len(found) - found.count(None)
    if bad:
        # The file that names the writers is on no mirror; its line says what to do.
        wanting = [name for name, by in faults.items() if any(by[file] for file in FILES)]
        fetch = f"dlcli data fetch {' '.join(wanting)}{location.option(data_dir)}"
        repair = f"; repair them with: {fetch}" if wanting else ""
        raise DatasetError(f"{bad} of {len(found)} files missing or corrupt{repair}")
    if unusable:
        pictures = "1 picture" if unusable == 1 else f"{unusable:,} pictures"
        raise DatasetError(f"{pictures} in {' and '.join(folders)} cannot be used")


def _verify_folder(folder: str, data_dir: Path) -> int:
    """Print a line for each picture of a folder that cannot be used; return how many they are."""
    from dlcli.data import datasets

    with downloads(data_dir) as progress:
        dataset = datasets.load(folder, data_dir, progress)
    for each in dataset.unusable:
        echo(f"{printable(str(Path(folder) / each.name))}: {printable(each.reason)}")
    usable = len(dataset.train) + len(dataset.test)
    message(f"{folder}: {usable:,} images, {len(dataset.class_names)} classes")
    return len(dataset.unusable)


@command.command("import")
@click.argument("source", type=options.PathType(readable=False, path_type=Path), metavar="DIR|CSV")
@click.option(
    "--dataset",
    "name",
    type=_Name,
    default="mnist",
    show_default=True,
    help="Which dataset the folder holds.",
)
@click.option(
    "--test",
    type=options.PathType(readable=False, path_type=Path),
    metavar="CSV",
    help="The test images of a CSV file.  [default: a fifth of each class]",
)
@options.output(
    "Folder for the images of a CSV file.  [default: named like it, in this folder]", metavar="DIR"
)
@options.force
@options.data_dir
@options.debug_and_quiet
def import_(
    source: Path, name: str, test: Path | None, output: Path | None, force: bool, data_dir: Path
) -> None:
    """Copy a dataset from a folder into the cache, or convert a CSV file.

    DIR holds the four IDX files, gzipped or not. They are verified like a download. CSV is a file
    of images as Kaggle hands MNIST out: a label, then 784 pixels on each line. It becomes a folder
    of IDX files. Prints the dataset's folder.

    \b
    Examples:
      dlcli data import ~/Downloads/mnist
      dlcli data import /media/usb/fashion --dataset fashion-mnist
      dlcli data import train.csv -o kaggle && dlcli train --set dataset=./kaggle
    """
    from dlcli.data import cache

    if source.suffix.lower() == ".csv" or (source.exists() and not source.is_dir()):
        _import_csv(source, test, output, force=force)
        return
    if test is not None or output is not None:
        raise click.UsageError("--test and --output are for CSV files")
    for path in cache.import_folder(name, source, data_dir):
        message(f"verified {path}")
    echo(data_dir / name)


def _import_csv(source: Path, test: Path | None, output: Path | None, *, force: bool) -> None:
    from dlcli.data import csv_file
    from dlcli.files import refuse_full_folder

    where = click.get_current_context().get_parameter_source("name")
    if where is ParameterSource.COMMANDLINE:
        raise click.UsageError("--dataset is for folders")
    folder = output or Path(source.stem)
    if folder == source:
        raise ConfigError(f"{source}: its name has no ending; name a folder with --output")
    refuse_full_folder(folder, force=force)
    train, held_out = csv_file.convert(source, test, folder)
    message(f"{train:,} training images, {held_out:,} test images")
    _echo_folder(folder)


@command.command("export")
@options.dataset("mnist", f"{', '.join(DATASETS)}, or a folder of IDX files or pictures.")
@options.split("test", "train", "all")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N images.")
@options.output("Folder to write to; created if it does not exist.", metavar="DIR", required=True)
@options.force
@options.data_dir
@options.debug_and_quiet
def export(
    dataset: str, split: str, limit: int | None, output: Path, force: bool, data_dir: Path
) -> None:
    """Write images as PNG files, named by index and class: 00042-7.png.

    With --split all, the folder gets the folders train and test: it is a dataset of the same
    images. Prints the folder.

    \b
    Examples:
      dlcli data export --split test --output digits/
      dlcli data export --dataset sample --split all -o mine
      dlcli predict digits/
    """
    from dlcli.data import pictures
    from dlcli.files import refuse_full_folder

    refuse_full_folder(output, force=force)
    loaded = load_dataset(dataset, data_dir)
    splits = {"train": loaded.train, "test": loaded.test}
    wanted = {name: output / name for name in splits} if split == "all" else {split: output}
    count = sum(
        pictures.export(splits[name], loaded.class_names, folder, limit, loaded.preprocessing)
        for name, folder in wanted.items()
    )
    message(f"wrote {count:,} images")
    _echo_folder(output)


def _echo_folder(folder: Path) -> None:
    """Print a folder to use as a dataset: ``./mnist``, where its name alone is another one's."""
    echo(f"./{folder}" if str(folder) in DATASETS else folder)


@command.command("show")
@options.config
@options.overrides
@click.option("--augmented", is_flag=True, help="Show images with their distortions.")
@options.output("Picture to write.", default="grid.png", show_default=True)
@options.force
@options.data_dir
@options.debug_and_quiet
def show(
    sources: tuple[str, ...],
    overrides: tuple[str, ...],
    augmented: bool,
    output: Path,
    force: bool,
    data_dir: Path,
) -> None:
    """Write a PNG of training images, one row for each digit or class.

    With --augmented, each row is one image and nine distortions of it by the config's
    augmentation: check that they still show the same digit. Prints the picture's path.

    \b
    Examples:
      dlcli data show --config quickstart
      dlcli data show -s dataset=sample -s augmentation.rotation=30 --augmented
    """
    from dlcli.config import files
    from dlcli.data import pictures
    from dlcli.files import refuse_to_overwrite, refuse_wrong_ending
    from dlcli.vision.preview import write_grid

    config = files.load(sources, overrides)
    if augmented and config.augmentation is None:
        raise ConfigError(
            "--augmented: the config has no augmentation; try --set augmentation.rotation=15"
        )
    refuse_wrong_ending(output, "PNG", ".png")
    refuse_to_overwrite(output, force=force)
    dataset = load_dataset(config.dataset, data_dir, config.preparation).of_classes(config.classes)
    train, names = dataset.train, _names_of_rows(dataset)
    if augmented and config.augmentation is not None:
        rows = pictures.distorted_rows(train, config.augmentation, config.seed)
    else:
        rows = pictures.rows(train)
    with open_output(output) as file:
        write_grid(rows, file, names)
    print_path(output)


def _names_of_rows(dataset: "Dataset") -> list[str]:
    """The names to show before the rows, where they are not the digits."""
    if are_digits(dataset.class_names):
        return []
    labels = sorted(set(dataset.train.labels.tolist()))
    return [printable(dataset.class_names[label]) for label in labels]


command.add_command(data_audit.command)
