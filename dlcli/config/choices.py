"""The choices that the tables in ``dlcli.nn`` offer, and what each of them does, in words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from dlcli.config.messages import listed
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.initializers import AUTO, INITIALIZERS
from dlcli.nn.losses import LOSSES, Loss
from dlcli.nn.optimizers import OPTIMIZERS, OptimizerKind
from dlcli.nn.schedules import SCHEDULES, Schedule

if TYPE_CHECKING:
    ActivationName: TypeAlias = str
    OutputActivationName: TypeAlias = str
    LossName: TypeAlias = str
    InitializerName: TypeAlias = str
    OptimizerName: TypeAlias = str
    ScheduleName: TypeAlias = str
else:  # the keys of the tables, as msgspec wants them
    ActivationName = Literal[tuple(ACTIVATIONS)]
    OutputActivationName = Literal[tuple(OUTPUT_ACTIVATIONS)]
    LossName = Literal[tuple(LOSSES)]
    InitializerName = Literal[AUTO, *INITIALIZERS]
    OptimizerName = Literal[tuple(OPTIMIZERS)]
    ScheduleName = Literal[tuple(SCHEDULES)]


def _dependent_keys(
    key: str, table: Mapping[str, OptimizerKind | Schedule]
) -> dict[str, tuple[str, list[str]]]:
    """Each hyperparameter of the rows in a table, with the key and its values that use it."""
    uses: dict[str, tuple[str, list[str]]] = {}
    for name, row in table.items():
        for hyperparameter in row.hyperparameters:
            uses.setdefault(hyperparameter, (key, []))[1].append(name)
    return uses


# Keys that have an effect only beside certain values of another key.
DEPENDENT_KEYS: dict[str, tuple[str, list[str]]] = {
    "initializer_stddev": (
        "initializer",
        [name for name, initializer in INITIALIZERS.items() if initializer.variance is None],
    ),
    **_dependent_keys("optimizer", OPTIMIZERS),
    **_dependent_keys("schedule", SCHEDULES),
}


def users(key: str) -> str:
    """The values of another key beside which a key has an effect, in words."""
    return ", ".join(DEPENDENT_KEYS[key][1])


def summaries(table: Mapping[str, Loss | OptimizerKind | Schedule]) -> str:
    """What each row of a table is, in words."""
    return "; ".join(f"{name}: {row.summary}" for name, row in table.items())


def initializers_of_activations() -> str:
    """Which initial weights ``auto`` means, in words."""
    elsewhere = OUTPUT_ACTIVATIONS["softmax"].initializer
    before: dict[str, list[str]] = {}
    for name, activation in ACTIVATIONS.items():
        if activation.initializer != elsewhere:
            before.setdefault(activation.initializer, []).append(name)
    cases = [f"{name} before {listed(names, 'and')}, " for name, names in before.items()]
    return f"{''.join(cases)}{elsewhere} elsewhere"


def learning_rates() -> str:
    """The learning rate of each optimiser where the config has none, in words."""
    return ", ".join(f"{row.usual_learning_rate:g} for {name}" for name, row in OPTIMIZERS.items())


def decoupling_optimizers() -> str:
    """The optimisers that keep ``weight_decay`` out of the cost, in words."""
    return ", ".join(name for name, row in OPTIMIZERS.items() if row.decouples_weight_decay)
