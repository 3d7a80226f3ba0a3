"""What ``dlcli lesson`` shows on stderr while its networks are trained."""

import sys
from typing import TYPE_CHECKING, Any, Self

from dlcli.cli import layout
from dlcli.cli.output import message, shows_bars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tqdm import tqdm

    from dlcli.lessons.experiments import Trained
    from dlcli.lessons.reader import Lesson

_WIDE = 70


class LessonProgress:
    """One bar for all networks, with the validation accuracy of each, on a terminal."""

    def __init__(self, lesson: "Lesson") -> None:
        self._networks = len(lesson.file.experiments)
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Self:
        if self._networks:
            some = f"{self._networks} networks" if self._networks > 1 else "a network"
            message(f"Training {some} ...")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, all_networks: "Mapping[str, Trained]", _latest: "Trained") -> None:
        """Show how far all of them are."""
        if not shows_bars():
            return
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(
                total=100,
                file=sys.stderr,
                leave=False,
                dynamic_ncols=True,
                bar_format="{percentage:3.0f} %|{bar}| {desc}",
            )
        networks = all_networks.values()
        done = sum(1.0 if each.is_finished else each.progress for each in networks)
        scores = ", ".join(
            f"{name} {100 * each.history[-1].validation_accuracy:.0f} %"
            for name, each in all_networks.items()
            if each.history
        )
        wide = (layout.width(sys.stderr) or 0) >= _WIDE
        self._bar.set_description_str(scores if wide else "", refresh=False)
        self._bar.n = round(100 * done / len(all_networks))
        self._bar.refresh()
