"""What ``dlcli train`` shows on stderr: a progress bar, a line for each epoch, how it ended."""

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING, Any

from dlcli.cli import layout
from dlcli.cli.output import message, message_of, warn
from dlcli.evaluation.formatting import duration, loss, percent

if TYPE_CHECKING:
    from tqdm import tqdm

    from dlcli.config.schema import Config
    from dlcli.data.examples import Dataset, Examples
    from dlcli.runs.initial_model import InitialModel
    from dlcli.runs.run import Run
    from dlcli.runs.summary import Summary
    from dlcli.training.diagnosis import Cause
    from dlcli.training.epoch_metrics import EpochRecord
    from dlcli.training.loop import Progress
    from dlcli.training.state import TrainingState

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-:=+*#"
_SPARKLINE_WIDTH = 43  # with the words and losses beside it, 80 columns at most
_BAR = "{desc} {percentage:3.0f} %|{bar}|"
# Columns that the bar needs to say all that it knows.
_WIDE = 75
_BETTER = {
    "best_accuracy": "higher validation accuracy",
    "best_loss": "lower validation loss",
}


class EpochProgress:
    """A progress bar for each epoch, on a terminal, and a line at its end."""

    def __init__(self, images: int, epochs: int, done: int) -> None:
        """Expect ``epochs`` in all, of which ``done`` were trained before."""
        self._images, self._epochs, self._done_before = images, epochs, done
        self._seen = 0  # images of the present epoch
        self._started = monotonic()
        self._bar: tqdm[Any] | None = None

    def update(self, progress: "Progress") -> None:
        """Show a block of batches."""
        from tqdm import tqdm

        if self._bar is None:
            name = f"epoch {progress.epoch}/{self._epochs}"
            shown: dict[str, Any] = {"file": sys.stderr, "leave": False, "dynamic_ncols": True}
            self._bar = tqdm(
                total=self._images, initial=self._seen, desc=name, bar_format=_BAR, **shown
            )
        self._seen += progress.images
        done = progress.epoch - 1 + self._seen / self._images
        self._bar.bar_format = f"{_BAR} {self._text(progress, done)}"
        self._bar.update(progress.images)

    def show(self, record: "EpochRecord") -> None:
        """Remove the bar and print the epoch's line."""
        self.close()
        parts = [
            f"epoch {record.epoch:{len(str(self._epochs))}}/{self._epochs}",
            f"loss {loss(record.train_loss)} ({percent(record.train_accuracy)})",
        ]
        if record.validation_loss is not None:
            scores = f"{loss(record.validation_loss)} ({percent(record.validation_accuracy)})"
            parts.append(f"validation {scores}")
        message_of(*(f"{part}  " for part in parts), self._time(record.epoch))

    def show_threads(self, old: int, new: int) -> None:
        """Remove the bar for a line that says how many threads compute from now on."""
        images = self._seen
        self.close()
        self._seen = images
        message(f"{_threads(new)} instead of {old}, as that is faster now")

    def close(self) -> None:
        """Remove the bar, until the next update."""
        self._seen = 0
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _text(self, progress: "Progress", done: float) -> str:
        """What stands to the right of the bar: as much as the terminal has room for."""
        if (layout.width(sys.stderr) or _WIDE) < _WIDE:
            return f"{loss(progress.loss)} {self._time(done)}"
        speed = (done - self._done_before) * self._images / max(self._elapsed, 1e-9)
        scores = f"loss {loss(progress.loss)} ({percent(progress.accuracy)})"
        return f"{scores}, {speed:,.0f} images/s, {self._time(done)}"

    def _time(self, done: float) -> str:
        """How long the epochs that are left will take, or how long all of them took."""
        left = self._epochs - done
        if left <= 0:
            return f"{duration(self._elapsed)} in all"
        return f"{duration(self._elapsed / max(done - self._done_before, 1e-9) * left)} left"

    @property
    def _elapsed(self) -> float:
        return monotonic() - self._started


def show_start(
    run: "Run", train: "Examples", validation: "Examples", state: "TrainingState"
) -> None:
    """Say what is about to be trained, on what."""
    layers = "-".join(str(size) for size in state.network.layer_sizes)
    message_of(
        f"{layers}, ",
        f"{state.network.parameters.size:,} parameters; ",
        f"{run.dataset.name}: {len(train):,} training images, ",
        f"{len(validation):,} for validation; ",
        _threads(run.threads.count),
    )


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def show_initial(config: "Config", initial: "InitialModel | None", dataset: "Dataset") -> None:
    """Say which trained weights training starts from, if any, and which of them it changes."""
    if initial is None:
        return
    pieces = [f"Starts from the weights of {config.init_from}"]
    if initial.outputs(dataset.class_names) is None:
        pieces.append("; the last layer is new, as the classes differ")
    else:
        _warn_of_random_weights(config)
    if config.freeze_layers:
        frozen, layers = config.freeze_layers, len(config.hidden_layers) + 1
        pieces.append(f"; the first {frozen} of {layers} layers stay as they are")
    message_of(*pieces)


def _warn_of_random_weights(config: "Config") -> None:
    """Warn of settings for random initial weights, of which there are none."""
    defaults = type(config)()
    for key in ("initializer", "initializer_stddev"):
        if getattr(config, key) != getattr(defaults, key):
            known = f"init_from: {config.init_from}, which knows all classes"
            warn(f"{key} has no effect with {known}")


def show_end(
    summary: "Summary", records: "Sequence[EpochRecord]", cause: "Cause | None" = None
) -> None:
    """Say why training ended, how it went, what was kept, and whether it overfitted.

    ``cause`` is why it learned nothing, if it did not.
    """
    accuracy = summary.validation_accuracy
    if cause is not None:
        warn(f"the network learned almost nothing (validation accuracy {percent(accuracy)})")
        message(f"Likely cause: {cause.seen}.")
        message(f"What to try: {cause.advice}.")
    if summary.stopped_by not in {"epochs", None}:
        message_of(f"Stopped by {summary.stopped_by}: ", _reason(summary))
    if summary.overfitting_since is not None:
        since = f"Overfitting since epoch {summary.overfitting_since}: "
        message_of(since, "the validation loss rose ", "while the training loss fell.")
    losses = [r.validation_loss for r in records if r.validation_loss is not None]
    if len(losses) > 1:
        message(f"Validation loss: {loss(losses[0])} {sparkline(losses)} {loss(losses[-1])}")
    why = "the last, as there are no validation images"
    if accuracy is not None:
        why = f"validation accuracy {percent(accuracy)}"
    message_of(f"Kept epoch {summary.best_epoch} of {summary.epochs}: ", why, fg="green", bold=True)


def _reason(summary: "Summary") -> str:
    """What the rule that stopped training saw."""
    config, rule = summary.config, summary.stopped_by
    if rule == "early_stopping":
        without = summary.epochs - summary.best_epoch
        epochs = "1 epoch" if without == 1 else f"{without} epochs"
        return f"no {_BETTER[config['keep']]} in {epochs} (keep: {config['keep']})"
    return f"the gradient norm fell below {config['min_gradient_norm']:g}"


def sparkline(losses: Sequence[float]) -> str:
    """A line of bars as high as the losses; in ASCII, as dark, where stderr has no bars.

    The scale is logarithmic, because losses fall by factors. If there are more losses than
    fit into a line, each bar is the mean of a few.
    """
    columns = layout.width(sys.stderr) or 80
    width = max(min(len(losses), _SPARKLINE_WIDTH, columns - (80 - _SPARKLINE_WIDTH)), 1)
    edges = [number * len(losses) // width for number in range(width + 1)]
    levels = [math.log(max(sum(losses[a:b]) / (b - a), 1e-9)) for a, b in pairwise(edges)]
    lowest, highest = min(levels), max(levels)
    try:
        _BARS.encode(getattr(sys.stderr, "encoding", None) or "ascii")
        bars = _BARS
    except UnicodeEncodeError:
        bars = _ASCII_BARS
    scale = (len(bars) - 1) / (highest - lowest) if highest > lowest else 0.0
    return "".join(bars[round((level - lowest) * scale)] for level in levels)
