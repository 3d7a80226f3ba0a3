"""Run the benchmarks and write their results."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks import load, report
from benchmarks.cases import CASES, OURS
from benchmarks.commands import BENCHMARKS, Setting
from benchmarks.contenders import CONTENDERS
from benchmarks.epochs import measure
from dlcli.cli import options
from dlcli.data import datasets


@click.command()
@click.option(
    "--only",
    "wanted",
    multiple=True,
    metavar="TEXT",
    help="Only benchmarks whose name contains this. May be repeated.",
)
@click.option(
    "--contender",
    "contenders",
    multiple=True,
    type=click.Choice(list(CONTENDERS)),
    help="Compare only with these in the epoch benchmark. May be repeated.",
)
@click.option(
    "--cores",
    type=click.IntRange(1),
    help="How many cores each contender of the epoch benchmark may use.  [default: all]",
)
@options.data_dir
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: stdout]"
)
def main(
    wanted: tuple[str, ...],
    contenders: tuple[str, ...],
    cores: int | None,
    data_dir: Path,
    output: Path | None,
) -> None:
    """Time dlcli and the frameworks in training, and dlcli's commands from start to end."""
    names = [n for n in CONTENDERS if not contenders or n in {*OURS, "products", *contenders}]
    everything = list(_results(wanted, names, data_dir, cores))
    for result in everything:
        for verdict in result.verdicts:
            if not verdict.is_met:
                _log(f"MISSED, {result.name}: {verdict.text}")
    options = [f' --only "{text}"' for text in wanted] + [f" --contender {n}" for n in contenders]
    if cores is not None:
        options.append(f" --cores {cores}")
    command = f"python -m benchmarks{''.join(options)}" if options else "make bench"
    text = report.write(everything, command)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text)


def _results(
    wanted: tuple[str, ...], names: list[str], data_dir: Path, cores: int | None
) -> Iterator[report.Result]:
    """Run the benchmarks whose name contains one of the wanted texts, if there are any."""

    def is_wanted(name: str) -> bool:
        chosen = not wanted or any(text.lower() in name.lower() for text in wanted)
        if chosen:
            _log(name)
        return chosen

    _log("loading MNIST")
    dataset = datasets.load("mnist", data_dir)
    for case in CASES:
        if is_wanted(case.name):
            yield measure(case, names, data_dir, _log, cores)
    if is_wanted(load.NAME):
        yield load.measure(names, data_dir, _log, cores)
    with tempfile.TemporaryDirectory() as work_dir:
        setting = Setting(data_dir, dataset, Path(work_dir))
        for name, benchmark in BENCHMARKS.items():
            if is_wanted(name):
                yield benchmark(setting)


def _log(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
