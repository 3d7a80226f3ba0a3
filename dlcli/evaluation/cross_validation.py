"""K-fold cross-validation: every image is scored by a model that was trained without it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import numpy.typing as npt

from dlcli.config.schema import Config, to_builtins
from dlcli.data.examples import Dataset, Examples
from dlcli.data.splits import stratified_folds
from dlcli.errors import ConfigError
from dlcli.evaluation.evaluate import Evaluation, evaluate
from dlcli.runs import initial_model
from dlcli.runs.checkpoint import Model
from dlcli.runs.initial_model import InitialModel
from dlcli.runs.metadata import DatasetIdentity, Metadata
from dlcli.training.builders import make_splits
from dlcli.training.loop import fit
from dlcli.training.threads import Threads


@dataclass(frozen=True)
class Fold:
    """A part of the images, and the model that was trained on the others.

    Attributes
    ----------
    number
        From 1 on.
    rows
        The indices of its images, shape (images,).
    """

    number: int
    rows: npt.NDArray[np.intp]
    model: Model
    evaluation: Evaluation


def cross_validate(
    config: Config,
    dataset: Dataset,
    folds: int,
    initial: InitialModel | None = None,
    threads: Threads | None = None,
) -> Iterator[Fold]:
    """Train on all training images but those of a fold, and score it; yield fold after fold.

    The classes are spread evenly over the folds. Each training holds out its own validation images,
    by which it chooses the epoch to keep: a fold is not looked at before it is scored. The test
    images are not used. ``threads`` is as for :func:`fit`.

    Raises
    ------
    ConfigError
        There are fewer images than folds, or too few to train on.
    DivergenceError
        A training diverged.
    """
    train = dataset.train
    if folds > len(train):
        raise ConfigError(f"{folds} folds: there are only {len(train):,} training images")
    fold_of = stratified_folds(train.labels, folds, config.seed)
    for number in range(folds):
        rows = np.flatnonzero(fold_of == number)
        model = _train(config, dataset, train.take(fold_of != number), initial, threads)
        evaluation = evaluate([model], train.take(rows))
        yield Fold(number + 1, rows, model, evaluation)


def summary(values: list[float]) -> dict[str, float]:
    """The mean of a score over the folds, and its standard deviation."""
    return {"mean": fmean(values), "stdev": stdev(values)}


def scores(fold: Fold) -> dict[str, float]:
    """The scores of a fold in one number each."""
    evaluation = fold.evaluation
    return {"accuracy": evaluation.accuracy, "loss": evaluation.loss, **evaluation.scalars}


def _train(
    config: Config,
    dataset: Dataset,
    examples: Examples,
    initial: InitialModel | None,
    threads: Threads | None,
) -> Model:
    """The model of the epoch to keep."""
    train, validation = make_splits(config, examples)
    state = initial_model.start_state(config, dataset.class_names, initial)
    kept = None
    names = dataset.class_names
    for _ in fit(config, train, validation, state, class_names=names, threads=threads):
        if state.is_best:
            fused = state.evaluated_network.fuse_batch_norm()
            kept = fused.like()
            kept.parameters[...] = fused.parameters
    if kept is None:
        raise ConfigError("epochs: no epoch was trained")
    metadata = Metadata(
        config=to_builtins(config),
        epoch=state.best_epoch,
        dataset=DatasetIdentity(dataset.name, dataset.checksum, dataset.folder),
        preprocessing="none",
        temperature=state.temperature,
        class_names=dataset.class_names,
    )
    return Model(Path("fold"), kept, config.loss, metadata, {})
