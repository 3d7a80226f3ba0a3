"""Run the benchmarks and write their results."""

import tempfile
from pathlib import Path

import click

from benchmarks import report
from benchmarks.cases import CASES
from benchmarks.commands import BENCHMARKS, CommandResult, Setting
from benchmarks.contenders import CONTENDERS
from benchmarks.epochs import CaseResult, measure
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
@options.data_dir
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write.  [default: stdout]"
)
def main(
    wanted: tuple[str, ...], contenders: tuple[str, ...], data_dir: Path, output: Path | None
) -> None:
    """Time dlcli and the frameworks in training, and dlcli's commands from start to end."""

    def is_wanted(name: str) -> bool:
        return not wanted or any(text.lower() in name.lower() for text in wanted)

    names = [n for n in CONTENDERS if not contenders or n in {"dlcli", "products", *contenders}]
    _log("loading MNIST")
    dataset = datasets.load("mnist", data_dir)
    cases: list[CaseResult] = []
    results: list[CommandResult] = []
    for case in CASES:
        if is_wanted(case.name):
            _log(case.name)
            cases.append(measure(case, names, data_dir, _log))
    with tempfile.TemporaryDirectory() as work_dir:
        setting = Setting(data_dir, dataset, Path(work_dir))
        for name, benchmark in BENCHMARKS.items():
            if is_wanted(name):
                _log(name)
                results.append(benchmark(setting))
    everything: list[CaseResult | CommandResult] = [*cases, *results]
    for result in everything:
        for verdict in result.verdicts:
            if not verdict.is_met:
                _log(f"MISSED, {result.name}: {verdict.text}")
    options = [f' --only "{text}"' for text in wanted] + [f" --contender {n}" for n in contenders]
    command = f"python -m benchmarks{''.join(options)}" if options else "make bench"
    text = report.write(cases, results, command)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text)


def _log(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
