"""Config files: shipped ones by name, several in layers, single keys from the command line."""

from collections.abc import Sequence
from pathlib import Path

from dlcli.config import Config, to_builtins
from dlcli.config_checks import resolve
from dlcli.errors import ConfigError
from dlcli.files import stdin
from dlcli.schema_words import did_you_mean, shortened
from dlcli.yaml_source import (
    MAX_BYTES,
    Settings,
    overridden,
    parse,
    parse_value,
    settings_of,
)


def load(
    sources: Sequence[str], overrides: Sequence[str] = (), base: Config | None = None
) -> Config:
    """Read config files, then ``KEY=VALUE`` overrides; later ones win.

    Parameters
    ----------
    sources
        Paths, ``-`` for stdin, or names of shipped configs (``mnist``).
    overrides
        Strings like ``learning_rate=0.05``; the value is YAML.
    base
        What to start from instead of the defaults.

    Raises
    ------
    ConfigError
        With every problem found, one a line.
    """
    settings: Settings = {}
    if base is not None:
        settings = settings_of(to_builtins(base), "base")
    if sources.count("-") > 1:
        raise ConfigError("--config -: stdin can be read only once")
    problems: list[str] = []
    for read, text in [(_file, s) for s in sources] + [(_override, o) for o in overrides]:
        try:
            settings = overridden(settings, read(text))
        except ConfigError as error:
            problems += error.args
    try:
        config = resolve(settings)
    except ConfigError as error:
        problems += error.args
    if problems:
        raise ConfigError(*problems)
    return config


def shipped_configs() -> dict[str, Path]:
    """The configs that come with dlcli: name -> file."""
    package = Path(__file__).parent
    # In a wheel they lie inside the package; in a checkout, at the top of the repository.
    folder = package / "configs" if (package / "configs").is_dir() else package.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _file(source: str) -> Settings:
    return parse(*_read(source))


def _override(text: str) -> Settings:
    """The setting in a ``KEY=VALUE`` of the command line."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"--set {shortened(text)}: expected KEY=VALUE")
    return settings_of({key: parse_value(value, f"--set {shortened(key)}")}, "--set")


def _read(source: str) -> tuple[str, str]:
    """The text of a config file and what to call it in messages."""
    path = Path(source)
    shipped = shipped_configs()
    if source in shipped and not path.is_file():
        path = shipped[source]
    try:
        if source == "-":
            return stdin().read(MAX_BYTES + 1).decode(), "<stdin>"
        with path.open(encoding="utf-8") as file:
            return file.read(MAX_BYTES + 1), str(path)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{source}: no such config file; shipped ones, by name: {', '.join(shipped)}"
            f"{did_you_mean(source, shipped)}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source}: not a text file (UTF-8)") from error
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error
