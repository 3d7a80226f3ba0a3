"""How downloads and preparations are shown: a progress bar for each, or a line if no terminal."""

import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from dlcli.cli.output import message, shows_bars
from dlcli.evaluation.formatting import counted

if TYPE_CHECKING:
    from tqdm import tqdm

_WITH_TOTAL = "{desc} {percentage:3.0f} %|{bar}| {n_fmt}B of {total_fmt}B"
_PICTURES = "{desc} {percentage:3.0f} %|{bar}| {n_fmt} of {total_fmt} pictures"
_WITHOUT_TOTAL = "{desc}: {n_fmt}B received"


class DownloadProgress(AbstractContextManager["DownloadProgress"]):
    """Shows what ``dlcli.data`` downloads, also while no byte has arrived yet, and prepares."""

    def __init__(self) -> None:
        self._bars: dict[str, tqdm[Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for bar in self._bars.values():
            bar.close()

    def trying(self, name: str, url: str, failure: str | None) -> None:
        """Show which mirror is asked for a file, and how the attempt before failed."""
        bar = self._bars.get(name)
        if bar is None:
            bar = self._bars[name] = self._start(name, f"downloading {name}")
        if failure is not None:
            with bar.external_write_mode(file=sys.stderr):
                message(f"{failure}; trying {'again' if failure.startswith(url) else url}")
        bar.reset()
        bar.bar_format = f"{{desc}}: waiting for {urlsplit(url).hostname}"
        bar.refresh()

    def received(self, name: str, count: int, total: int) -> None:
        """Show how much has arrived; ``total`` is 0 if it is not known."""
        bar = self._bars[name]
        bar.bar_format = _WITH_TOTAL if total else _WITHOUT_TOTAL
        bar.total = total or None
        bar.n = count
        bar.refresh()

    def prepared(self, name: str, done: int, total: int) -> None:
        """Show how many pictures of a folder are prepared."""
        bar = self._bars.get(name)
        if bar is None:
            bar = self._bars[name] = self._start(
                name, f"preparing {counted(total, 'picture')} of {name}"
            )
        bar.bar_format = _PICTURES
        bar.total = total
        bar.n = done
        bar.refresh()

    @staticmethod
    def _start(name: str, what: str) -> "tqdm[Any]":
        from tqdm import tqdm

        shown = shows_bars()
        if not shown:
            message(what)
        return tqdm(
            desc=name,
            unit_scale=True,
            file=sys.stderr,
            dynamic_ncols=True,
            bar_format="{desc}",
            disable=not shown,
        )
