"""The dataset that a model was trained on: where it is now, and whether it is still the same."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, get_args

from dlcli.data import datasets
from dlcli.data.datasets import Source
from dlcli.data.examples import Dataset, mixture
from dlcli.data.registry import DATASETS
from dlcli.errors import DatasetError
from dlcli.files import expand_home, quoted
from dlcli.runs.checkpoint import Model
from dlcli.runs.metadata import DatasetIdentity
from dlcli.vision import Preparation


class Load(Protocol):
    """Loads a dataset by its name or folder, or a mixture; see :func:`dlcli.data.datasets.load`."""

    def __call__(
        self,
        source: Source,
        *,
        preparation: Preparation | None,
        usual: Preparation | None = None,
    ) -> Dataset:
        """Load it, with pictures prepared in one way."""


def find(
    identity: DatasetIdentity,
    load: Load,
    preparation: Preparation | None = None,
    source: Source | None = None,
) -> Dataset:
    """Load a dataset from its folder at training time, else from the folder of its name here.

    The content decides: what has another checksum is returned only where nothing has the right
    one. The dataset keeps its name; ``folder`` is where it was found. ``source`` is what the config
    of a training names, which advice says how to set; for None advice is to use ``--dataset``.

    Raises
    ------
    DatasetError
        It is in neither folder, or cannot be read.
    """
    if identity.parts:
        found = [
            _find_one(part, load, preparation, _option_of_part(source, identity.parts, number))
            for number, part in enumerate(identity.parts)
        ]
        return mixture(found)
    option = "--dataset FOLDER" if source is None else "--set dataset=FOLDER"
    return _find_one(identity, load, preparation, option)


def _find_one(
    identity: DatasetIdentity, load: Load, preparation: Preparation | None, option: str
) -> Dataset:
    """Find a dataset that is no mixture; ``option`` names another folder, unless it is empty."""
    found = None
    for place in _places(identity):
        dataset = replace(load(place, preparation=preparation), name=identity.name)
        if dataset.checksum == identity.checksum:
            return dataset
        found = found or dataset
    if found is None:
        folder = identity.folder or identity.name
        advice = f"; name it with: {option}" if option else ""
        raise DatasetError(f"{folder}: no such folder of images{advice}")
    return found


def _option_of_part(
    source: Source | None, identities: Sequence[DatasetIdentity], number: int
) -> str:
    """How to name another folder for a part of a mixture; empty where no option takes mixtures."""
    if source is None or isinstance(source, str) or len(source) != len(identities):
        return ""
    from dlcli.config.messages import written

    places = [next(iter(_places(identity)), identity.name) for identity in identities]
    places[number] = "FOLDER"
    parts = [
        place if isinstance(part, str) else {"name": place, "weight": part.weight}
        for place, part in zip(places, source, strict=True)
    ]
    return f"--set {quoted(f'dataset={written(parts)}')}"


def _places(identity: DatasetIdentity) -> list[str]:
    """The names to load a dataset by, as far as there is something of this name."""
    if identity.name in DATASETS:
        return [identity.name]
    named = expand_home(identity.name)
    folders = dict.fromkeys(os.path.abspath(f) for f in (identity.folder, named) if f)  # noqa: PTH100 - links stay
    return [folder for folder in folders if datasets.exists(folder)]


def load_common(models: Sequence[Model], load: Load, split: str = "test") -> Dataset:
    """Load the dataset that all of the models were trained on, for a ``split`` of it.

    Raises
    ------
    DatasetError
        They were trained on different data, or it has changed since.
    """
    identities = {model.metadata.dataset.checksum: model.metadata.dataset for model in models}
    if len(identities) > 1:
        listed = ", ".join(f"{each.name} {short(each.checksum)}" for each in identities.values())
        raise DatasetError(
            f"the models were trained on different data ({listed}); choose with --dataset"
        )
    model = models[0]
    dataset = find(model.metadata.dataset, load, preparation_of(model))
    checksum = model.metadata.dataset.checksum
    if dataset.checksum != checksum:
        place = dataset.folder or dataset.name
        advice = "to use it as it is now:"
        if split != "test":  # which images of other data were trained on, nobody knows
            advice = "to score its test images as they are now: --split test"
        # A mixture cannot be named by a single option.
        now = "" if dataset.parts else f"; {advice} --dataset {quoted(Path(place))}"
        raise DatasetError(
            f"{place}: has changed since {model.path} was trained on it (checksum "
            f"{short(dataset.checksum)}, then {short(checksum)}){now}"
        )
    return _for_models(dataset, models)


def other_writers(split: str, then: DatasetIdentity, dataset: Dataset) -> str | None:
    """Why other images would be held out than those of other writers then; None if the same are."""
    if split != "writers" or dataset.writers_checksum == then.writers:
        return None
    now = "is gone" if dataset.writers_checksum is None else "has changed"
    return (
        f"validation_split writers: the file that names the writers of {dataset.name} {now} since "
        f"the training (SHA-256 {short(then.writers or 'none')} then)"
    )


def load_named(name: str, models: Sequence[Model], load: Load) -> Dataset:
    """Load a dataset to score the models on, with pictures prepared as for the models' own.

    Raises
    ------
    DatasetError
        It cannot be read, or has other classes than a model; or its pictures would have to be
        prepared for one model in another way than for the next.
    """
    first, *others = dict.fromkeys((preparation_of(each), _usual_of(each)) for each in models)
    dataset = load(name, preparation=first[0], usual=first[1])
    for preparation, usual in others:
        if load(name, preparation=preparation, usual=usual).checksum != dataset.checksum:
            raise DatasetError(
                f"{name}: the models want its pictures prepared in different ways; "
                "score them one by one"
            )
    return _for_models(dataset, models)


def _usual_of(model: Model) -> Preparation | None:
    """How the pictures of a model are prepared."""
    way = model.metadata.preprocessing
    return None if way == "none" else way


def _for_models(dataset: Dataset, models: Sequence[Model]) -> Dataset:
    """The dataset with the labels that the outputs of all models stand for."""
    first, *others = (_for_model(dataset, model) for model in models)
    if any(other.class_names != first.class_names for other in others):
        raise DatasetError(
            f"{dataset.name}: the models have different classes; score them one by one"
        )
    return first


def preparation_of(model: Model) -> Preparation | None:
    """How the config of a model wants pictures prepared; None for the way of their classes."""
    wanted = model.metadata.config.get("preparation")
    return wanted if wanted in get_args(Preparation) else None


def _for_model(dataset: Dataset, model: Model) -> Dataset:
    """The dataset with the labels that the model's outputs stand for.

    Raises
    ------
    DatasetError
        One of its classes is none of the model's.
    """
    names = model.class_names
    known = [name for name in names if name in dataset.class_names]
    if known and model.metadata.config.get("classes"):  # it was trained on some of its dataset's
        dataset = dataset.of_classes(known)
    is_same = dataset.checksum == model.metadata.dataset.checksum
    if is_same and len(names) == len(dataset.class_names):
        return replace(dataset, class_names=names)  # checkpoints of older versions have no names
    return dataset.with_classes(names, f"those of {model.path}: ")


def short(checksum: str) -> str:
    """Enough of a checksum to tell it from others."""
    return f"{checksum[:12]}..."
