"""What to type instead, where a command line is wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from dlcli.config.hints import as_setting, closest, meant_key
from dlcli.files import quoted

_SURE = 0.8  # similarity from which a word is a key of a config, rather than anything else


@dataclass(frozen=True)
class _Call:
    """The command that was called, and the words after its name."""

    path: str
    command: click.Command
    words: list[str]

    @property
    def takes_settings(self) -> bool:
        """Whether --config and --set can be given beside the other words."""
        given = {word.partition("=")[0] for word in self.words}
        trains_nothing = {
            "eval": "--folds" not in given,
            "audit": not given.isdisjoint({"-m", "--model"}),
        }
        if trains_nothing.get(self.command.name or ""):
            return False
        return any(parameter.name == "overrides" for parameter in self.command.params)


def explain(error: click.UsageError, cli: click.Command, arguments: Sequence[str]) -> str:
    """The message for wrong usage: with what was probably meant, else with where to look."""
    call = _called(cli, arguments)
    if hint := _hint(error, call):
        return f"{error.message.rstrip('.')}; did you mean {hint}?"
    path = error.ctx.command_path if error.ctx else call.path  # the parser has no context
    return f"{error.format_message()} (see: {path} --help)"


def _hint(error: click.UsageError, call: _Call) -> str | None:
    """What was probably meant; None if that is not known."""
    if isinstance(error, (click.BadParameter, click.BadOptionUsage, click.BadArgumentUsage)):
        return None
    if error.ctx is None or error.ctx.command is not call.command:
        return None
    if isinstance(error, click.NoSuchOption):
        return _settings_for_options(call) if call.takes_settings else None
    return _for_extra_words(call)


def _called(cli: click.Command, arguments: Sequence[str]) -> _Call:
    path, command, words = "dlcli", cli, list(arguments)
    if words[:1] == ["help"]:
        del words[0]
    while isinstance(command, click.Group):
        place = next((i for i, word in enumerate(words) if not word.startswith("-")), None)
        if place is None:
            break
        below = command.get_command(click.Context(command), words[place])
        if below is None:
            break
        path, command, words = f"{path} {words[place]}", below, words[place + 1 :]
    return _Call(path, command, words)


def _settings_for_options(call: _Call) -> str | None:
    """``--set`` for options that are named like keys of a config, as in ``--lr 0.1``."""
    from dlcli.config.schema import key_types

    types = key_types()
    known = {option for parameter in call.command.params for option in parameter.opts}
    found = []
    for place, word in enumerate(call.words):
        name, equals, text = word.partition("=")
        if name in known or not name.startswith("-"):
            continue
        key = meant_key(name.lstrip("-"), types, _SURE)
        if key is not None:
            following = [text] if equals else list(_bare_words(call.words[place + 1 :]))
            found.append(as_setting(key, types[key], following))
    return " ".join(found) or None


def _bare_words(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if word.startswith("-"):
            return
        yield word


def _for_extra_words(call: _Call) -> str | None:
    """What was meant by words that are neither options nor their values."""
    parser = call.command.make_parser(click.Context(call.command))
    values, extra, _ = parser.parse_args(list(call.words))
    if not extra:
        return None
    if isinstance(call.command, click.Group):
        commands = call.command.list_commands(click.Context(call.command))
        if extra[0] in commands:
            return None
        if extra[0] == "help":
            return f"{call.path} --help"
        if command := closest(extra[0], commands, {}):
            return command
    if not call.takes_settings:
        return None
    return _as_settings(values.get("overrides") or [], extra) or _as_config(extra[0])


def _as_settings(overrides: Sequence[str], extra: Sequence[str]) -> str | None:
    """``--set`` for its parts: ``epochs 3``, ``hidden_layers=[64, 32]`` unquoted, ``epochs=3``."""
    from dlcli.config.schema import key_types

    types = key_types()
    for override in overrides:
        whole = " ".join([override, *extra])
        if _open_brackets(override) > 0 and _open_brackets(whole) == 0:
            return f"--set {quoted(whole)}"
    keys = [meant_key(override, types, _SURE) for override in overrides if "=" not in override]
    pairs = list(zip(keys, extra, strict=False))
    if not pairs:
        words = [word.partition("=") for word in extra]
        pairs = [(meant_key(key, types, _SURE), text) for key, equals, text in words if equals]
    return " ".join(as_setting(key, types[key], [text]) for key, text in pairs if key) or None


def _open_brackets(text: str) -> int:
    return sum(map(text.count, "[{")) - sum(map(text.count, "]}"))


def _as_config(word: str) -> str | None:
    """``--config`` for the name of a config, or a file."""
    from dlcli.config.files import shipped_configs

    if word in shipped_configs() or word.endswith((".yaml", ".yml")) or Path(word).is_file():
        return f"--config {quoted(word)}"
    return None
