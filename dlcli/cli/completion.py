"""Completion in shells: names beside files, and the values of config keys."""

import os
from collections.abc import Iterable

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from dlcli.files import DEFAULT_RUNS_DIR

_PRETRAINED = "pretrained"  # as in dlcli.runs.lookup, which imports NumPy


def complete_config(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the names of shipped configs, and files."""
    from dlcli.config.files import shipped_configs

    return _names_or_path(shipped_configs(), incomplete, "file")


def complete_lesson(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the names of lessons, and files."""
    from dlcli.lessons.catalog import shipped

    return _names_or_path([entry.name for entry in shipped()], incomplete, "file")


def complete_dataset(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the names of datasets, and folders."""
    from dlcli.data.registry import DATASETS

    return _names_or_path(DATASETS, incomplete, "dir")


def complete_model(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete ``pretrained``, runs, and files."""
    return _names_or_path([_PRETRAINED, *_runs(incomplete)], incomplete, "file")


def complete_run(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete runs, and folders."""
    return _names_or_path(_runs(incomplete), incomplete, "dir")


def complete_setting(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete ``KEY=``, then the values of a key that has names for them."""
    from dlcli.config.messages import allowed_values
    from dlcli.config.schema import key_types

    types = key_types()
    key, equals, value = incomplete.partition("=")
    if not equals:
        return [CompletionItem(f"{name}=") for name in types if name.startswith(key)]
    if key == "dataset":
        found = complete_dataset(context, parameter, value)
        return [CompletionItem(_after(key, item), type=item.type) for item in found]
    names = allowed_values(types[key]) if key in types else []
    return [CompletionItem(f"{key}={name}") for name in names if name.startswith(value)]


def _after(key: str, item: CompletionItem) -> str:
    return f"{key}={item.value}" if item.type == "plain" else item.value


def _runs(incomplete: str) -> list[str]:
    """The runs in ``runs``; once a folder is typed, files are completed as well as runs."""
    from dlcli.runs.directory import CONFIG

    if "/" in incomplete:
        return []
    return sorted(str(path.parent) for path in DEFAULT_RUNS_DIR.glob(f"*/{CONFIG}"))


def _names_or_path(names: Iterable[str], incomplete: str, kind: str) -> list[CompletionItem]:
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return [*found, CompletionItem(incomplete, type=kind)]


class _Bash(BashComplete):
    """Names together with files, and words with ``=``, of which bash completes the last part."""

    source_template = """\
%(complete_func)s() {
    local type value
    local -a names files
    while IFS=, read -r type value; do
        case $type in
            plain) names+=("$value") ;;
            file) mapfile -t files < <(compgen -f -- "$2") ;;
            dir) mapfile -t files < <(compgen -d -- "$2") ;;
        esac
    done < <(COMP_LINE=${COMP_LINE:0:COMP_POINT} COMP_WORD=$2 %(complete_var)s=bash_complete "$1")
    if [[ ${names[*]} == */* ]]; then
        # Bash would show files without their folder. So these names are not called files,
        # and what bash does with files is done here: the slash, and quotes.
        for value in "${files[@]}"; do
            if [[ -d $value ]]; then value+=/; fi
            if [[ ${COMP_WORDS[COMP_CWORD]} != [\\"\\']* ]]; then printf -v value %%q "$value"; fi
            names+=("$value")
        done
    elif [[ ${#files[@]} -gt 0 ]]; then
        compopt -o filenames
        names+=("${files[@]}")
    fi
    COMPREPLY=("${names[@]}")
    if [[ ${#names[@]} -eq 1 && ${names[0]} == *[=/] ]]; then compopt -o nospace; fi
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor's, and that word as far as the cursor."""
        # With one more letter there is always a last word, even after a space.
        *words, last = split_arg_string(os.environ["COMP_LINE"] + "x")
        return words[1:], last[:-1]

    def format_completion(self, item: CompletionItem) -> str:
        """A line for the script, with the part of the word that bash is about to replace."""
        _, incomplete = self.get_completion_args()
        word = os.environ.get("COMP_WORD", incomplete)
        before = incomplete.removesuffix(word) if incomplete.endswith(word) else ""
        value = str(item.value)
        for start in range(len(before)):
            if value.startswith(before[start:]):
                value = value[len(before) - start :]
                break
        return f"{item.type},{value}"


class _Zsh(ZshComplete):
    """No space after ``KEY=``, and words such as ``--config=FILE``."""

    source_template = """\
#compdef %(prog_name)s
%(complete_func)s() {
    local type value description
    local -a response names described keys paths
    (( $+commands[%(prog_name)s] )) || return 1
    response=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) \\
        %(complete_var)s=zsh_complete %(prog_name)s)}")
    if [[ $PREFIX == --*=* ]]; then compset -P 1 '*='; fi
    for type value description in $response; do
        if [[ $type == dir ]]; then paths=(-/)
        elif [[ $type == file ]]; then paths=(-f)
        elif [[ $value == *= ]]; then keys+=("$value")
        elif [[ $description == _ ]]; then names+=("$value")
        else described+=("$value:$description"); fi
        if (( $#paths )); then break; fi
    done
    if (( $#described )); then _describe -V dlcli described; fi
    if (( $#names )); then compadd -V dlcli -a names; fi
    if (( $#keys )); then compadd -S '' -V dlcli -a keys; fi
    if (( $#paths )); then
        # In KEY=FOLDER, only the folder is a path.
        if [[ $PREFIX == *"$value" ]]; then compset -p $(( $#PREFIX - $#value )); fi
        _path_files $paths
    fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


def install() -> None:
    """Answer bash and zsh with the scripts and lines above instead of Click's."""
    for kind in (_Bash, _Zsh):
        add_completion_class(kind)
