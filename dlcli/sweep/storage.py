"""The database with the study: all that workers, on this machine or others, share."""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import optuna
from filelock import FileLock
from optuna.study import Study, StudyDirection
from sqlalchemy import create_engine, exc, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from dlcli.errors import ConfigError, DlcliError
from dlcli.sweep.plan import Plan
from dlcli.sweep.retries import HeartbeatStorage, make_storage
from dlcli.sweep.samplers import make_pruner, make_sampler

FILE = "sweeps.db"
PATIENCE_SECONDS = 120.0  # a restart of a database server takes less
PAUSE_SECONDS = (0.2, 1.0)  # random, so that workers do not all come back at once
SQLITE_TIMEOUT_SECONDS = 60  # for which a process waits while others write to the file
CONNECT_TIMEOUT_SECONDS = 10
CREATION_LOCK = 0x646C636C69  # "dlcli"; an arbitrary number that PostgreSQL knows the lock by
_PLAN = "dlcli:plan"
_WORKERS = "dlcli:workers"

P = ParamSpec("P")
T = TypeVar("T")


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


@dataclass(frozen=True)
class Patience:
    """Retries what fails because the database is away, for instance while it restarts.

    It does so for some ``seconds`` or until ``gives_up()``, and first calls ``on_wait`` with a
    message.
    """

    url: str
    seconds: float = PATIENCE_SECONDS
    gives_up: Callable[[], bool] = lambda: False
    on_wait: Callable[[str], None] = lambda _: None

    def __call__(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``operation``; ``StorageError`` if the database stays away or refuses it."""
        failing_since = None
        while True:
            started = time.monotonic()
            try:
                return operation(*args, **kwargs)
            except Exception as error:
                cause = _database_error(error)
                if cause is None:
                    raise
                now = time.monotonic()
                message = f"{shown(self.url)}: {_reason(cause)}"
                if failing_since is None or now - started > self.seconds:
                    self.on_wait(f"{message}; trying again")
                    failing_since = now
                if not _is_away(cause) or self.gives_up() or now - failing_since >= self.seconds:
                    raise StorageError(message) from error
            time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - no secret


def address(storage: str | None, runs_dir: Path) -> str:
    """SQLAlchemy's URL of a database; None means a file in ``runs_dir``."""
    if storage is None:
        return f"sqlite:///{runs_dir / FILE}"
    for scheme in ("postgresql://", "postgres://"):
        if storage.startswith(scheme):
            return f"postgresql+psycopg://{storage.removeprefix(scheme)}"
    try:
        make_url(storage)
    except exc.ArgumentError:
        raise ConfigError(
            f"--storage {storage}: expected postgresql://USER:PASSWORD@HOST/DATABASE or "
            "sqlite:///FILE"
        ) from None
    return storage


def shown(url: str) -> str:
    """A URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def connect(
    url: str, worker_timeout: int = 60, patience: Patience | None = None
) -> HeartbeatStorage:
    """Connect to a database, and create Optuna's tables if it is new.

    Without ``patience``, the first failure is final: a ``ConfigError`` if the driver is missing
    or the database belongs to another version of Optuna, otherwise a ``StorageError``.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    patience = patience or Patience(url, seconds=0)
    with _explained(url):
        return patience(make_storage, url, _engine_options(url), worker_timeout)


def create_study(plan: Plan, location: StudyLocation, workers: int = 1) -> tuple[Study, int]:
    """Open the study of a plan, and create it if there is none of that name.

    Returns the study and the first of ``workers`` numbers that no other worker of it has. A
    study of that name that is another search is a ``ConfigError``.
    """
    with _explained(location.url):
        return Patience(location.url, seconds=0)(_create_study, plan, location, workers)


def _create_study(plan: Plan, location: StudyLocation, workers: int) -> tuple[optuna.Study, int]:
    with _creation_lock(location.url):
        study = optuna.create_study(
            storage=connect(location.url, plan.search.worker_timeout),
            study_name=location.study,
            direction="maximize",
            load_if_exists=True,
        )
        attributes, trials = study.user_attrs, study.get_trials(deepcopy=False)
        if not attributes and not trials:
            study.set_user_attr(_PLAN, json.dumps(plan.describe()))
        _refuse_other_plan(study, plan)
        first_worker: int = attributes.get(_WORKERS, len(trials))
        study.set_user_attr(_WORKERS, first_worker + workers)
    return study, first_worker


def load_study(plan: Plan, location: StudyLocation, worker: int, patience: Patience) -> Study:
    """Open an existing study as its worker of a number."""
    storage = connect(location.url, plan.search.worker_timeout, patience)
    return patience(
        optuna.load_study,
        study_name=location.study,
        storage=storage,
        sampler=make_sampler(plan, worker),
        pruner=make_pruner(plan),
    )


def _engine_options(url: str) -> dict[str, Any]:
    """Without a pool, each operation has its own connection: none can be stale or left open."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"poolclass": NullPool, "connect_args": {"timeout": SQLITE_TIMEOUT_SECONDS}}
    return {"poolclass": NullPool, "connect_args": {"connect_timeout": CONNECT_TIMEOUT_SECONDS}}


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Report what is wrong with a URL as a mistake in the configuration."""
    try:
        yield
    except (ImportError, RuntimeError, exc.ArgumentError) as error:
        raise ConfigError(f"--storage {shown(url)}: {error}") from error


@contextmanager
def _creation_lock(url: str) -> Iterator[None]:
    """Let one process at a time create tables and studies; Optuna does not."""
    database = make_url(url)
    if database.get_backend_name() == "sqlite" and database.database:
        with FileLock(f"{database.database}.lock"):
            yield
    elif database.get_backend_name() == "postgresql":
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


def _database_error(error: BaseException | None) -> exc.SQLAlchemyError | None:
    """SQLAlchemy's error behind one of Optuna's, which may follow from it indirectly."""
    while error is not None and not isinstance(error, (exc.DBAPIError, exc.PendingRollbackError)):
        error = error.__cause__ or error.__context__
    return error


def _is_away(error: exc.SQLAlchemyError) -> bool:
    """Whether the database may answer again after a while."""
    lost = (exc.OperationalError, exc.InterfaceError, exc.PendingRollbackError)
    return isinstance(error, lost) or (
        isinstance(error, exc.DBAPIError) and error.connection_invalidated
    )


def _reason(error: exc.SQLAlchemyError) -> str:
    """The database's own message, on one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
