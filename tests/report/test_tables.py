"""Numbers, settings and epochs as text."""

import pytest
import yaml

from dlcli.config import files as config_files
from dlcli.report import tables


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "50.0 %"),
        (0.9994, "99.9 %"),
        (0.9997, "99.97 %"),
        (0.99999, "> 99.99 %"),
        (1, "100.00 %"),
    ],
)
def test_a_probability_never_rounds_up_to_100_percent(value, text):
    assert tables.probability(value) == text


def test_the_changed_settings_give_the_same_config_again(entry, tmp_path):
    changed = tables.changed_settings(entry.config)
    (tmp_path / "config.yaml").write_text(changed)
    assert config_files.load([str(tmp_path / "config.yaml")]) == entry.config
    assert yaml.safe_load(changed) == {"dataset": "sample", "epochs": 4}


def test_long_histories_are_thinned_but_keep_the_first_the_kept_and_the_last_epoch(make_record):
    records = [make_record(n) for n in range(1, 1001)]
    rows = tables.thinned(records, records[776], 100)
    assert len(rows) <= 103
    assert {1, 777, 1000} <= {row.epoch for row in rows}
