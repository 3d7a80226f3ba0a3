"""The database that holds the study: all that workers, here and elsewhere, share."""

import functools
import json
import random
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning, StorageInternalError
from optuna.storages import (
    RDBStorage,
    RetryHeartbeatStaleTrialCallback,
    get_storage,
)
from sqlalchemy import event, exc
from sqlalchemy.engine import make_url

from dlcli.errors import ConfigError, DlcliError
from dlcli.sweep.plan import Plan
from dlcli.sweep.samplers import make_pruner, make_sampler
from dlcli.sweep.tickets import MAX_RETRIES

FILE = "sweeps.db"
PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = (0.2, 1.0)  # between two tries, at random, so that workers do not come together
RIVAL_SECONDS = 10.0  # for which several workers may be making the tables
PLAN_SECONDS = 10.0  # between making a study and writing down what it searches, at most
_PLAN = "dlcli:plan"

P = ParamSpec("P")
T = TypeVar("T")


class StorageError(DlcliError):
    """The database of a study cannot be reached."""


class PatientStorage(RDBStorage):
    """Optuna's storage in a database that may be away for a while, as when it is restarted.

    Attributes
    ----------
    patience
        Seconds for which an operation is tried again.
    on_wait
        Told once why an operation is tried again.
    gives_up
        Asked whether to try no more.
    """

    patience = PATIENCE_SECONDS
    on_wait: Callable[[str], None] | None = None
    gives_up: Callable[[], bool] | None = None

    def close(self) -> None:
        """Close every connection."""
        self.remove_session()
        self.engine.dispose()


def _patient(operation: Callable[P, T]) -> Callable[P, T]:
    """The operation, tried again while the database does not answer."""

    @functools.wraps(operation)
    def persist(*args: P.args, **kwargs: P.kwargs) -> T:
        storage: Any = args[0]
        deadline = time.monotonic() + storage.patience
        told = False
        while True:
            try:
                return operation(*args, **kwargs)
            except (StorageInternalError, exc.SQLAlchemyError) as error:
                gives_up = storage.gives_up is not None and storage.gives_up()
                if not _passes(error) or gives_up or time.monotonic() > deadline:
                    raise StorageError(f"{shown(storage.url)}: {_reason(error)}") from error
                if not told and storage.on_wait is not None:
                    storage.on_wait(f"{shown(storage.url)}: {_reason(error)}; trying again")
                told = True
            with suppress(exc.SQLAlchemyError):
                storage.remove_session()  # its transaction is lost, and would spoil the next
            time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - no secret

    return persist


for _name in (  # what Optuna's cache calls when trials are made, run and read
    "_create_new_trial",
    "_get_stale_trial_ids",
    "_get_trials",
    "_set_trial_param",
    "get_study_system_attrs",
    "get_study_user_attrs",
    "get_trial",
    "get_trial_id_from_study_id_trial_number",
    "record_heartbeat",
    "set_trial_intermediate_value",
    "set_trial_state_values",
    "set_trial_system_attr",
    "set_trial_user_attr",
):
    setattr(PatientStorage, _name, _patient(getattr(RDBStorage, _name)))


def address(storage: str | None, runs_dir: Path) -> str:
    """The URL of a study's database as SQLAlchemy has it; a file in ``runs_dir`` for None."""
    if storage is None:
        return f"sqlite:///{runs_dir / FILE}"
    for scheme in ("postgresql://", "postgres://"):
        if storage.startswith(scheme):
            return f"postgresql+psycopg://{storage.removeprefix(scheme)}"
    return storage


def shown(url: str) -> str:
    """A URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def connect(url: str, worker_timeout: int = 60, patience: float = 0) -> PatientStorage:
    """Connect to a database, which is made ready for studies if it is new.

    Parameters
    ----------
    url
        Where it is, as SQLAlchemy has it.
    worker_timeout
        Seconds without a sign of life after which a worker counts as dead.
    patience
        Seconds for which a database that does not answer is asked again.

    Raises
    ------
    ConfigError
        The URL is none, or its driver is missing.
    StorageError
        The database does not answer.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        sqlite = make_url(url).get_backend_name() == "sqlite"
    except exc.ArgumentError:
        raise ConfigError(
            f"--storage {url}: expected postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///FILE"
        ) from None
    started = time.monotonic()
    while True:
        try:
            storage = _connect_once(url, worker_timeout, sqlite=sqlite)
            break
        except (ImportError, RuntimeError, exc.ArgumentError) as error:
            raise ConfigError(f"--storage {shown(url)}: {error}") from error
        except (exc.SQLAlchemyError, StorageInternalError) as error:
            # Another worker may be making the tables at this very moment.
            rival = isinstance(error, (exc.IntegrityError, exc.ProgrammingError))
            if time.monotonic() - started > max(patience, RIVAL_SECONDS if rival else 0):
                raise StorageError(f"{shown(url)}: {_reason(error)}") from error
        time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - no secret
    if sqlite:
        _serialize(storage)
    return storage


def _connect_once(url: str, worker_timeout: int, *, sqlite: bool) -> PatientStorage:
    options = {"connect_args": {"timeout": 60}} if sqlite else {"pool_pre_ping": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return PatientStorage(
            url,
            options,
            heartbeat_interval=max(worker_timeout // 4, 1),
            grace_period=worker_timeout,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(MAX_RETRIES),
        )


def open_study(
    database: PatientStorage, plan: Plan, name: str, *, create: bool = False
) -> optuna.Study:
    """The study of a plan; with ``create``, a new one if there is none of that name.

    Raises
    ------
    ConfigError
        The study of that name searches something else.
    StorageError
        The database does not answer.
    """
    storage = get_storage(database)
    if create:
        try:
            study = optuna.create_study(storage=storage, study_name=name, direction="maximize")
        except DuplicatedStudyError:
            pass
        else:
            study.set_user_attr(_PLAN, json.dumps(plan.described()))
    study = optuna.load_study(
        study_name=name, storage=storage, sampler=make_sampler(plan), pruner=make_pruner(plan)
    )
    _refuse_other_plan(study, plan)
    return study


def _refuse_other_plan(study: optuna.Study, plan: Plan) -> None:
    deadline = time.monotonic() + PLAN_SECONDS
    while _PLAN not in study.user_attrs and time.monotonic() < deadline:
        time.sleep(0.1)  # whoever made the study is about to write it down
    if _PLAN not in study.user_attrs:
        raise ConfigError(
            f"study {study.study_name}: was not made by dlcli sweep; name another with --study"
        )
    theirs, ours = json.loads(study.user_attrs[_PLAN]), plan.described()
    other = sorted(key for key in theirs | ours if theirs.get(key) != ours.get(key))
    if other:
        raise ConfigError(
            f"study {study.study_name}: was begun with another {', '.join(other)}; to search "
            "anew, name another with --study"
        )


def _serialize(storage: PatientStorage) -> None:
    """Let one process at a time look and write: what it saw is still so when it writes.

    SQLite has no row locks, and Python begins a transaction only where it first writes; two
    workers could both take the same waiting trial.
    """
    engine = storage.engine

    def leave_transactions_to_us(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", leave_transactions_to_us)
    event.listen(engine, "begin", begin)
    engine.dispose()


def _passes(error: Exception) -> bool:
    """Whether the database may answer again in a while."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    lost = (exc.OperationalError, exc.InterfaceError, exc.PendingRollbackError)
    return isinstance(cause, lost) or (
        isinstance(cause, exc.DBAPIError) and cause.connection_invalidated
    )


def _reason(error: Exception) -> str:
    """The database's own words, on one line."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    words = str(getattr(cause, "orig", None) or cause)
    return " ".join(words.split()) or type(cause).__name__
