"""The lessons that come with dlcli: each shows what it claims."""

import re
import shlex

import click
import pytest

from dlcli.cli.hints import _called
from dlcli.cli.main import cli
from dlcli.config import files
from dlcli.lessons import catalog, engine, reader, texts
from dlcli.report import lesson as page

LESSONS = [entry.name for entry in catalog.shipped()]


def test_the_lessons_are_numbered_without_gaps():
    assert [entry.number for entry in catalog.shipped()] == list(range(1, len(LESSONS) + 1))


def test_each_lesson_leads_to_the_next_one():
    followed = [catalog.after(name) for name in LESSONS]
    assert [entry and entry.name for entry in followed[:-1]] == LESSONS[1:]
    assert followed[-1] is None
    assert catalog.after("mine") is None


@pytest.mark.parametrize("name", LESSONS)
def test_what_a_lesson_claims_happens_and_its_page_says_so(name, sample):
    result = engine.run(reader.read(name), lambda _: sample)
    wrong = [claim for claim in result.claims if not claim.held]
    assert not wrong
    html = page.render(result).decode()
    assert "Did not hold" not in html
    assert not texts.figures_in(re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))


@pytest.mark.parametrize("name", LESSONS)
def test_the_commands_to_try_next_can_be_typed(name):
    lesson = reader.read(name)
    assert len(lesson.file.next) >= 2
    for step in lesson.file.next:
        for command in step.run.split(" && "):
            program, *words = shlex.split(command)
            assert program == "dlcli"
            call = _called(cli, words)
            assert not isinstance(call.command, click.Group)
            values = call.command.make_context(call.path, list(call.words)).params
            if call.path == "dlcli lesson":
                changed = reader.read(values["name"], values["overrides"])
                assert changed.configs != reader.read(values["name"]).configs, command
            elif "overrides" in values:
                files.load(values["sources"], values["overrides"])


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_is_short_enough_to_read_and_fits_the_list(name):
    file = reader.read(name).file
    assert len(f"10  {name:15}  {file.title}") <= 80
    assert 60 < len(file.idea.split()) < 300
    assert 60 < len(file.explanation.split()) < 320
