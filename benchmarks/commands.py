"""Time whole commands, from process start to end, as a user at the shell waits for them."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.contenders import TITLES, accuracy
from benchmarks.verdicts import Verdict, at_least, at_most
from dlcli.config import files as config_files
from dlcli.data.examples import Dataset
from dlcli.runs import checkpoint

DLCLI = str(Path(sys.executable).with_name("dlcli"))
_FRAMEWORKS = ("torch", "jax", "sklearn")
_SCRIPT = Path(__file__).with_name("framework_script.py")
_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@dataclass
class CommandResult:
    """Some commands, timed in alternation.

    Attributes
    ----------
    seconds
        By command, in the order of the rounds; the first one's times are divided by the others'.
    notes
        By command, remarks on it.
    """

    name: str
    seconds: dict[str, list[float]]
    notes: dict[str, str] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def ratio(self, other: str) -> float:
        """The first command's time divided by another's: the median of the rounds' ratios."""
        first = next(iter(self.seconds.values()))
        return median(a / b for a, b in zip(first, self.seconds[other], strict=True))


@dataclass(frozen=True)
class Setting:
    """Where the commands run."""

    data_dir: Path
    dataset: Dataset
    work_dir: Path

    def train(self, name: str, *arguments: str) -> list[str]:
        """The command that trains a new run with this name."""
        folders = ["--data-dir", str(self.data_dir), "--runs-dir", str(self.work_dir)]
        return [DLCLI, "train", "--quiet", *folders, "--name", name, *arguments]


def train_to_98(setting: Setting, rounds: int = 7) -> CommandResult:
    """``dlcli train --config fast``, and scripts that do the same with a framework."""
    config = config_files.load(["fast"])
    settings = {key: getattr(config, key) for key in config.__struct_fields__}
    text = json.dumps(settings, default=str)
    folder = setting.data_dir / "mnist"

    def outcome(name: str, number: int) -> Path:
        return setting.work_dir / f"{name}{number}{'' if name == 'dlcli' else '.npz'}"

    def command(name: str, number: int) -> list[str]:
        if name == "dlcli":
            return setting.train(outcome(name, number).name, "--config", "fast")
        script = [sys.executable, str(_SCRIPT), name, str(folder)]
        return [*script, str(outcome(name, number)), text]

    names = ("dlcli", *_FRAMEWORKS)
    imports = {f'python -c "import {n}"': _python(f"import {n}") for n in _FRAMEWORKS}
    trainings = {TITLES[n]: partial(command, n) for n in names}
    seconds = alternate({**trainings, **imports}, rounds)
    result = CommandResult("train to 98 %", seconds)
    reached = {}
    for name in names:
        path, title = outcome(name, rounds), TITLES[name]
        if name == "dlcli":
            network = checkpoint.load(path / "best.npz").network
            layers = list(zip(network.weights, network.biases, strict=True))
        else:
            arrays = np.load(path)
            count = len(arrays) // 2
            layers = [(arrays[f"weight{i}"], arrays[f"bias{i}"]) for i in range(count)]
        reached[title] = accuracy(layers, setting.dataset.test)
        result.notes[title] = f"test accuracy {reached[title]:.2%}"
    fastest = min((TITLES[n] for n in _FRAMEWORKS), key=lambda title: median(seconds[title]))
    result.verdicts.append(at_most(0.45, result.ratio(fastest), f"of the time of {fastest}"))
    ours = median(seconds[TITLES["dlcli"]])
    result.verdicts.append(at_most(0.6, ours, "seconds for dlcli"))
    result.verdicts.extend(
        at_least(0.98, value, f"test accuracy of {title}") for title, value in reached.items()
    )
    return result


def predict_one(setting: Setting, rounds: int = 21) -> CommandResult:
    """One prediction from a cold start, compared with the imports that it needs."""
    model, picture = _model(setting), next(_pictures(setting).iterdir())
    result = _beside_imports(
        "predict one image",
        "dlcli predict image.png",
        _always(DLCLI, "predict", str(picture), "--model", str(model), "--quiet"),
        "numpy, click, PIL.Image",
        "PIL.PngImagePlugin, zipfile, pathlib, json",
        rounds,
    )
    reference = 'python -c "import numpy, click, PIL.Image"'
    result.verdicts.append(at_most(1.2, result.ratio(reference), f"of the time of {reference}"))
    return result


def predict_photograph(setting: Setting, rounds: int = 11) -> CommandResult:
    """One prediction of a photograph, and of an image of MNIST, with the model of the package."""
    from PIL import Image

    photograph = setting.work_dir / "photograph.jpg"
    grey = Image.fromarray(setting.dataset.test.images[0].reshape(28, 28))
    # A digit as on paper, in 1 megapixel: dark on light, with space around it.
    paper = Image.new("L", (1000, 1000), 215)
    paper.paste(Image.new("L", (500, 500), 40), (250, 250), grey.resize((500, 500)))
    paper.save(photograph)
    image = next(_pictures(setting).iterdir())
    commands = {
        f"dlcli predict {name} --model pretrained": _always(
            DLCLI, "predict", str(path), "--model", "pretrained", "--quiet"
        )
        for name, path in (("photograph.jpg", photograph), ("image.png", image))
    }
    return CommandResult("predict one photograph", alternate(commands, rounds))


def show_help(_setting: Setting, rounds: int = 21) -> CommandResult:
    """``dlcli --help``, compared with the import of Click."""
    result = _beside_imports(
        "help", "dlcli --help", _always(DLCLI, "--help"), "click", "pathlib", rounds
    )
    reference = 'python -c "import click"'
    result.verdicts.append(at_most(1.5, result.ratio(reference), f"of the time of {reference}"))
    return result


def _beside_imports(
    name: str,
    title: str,
    command: Callable[[int], Sequence[str]],
    imports: str,
    more_imports: str,
    rounds: int,
) -> CommandResult:
    """A command and the imports that it needs, these with a normal exit and with ``os._exit``."""
    codes = (
        f"import {imports}",
        f"import {imports}, os; os._exit(0)",
        f"import {imports}, {more_imports}, os; os._exit(0)",
    )
    references = {f'python -c "{code}"': _python(code) for code in codes}
    return CommandResult(name, alternate({title: command, **references}, rounds))


def predict_many(setting: Setting, rounds: int = 7) -> CommandResult:
    """The 10,000 test images as PNG files."""
    pictures, model = _pictures(setting), _model(setting)
    name = "dlcli predict FOLDER"
    command = _always(DLCLI, "predict", str(pictures), "--model", str(model), "--quiet")
    result = CommandResult("predict 10,000 images", alternate({name: command}, rounds))
    speed = len(setting.dataset.test) / median(result.seconds[name])
    result.notes[name] = f"{speed:,.0f} images/s"
    result.verdicts.append(at_least(4000, speed, "images a second"))
    return result


def memory(setting: Setting) -> CommandResult:
    """The largest resident memory of training 784-128-10."""
    command = setting.train("memory", "--set", "hidden_layers=[128]", "--set", "epochs=3")
    started = time.perf_counter()
    # Started from a small process: until exec, a child counts with its parent's memory.
    measured = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - started
    # Linux counts in KiB, macOS in bytes.
    megabytes = int(measured.stdout) * (1 if sys.platform == "darwin" else 1024) / 1e6
    name = "dlcli train, 784-128-10, 3 epochs"
    result = CommandResult("memory of training", {name: [seconds]})
    result.notes[name] = f"at most {megabytes:.0f} MB resident"
    result.verdicts.append(at_most(450, megabytes, "MB resident"))
    return result


BENCHMARKS: Mapping[str, Callable[[Setting], CommandResult]] = {
    "train to 98 %": train_to_98,
    "predict one image": predict_one,
    "predict one photograph": predict_photograph,
    "help": show_help,
    "predict 10,000 images": predict_many,
    "memory of training": memory,
}


def alternate(
    commands: Mapping[str, Callable[[int], Sequence[str]]], rounds: int
) -> dict[str, list[float]]:
    """Time each command once in each round, after a round 0 that fills the disk caches."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            arguments = command(number)
            started = time.perf_counter()
            subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True)
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def _python(code: str) -> Callable[[int], Sequence[str]]:
    return _always(sys.executable, "-c", code)


def _always(*command: str) -> Callable[[int], Sequence[str]]:
    return lambda _number: command


def _model(setting: Setting) -> Path:
    """A trained network; the first call trains it."""
    path = setting.work_dir / "model"
    if not path.exists():
        _run(setting.train("model", "--config", "fast"))
    return path


def _pictures(setting: Setting) -> Path:
    """The test images as PNG files; the first call writes them."""
    path = setting.work_dir / "pictures"
    if not path.exists():
        data_dir = str(setting.data_dir)
        _run([DLCLI, "data", "export", "--split", "test", "-o", str(path), "--data-dir", data_dir])
    return path


def _run(command: Iterable[str]) -> None:
    subprocess.run(list(command), stdout=subprocess.DEVNULL, check=True)
