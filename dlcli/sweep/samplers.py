"""Who proposes the next trial, and who cuts it short: Optuna's samplers and pruners."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial

from dlcli.errors import ConfigError
from dlcli.sweep.plan import Plan
from dlcli.sweep.space import Choices, Label, Range
from dlcli.sweep.tickets import origin_of, rank_of


def check_sampler(plan: Plan) -> None:
    """Check that the plan's sampler can be used.

    Raises
    ------
    ConfigError
        It needs packages that are not installed.
    """
    needed = ("torch", "scipy")
    if plan.search.sampler == "gp" and not all(map(find_spec, needed)):
        raise ConfigError("sweep.sampler gp needs PyTorch and SciPy: pip install torch scipy")


def make_sampler(plan: Plan) -> BaseSampler:
    """The sampler of a plan."""
    makers: dict[str, Callable[[int], BaseSampler]] = {
        "tpe": lambda seed: TPESampler(seed=seed),
        "random": lambda seed: RandomSampler(seed=seed),
        "grid": lambda _: GridSampler(plan),
        "gp": lambda seed: GPSampler(seed=seed),
    }
    return SeededSampler(makers[plan.search.sampler], plan.search.seed)


def make_pruner(plan: Plan) -> BasePruner:
    """The pruner of a plan; a step is an epoch."""
    if plan.search.pruner == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=plan.most_epochs)
    return MedianPruner() if plan.search.pruner == "median" else NopPruner()


def suggest(trial: Trial, key: str, space: Range | Choices) -> Label:
    """What the sampler proposes for a key: a number, or the label of a choice."""
    if isinstance(space, Choices):
        label: Label = trial.suggest_categorical(key, space.labels)
        return label
    if space.whole:
        step = int(space.step or 1)
        return trial.suggest_int(key, int(space.low), int(space.high), step=step, log=space.log)
    return trial.suggest_float(key, space.low, space.high, step=space.step, log=space.log)


class SeededSampler(BaseSampler):
    """A fresh sampler for every trial, seeded by the search's seed and the trial's number.

    So trials differ between workers, and a search that was stopped goes on as if it had not
    been.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make = make
        self._seed = seed
        self._current = make(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Seed for this trial."""
        sequence = np.random.SeedSequence([self._seed, origin_of(trial)])
        self._current = self._make(int(sequence.generate_state(1)[0]))
        self._current.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The keys that are proposed together."""
        return self._current.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Values of those."""
        return self._current.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A value of one key by itself."""
        return self._current.sample_independent(study, trial, param_name, param_distribution)


class GridSampler(BaseSampler):
    """Every combination once, in an order that the seed shuffles.

    A trial's place in the study says which combination is its; Optuna's own grid draws among
    those that nobody has taken yet, and two workers may draw the same.
    """

    def __init__(self, plan: Plan) -> None:
        self._axes: dict[str, Sequence[Any]] = {
            key: space.labels if isinstance(space, Choices) else space.points or ()
            for key, space in plan.space.items()
        }
        self._order = np.random.default_rng(plan.search.seed).permutation(plan.grid_size)

    def infer_relative_search_space(
        self,
        study: Study,  # noqa: ARG002 - Optuna's signature
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, BaseDistribution]:
        """No keys are proposed together."""
        return {}

    def sample_relative(
        self,
        study: Study,  # noqa: ARG002 - Optuna's signature
        trial: FrozenTrial,  # noqa: ARG002
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> dict[str, Any]:
        """No values."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,  # noqa: ARG002 - Optuna's signature
    ) -> Any:
        """The value of one key in the combination of this trial."""
        rank = rank_of(trial, study.get_trials(deepcopy=False))
        place = np.unravel_index(
            self._order[rank % len(self._order)], [len(axis) for axis in self._axes.values()]
        )
        points = dict(zip(self._axes, place, strict=True))
        return self._axes[param_name][int(points[param_name])]
