"""First mistakes get the next step, as it must be typed."""

import shlex

import pytest


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("train quickstart", "--config quickstart"),
        ("train my.yaml", "--config my.yaml"),
        ("config show quickstart", "--config quickstart"),
        ("-q config show quickstart --format json", "--config quickstart"),
        ("sweep --trials 3 mnist", "--config mnist"),
        ("train --epochs 3", "--set epochs=3"),
        ("train --epochs=3", "--set epochs=3"),
        ("train --lr 0.1", "--set learning_rate=0.1"),
        ("train -lr 0.1", "--set learning_rate=0.1"),
        ("gradcheck --seed 3", "--set seed=3"),
        ("eval --folds=3 --seed 3", "--set seed=3"),
        ("data audit sample --seed 3", "--set seed=3"),
        ("sweep --seed 3", "--set seed=3"),
        ("data show --dataset sample", "--set dataset=sample"),
        ("train --nesterov", "--set nesterov=true"),
        ("train --rotation 15", "--set augmentation.rotation=15"),
        ("train --hidden-layers 64 32", "--set 'hidden_layers=[64, 32]'"),
        ("train --lr 0.1 -q --epoch 3", "--set learning_rate=0.1 --set epochs=3"),
        ("train --set epochs 3", "--set epochs=3"),
        ("train --set epochs 3 --set lr 0.1", "--set epochs=3 --set learning_rate=0.1"),
        ("train --set hidden_layers=[64, 32]", "--set 'hidden_layers=[64, 32]'"),
        ("config show -s seed=1 -s hidden_layers=[64, 32]", "--set 'hidden_layers=[64, 32]'"),
        ("train epoch=3", "--set epochs=3"),
        ("train --lr-scheduler cosine", "--set schedule=cosine"),
        ("train hidden_layers=64", "--set 'hidden_layers=[64]'"),
        ("config shwo", "show"),
        ("config help", "dlcli config --help"),
        ("help trian", "train"),
    ],
)
def test_wrong_usage_gets_what_was_probably_meant(dlcli, line, meant):
    result = dlcli(*line.split())
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"; did you mean {meant}?\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        "config show --config quickstart",
        "config show --set epochs=3",
        "config show --set 'hidden_layers=[64, 32]'",
        "config show --set augmentation.rotation=15",
    ],
)
def test_what_is_suggested_works(dlcli, line):
    assert dlcli(*shlex.split(line)).code == 0


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("train --set", "train"),
        ("-q train -c", "train"),
        ("eval --dataset", "eval"),
        ("data show --set", "data show"),
        ("sweep --set", "sweep"),
        ("sweep report --study", "sweep report"),
        ("predict -m", "predict"),
        ("train nosuch", "train"),
        ("train --set --name x", "train"),
        ("train --nmae x", "train"),
        ("train --test-size 1000", "train"),
        ("train test_size=1000", "train"),
        ("predict --lr 3", "predict"),
        ("eval --lr 3", "eval"),
        ("data audit sample --split test --model pretrained --lr 3", "data audit"),
        ("config nosuch", "config"),
        ("help nosuch", ""),
    ],
)
def test_other_wrong_usage_points_to_the_help_of_its_command(dlcli, line, command):
    result = dlcli(*line.split())
    see = " ".join(["dlcli", *command.split(), "--help"])
    assert result.code == 2
    assert result.stderr.endswith(f"(see: {see})\n")
