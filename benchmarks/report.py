"""The results of the benchmarks as Markdown."""

import importlib.metadata
import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TypeAlias

from benchmarks.cases import OURS
from benchmarks.commands import CommandResult
from benchmarks.contenders import TITLES
from benchmarks.epochs import CaseResult
from benchmarks.load import CASE, LoadResult
from benchmarks.verdicts import Verdict

_PACKAGES = ("numpy", "numba", "torch", "jax", "scikit-learn", "click", "pillow")
_THREAD_VARIABLES = re.compile(r"(OPENBLAS|OMP|MKL|XLA|JAX)_|DLCLI_THREADS")


Result: TypeAlias = CaseResult | LoadResult | CommandResult


def write(results: Sequence[Result], command: str) -> str:
    """The whole report."""
    cases = [result for result in results if isinstance(result, CaseResult)]
    loads = [result for result in results if isinstance(result, LoadResult)]
    commands = [result for result in results if isinstance(result, CommandResult)]
    verdicts = [v for result in results for v in result.verdicts]
    missed = sum(not verdict.is_met for verdict in verdicts)
    parts = [
        "# Benchmark results",
        (
            f"Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}. Ratios are medians of the "
            "ratios within rounds, in which all contenders take turns; they are more reliable "
            "than seconds, which depend on the machine and its other work. Of "
            f"{len(verdicts)} targets {len(verdicts) - missed} are met."
        ),
        _machine(),
    ]
    if cases:
        parts.append("## One epoch")
        parts.append(
            "Training on the 60,000 images of MNIST, ReLU and cross-entropy, data in memory, no "
            "validation. The first epoch, in which JAX and PyTorch compile, is not timed. "
            "`dlcli / it` is dlcli's time divided by that of the row. The matrix products alone "
            "are the limit: an epoch in which everything else costs nothing. Without Numba dlcli "
            "uses NumPy alone; with Numba it compiles all that is no matrix product. The loss is "
            "the mean over the last epoch, the accuracy that on the test images after it."
        )
        parts.extend(map(_case, cases))
        parts.append(_versions(cases))
    for load in loads:
        parts.append("## Under load")
        parts.append(
            f"Some epochs of {CASE.name}: the seconds of one where nothing else runs, and how many "
            "times as long it takes where two trainings run at once (a fair share would be 2), and "
            "beside four processes that keep every core busy (with two threads, 3)."
        )
        header = ("", "alone, s", "two at once", "beside busy processes")
        parts.append(_table(header, load.rows()) + _list(load.verdicts))
    if commands:
        parts.append("## Whole commands")
        parts.append(
            "From the start of the process to its end, with the files in the disk cache. To train "
            "to 98 %, `configs/fast.yaml` shows images of half the size; the frameworks' scripts "
            "take its other settings, and whole images."
        )
        parts.extend(map(_command, commands))
    return "\n\n".join(parts) + "\n"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    variables = [
        f"{key}={value}" for key, value in os.environ.items() if _THREAD_VARIABLES.match(key)
    ]
    rows = {
        "processor": f"{processor()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "packages": versions,
        "set in the environment": ", ".join(variables) or "nothing about threads",
    }
    return _table(("machine", ""), rows.items())


def processor() -> str:
    """The name of the processor and its vector extensions."""
    information = Path("/proc/cpuinfo")
    if not information.exists():
        return platform.processor()
    lines = dict(re.findall(r"^([^\t:]+)\t*: (.*)$", information.read_text(), re.MULTILINE))
    sets = ", ".join(s for s in ("avx2", "avx512f") if s in lines.get("flags", "").split())
    return f"{lines.get('model name', platform.machine())} ({sets})"


def _case(result: CaseResult) -> str:
    ours = [name for name in OURS if name in result.times]
    rows = []
    for name, times in result.times.items():
        reached = "" if times.accuracy is None else f"{times.accuracy:.2%}"
        ratios = [f"{result.ratio(name, who):.2f}" for who in ours]
        rows.append(
            (
                TITLES[name],
                f"{times.warm_up:.2f}",
                *_span(times.seconds),
                *ratios,
                "" if times.accuracy is None else f"{times.loss:.3f}",
                reached,
            )
        )
    columns = [f"{TITLES[who]} / it" for who in ours]
    header = ("", "first, s", "median, s", "range, s", *columns, "loss", "accuracy")
    fractions = [f"{result.product_fraction(who):.0%} of the time of {TITLES[who]}" for who in ours]
    summary = f"The matrix products alone take {' and '.join(fractions)}."
    table = _table(header, rows)
    return f"### {result.case.name}\n\n{table}\n\n{summary}{_list(result.verdicts)}"


def _command(result: CommandResult) -> str:
    first = next(iter(result.seconds))
    rows = []
    for name, seconds in result.seconds.items():
        ratio = "" if name == first else f"{result.ratio(name):.2f}"
        shown = name if name in TITLES.values() else f"`{name}`"
        rows.append((shown, *_span(seconds), ratio, result.notes.get(name, "")))
    header = ("", "median, s", "range, s", "dlcli / it", "")
    title = result.name[0].upper() + result.name[1:]
    return f"### {title}\n\n{_table(header, rows)}{_list(result.verdicts)}"


def _versions(cases: Sequence[CaseResult]) -> str:
    versions = {name: times.versions for case in cases for name, times in case.times.items()}
    return _table(
        ("contender", "library and threads"), ((TITLES[n], text) for n, text in versions.items())
    )


def _span(seconds: Sequence[float]) -> tuple[str, str]:
    return f"{median(seconds):.3f}", f"{min(seconds):.3f} to {max(seconds):.3f}"


def _list(verdicts: Iterable[Verdict]) -> str:
    lines = [f"- {'met' if v.is_met else 'MISSED'}: {v.text}" for v in verdicts]
    return "\n\n" + "\n".join(lines) if lines else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
