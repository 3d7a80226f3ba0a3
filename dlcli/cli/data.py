"""``dlcli data``: the dataset cache."""

from pathlib import Path

import click

from dlcli.cli.options import (
    complete_dataset,
    config_option,
    data_dir_option,
    debug_and_quiet,
    force_option,
    format_option,
    set_option,
)
from dlcli.cli.output import (
    download_progress,
    message,
    print_csv,
    print_json,
    print_table,
    printable,
)
from dlcli.errors import ConfigError, DatasetError

_NAMES = ("mnist", "fashion-mnist", "kmnist")
_Name = click.Choice(_NAMES)


@click.group("data")
@debug_and_quiet
def command() -> None:
    """Fetch, check, import and export datasets.

    \b
    Examples:
      dlcli data fetch mnist
      dlcli data export --split test --limit 100 --output digits/
    """


@command.command("fetch")
@click.argument("names", nargs=-1, type=_Name, metavar="[NAME]...")
@data_dir_option
@debug_and_quiet
def fetch(names: tuple[str, ...], data_dir: Path) -> None:
    """Download datasets into the cache (mnist, if none is named).

    Mirrors are tried in turn, $DLCLI_MIRROR (a URL prefix) first. Each file is verified by its
    SHA-256 sum and appears whole or not at all; good files are not fetched again. Prints the
    folder of each dataset.

    \b
    Examples:
      dlcli data fetch
      dlcli data fetch mnist fashion-mnist --data-dir /var/cache/dlcli
      DLCLI_MIRROR=http://localhost:8000/mnist dlcli data fetch mnist
    """
    from dlcli.data import datasets

    for name in names or ("mnist",):
        with download_progress() as progress:
            fetched = datasets.fetch(name, data_dir, progress)
        message(
            f"{name}: {f'fetched {len(fetched)} of 4 files' if fetched else 'already complete'}"
        )
        click.echo(data_dir / name)


@command.command("status")
@data_dir_option
@format_option("text", "json", "csv")
@debug_and_quiet
def status(data_dir: Path, output_format: str) -> None:
    """Show which datasets are in the cache.

    \b
    Examples:
      dlcli data status
      dlcli data status --format json | jq -r '.[] | select(.status == "absent").dataset'
    """
    from dlcli.data import datasets

    rows = []
    for name in _NAMES:
        found = set(datasets.faults(name, data_dir).values())
        state = "complete" if found == {None} else "absent" if found == {"missing"} else "damaged"
        rows.append({"dataset": name, "status": state, "folder": str(data_dir / name)})
    rows.append({"dataset": "sample", "status": "embedded", "folder": ""})
    if output_format == "json":
        print_json(rows)
    elif output_format == "csv":
        print_csv(rows, ["dataset", "status", "folder"])
    else:
        print_table(
            ["dataset", "status", "folder"],
            [[row["dataset"], row["status"], row["folder"]] for row in rows],
            left=3,
        )


@command.command("verify")
@click.argument("names", nargs=-1, type=_Name, metavar="[NAME]...")
@data_dir_option
@debug_and_quiet
def verify(names: tuple[str, ...], data_dir: Path) -> None:
    """Check every file of cached datasets (all that are there, if none is named).

    Prints a line a file; exits with 3 if one is missing or corrupt.

    \b
    Examples:
      dlcli data verify
      dlcli data verify mnist || dlcli data fetch mnist
    """
    from dlcli.data import datasets

    faults = {name: datasets.faults(name, data_dir) for name in names or _NAMES}
    # What a failed download left is an empty folder: nothing is there.
    chosen = names or [name for name in _NAMES if set(faults[name].values()) != {"missing"}]
    if not chosen:
        raise DatasetError(f"{data_dir}: holds no dataset; fetch one with: dlcli data fetch")
    bad = 0
    for name in chosen:
        for file, fault in faults[name].items():
            click.echo(f"{printable(str(data_dir / name / file))}: {fault or 'ok'}")
            bad += fault is not None
    if bad:
        raise DatasetError(
            f"{bad} of {len(chosen) * 4} files missing or corrupt; mend with: dlcli data fetch "
            f"{' '.join(chosen)}"
        )


@command.command("import")
@click.argument("folder", type=click.Path(readable=False, path_type=Path), metavar="DIR")
@click.option(
    "--dataset",
    "name",
    type=_Name,
    default="mnist",
    show_default=True,
    help="Which dataset the folder holds.",
)
@data_dir_option
@debug_and_quiet
def import_(folder: Path, name: str, data_dir: Path) -> None:
    """Take over a copy carried in by hand.

    DIR holds the four IDX files, gzipped or not; they are verified like a download. Prints
    the dataset's folder in the cache.

    \b
    Examples:
      dlcli data import ~/Downloads/mnist
      dlcli data import /media/usb/fashion --dataset fashion-mnist
    """
    from dlcli.data import datasets

    for path in datasets.import_folder(name, folder, data_dir):
        message(f"verified {path}")
    click.echo(data_dir / name)


@command.command("export")
@click.option(
    "--dataset",
    "name",
    default="mnist",
    show_default=True,
    metavar="NAME|DIR",
    shell_complete=complete_dataset,
    help="mnist, fashion-mnist, kmnist, sample, or a folder of IDX files.",
)
@click.option(
    "--split",
    type=click.Choice(["test", "train"]),
    default="test",
    show_default=True,
    help="Which images.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N images.")
@click.option(
    "-o",
    "--output",
    type=click.Path(readable=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder to write to; made if need be.",
)
@force_option
@data_dir_option
@debug_and_quiet
def export(
    name: str,
    split: str,
    limit: int | None,
    output: Path,
    force: bool,  # noqa: FBT001 - click passes options by name
    data_dir: Path,
) -> None:
    """Write images as PNG files, named by index and label: 00042-7.png.

    Prints the folder.

    \b
    Examples:
      dlcli data export --split test --output digits/
      dlcli data export --dataset sample --limit 100 -o digits/ && dlcli predict digits/
    """
    from dlcli.data import datasets
    from dlcli.files import refuse_full_folder
    from dlcli.vision.pipeline import write_pixels

    refuse_full_folder(output, force=force)
    with download_progress() as progress:
        dataset = datasets.load(name, data_dir, progress)
    examples = dataset.test if split == "test" else dataset.train
    count = min(limit or len(examples), len(examples))
    output.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        path = output / f"{index:05d}-{examples.labels[index]}.png"
        write_pixels(examples.images[index], path)
    message(f"wrote {count:,} images")
    click.echo(output)


@command.command("show")
@config_option
@set_option
@click.option("--augmented", is_flag=True, help="Show images beside their distortions.")
@click.option(
    "-o",
    "--output",
    type=click.Path(readable=False, path_type=Path, dir_okay=False),
    default=Path("grid.png"),
    show_default=True,
    help="The picture to write.",
)
@force_option
@data_dir_option
@debug_and_quiet
def show(
    sources: tuple[str, ...],
    overrides: tuple[str, ...],
    augmented: bool,  # noqa: FBT001 - click passes options by name
    output: Path,
    force: bool,  # noqa: FBT001 - click passes options by name
    data_dir: Path,
) -> None:
    """Write a PNG of training images, a row a digit, as a config's network sees them.

    With --augmented, a row is one image and nine distortions of it by the config's
    augmentation, so that you can judge whether they are still the same digit. Prints the
    picture's path.

    \b
    Examples:
      dlcli data show --config quickstart
      dlcli data show -s dataset=sample -s augmentation.rotation=30 --augmented
    """
    import numpy as np

    from dlcli.config import files as config_files
    from dlcli.data import datasets
    from dlcli.data.augmentation import Distortions
    from dlcli.files import refuse_to_overwrite
    from dlcli.nn.random import random_stream
    from dlcli.vision.pipeline import write_grid

    config = config_files.load(sources, overrides)
    if augmented and config.augmentation is None:
        raise ConfigError(
            "--augmented: the config has no augmentation; add, say, --set augmentation.rotation=15"
        )
    refuse_to_overwrite(output, force=force)
    with download_progress() as progress:
        train = datasets.load(config.dataset, data_dir, progress).train
    digits = [train.images[train.labels == digit] for digit in np.unique(train.labels)]
    rows = [images[:10] for images in digits]
    if augmented and config.augmentation is not None:
        random = random_stream(config.seed, "augmentation")
        distort = Distortions(config.augmentation).apply
        copies = [np.repeat(images[:1], 10, axis=0) for images in digits]
        rows = [np.concatenate([row[:1], distort(row[1:], random)]) for row in copies]
    write_grid(rows, output)
    click.echo(output)
