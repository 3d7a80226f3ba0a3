"""``dlcli gradcheck``."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from dlcli.cli.options import (
    config_option,
    debug_and_quiet,
    format_option,
    limit_threads,
    set_option,
    threads_option,
)
from dlcli.cli.output import print_json, print_table
from dlcli.errors import GradientError

if TYPE_CHECKING:
    from dlcli.nn.gradcheck import LayerCheck


@click.command("gradcheck")
@config_option
@set_option
@threads_option
@format_option("text", "json")
@debug_and_quiet
def command(
    sources: tuple[str, ...],
    overrides: tuple[str, ...],
    threads: int | None,
    output_format: str,
) -> None:
    """Check backpropagation against finite differences, layer by layer.

    The config's network is built in float64. For up to 100 parameters p of each array, the
    derivative of the cost J is compared with (J(p + h) - J(p - h)) / 2h. Exits with 1 if they
    differ.

    \b
    Examples:
      dlcli gradcheck
      dlcli gradcheck --config classic
      dlcli gradcheck --set hidden_layers=[20,20] --set activation=gelu --set dropout=0.5
    """
    from dlcli.config import files as config_files

    config = config_files.load(sources, overrides)

    from dlcli.nn.gradcheck import TOLERANCE
    from dlcli.training.builders import check_gradients

    with limit_threads(threads):
        checks = list(check_gradients(config))
    if output_format == "json":
        print_json([_json_object(check) for check in checks])
    else:
        print_table(
            ["layer", "array", "shape", "checked", "largest relative error", ""],
            [
                [
                    str(check.layer),
                    check.array,
                    "x".join(str(n) for n in check.shape),
                    str(check.checked),
                    f"{check.largest_relative_error:.1e}",
                    "ok" if check.passed else "WRONG",
                ]
                for check in checks
            ],
            left=3,
        )
    wrong = [f"layers.{check.layer}.{check.array}" for check in checks if not check.passed]
    if wrong:
        raise GradientError(
            f"backpropagation is wrong (error above {TOLERANCE:g}) in {', '.join(wrong)}"
        )


def _json_object(check: "LayerCheck") -> dict[str, Any]:
    error = check.largest_relative_error  # infinite if a derivative is NaN; JSON has no infinity
    shown = error if math.isfinite(error) else None
    return {**asdict(check), "largest_relative_error": shown, "passed": check.passed}
