"""The files of a run directory, by name."""

from pathlib import Path

CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
BEST = "best.npz"  # the epoch to keep, for use
LAST = "last.npz"  # the latest epoch, with all that training needs to resume
SUMMARY = "summary.json"  # there as soon as the run is finished
DIVERGED = "diverged.txt"  # why, if training diverged
EVENTS = "events.out.tfevents.*"  # TensorBoard's
LOCK = ".lock"

LATEST = "latest"  # beside run directories: a link to the one that was trained last


def follow_link(run: Path) -> Path:
    """The run directory itself, where ``run`` is a link to it (``runs/latest``).

    What is printed about a run, or written into it, must not change when the link does.
    """
    return run.parent / run.readlink() if run.is_symlink() else run
