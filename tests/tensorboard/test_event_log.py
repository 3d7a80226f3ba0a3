"""Event files have the scores and weights of the run, and a resumed run continues them."""

import errno
import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import masked_crc32c

from dlcli.runs import checkpoint
from dlcli.tensorboard.event_log import first_layer

QUICK = ["--set", "hidden_layers=[8]", "--set", "epochs=3", "--set", "batch_size=16"]
TAGS = {
    "loss/train": "train_loss",
    "loss/validation": "validation_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/validation": "validation_accuracy",
    "training/learning_rate": "learning_rate",
    "training/gradient_norm": "gradient_norm",
    "training/samples_per_second": "samples_per_second",
}
HISTOGRAMS = {f"layers.{layer}/{kind}" for layer in (0, 1) for kind in ("weight", "bias")}


@pytest.fixture
def train(dlcli, tiny):
    """Run ``dlcli train`` on 60 images."""

    def invoke(*arguments, **options):
        return dlcli("train", "--set", f"dataset={tiny}", *QUICK, *arguments, **options)

    return invoke


def files(run):
    return sorted(Path(run).glob("events.out.tfevents.*"), key=lambda path: path.stat().st_mtime_ns)


def events(path):
    """The events of a file, with every checksum checked."""
    content = path.read_bytes()
    while content:
        (size,) = struct.unpack("<Q", content[:8])
        data = content[12 : 12 + size]
        for part, end in ((content[:8], 12), (data, 16 + size)):
            assert content[end - 4 : end] == struct.pack("<I", masked_crc32c(part))
        yield Event.FromString(data)
        content = content[16 + size :]


def shown(run):
    """The values that TensorBoard shows of a run, by tag and step."""
    values: dict[str, dict[int, object]] = {}
    for path in files(run):
        first, *rest = events(path)
        assert first.file_version == "brain.Event:2"
        for event in rest:
            if event.session_log.status == SessionLog.START:
                values = {
                    tag: {step: value for step, value in steps.items() if step < event.step}
                    for tag, steps in values.items()
                }
            for value in event.summary.value:
                values.setdefault(value.tag, {})[event.step] = value
    return values


def records(run):
    return [json.loads(line) for line in Path(run, "metrics.jsonl").read_text().splitlines()]


def test_the_files_have_every_score_of_every_epoch(train):
    assert train("--tensorboard", "--name", "r").code == 0
    assert len(files("runs/r")) == 1
    values = shown("runs/r")
    assert values.keys() == {*TAGS, *HISTOGRAMS, "first_layer"}
    for tag, name in TAGS.items():
        found = {step: value.simple_value for step, value in values[tag].items()}
        assert found == pytest.approx({r["epoch"]: r[name] for r in records("runs/r")}, rel=1e-6)


def pixel(weight, index):
    """The colour of a pixel of the first neuron's picture."""
    (value,) = first_layer(weight).value
    picture = Image.open(io.BytesIO(value.image.encoded_image_string)).convert("RGB")
    return picture.getpixel((index % 28, index // 28))


def test_histograms_and_the_picture_show_the_weights(train):
    train("--tensorboard", "--name", "r", "--set", "keep=last")
    values = shown("runs/r")
    network = checkpoint.load(Path("runs/r/best.npz")).network
    for tag in HISTOGRAMS:
        layer, kind = int(tag[7]), tag[9:]
        array = (network.weights if kind == "weight" else network.biases)[layer]
        histogram = values[tag][3].histo
        assert histogram.num == sum(histogram.bucket) == array.size
        assert (histogram.min, histogram.max) == (array.min(), array.max())
        assert histogram.sum == pytest.approx(float(array.sum(dtype=np.float64)), abs=1e-6)
    assert values["first_layer"].keys() == {1, 2, 3}
    (expected,) = first_layer(network.weights[0]).value
    assert values["first_layer"][3].image == expected.image


def test_an_outlier_does_not_dim_the_picture_of_the_first_layer():
    weight = np.full((784, 1), 0.5, np.float32)
    weight[:4] = 1.0  # these have the full colour, and the others half of it
    assert pixel(weight, 100) == (255, 127, 127)
    weight[:1] = 100.0
    assert pixel(weight, 100) == (255, 127, 127)


def test_without_validation_images_there_are_no_validation_scores(train):
    train("--tensorboard", "--name", "r", "--set", "validation_size=0")
    assert not {"loss/validation", "accuracy/validation"} & shown("runs/r").keys()


def test_a_resumed_run_continues_its_files_and_has_no_epoch_twice(train, dlcli):
    train("--tensorboard", "--name", "r")
    # The run was killed after the event of an epoch and before its checkpoint.
    (path,) = files("runs/r")
    content = path.read_bytes()
    lost = Event(step=4)
    lost.summary.value.add(tag="loss/train", simple_value=99)
    data = lost.SerializeToString()
    header = struct.pack("<Q", len(data))
    crcs = [struct.pack("<I", masked_crc32c(part)) for part in (header, data)]
    path.write_bytes(content + header + crcs[0] + data + crcs[1])
    assert shown("runs/r")["loss/train"][4].simple_value == 99
    assert dlcli("train", "--resume", "runs/r", "--set", "epochs=5").code == 0
    values = shown("runs/r")
    assert len(files("runs/r")) == 2
    losses = {step: value.simple_value for step, value in values["loss/train"].items()}
    assert losses == pytest.approx({r["epoch"]: r["train_loss"] for r in records("runs/r")})
    assert all(steps.keys() == {1, 2, 3, 4, 5} for steps in values.values())


def test_files_started_at_resume_have_the_scores_of_earlier_epochs_too(train, dlcli):
    train("--name", "r")
    assert dlcli("train", "--resume", "runs/r", "--tensorboard", "--set", "epochs=4").code == 0
    values = shown("runs/r")
    assert values["accuracy/validation"].keys() == {1, 2, 3, 4}
    assert values["first_layer"].keys() == {4}


def test_a_finished_run_can_get_event_files_later(train, dlcli):
    train("--name", "r")
    for _ in range(2):
        assert dlcli("train", "--resume", "runs/r", "--tensorboard").code == 0
        assert len(files("runs/r")) == 1
    assert shown("runs/r")["loss/train"].keys() == {1, 2, 3}


def test_event_files_can_be_turned_off(train, dlcli):
    train("--name", "without")
    assert not files("runs/without")
    train("--tensorboard", "--name", "r")
    dlcli("train", "--resume", "runs/r", "--no-tensorboard", "--set", "epochs=4")
    assert shown("runs/r")["loss/train"].keys() == {1, 2, 3}


def test_a_full_disk_is_an_error_and_the_run_can_be_resumed(train, dlcli, monkeypatch):
    def fail(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patches:
        patches.setattr("tensorboardX.summary.image", fail)
        result = train("--tensorboard", "--name", "r")
    assert result.code == 1
    assert result.stderr.endswith("Error: runs/r: No space left on device\n")
    assert dlcli("train", "--resume", "runs/r").code == 0
    assert all(steps.keys() == {1, 2, 3} for steps in shown("runs/r").values())


def test_training_is_the_same_with_event_files(train):
    train("--name", "a", "--set", "dropout=0.2")
    train("--name", "b", "--set", "dropout=0.2", "--tensorboard")
    assert Path("runs/a/last.npz").read_bytes() == Path("runs/b/last.npz").read_bytes()


@pytest.mark.parametrize(
    ("neurons", "rows", "columns"), [(1, 1, 1), (8, 1, 8), (10, 2, 8), (64, 8, 8), (500, 8, 8)]
)
def test_the_picture_is_red_for_positive_weights_and_blue_for_negative_ones(neurons, rows, columns):
    weight = np.zeros((784, neurons), np.float32)
    weight[0], weight[1] = 1, -1
    (value,) = first_layer(weight).value
    with Image.open(io.BytesIO(value.image.encoded_image_string)) as image:
        picture = np.asarray(image)
    assert picture.shape == (rows * 30, columns * 30, 3)
    for pixel, colour in enumerate([(255, 0, 0), (0, 0, 255)]):
        assert tuple(picture[0, pixel]) == colour
        assert (picture == colour).all(axis=2).sum() == min(neurons, 64)
    assert tuple(picture[0, 2]) == (255, 255, 255)


def test_without_tensorboardx_the_error_comes_before_there_is_a_run(tmp_path):
    code = (
        "import sys; sys.modules['tensorboardX'] = None; from dlcli.cli.main import run; "
        "sys.exit(run(['train', '--config', 'quickstart', '--tensorboard']))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert finished.returncode == 2
    expected = (
        "Error: tensorboardX is not installed; get it with: pip install 'dlcli[tensorboard]'\n"
    )
    assert finished.stderr == expected
    assert not list(tmp_path.iterdir())
