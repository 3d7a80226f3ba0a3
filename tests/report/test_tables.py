"""Numbers and settings as the page words them."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from dlcli.config import files as config_files
from dlcli.report import tables


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.5, "50.0 %"),
        (0.9994, "99.9 %"),
        (0.9997, "99.97 %"),
        (0.99999, "> 99.99 %"),
        (1, "100.00 %"),
    ],
)
def test_a_probability_says_100_only_of_certainty(share, text):
    assert tables.probability(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (1.7, "1.7 s"), (54, "54 s"), (600, "10 min"), (7500, "2 h 5 min")],
)
def test_a_time_is_told_in_the_unit_people_use(seconds, text):
    assert tables.duration(seconds) == text


def test_the_settings_make_the_same_config_again(subject, tmp_path):
    for text in (tables.settings(subject).changed, tables.settings(subject).complete):
        (tmp_path / "config.yaml").write_text(text)
        assert config_files.load([str(tmp_path / "config.yaml")]) == subject.config
    assert yaml.safe_load(tables.settings(subject).changed) == {
        "dataset": "sample",
        "epochs": 4,
    }


def test_long_histories_are_thinned_but_keep_what_matters(make_record):
    records = [make_record(n) for n in range(1, 1001)]
    rows = tables.thinned(records, records[776], 100)
    assert len(rows) <= 103
    assert {1, 777, 1000} <= {row.epoch for row in rows}


def test_with_more_pairs_a_difference_must_be_less_probable(subject):
    # 12 images that only one of the two got right, 3 that only the other did: p = 0.035.
    answers = subject.scores.predictions.copy()
    right = np.flatnonzero(answers == subject.scores.labels)
    wrong = np.flatnonzero(answers != subject.scores.labels)
    answers[right[:12]] = (answers[right[:12]] + 1) % 10
    answers[wrong[:3]] = subject.scores.labels[wrong[:3]]
    other = replace(subject, scores=replace(subject.scores, predictions=answers))
    (pair,) = tables.pairs([subject, other])
    assert (pair.result.only_first_right, pair.result.only_second_right) == (12, 3)
    assert pair.certain
    assert not any(pair.certain for pair in tables.pairs([subject, other, subject]))
