"""``dlcli gradcheck``."""

import math
from dataclasses import asdict

import click

from dlcli.cli import options
from dlcli.cli.help import Command
from dlcli.cli.loading import limit_threads, load_config
from dlcli.cli.output import print_json, print_table
from dlcli.errors import ConfigError, GradientError


@click.command("gradcheck", cls=Command)
@options.config
@options.overrides
@options.threads
@options.output_format("text", "json")
@options.debug_and_quiet
def command(
    sources: tuple[str, ...], overrides: tuple[str, ...], threads: int | None, output_format: str
) -> None:
    """Check backpropagation against finite differences.

    The config's network is built in float64. For up to 100 parameters p of each array, the
    derivative of the cost J is compared with (J(p + h) - J(p - h)) / 2h. Exits with 1 if they
    differ.

    \b
    Examples:
      dlcli gradcheck
      dlcli gradcheck --config classic
      dlcli gradcheck --set 'hidden_layers=[20,20]' --set activation=gelu
    """
    config = load_config(sources, overrides)

    from dlcli.nn.gradcheck import TOLERANCE
    from dlcli.training.builders import check_gradients

    with limit_threads(threads):
        checks = list(check_gradients(config))
    if not checks:
        raise ConfigError("freeze_layers: all layers are frozen, so no gradient is left to check")
    if output_format == "json":
        # The error is infinite if a derivative is NaN; JSON has no infinity.
        errors = [check.largest_relative_error for check in checks]
        print_json(
            [
                asdict(check)
                | {"largest_relative_error": error if math.isfinite(error) else None}
                | {"passed": check.passed}
                for check, error in zip(checks, errors, strict=True)
            ]
        )
    else:
        print_table(
            ["layer", "array", "shape", "checked", "largest relative error", ""],
            [
                [
                    str(check.layer),
                    check.array,
                    "x".join(map(str, check.shape)),
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
