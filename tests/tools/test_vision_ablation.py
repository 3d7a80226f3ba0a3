"""Each change of ``dlcli.vision`` is made, measured and taken back."""

from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from dlcli.runs import lookup
from dlcli.vision import foreground, localization
from tools import vision_ablation
from tools.vision_ablation import AS_IT_IS, CONSTANTS, RULES, Change, Remembered, applied


@pytest.mark.parametrize("change", [*RULES, *CONSTANTS], ids=str)
def test_every_change_concerns_something_that_exists(change):
    name = change.name.rpartition(".")[2]
    before = [vars(module).get(name) for module in vision_ablation._MODULES]
    with applied(change):
        after = [vars(module).get(name) for module in vision_ablation._MODULES]
        assert change.value in after
        assert before != after
    assert before == [vars(module).get(name) for module in vision_ablation._MODULES]


def test_a_change_is_made_wherever_the_name_is_imported():
    with applied(Change("foregrounds", dict, "")):
        assert vars(foreground)["foregrounds"] is dict
        assert vars(localization)["foregrounds"] is dict


def test_nothing_is_computed_twice():
    seen = []

    def mean(images):
        seen.append(len(images))
        return images.mean(axis=1)

    remembered = Remembered(mean)
    images = np.array([[1, 2], [3, 4], [1, 2]], np.uint8)
    assert remembered(images).tolist() == remembered(images).tolist() == [1.5, 3.5, 1.5]
    assert seen == [2]


def test_the_pictures_that_are_read_are_counted_for_each_change(sample, tmp_path):
    page = np.full((90, 90), 255, np.uint8)
    page[30:58, 30:58] -= sample.test.images[0].reshape(28, 28)
    Image.fromarray(page).save(tmp_path / "digit.png")
    model = lookup.load_named(lookup.PRETRAINED)
    label = int(sample.test.labels[0])
    counts = vision_ablation.count(model, [(tmp_path / "digit.png", label)])
    assert counts[str(AS_IT_IS)] == Counter({"digit right": 1})
    assert set(counts) == {str(change) for change in (AS_IT_IS, *RULES, *CONSTANTS)}
    assert counts["MAX_LENGTH_PX: 50"] == Counter({"digit right": 1})


def test_the_table_says_how_many_more_pictures_are_treated_right():
    change = Change("components._MIN_LEVEL", 4, "4")
    counts = {
        str(AS_IT_IS): Counter({"digit right": 5, "digit wrong": 1, "nothing ?": 2}),
        str(change): Counter({"digit right": 3, "digit ?": 3, "nothing ?": 3}),
    }
    *_, row = vision_ablation.table(counts, [change]).splitlines()
    assert row == "| MIN_LEVEL | 4 | 3 | 0 | 3 | 3 | -1 |"


def test_nothing_to_count_is_a_mistake():
    result = CliRunner().invoke(vision_ablation.main, ["--count", "0"])
    assert result.exit_code == 2
    assert "Nothing to count" in result.output


def test_a_model_that_does_not_exist_is_named_at_once():
    with pytest.raises(SystemExit) as exit_code:
        vision_ablation.main(["runs/none"], standalone_mode=False)
    assert exit_code.value.code == 4
