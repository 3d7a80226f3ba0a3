"""The choices that the tables in ``dlcli.nn`` offer, and what each of them does, in words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

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


def _names_by_value(values: Mapping[str, Any]) -> dict[Any, str]:
    """Each value with the names that have it, in words."""
    return {
        value: listed([name for name in values if values[name] == value], "and")
        for value in dict.fromkeys(values.values())
    }


def initializers_of_activations() -> str:
    """Which initial weights ``auto`` means, in words."""
    elsewhere = OUTPUT_ACTIVATIONS["softmax"].initializer
    wanted = {name: row.initializer for name, row in ACTIVATIONS.items()}
    cases = [
        f"{initializer} before {names}"
        for initializer, names in _names_by_value(wanted).items()
        if initializer != elsewhere
    ]
    return ", ".join([*cases, f"{elsewhere} elsewhere"])


def default_learning_rates() -> str:
    """The learning rate of each optimiser where the config has none, in words."""
    rates = _names_by_value({name: row.usual_learning_rate for name, row in OPTIMIZERS.items()})
    return ", ".join(f"{rate:g} for {names}" for rate, names in rates.items())


def kinds_of_weight_decay() -> str:
    """How each optimiser applies ``weight_decay``, in words."""
    decoupled = {name: row.decouples_weight_decay for name, row in OPTIMIZERS.items()}
    names = _names_by_value(decoupled)
    return (
        f"by an L2 penalty of weight_decay/2 * sum of squares in the cost for {names[False]}, "
        f"decoupled from the cost for {names[True]}"
    )
