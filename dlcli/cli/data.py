"""``dlcli data``: the dataset cache."""

from pathlib import Path

import click
from click.core import ParameterSource

from dlcli.cli import data_audit, options
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
from dlcli.data.registry import DATASETS, FILES, downloadable
from dlcli.errors import ConfigError, DatasetError

_Name = click.Choice(downloadable())


@click.group("data")
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
@options.data_dir
@options.output_format("text", "json", "csv")
@options.debug_and_quiet
def status(data_dir: Path, output_format: str) -> None:
    """Show which datasets are in the cache; on stderr, where that is, and why.

    \b
    Examples:
      dlcli data status
      dlcli data status --format json | jq '.[] | select(.status == "absent")'
    """
    from dlcli.data import cache

    message(f"Cache: {data_dir} ({_why_there()})")
    rows = [
        {
            "dataset": name,
            "status": "embedded" if info.embedded else cache.status(name, data_dir),
            "folder": "" if info.embedded else str(data_dir / name),
        }
        for name, info in DATASETS.items()
    ]
    columns = ["dataset", "status", "folder"]
    if output_format == "json":
        print_json(rows)
    elif output_format == "csv":
        print_csv(rows, columns)
    else:
        print_table(columns, [list(row.values()) for row in rows], left=3)


def _why_there() -> str:
    source = click.get_current_context().get_parameter_source("data_dir")
    if source is ParameterSource.COMMANDLINE:
        return "--data-dir"
    return location.default().reason


@command.command("verify")
@click.argument("names", nargs=-1, type=_Name, metavar="[NAME]...")
@options.data_dir
@options.debug_and_quiet
def verify(names: tuple[str, ...], data_dir: Path) -> None:
    """Check every file of the cached datasets.

    Without NAME, checks all datasets in the cache. Prints one line for each file; exits with 3
    if one is missing or corrupt.

    \b
    Examples:
      dlcli data verify
      dlcli data verify mnist || dlcli data fetch mnist
    """
    from dlcli.data import cache

    faults = cache.verify(data_dir, names)
    if not faults:
        raise DatasetError(
            f"{data_dir}: contains no dataset; "
            f"fetch one with: dlcli data fetch{location.option(data_dir)}"
        )
    for name, by_file in faults.items():
        for file, fault in by_file.items():
            echo(f"{printable(str(data_dir / name / file))}: {fault or 'ok'}")
    bad = sum(fault is not None for by_file in faults.values() for fault in by_file.values())
    if bad:
        raise DatasetError(
            f"{bad} of {len(faults) * len(FILES)} files missing or corrupt; repair them with: "
            f"dlcli data fetch {' '.join(faults)}{location.option(data_dir)}"
        )


@command.command("import")
@click.argument("folder", type=options.PathType(readable=False, path_type=Path), metavar="DIR")
@click.option(
    "--dataset",
    "name",
    type=_Name,
    default="mnist",
    show_default=True,
    help="Which dataset the folder holds.",
)
@options.data_dir
@options.debug_and_quiet
def import_(folder: Path, name: str, data_dir: Path) -> None:
    """Copy a dataset from a folder into the cache.

    DIR holds the four IDX files, gzipped or not. They are verified like a download. Prints
    the dataset's folder in the cache.

    \b
    Examples:
      dlcli data import ~/Downloads/mnist
      dlcli data import /media/usb/fashion --dataset fashion-mnist
    """
    from dlcli.data import cache

    for path in cache.import_folder(name, folder, data_dir):
        message(f"verified {path}")
    echo(data_dir / name)


@command.command("export")
@options.dataset("mnist", f"{', '.join(DATASETS)}, or a folder of IDX files.")
@options.split("test", "train")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N images.")
@options.output("Folder to write to; created if it does not exist.", metavar="DIR", required=True)
@options.force
@options.data_dir
@options.debug_and_quiet
def export(
    dataset: str, split: str, limit: int | None, output: Path, force: bool, data_dir: Path
) -> None:
    """Write images as PNG files, named by index and label: 00042-7.png.

    Prints the folder.

    \b
    Examples:
      dlcli data export --split test --output digits/
      dlcli data export --dataset sample --limit 100 -o digits/
      dlcli predict digits/
    """
    from dlcli.data import pictures
    from dlcli.files import refuse_full_folder

    refuse_full_folder(output, force=force)
    loaded = load_dataset(dataset, data_dir)
    count = pictures.export(loaded.test if split == "test" else loaded.train, output, limit)
    message(f"wrote {count:,} images")
    echo(output)


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
    """Write a PNG of training images, one row for each digit.

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
    train = load_dataset(config.dataset, data_dir).of_classes(config.classes).train
    if augmented and config.augmentation is not None:
        rows = pictures.distorted_rows(train, config.augmentation, config.seed)
    else:
        rows = pictures.rows(train)
    with open_output(output) as file:
        write_grid(rows, file)
    print_path(output)


command.add_command(data_audit.command)
