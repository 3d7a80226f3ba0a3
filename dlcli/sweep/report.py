"""What a search has learned: its study, and the importance of each key."""

from collections.abc import Sequence

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from dlcli.errors import ConfigError
from dlcli.sweep.retries import HeartbeatStorage
from dlcli.sweep.storage import shown

METHOD = "PED-ANOVA"


def load_study(storage: HeartbeatStorage, name: str | None) -> optuna.Study:
    """The study of a name; without one, the only study there is.

    Raises
    ------
    ConfigError
        There is no such study, or several.
    """
    names = [study.study_name for study in storage.get_all_studies()]
    if name is None and len(names) == 1:
        (name,) = names
    if name in names:
        return optuna.load_study(study_name=name, storage=storage)
    known = f"it has {', '.join(sorted(names))}" if names else "it has none yet"
    wanted = "name a study with --study" if name is None else f"no study {name}"
    raise ConfigError(f"{shown(storage.url)}: {wanted}; {known}")


def importances(study: optuna.Study) -> dict[str, float]:
    """The importance of each key, the largest first; they sum to 1. Empty with too few trials.

    By PED-ANOVA (Watanabe, Bansal, Hutter, 2023): how much the distribution of a key's values in
    the best tenth of the complete trials differs from that in all of them.
    """
    values = {trial.value for trial in _complete(study)}
    if len(values) < 2:
        return {}
    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())


def _complete(study: optuna.Study) -> Sequence[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
