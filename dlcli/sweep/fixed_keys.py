"""What the fixed keys of a search rule out, found before its first trial."""

from dlcli.data.examples import Dataset
from dlcli.errors import CheckpointError, ConfigError, DlcliError
from dlcli.runs import initial_model
from dlcli.sweep.plan import Plan
from dlcli.training import class_weights
from dlcli.training.builders import make_splits

# The keys that decide whether the training images can be divided, and whether the model of
# ``init_from`` fits.
_OF_SPLITS = {"validation_size", "validation_split", "train_size", "batch_norm"}
_OF_INITIAL_MODEL = {
    "init_from",
    "init_checksum",
    "hidden_layers",
    "activation",
    "batch_norm",
    "freeze_layers",
}


def problem_of(plan: Plan, dataset: Dataset) -> DlcliError | None:
    """The error that would end every trial with this dataset, whatever is proposed; None if none.

    The images cannot be divided so, a class of ``class_weights`` is not there, or the model of
    ``init_from`` does not fit or cannot be used. A study remembers its fixed keys, so that a
    mistake in them would spoil its name, too.
    """
    config, searched = plan.fixed_config, plan.space.keys()
    try:
        if not searched & _OF_SPLITS:
            make_splits(config, dataset.train)
        if "class_weights" not in searched:
            class_weights.of_config(config, dataset.train.labels, dataset.class_names)
        if not searched & _OF_INITIAL_MODEL:
            initial_model.load(config)
    except (ConfigError, CheckpointError) as error:
        return error
    return None
