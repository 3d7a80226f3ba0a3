"""Config files: shipped ones by name, several in layers, and ``KEY=VALUE`` settings."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from dlcli.config.hints import did_you_mean
from dlcli.config.messages import allowed_values, allows_any_text, shortened
from dlcli.config.schema import CLASS_WEIGHTS, Config, key_types, to_builtins
from dlcli.config.validation import resolve
from dlcli.config.yaml_loader import (
    MAX_BYTES,
    SET,
    Settings,
    overridden,
    parse,
    parse_value,
    settings_of,
)
from dlcli.errors import ConfigError
from dlcli.files import quoted, stdin

SEARCH = "sweep"  # a shipped search space for dlcli sweep, not a config
# Mappings whose keys are overridden one by one; any other mapping is a search space.
_MERGED = ("augmentation", CLASS_WEIGHTS, "sweep")


def load(
    sources: Sequence[str],
    overrides: Sequence[str] = (),
    base: Config | None = None,
    *,
    needs_dataset: bool = True,
) -> Config:
    """Read config files, then ``KEY=VALUE`` settings; later ones override earlier ones.

    The sources are paths, ``-`` for stdin, or names of shipped configs (``mnist``). ``base`` is
    the config to start from instead of the defaults. The config of a run is valid though the
    folder of its dataset is gone: it has ``needs_dataset=False``.

    Raises
    ------
    ConfigError
        With every problem, one a line.
    """
    start = settings_of(to_builtins(base), "base") if base is not None else {}
    settings, problems = read(sources, overrides, start)
    return resolved(settings, problems, () if needs_dataset else ("dataset",))


def resolved(settings: Settings, problems: list[str], unknown: Collection[str] = ()) -> Config:
    """The config of settings that were read, as :func:`validation.resolve`.

    Raises
    ------
    ConfigError
        With the problems found while reading, and every other one.
    """
    try:
        config = resolve(settings, unknown)
    except ConfigError as error:
        problems = [*problems, *error.args]
    if problems:
        raise ConfigError(*problems)
    return config


def read(
    sources: Sequence[str], overrides: Sequence[str], start: Settings
) -> tuple[Settings, list[str]]:
    """The settings that :func:`load` checks, and the problems found while reading them."""
    if sources.count("-") > 1:
        raise ConfigError("--config -: stdin can be read only once")
    settings = start
    problems: list[str] = []
    for reader, text in [(_read, s) for s in sources] + [(_override, o) for o in overrides]:
        try:
            settings = overridden(settings, reader(text), _MERGED, (CLASS_WEIGHTS,))
        except ConfigError as error:
            problems += error.args
    return settings, problems


def shipped_configs() -> dict[str, Path]:
    """The configs that come with dlcli: name -> file."""
    return {name: path for name, path in _shipped_files().items() if name != SEARCH}


def _shipped_files() -> dict[str, Path]:
    package = Path(__file__).parents[1]
    # A wheel has them inside the package, a checkout at the top of the repository.
    folder = package / "configs" if (package / "configs").is_dir() else package.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _override(override: str) -> Settings:
    """The setting of a ``KEY=VALUE`` on the command line."""
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"--set {shortened(override)}: expected KEY=VALUE")
    kind = key_types().get(key)
    is_null = text.strip() == "null" and kind is not None and "null" in allowed_values(kind)
    as_text = kind is not None and allows_any_text(kind) and not is_null
    value = parse_value(text, f"--set {shortened(key)}", as_text=as_text)
    return settings_of({key: value}, SET)


def _read(source: str) -> Settings:
    """The settings in a config file."""
    path = Path(source)
    shipped = _shipped_files()
    if source in shipped and not path.is_file():
        path = shipped[source]
    try:
        if source == "-":
            # The limit is one of characters, of up to four bytes each.
            return parse(stdin().read(4 * MAX_BYTES + 4).decode(), "<stdin>")
        with path.open(encoding="utf-8") as file:
            return parse(file.read(MAX_BYTES + 1), str(path))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{source}: no such config file; shipped ones, by name: {', '.join(shipped)}"
            f"{did_you_mean(source, shipped)}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source}: not a text file (UTF-8)") from error
    except OSError as error:
        own = path / "config.yaml"  # of a run directory
        hint = f"; did you mean {quoted(own)}?" if os.path.isfile(own) else ""  # noqa: PTH113 - never raises
        raise ConfigError(f"{source}: cannot be read: {error.strerror}{hint}") from error
