"""``dlcli lesson``."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dlcli.cli import layout, options
from dlcli.cli.completion import complete_lesson
from dlcli.cli.help import Command
from dlcli.cli.lesson_progress import LessonProgress
from dlcli.cli.loading import limit_threads, load_dataset, needs
from dlcli.cli.output import (
    echo,
    echo_error,
    is_quiet,
    message,
    open_output,
    print_json,
    print_table,
    printable,
    styled,
)
from dlcli.cli.report import is_page, open_page
from dlcli.errors import ClaimError

if TYPE_CHECKING:
    from dlcli.lessons.engine import Opening, Result
    from dlcli.lessons.reader import Lesson

_WIDEST = 80  # columns of a text that is read well


@click.command("lesson", cls=Command)
@click.argument(
    "name",
    metavar="[NAME]",
    required=False,
    type=options.PathType(readable=False),
    shell_complete=complete_lesson,
)
@options.overrides
@click.option("-y", "--yes", is_flag=True, help="Do not ask for a prediction.")
@options.output("Where to write the page.  [default: lesson-NAME.html in the current folder]")
@options.force
@click.option("--open", "opened", is_flag=True, help="Open the page in the web browser.")
@options.data_dir
@options.threads
@options.output_format("text", "json")
@options.debug_and_quiet
def command(
    name: str | None,
    overrides: tuple[str, ...],
    yes: bool,
    output: Path | None,
    force: bool,
    opened: bool,
    data_dir: Path,
    threads: int | None,
    output_format: str,
) -> None:
    """Learn one idea by an experiment that runs here.

    Without NAME, lists the lessons in order. With the name or number of one, says what will be
    tried, asks what you expect, trains a few small networks on the embedded sample, shows
    what happened, and writes a page about it (needs the extra "report"). NAME may also be the
    file of a lesson that you wrote. --set changes a key of all its networks, or of one:
    --set NETWORK.KEY=VALUE. Exits with 1 if something did not happen as the lesson claims.

    \b
    Examples:
      dlcli lesson
      dlcli lesson 1
      dlcli lesson cost --yes
      dlcli lesson learning-rate --set right.learning_rate=0.5
      dlcli lesson ./mine.yaml --format json
    """
    if name is None:
        _refuse_without_name()
        _list_lessons(output_format)
        return
    from dlcli.lessons import catalog, reader

    lesson = reader.read(name, overrides)
    destination = None
    if output is not None or opened or output_format == "text":
        destination = _destination(lesson, output, force=force, is_needed=opened)
    from dlcli.lessons import engine

    load = partial(load_dataset, data_dir=data_dir)
    predicted = None
    if output_format == "text":
        _introduce(lesson, engine.opening(lesson, load))
        predicted = None if yes else _ask(lesson)
    with limit_threads(threads), LessonProgress(lesson) as progress:
        result = engine.run(lesson, load, progress.show)
    if output_format == "text":
        _show(result, predicted)
    page = _write_page(result, destination) if destination is not None else None
    if output_format == "json":
        print_json(_as_json(result, page))
    else:
        if page is not None:
            echo(f"Page: {printable(str(page))}")
        if (following := catalog.after(lesson.name)) is not None:
            echo(f"Next lesson: dlcli lesson {following.name}")
    if opened and page is not None:
        open_page(page)
    _check(result, overrides)


def _refuse_without_name() -> None:
    """Refuse the options that are for running a lesson, where none is named."""
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
        if given and parameter.name not in {"output_format", "debug", "quiet"}:
            raise click.UsageError(
                f"{max(parameter.opts, key=len)} is for a lesson; name one, as in: dlcli lesson 1"
            )


def _list_lessons(output_format: str) -> None:
    from dlcli.lessons import catalog

    lessons = catalog.shipped()
    rows = [(str(each.number), each.name, catalog.title_of(each.path)) for each in lessons]
    if output_format == "json":
        for number, name, title in rows:
            print_json({"number": int(number), "name": name, "title": title}, indent=None)
        return
    if (layout.width(sys.stdout) or _WIDEST) >= _WIDEST:
        print_table(["", "lesson", "what it shows"], rows, left=3)
    else:
        for number, name, title in rows:
            echo(f"{number:>2}  {name}")
            _markdown(title, "    ", "    ")
    message("Take one by its name or number: dlcli lesson 1")


def _destination(
    lesson: "Lesson", output: Path | None, *, force: bool, is_needed: bool
) -> Path | None:
    """Where to write the page; None if the extra is not installed, unless it is needed."""
    from dlcli.errors import ConfigError
    from dlcli.files import refuse_to_overwrite, refuse_wrong_ending

    path = output or Path(f"lesson-{lesson.name}.html")
    refuse_wrong_ending(path, "HTML", ".html", ".htm")
    refuse_to_overwrite(path, force=force or (output is None and is_page(path)))
    try:
        with needs("report"):
            import dlcli.report.lesson  # noqa: F401 - whether it can be imported
    except ConfigError as error:
        if output is not None or is_needed:
            raise
        message(f"No page will be written: {error}")
        return None
    return path


def _write_page(result: "Result", path: Path) -> Path:
    from dlcli.report import lesson as page

    with open_output(path) as file:
        file.write(page.render(result))
    return path


def _width() -> int:
    return min(layout.width(sys.stdout) or _WIDEST, _WIDEST)


def _heading(text: str) -> None:
    echo()
    echo(styled(text, sys.stdout, bold=True))


def _markdown(text: str, first: str = "", indent: str = "") -> None:
    """Print Markdown in lines that fit; ``first`` begins the first line, the rest is indented."""
    from dlcli.lessons import texts

    for number, line in enumerate(texts.as_lines(text, _width() - len(indent))):
        echo(printable(f"{indent if number else first}{line}".rstrip()))


def _introduce(lesson: "Lesson", opening: "Opening") -> None:
    """Print what the lesson is about, and what it will try."""
    _heading(printable(lesson.file.title))
    _markdown(f"Source: {lesson.file.source}")
    echo()
    _markdown(opening.idea)
    if lesson.file.experiments:
        _heading("What is tried")
        for line in lesson.descriptions():
            _markdown(f"- {line}")
    _heading("What do you expect?")
    _markdown(opening.asks)
    for number, choice in enumerate(lesson.file.question.choices, 1):
        _markdown(choice, f"  {number}. ", "     ")


def _ask(lesson: "Lesson") -> int | None:
    """The number of the choice that the learner expects; None if nobody can be asked."""
    if not _is_at_a_terminal() or is_quiet():
        return None
    count = len(lesson.file.question.choices)
    while True:
        text = click.prompt(
            f"Your prediction (1 to {count}, or Enter to see)",
            default="",
            show_default=False,
            err=True,
        )
        if not text:
            return None
        if text.isdecimal() and 1 <= int(text) <= count:
            return int(text)
        echo_error(f"Type a number from 1 to {count}.")


def _is_at_a_terminal() -> bool:
    return bool(sys.stdin and sys.stdout and sys.stdin.isatty() and sys.stdout.isatty())


def _show(result: "Result", predicted: int | None) -> None:
    """Print what happened, why, and what to try next."""
    from dlcli.lessons import terminal

    style = terminal.style_for(getattr(sys.stdout, "encoding", None))
    question = result.lesson.file.question
    _heading("What happened")
    answer = f"{question.answer}: {question.choices[question.answer - 1]}"
    if predicted is None:
        _markdown(f"The answer is {answer}")
    elif predicted == question.answer:
        _markdown(f"You were right: the answer is {answer}")
    else:
        _markdown(f"You expected {predicted}, but the answer is {answer}")
    echo()
    if result.lesson.caution:
        _markdown(result.lesson.caution)
        echo()
    _say_what_diverged(result)
    for claim in result.claims:
        _markdown(f"- {'' if claim.held else 'DID NOT HOLD: '}{claim.says}")
    for chart in result.charts:
        echo()
        for line in terminal.draw(chart, _width(), style):
            echo(printable(line))
        if chart.note:
            _markdown(chart.note)
    _heading("Why")
    _markdown(result.explanation)
    _heading("Change it")
    for step in result.lesson.file.next:
        _markdown(step.to if step.to.endswith("?") else f"{step.to}:")
        echo(f"    {printable(step.run)}")
    echo()


def _say_what_diverged(result: "Result") -> None:
    for label, divergence in result.divergences:
        _markdown(f"{label}: {divergence}")
        echo()


def _as_json(result: "Result", page: Path | None) -> dict[str, Any]:
    lesson = result.lesson
    return {
        "name": lesson.name,
        "title": lesson.file.title,
        "source": lesson.file.source,
        "held": result.held,
        "claims": [asdict(claim) for claim in result.claims],
        "figures": result.figures,
        "networks": {
            name: {
                "label": trained.label,
                "config": trained.changed_settings(),
                "images": len(trained.data.train),
                "divergence": trained.divergence,
                "epochs": [asdict(scores) for scores in trained.history],
            }
            for name, trained in result.trained.items()
        },
        "seconds": round(result.seconds, 3),
        "page": None if page is None else str(page),
    }


def _check(result: "Result", overrides: Sequence[str]) -> None:
    """Raise if a claim did not hold."""
    wrong = sum(not claim.held for claim in result.claims)
    if wrong:
        because = "; your settings changed the outcome" if overrides else ""
        raise ClaimError(f"{wrong} of {len(result.claims)} claims did not hold{because}")
