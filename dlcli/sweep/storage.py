"""The database with the study: all that workers, on this machine or others, share.

While a worker runs a trial, Optuna records a heartbeat in the database. A trial whose heartbeat
stops fails, and its values are queued again under a new number. Optuna calls this part of its
API experimental.
"""

import copy
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy import create_engine, exc, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from dlcli.errors import ConfigError, DatasetError, DlcliError
from dlcli.files import expand_home, lock
from dlcli.runs import strict_json
from dlcli.runs.training_data import short
from dlcli.sweep.plan import Plan
from dlcli.sweep.samplers import make_pruner, make_sampler

FILE = "sweeps.db"
MAX_RETRIES = 5  # a trial that needs too much memory kills each worker that tries it
SQLITE_TIMEOUT_SECONDS = 60  # for which a process waits while others write to the file
CONNECT_TIMEOUT_SECONDS = 10
CREATION_LOCK = 0x646C636C69  # "dlcli"; an arbitrary number that PostgreSQL knows the lock by
_PASSWORD = re.compile(r":[^:/@]*@")  # in a URL that cannot be parsed
_PLAN = "dlcli:plan"
_WORKERS = "dlcli:workers"
_DATA = "dlcli:data"  # the checksum of each dataset


class StorageError(DlcliError):
    """The database of a study cannot be used."""


@dataclass(frozen=True)
class StudyLocation:
    """The database of a study (a URL of SQLAlchemy's), its name there, and where its files are."""

    url: str
    study: str
    runs_dir: Path
    data_dir: Path

    @property
    def folder(self) -> Path:
        """The folder with the study's runs."""
        return self.runs_dir / self.study


class HeartbeatStorage(RDBStorage):
    """Optuna's database storage; a heartbeat is skipped while the database is away."""

    def record_heartbeat(self, trial_id: int) -> None:
        """Record that the trial's worker is alive; an error would end Optuna's thread."""
        with suppress(StorageInternalError):  # the next heartbeat comes in a few seconds
            super().record_heartbeat(trial_id)


@contextmanager
def _experimental() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Raise ``StorageError`` for an error of the database, also for one behind Optuna's."""
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause and not isinstance(cause, (exc.DBAPIError, exc.PendingRollbackError)):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        reason = " ".join(str(getattr(cause, "orig", None) or cause).split())
        raise StorageError(f"{shown(url)}: {reason}") from error


def address(storage: str | None, runs_dir: Path) -> str:
    """SQLAlchemy's URL of a database; None means a file in ``runs_dir``."""
    if storage is None:
        url = URL.create("sqlite", database=str(runs_dir / FILE))  # quotes ? and % in the name
        return url.render_as_string(hide_password=False)
    named = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", storage)
    try:
        url = make_url(named)
    except (exc.ArgumentError, ValueError):  # ValueError: a port that is no number
        raise ConfigError(
            f"--storage {_PASSWORD.sub(':***@', storage)}: expected "
            "postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///FILE"
        ) from None
    in_memory = ":memory:" in (url.database or ":memory:") or url.query.get("mode") == "memory"
    if url.get_backend_name() == "sqlite" and in_memory:
        raise ConfigError(
            f"--storage {storage}: a database in memory cannot be shared by workers; name a file: "
            "sqlite:///FILE"
        )
    if url.get_backend_name() == "sqlite" and url.database:
        return url.set(database=expand_home(url.database)).render_as_string(hide_password=False)
    return named


def file_of(url: str) -> Path | None:
    """The file of an SQLite database; None for others."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def refuse_own_file(location: StudyLocation) -> None:
    """Raise ``ConfigError`` where the folder of runs would be the file of the database."""
    file = file_of(location.url)
    own = [] if file is None else [file.absolute(), Path(f"{file.absolute()}.lock")]
    if location.folder.absolute() in own:
        raise ConfigError(
            f"--study {location.study}: {location.folder} is a file of the database; choose "
            "another --study"
        )


def shown(url: str) -> str:
    """A URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


@_experimental()
def connect(url: str, worker_timeout: int = 60) -> HeartbeatStorage:
    """Connect to a database, and create Optuna's tables if it is new.

    A trial fails after ``worker_timeout`` seconds without a heartbeat.

    Raises
    ------
    ConfigError
        The driver is missing, or the database belongs to another version of Optuna.
    StorageError
        The database does not answer.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with explained(url):
            return HeartbeatStorage(
                url,
                _engine_options(url),
                heartbeat_interval=max(worker_timeout // 4, 1),
                grace_period=worker_timeout,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(MAX_RETRIES),
            )
    except (ImportError, RuntimeError, exc.ArgumentError) as error:
        raise ConfigError(f"--storage {shown(url)}: {error}") from error


def create_study(
    plan: Plan,
    location: StudyLocation,
    workers: int = 1,
    checksums: Mapping[str, str] | None = None,
) -> tuple[Study, int]:
    """Open the study of a plan, and create it if there is none of that name.

    Returns the study and the first of ``workers`` numbers that no other worker of it has.

    Raises
    ------
    ConfigError
        The study of that name is another search.
    DatasetError
        One of the ``checksums``, by dataset, is not that of the trials so far.
    """
    with explained(location.url), _creation_lock(location.url):
        study = optuna.create_study(
            storage=connect(location.url, plan.search.worker_timeout),
            study_name=location.study,
            direction="maximize",
            load_if_exists=True,
        )
        attributes, trials = study.user_attrs, study.get_trials(deepcopy=False)
        if not attributes and not trials:
            study.set_user_attr(_PLAN, strict_json.dumps(plan.describe()))
        _refuse_other_plan(study, plan)
        _refuse_other_data(study, checksums or {})
        first_worker: int = attributes.get(_WORKERS, len(trials))
        study.set_user_attr(_WORKERS, first_worker + workers)
    return study, first_worker


def load_study(plan: Plan, location: StudyLocation, worker: int) -> Study:
    """Open an existing study as its worker of a number."""
    with explained(location.url):
        return optuna.load_study(
            study_name=location.study,
            storage=connect(location.url, plan.search.worker_timeout),
            sampler=make_sampler(plan, worker),
            pruner=make_pruner(plan),
        )


@_experimental()
def fail_stale(study: Study) -> None:
    """Fail the trials whose heartbeat has stopped, and queue them again."""
    fail_stale_trials(study)


@_experimental()
def queue_again(study: Study, trial: FrozenTrial) -> None:
    """Queue a failed trial again, which was stopped through no fault of its own."""
    RetryHeartbeatStaleTrialCallback()(study, copy.deepcopy(trial))  # Optuna changes the trial


@_experimental()
def retry_history(trial: FrozenTrial) -> list[int]:
    """The numbers of the failed trials that this one repeats, oldest first."""
    return RetryHeartbeatStaleTrialCallback.retry_history(trial)


def _engine_options(url: str) -> dict[str, Any]:
    """Without a pool, each operation has its own connection: none can be stale or left open."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"poolclass": NullPool, "connect_args": {"timeout": SQLITE_TIMEOUT_SECONDS}}
    return {"poolclass": NullPool, "connect_args": {"connect_timeout": CONNECT_TIMEOUT_SECONDS}}


@contextmanager
def _creation_lock(url: str) -> Iterator[None]:
    """Let one process at a time create tables and studies; Optuna does not."""
    file = file_of(url)
    if file is not None:
        if not file.parent.is_dir():
            raise ConfigError(f"--storage {shown(url)}: there is no folder {file.parent}")
        with lock(Path(f"{file}.lock")):
            yield
    elif make_url(url).get_backend_name() == "postgresql":
        engine = create_engine(url, **_engine_options(url))
        with engine.connect() as connection:  # the lock ends with the connection
            connection.execute(text(f"SELECT pg_advisory_lock({CREATION_LOCK})"))
            yield
    else:
        yield


def _refuse_other_plan(study: Study, plan: Plan) -> None:
    recorded = study.user_attrs.get(_PLAN)
    if recorded is None or study.direction is not StudyDirection.MAXIMIZE:
        raise ConfigError(
            f"study {study.study_name}: was not created by dlcli sweep; choose another --study"
        )
    theirs, ours = json.loads(recorded), plan.describe()
    other = sorted(key for key in theirs | ours if theirs.get(key) != ours.get(key))
    if other:
        raise ConfigError(
            f"study {study.study_name}: was started with another {', '.join(other)}; for a new "
            "search, choose another --study"
        )


def _refuse_other_data(study: Study, checksums: Mapping[str, str]) -> None:
    """Refuse a dataset that changed, on which trials cannot be compared with those so far."""
    recorded = study.user_attrs.get(_DATA, {})
    for name, checksum in checksums.items():
        then = recorded.get(name, checksum)
        if checksum != then:
            raise DatasetError(
                f"study {study.study_name}: {name} is other data than in the trials so far "
                f"(checksum {short(checksum)}, then {short(then)}); choose another --study"
            )
    study.set_user_attr(_DATA, recorded | checksums)
