"""The networks, batches and optimisers of the epoch benchmark."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from dlcli.config.schema import Config
from dlcli.config.validation import from_builtins

OURS = ("dlcli", "dlcli_compiled")
Target: TypeAlias = tuple[str, str, float]
LEARNING_RATES = {"sgd": 0.05, "adam": 0.001}
MOMENTUM = 0.9


@dataclass(frozen=True)
class Case:
    """One network with one way to train it.

    Attributes
    ----------
    rounds
        Timed epochs, after a first one that is not timed.
    targets
        Which of ours, a contender, and the largest ratio of their times.
    min_product_fraction
        The smallest fraction of dlcli's time, with Numba, that the matrix products alone may take.
    variants
        Contenders that add a feature to dlcli's training, each with the largest ratio of its
        time to that without the feature, or None. Cases with variants leave out the frameworks.
    """

    hidden_layers: tuple[int, ...]
    optimizer: str
    batch_size: int = 128
    rounds: int = 9
    targets: tuple[Target, ...] = ()
    min_product_fraction: float | None = None
    variants: tuple[tuple[str, float | None], ...] = ()

    @property
    def name(self) -> str:
        """For readers, as in ``784-128-10, SGD, batch 128``."""
        layers = "-".join(str(size) for size in self.config().layer_sizes(10))
        optimizer = {"sgd": f"SGD with momentum {MOMENTUM}", "adam": "Adam"}[self.optimizer]
        return f"{layers}, {optimizer}, batch {self.batch_size}"

    @property
    def learning_rate(self) -> float:
        """The learning rate of all contenders."""
        return LEARNING_RATES[self.optimizer]

    def config(self, **settings: Any) -> Config:
        """The config of dlcli; the other contenders take their initial weights from it."""
        values: dict[str, Any] = {
            "hidden_layers": list(self.hidden_layers),
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "epochs": 1000,
        }
        if self.optimizer == "sgd":
            values["momentum"] = MOMENTUM
        return from_builtins(values | settings, "benchmarks/cases.py")


def _targets(jax: float, *, numpy_to_jax: float | None = None) -> tuple[Target, ...]:
    """The targets of a case: with Numba against JAX, and of NumPy alone, if it has one."""
    found = [
        ("dlcli_compiled", "jax", jax),
        *((ours, "torch", 0.5) for ours in OURS),
        *((ours, "sklearn", 0.45) for ours in OURS),
    ]
    if numpy_to_jax is not None:
        found.insert(1, ("dlcli", "jax", numpy_to_jax))
    return tuple(found)


CASES = (
    Case((128,), "sgd", targets=_targets(0.95, numpy_to_jax=1.15)),
    Case((128,), "adam", targets=_targets(0.95, numpy_to_jax=1.15)),
    Case((512, 512), "adam", rounds=7, targets=_targets(0.95), min_product_fraction=0.85),
    Case((128,), "sgd", batch_size=32, rounds=7, targets=_targets(1.1)),
    Case((128,), "sgd", batch_size=512, rounds=7, targets=_targets(0.95)),
    Case(
        (2500, 2000, 1500, 1000, 500),
        "sgd",
        rounds=7,
        targets=_targets(0.95),
        min_product_fraction=0.88,
    ),
    Case(
        (1024, 1024, 1024),
        "adam",
        batch_size=256,
        rounds=7,
        variants=(("dlcli_augmented", 1.15), ("dlcli_normalised", None), ("dlcli_averaged", None)),
    ),
)
