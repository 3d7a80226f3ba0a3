"""Write the pretrained model that ships with dlcli, its scores on MNIST, and its model card.

From: a run of ``tools.train_pretrained`` (``make world``) and the full MNIST. Of several runs, the
one with the best validation accuracy is published. Takes a few seconds. Without runs, only the
model card is written again, from the scores that were kept (``make readme``).

    make pretrained RUNS=runs/world
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

import dlcli
from dlcli.data import datasets, location
from dlcli.data.disputed import DISPUTED_IMAGES
from dlcli.evaluation import evaluate
from dlcli.evaluation.formatting import percent
from dlcli.runs import checkpoint, lookup
from dlcli.vision import rejection
from tools import train_pretrained, train_rejection

FOLDER = Path(dlcli.__file__).parent / "runs" / "pretrained"
MODEL = FOLDER / "mnist.npz"
SCORES = FOLDER / "scores.json"
CARD = FOLDER / "MODELCARD.md"
TEMPLATE = Path(__file__).with_name("model_card.md.jinja")
LISTED_MISTAKES = 8


def halve(source: Path, target: Path) -> None:
    """Copy a checkpoint with its weights in 16-bit floats."""
    with np.load(source) as arrays:
        halved = {
            name: array.astype(np.float16) if array.dtype == np.float32 else array
            for name, array in arrays.items()
        }
    np.savez(target, **halved)


def render_card(model: checkpoint.Model, scores: dict[str, Any]) -> str:
    """The model card.

    Parameters
    ----------
    scores
        What ``dlcli eval --format json`` prints about MNIST's test images.
    """
    validation = model.metadata.scores
    if validation is None or validation.validation_accuracy is None:
        raise ValueError(f"{model.path} has no validation scores")
    # The card is Markdown, in which nothing is to be escaped.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701
    environment.filters |= {"percent": percent, "thousands": "{:,}".format}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        scores=scores,
        mistakes=_mistakes(scores["confusion_matrix"]),
        disputed=DISPUTED_IMAGES,
        config=model.metadata.config,
        layers="-".join(map(str, model.network.layer_sizes)),
        temperature=model.metadata.temperature,
        validation_accuracy=validation.validation_accuracy,
        rejection_layers="-".join(map(str, rejection.network().layer_sizes)),
        rejection_activation=rejection.ACTIVATION,
        world=train_pretrained,
        rejection=train_rejection,
    )


def _mistakes(confusion: list[list[int]]) -> Iterator[str]:
    counts = np.array(confusion)
    np.fill_diagonal(counts, 0)
    for pair in np.argsort(-counts, axis=None, kind="stable")[:LISTED_MISTAKES]:
        label, prediction = divmod(int(pair), len(counts))
        yield f"{prediction} for {label} ({counts[label, prediction]} times)"


def publish(runs: list[Path], data_dir: Path) -> None:
    """Write the model of the run with the best validation accuracy, and its scores on MNIST."""
    summaries = {run: json.loads((run / "summary.json").read_text()) for run in runs}

    def rank(run: Path) -> tuple[float, float]:
        return summaries[run]["validation_accuracy"], -summaries[run]["validation_loss"]

    FOLDER.mkdir(exist_ok=True)
    halve(max(runs, key=rank) / "best.npz", MODEL)
    model = lookup.load_named(lookup.PRETRAINED)
    mnist = datasets.load("mnist", data_dir)
    result = evaluate.mark_disputed(evaluate.evaluate([model], mnist.test), mnist)
    scores = result.to_builtins()
    SCORES.write_text(json.dumps(scores) + "\n", encoding="utf-8")


def write_card() -> None:
    """Write the model card from the scores that were kept."""
    scores = json.loads(SCORES.read_text(encoding="utf-8"))
    card = render_card(lookup.load_named(lookup.PRETRAINED), scores)
    CARD.write_text(card, encoding="utf-8")


def main() -> None:
    """Publish the best of several runs, or without runs write the model card again."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--data-dir", type=Path, default=location.default().path)
    arguments = parser.parse_args()
    if arguments.runs:
        publish(arguments.runs, arguments.data_dir)
    write_card()


if __name__ == "__main__":
    main()
