"""The networks, batches and optimisers of the epoch benchmark."""

from dataclasses import dataclass
from typing import Any

from dlcli.config.schema import Config
from dlcli.config.validation import from_builtins

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
        By contender, the largest ratio of dlcli's time to its time.
    min_product_fraction
        The smallest fraction of dlcli's time that the matrix products alone may take.
    variants
        Contenders that add a feature to dlcli's training, each with the largest ratio of its
        time to that without the feature, or None. Cases with variants leave out the frameworks.
    """

    hidden_layers: tuple[int, ...]
    optimizer: str
    batch_size: int = 128
    rounds: int = 9
    targets: tuple[tuple[str, float], ...] = (("sklearn", 0.45),)
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


_SKLEARN = ("sklearn", 0.45)

CASES = (
    Case(
        (128,), "sgd", targets=(("torch", 0.5), ("jax", 1.0), _SKLEARN), min_product_fraction=0.65
    ),
    Case((128,), "adam", targets=(("torch", 0.65), ("jax", 1.15), _SKLEARN)),
    Case(
        (512, 512), "adam", rounds=5, targets=(("torch", 0.9), _SKLEARN), min_product_fraction=0.65
    ),
    Case((128,), "sgd", batch_size=32, rounds=5),
    Case((128,), "sgd", batch_size=512, rounds=5),
    Case(
        (2500, 2000, 1500, 1000, 500),
        "sgd",
        rounds=3,
        targets=(("torch", 1.0), _SKLEARN),
        min_product_fraction=0.8,
    ),
    Case(
        (1024, 1024, 1024),
        "adam",
        batch_size=256,
        rounds=5,
        targets=(),
        variants=(("dlcli_augmented", 1.25), ("dlcli_normalised", None), ("dlcli_averaged", None)),
    ),
)
