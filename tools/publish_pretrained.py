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

import dlcli
from dlcli.data import datasets, location
from dlcli.evaluation import evaluate
from dlcli.evaluation.formatting import percent
from dlcli.runs import checkpoint, lookup
from dlcli.vision import rejection
from tools.train_pretrained import PHOTOGRAPHS as WORLD_PHOTOGRAPHS
from tools.train_pretrained import WRITTEN as WORLD_WRITTEN
from tools.train_rejection import DRAWINGS, MNIST_STEP, PHOTOGRAPHS, WRITTEN

FOLDER = Path(dlcli.__file__).parent / "runs" / "pretrained"
MODEL = FOLDER / "mnist.npz"
SCORES = FOLDER / "scores.json"
CARD = FOLDER / "MODELCARD.md"
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
    config, validation = model.metadata.config, model.metadata.scores
    if validation is None or validation.validation_accuracy is None:
        raise ValueError(f"{model.path} has no validation scores")
    low, high = scores["accuracy_interval_95"]
    layers = "-".join(map(str, model.network.layer_sizes))
    rejection_layers = "-".join(map(str, rejection.network().layer_sizes))
    rejections = [
        [percent(row["rejected"]), f"{row['threshold']:.4f}", percent(row["error"])]
        for row in scores["error_at_rejection"]
    ]
    digits = [
        [
            str(row["digit"]),
            *(percent(row[score]) for score in ("precision", "recall", "f1")),
            f"{row['images']:,}",
        ]
        for row in scores["per_digit"]
    ]
    return f"""# The pretrained model

`--model pretrained`, and what `dlcli predict` uses when no model is named and none was trained.
`make pretrained` writes the model and this card; `dlcli eval pretrained` prints the
figures.

| | |
| --- | --- |
| network | {layers}, {config["activation"]}, softmax; batch normalisation fused into the weights |
| training | `dlcli train --config best --set seed={config["seed"]}`, then `make world` |
| validation accuracy | {percent(validation.validation_accuracy)} |
| data | MNIST's training images, {config["validation_size"]:,} of them for validation; then also \
{WORLD_WRITTEN:,} digits written in many ways and {WORLD_PHOTOGRAPHS:,} synthetic photographs |
| licence of the data | Creative Commons Attribution-ShareAlike 3.0 (LeCun, Cortes, Burges) |
| format | 16-bit floats |
| temperature | {model.metadata.temperature:.4f}, fitted on the validation images |

## On MNIST's 10,000 test images

Accuracy {percent(scores["accuracy"])} (95 % interval {percent(low)} to {percent(high)}), loss
{scores["loss"]:.4f}, expected calibration error {percent(scores["expected_calibration_error"])}.

{_table(["rejected", "probability below", "errors among the rest"], rejections)}

{_table(["digit", "precision", "recall", "F1", "images"], digits)}

The most frequent of its {scores["images"] - scores["correct"]} mistakes (prediction for label):
{", ".join(_mistakes(scores["confusion_matrix"]))}.

## Known failures

- It knows ten digits and nothing else, and always predicts one of them. `dlcli predict` therefore
  asks the rejection network below whether there is a digit at all.
- It reads one digit at a time; `dlcli predict` refuses several digits beside each other.
- The only handwriting of people that it learned is from the United States around 1990. How the rest
  of the world writes (a 1 with an upstroke or a foot, a barred 7, a slashed 0, ...) it learned from
  strokes that a program draws ([tools/handwriting.py](../../../tools/handwriting.py)).
- Its probabilities are calibrated on MNIST's images. How well they fit on photographs, where they
  are means over variants, is in [the count of photographs](../../../benchmarks/PHOTOGRAPHS.md).
- The errors add up in numbers of many digits: at the accuracy above, one in
  {round(1 / (1 - scores["accuracy"] ** 5))} numbers of five digits is misread.

# The rejection network

`rejection.npz` tells digits from everything else: {rejection_layers}, {rejection.ACTIVATION},
16-bit floats, with eleven outputs for the ten digits and for "not a digit". `make rejection` trains
it on

- {PHOTOGRAPHS:,} synthetic photographs ([tools/photographs.py](../../../tools/photographs.py)) of
  MNIST's training digits (licence as above), written and printed digits, letters of several
  alphabets, signs, shapes, scribbles, ruined digits and empty pages: on each, all candidates that
  `predict` compares;
- {DRAWINGS:,} drawings of the same, but for MNIST's digits, that were never photographed
  ([tools/non_digits.py](../../../tools/non_digits.py));
- {WRITTEN:,} digits written in many ways ([tools/handwriting.py](../../../tools/handwriting.py));
- every {_ordinal(MNIST_STEP)} of MNIST's training images as it is.

The letters, signs and printed digits are strokes of dlcli's own
([tools/characters.py](../../../tools/characters.py)) and fonts under the SIL Open Font License, the
Apache License and the licences of Matplotlib's fonts.

[How it fares](../../../benchmarks/PHOTOGRAPHS.md): letters that look like digits (l, O, S, Z, ...)
pass, since it has not learned to reject them, and a digit in an unusual hand may be rejected.
"""


def _table(header: list[str], rows: list[list[str]]) -> str:
    table = (header, ["---"] * len(header), *rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in table)


def _mistakes(confusion: list[list[int]]) -> Iterator[str]:
    counts = np.array(confusion)
    np.fill_diagonal(counts, 0)
    for pair in np.argsort(-counts, axis=None, kind="stable")[:LISTED_MISTAKES]:
        label, prediction = divmod(int(pair), len(counts))
        yield f"{prediction} for {label} ({counts[label, prediction]} times)"


def _ordinal(number: int) -> str:
    return {1: "one", 2: "second", 3: "third"}.get(number, f"{number}th")


def publish(runs: list[Path], data_dir: Path) -> None:
    """Write the model of the run with the best validation accuracy, and its scores on MNIST."""
    summaries = {run: json.loads((run / "summary.json").read_text()) for run in runs}

    def rank(run: Path) -> tuple[float, float]:
        return summaries[run]["validation_accuracy"], -summaries[run]["validation_loss"]

    FOLDER.mkdir(exist_ok=True)
    halve(max(runs, key=rank) / "best.npz", MODEL)
    model = lookup.load_named(lookup.PRETRAINED)
    test = datasets.load("mnist", data_dir).test
    scores = evaluate.evaluate([model], test).to_builtins()
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
