"""The pretrained model in the package and its model card; ``make pretrained`` writes them."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import dlcli
from dlcli.data import datasets
from dlcli.evaluation import evaluate
from dlcli.evaluation.evaluate import Evaluation
from dlcli.evaluation.formatting import percent
from dlcli.files import DEFAULT_DATA_DIR
from dlcli.runs import checkpoint, lookup
from dlcli.vision import rejection
from tools.train_rejection import COUNT

FOLDER = Path(dlcli.__file__).parent / "runs" / "pretrained"
MODEL = FOLDER / "mnist.npz"
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


def render_card(model: checkpoint.Model, result: Evaluation, seeds: int) -> str:
    """The model card: all figures are those of ``result``, on MNIST's test images."""
    config, scores = model.metadata.config, model.metadata.scores
    low, high = result.interval
    judge = "-".join(map(str, rejection.network().layer_sizes))
    layers = "-".join(str(size) for size in model.network.layer_sizes)
    rejections = [
        [percent(r.rejected), f"{r.threshold:.4f}", percent(r.error)] for r in result.rejections
    ]
    digits = [
        [str(digit), percent(c.precision), percent(c.recall), percent(c.f1), f"{c.images:,}"]
        for digit, c in enumerate(result.classes)
    ]
    return f"""# The pretrained model

`--model pretrained`, and what `dlcli predict` and `dlcli eval` use where no model is named and
none was trained. `make pretrained` writes this card and the model; `dlcli eval pretrained` prints
the figures.

| | |
| --- | --- |
| network | {layers}, {config["activation"]}, softmax; batch normalisation folded in |
| training | `dlcli train --config best --set seed={config["seed"]}` |
| chosen | by validation accuracy: {percent(scores.validation_accuracy)}; seeds tried: {seeds} |
| data | MNIST's training images, {config["validation_size"]:,} of them kept aside for validation |
| licence of the data | Creative Commons Attribution-ShareAlike 3.0 (LeCun, Cortes, Burges) |
| format | 16-bit floats |
| temperature | {model.metadata.temperature:.4f}, fitted on the validation images |

## On MNIST's 10,000 test images

Accuracy {percent(result.accuracy)} (95 % interval {percent(low)} to {percent(high)}), loss
{result.loss:.4f}, expected calibration error {percent(result.calibration_error)}.

{_table(["not answered", "probability below", "errors among the rest"], rejections)}

{_table(["digit", "precision", "recall", "F1", "images"], digits)}

The most frequent of its {result.images - result.correct} mistakes (answer for truth):
{", ".join(_mistakes(result))}.

## Known failures

- It knows ten digits and nothing else, and answers whatever it is shown; `dlcli predict` asks the
  network below whether there is a digit at all.
- It reads one digit at a time: several beside each other are refused.
- It learned handwriting from the United States around 1990. A 1 with a long upstroke is close to
  its 7; a 7 with a bar and a 4 with a closed top were rarer there than elsewhere.
- Its probabilities are calibrated on MNIST's images, not on photographs.
- Numbers of many digits add up the errors: at the accuracy above, one in
  {round(1 / (1 - result.accuracy**5))} numbers of five digits is misread.

# The network that knows digits from other things

`likeness.npz`, {judge}, {rejection.ACTIVATION}, 16-bit floats: ten digits,
and something else. `make likeness` trains it on {COUNT:,} photographs, made by
[tests/photographs.py](../../tests/photographs.py), of MNIST's training digits (licence as above),
of printed digits, letters and signs (along the strokes of A. V. Hershey's fonts, 1967), of
shapes, scribbles, ruined digits and empty pages, and on 10,000 of MNIST's images as they are.
[How it fares](../../benchmarks/PHOTOGRAPHS.md): letters that look like digits pass (l, O, S, Z,
..., which it has not learned to refuse), and a digit in an unusual hand may be refused.
"""


def _table(header: list[str], rows: list[list[str]]) -> str:
    table = (header, ["---"] * len(header), *rows)
    return "\n".join("| " + " | ".join(row) + " |" for row in table)


def _mistakes(result: Evaluation) -> Iterator[str]:
    counts = result.confusion.copy()
    np.fill_diagonal(counts, 0)
    for pair in np.argsort(-counts, axis=None, kind="stable")[:LISTED_MISTAKES]:
        label, answer = divmod(int(pair), len(counts))
        yield f"{answer} for {label} ({counts[label, answer]} times)"


def main() -> None:
    """Write the model of the runs named that has the best validation accuracy."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data-dir", type=Path, default=DEFAULT_DATA_DIR)
    arguments = parser.parse_args()
    summaries = {run: json.loads((run / "summary.json").read_text()) for run in arguments.runs}

    def rank(run: Path) -> tuple[float, float]:
        return summaries[run]["validation_accuracy"], -summaries[run]["validation_loss"]

    FOLDER.mkdir(exist_ok=True)
    halve(max(arguments.runs, key=rank) / "best.npz", MODEL)
    model = lookup.load_named(lookup.PRETRAINED)
    test = datasets.load("mnist", arguments.data_dir).test
    result = evaluate.evaluate([model], test)
    CARD.write_text(render_card(model, result, len(arguments.runs)), encoding="utf-8")


if __name__ == "__main__":
    main()
