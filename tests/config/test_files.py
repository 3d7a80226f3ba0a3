"""Config files: how they are found and layered, and the messages when that fails."""

import errno
import io
import os
from pathlib import Path

import pytest
import yaml

from dlcli.config import files as config_files
from dlcli.config.augmentation import Augmentation
from dlcli.config.schema import Config, to_yaml
from dlcli.errors import ConfigError

SHIPPED = config_files.shipped_configs()


def test_the_promised_configs_are_shipped():
    assert {"quickstart", "fast", "mnist", "classic", "softmax", "deep"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_config_is_valid_and_has_comments(name):
    config_files.load([name])
    text = SHIPPED[name].read_text(encoding="utf-8")
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert len(comments) >= 3
    for key in yaml.safe_load(text):
        assert getattr(config_files.load([name]), key) is not None


def test_a_file_is_preferred_to_a_shipped_config_of_its_name(workdir):
    (workdir / "mnist").write_text("epochs: 77")
    assert config_files.load(["mnist"]).epochs == 77


def test_later_files_override_earlier_ones_and_set_overrides_all(workdir):
    (workdir / "a.yaml").write_text("epochs: 1\nseed: 1\nbatch_size: 1")
    (workdir / "b.yaml").write_text("seed: 2\nbatch_size: 2")
    config = config_files.load(["a.yaml", "b.yaml"], ["batch_size=3", "hidden_layers=[5, 4]"])
    assert (config.epochs, config.seed, config.batch_size) == (1, 2, 3)
    assert config.hidden_layers == (5, 4)


def test_a_base_takes_the_place_of_the_defaults():
    assert config_files.load([], ["seed=5"], Config(epochs=3)) == Config(epochs=3, seed=5)


def test_stdin_is_read(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"epochs: 4")))
    assert config_files.load(["-"]).epochs == 4


def test_stdin_may_be_as_long_as_a_file(monkeypatch):
    text = "epochs: 4 # " + "é" * 60_000
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert config_files.load(["-"]).epochs == 4


def test_null_is_no_name_of_a_model():
    config = config_files.load((), ["init_from=null", "init_checksum=null"])
    assert (config.init_from, config.init_checksum) == (None, None)


def test_what_is_no_text_is_no_name_of_a_class(workdir):
    (workdir / "a.yaml").write_text('classes: ["\\ud800", a]\n')
    with pytest.raises(ConfigError, match=r"a\.yaml:1: classes: expected"):
        config_files.load(["a.yaml"])


def test_classes_are_no_folders():
    with pytest.raises(ConfigError, match=r"classes: expected a list .* or names or null, got 3"):
        config_files.load((), ["classes=3"])


def test_problems_on_stdin_and_in_set_say_so(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"epochs: no")))
    with pytest.raises(ConfigError) as error:
        config_files.load(["-"], ["seed=x"])
    first, second = str(error.value).splitlines()
    assert first.startswith("<stdin>:1: epochs: expected")
    assert second.startswith("--set: seed: expected")


@pytest.mark.parametrize("override", ["epochs", "=3", "", " =3"])
def test_set_wants_key_and_value(override):
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        config_files.load([], [override])


def test_a_set_value_may_hold_an_equals_sign():
    with pytest.raises(ConfigError, match="learning_rate: expected a number"):
        config_files.load([], ["learning_rate=a=b"])


def test_a_number_sign_belongs_to_the_value(workdir):
    (workdir / "my data").mkdir()
    assert config_files.load([], ["dataset=my data #1"]).dataset == "my data #1"


@pytest.mark.parametrize("folder", ["1990", "1e3", "true", "0o17"])
def test_a_dataset_may_have_the_name_of_a_number_even_in_a_written_config(workdir, folder):
    (workdir / folder).mkdir()
    config = config_files.load([], [f"dataset={folder}"])
    assert config.dataset == folder
    (workdir / "written.yaml").write_text(to_yaml(config))
    assert config_files.load(["written.yaml"]) == config


def test_a_name_with_a_bracket_gets_a_hint_at_what_to_type():
    with pytest.raises(ConfigError, match=r"a folder of this name is \./\[x"):
        config_files.load([], ["dataset=[x"])


def test_a_folder_does_not_hide_a_shipped_config_of_its_name(workdir):
    (workdir / "softmax").mkdir()
    assert config_files.load(["softmax"]).hidden_layers == ()


def test_problems_of_several_files_and_overrides_are_reported_together(workdir):
    (workdir / "a.yaml").write_text("epochs: 1\nepochs: 2")
    (workdir / "b.yaml").write_text("seed: -1")
    with pytest.raises(ConfigError) as error:
        config_files.load(["a.yaml", "missing.yaml", "b.yaml"], ["momentum"])
    lines = str(error.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "a.yaml",
        "missing.yaml",
        "--set momentum",
        "b.yaml",
    ]


def test_stdin_can_be_read_only_once():
    with pytest.raises(ConfigError, match="stdin can be read only once"):
        config_files.load(["-", "-"])


def test_a_mistyped_name_gets_a_suggestion():
    with pytest.raises(ConfigError, match="did you mean quickstart"):
        config_files.load(["quikstart"])


def test_stdin_that_is_no_text_is_refused(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe")))
    with pytest.raises(ConfigError, match="-: not a text file"):
        config_files.load(["-"])


def test_a_missing_file_is_named_with_the_shipped_ones():
    with pytest.raises(ConfigError, match=r"nope\.yaml: no such config file; shipped ones.*mnist"):
        config_files.load(["nope.yaml"])


def test_a_folder_is_no_config(workdir):
    with pytest.raises(ConfigError, match="cannot be read"):
        config_files.load([str(workdir)])


def test_bytes_are_no_config(workdir):
    (workdir / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.yaml: not a text file"):
        config_files.load(["binary.yaml"])


def test_a_file_without_permission_is_named(workdir, monkeypatch):
    def refuse(*_arguments, **_options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match=r"secret\.yaml: cannot be read: Permission denied"):
        config_files.load(["secret.yaml"])


def test_keys_of_a_mapping_are_set_one_by_one_or_as_a_whole(workdir):
    Path("a.yaml").write_text("augmentation:\n  rotation: 10\n  shift: 1\n")
    Path("b.yaml").write_text("augmentation:\n  shift: 2\n")
    assert config_files.load(["a.yaml", "b.yaml"]).augmentation == Augmentation(
        rotation=10, shift=2
    )
    single = config_files.load(["a.yaml"], ["augmentation.scale=0.1"])
    assert single.augmentation == Augmentation(rotation=10, shift=1, scale=0.1)
    whole = config_files.load(["a.yaml"], ["augmentation={scale: 0.1}"])
    assert whole.augmentation == Augmentation(rotation=10, shift=1, scale=0.1)
    assert config_files.load(["a.yaml"], ["augmentation=null"]).augmentation is None
    again = config_files.load(["a.yaml"], ["augmentation=null", "augmentation.shear=0.1"])
    assert again.augmentation == Augmentation(shear=0.1)
    assert config_files.load([], ["augmentation={}"]).augmentation == Augmentation()
    base = config_files.load(["a.yaml"])
    assert config_files.load([], ["augmentation.shift=0"], base).augmentation == Augmentation(
        rotation=10
    )
    assert config_files.load([], [], base) == base


def test_a_wrong_key_of_a_mapping_is_named_with_its_line(workdir):
    Path("a.yaml").write_text("epochs: 1\naugmentation:\n  rotation: 10\n  shift: far\n")
    with pytest.raises(ConfigError) as error:
        config_files.load(["a.yaml"])
    assert str(error.value) == (
        "a.yaml:4: augmentation.shift: expected a number at least 0, at most 28, got far"
    )


def test_the_weight_of_a_class_replaces_that_of_no_other(workdir):
    """A dot is a part of its name."""
    (workdir / "a.yaml").write_text('class_weights: {"a.b": 2, c: 4, a: 1}\n')
    for override, weights in (
        ("class_weights.a=3", {"a.b": 2, "c": 4, "a": 3}),
        ("class_weights.a.b=3", {"a.b": 3, "c": 4, "a": 1}),
        ("class_weights=null", None),
        ("class_weights=balanced", "balanced"),
    ):
        assert config_files.load(["a.yaml"], [override]).class_weights == weights
    config = config_files.load(["a.yaml"], ["class_weights=balanced", "class_weights.a=3"])
    assert config.class_weights == {"a": 3}
