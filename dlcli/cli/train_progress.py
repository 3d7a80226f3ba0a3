"""What ``dlcli train`` shows on stderr: a progress bar, a line for each epoch, how it ended."""

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dlcli.cli.output import message, warn
from dlcli.evaluation.formatting import percent

if TYPE_CHECKING:
    from tqdm import tqdm

    from dlcli.data.datasets import Examples
    from dlcli.runs.run import Run
    from dlcli.runs.summary import Summary
    from dlcli.training.diagnosis import Cause
    from dlcli.training.epoch_metrics import EpochRecord
    from dlcli.training.loop import Progress
    from dlcli.training.state import TrainingState

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-:=+*#"
_SPARKLINE_WIDTH = 60
_BETTER = {
    "best_accuracy": "higher validation accuracy",
    "best_loss": "lower validation loss",
}


class ProgressBar:
    """A progress bar for each epoch, on a terminal."""

    def __init__(self, images: int, epochs: int) -> None:
        self._images = images
        self._epochs = epochs
        self._bar: tqdm[Any] | None = None

    def update(self, progress: "Progress") -> None:
        """Show a block of batches."""
        from tqdm import tqdm

        if self._bar is None:
            name = f"epoch {progress.epoch}/{self._epochs}"
            shown: dict[str, Any] = {"unit": " images", "unit_scale": True, "leave": False}
            self._bar = tqdm(total=self._images, desc=name, file=sys.stderr, **shown)
        scores = f"loss {progress.loss:.4f}, accuracy {percent(progress.accuracy)}"
        self._bar.set_postfix_str(scores, refresh=False)
        self._bar.update(progress.images)

    def close(self) -> None:
        """Remove the bar, until the next update."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def show_start(
    run: "Run", train: "Examples", validation: "Examples", state: "TrainingState"
) -> None:
    """Say what is about to be trained, on what."""
    layers = "-".join(str(size) for size in run.config.layer_sizes)
    message(
        f"{layers}, {state.network.parameters.size:,} parameters; "
        f"{run.config.dataset}: {len(train):,} training images, "
        f"{len(validation):,} for validation; {run.threads} thread{'s' if run.threads > 1 else ''}"
    )


def show_epoch(record: "EpochRecord", epochs: int) -> None:
    """Print an epoch's line."""
    parts = [
        f"epoch {record.epoch:{len(str(epochs))}}/{epochs}",
        f"loss {record.train_loss:.4f}",
        f"accuracy {percent(record.train_accuracy)}",
    ]
    if record.validation_loss is not None:
        parts.append(
            f"validation: loss {record.validation_loss:.4f}, "
            f"accuracy {percent(record.validation_accuracy)}"
        )
    parts.append(f"{record.seconds:.1f} s ({record.samples_per_second:,.0f} images/s)")
    message("  ".join(parts))


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
        message(f"Stopped by {summary.stopped_by}: {_reason(summary)}")
    if summary.overfitting_since is not None:
        message(
            f"Overfitting since epoch {summary.overfitting_since}: the validation loss rose "
            "while the training loss fell."
        )
    losses = [r.validation_loss for r in records if r.validation_loss is not None]
    if len(losses) > 1:
        message(f"Validation loss: {losses[0]:.4f} {sparkline(losses)} {losses[-1]:.4f}")
    why = "the last, as there are no validation images"
    if accuracy is not None:
        why = f"validation accuracy {percent(accuracy)}"
    message(f"Kept epoch {summary.best_epoch} of {summary.epochs}: {why}")


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
    width = min(len(losses), _SPARKLINE_WIDTH)
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
