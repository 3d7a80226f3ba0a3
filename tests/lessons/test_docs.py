"""The guide for teachers agrees with the engine, and its example runs."""

import re

from dlcli.lessons import engine, reader
from tools import generate_lessons

TEXT = generate_lessons.PAGE.read_text(encoding="utf-8")


def test_generated_parts_are_up_to_date():
    assert generate_lessons.render(TEXT) == TEXT, "run: make readme"


def test_the_example_runs_and_its_claim_holds(sample):
    (example,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    lesson = reader.parse(example, "mine", "mine.yaml")
    assert engine.run(lesson, lambda _: sample).held
