"""Optuna's samplers and pruners, by the names that a search file has for them."""

from importlib.util import find_spec

import numpy as np
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, GPSampler, GridSampler, RandomSampler, TPESampler
from optuna.trial import Trial

from dlcli.errors import ConfigError
from dlcli.sweep.plan import Plan
from dlcli.sweep.space import Choices, Label, Range


def check_sampler(plan: Plan) -> None:
    """Raise ``ConfigError`` if the plan's sampler needs packages that are not installed."""
    needed = ("torch", "scipy")
    if plan.search.sampler == "gp" and not all(map(find_spec, needed)):
        raise ConfigError("sweep.sampler gp needs PyTorch and SciPy: pip install torch scipy")


def make_sampler(plan: Plan, worker: int) -> BaseSampler:
    """The sampler of one worker, seeded by the plan's seed and the worker's number."""
    seed = int(np.random.SeedSequence([plan.search.seed, worker]).generate_state(1)[0])
    match plan.search.sampler:
        case "grid":
            sampler = GridSampler(plan.grid, plan.search.seed)  # the seed numbers the points
            if worker > 0:
                sampler.reseed_rng()  # so that workers choose different points from what is left
            return sampler
        case "random":
            return RandomSampler(seed)
        case "gp":
            return GPSampler(seed=seed)
        case "tpe":
            return TPESampler(seed=seed)


def make_pruner(plan: Plan) -> BasePruner:
    """The pruner of a plan; a step is an epoch."""
    match plan.search.pruner:
        case "hyperband":
            return HyperbandPruner(min_resource=1, max_resource=plan.max_epochs)
        case "median":
            return MedianPruner()
        case "none":
            return NopPruner()


def suggest(trial: Trial, key: str, space: Range | Choices) -> Label:
    """The sampler's proposal for a key: a number, or the label of a choice."""
    if isinstance(space, Choices):
        label: Label = trial.suggest_categorical(key, space.points)
        return label
    if space.whole:
        step = int(space.step or 1)
        return trial.suggest_int(key, int(space.low), int(space.high), step=step, log=space.log)
    return trial.suggest_float(key, space.low, space.high, step=space.step, log=space.log)
