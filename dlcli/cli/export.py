"""``dlcli export``."""

from pathlib import Path

import click

from dlcli.cli.options import debug_and_quiet, force_option, output_option
from dlcli.cli.output import message, printable

_FORMATS = ("onnx", "safetensors")


@click.command("export")
@click.argument("model_path", metavar="[MODEL]", required=False, type=click.Path())
@click.option(
    "-f",
    "--format",
    "output_format",
    type=click.Choice(_FORMATS),
    help="What to write.  [default: as FILE ends]",
)
@output_option("The file to write.")
@force_option
@debug_and_quiet
def command(
    model_path: str | None,
    output_format: str | None,
    output: Path,
    force: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Write a model in the format of another runtime (needs the extra "export").

    MODEL is a run directory, an .npz file, or "pretrained"; without one, $DLCLI_MODEL, else
    runs/latest, else pretrained. onnx: a graph from "images" (batch, 28, 28), bytes, to
    "probabilities" (batch, 10), with the scaling of pixels, the temperature and softmax inside.
    safetensors: the arrays by PyTorch's names, to be loaded into the Sequential of torch.nn that
    stderr and the file's metadata tell. Prints the file's path.

    \b
    Examples:
      dlcli export runs/latest --format onnx -o digits.onnx
      dlcli export pretrained -o digits.safetensors
    """
    from dlcli.cli.requirements import needs
    from dlcli.files import atomic_write, refuse_to_overwrite
    from dlcli.runs import lookup

    kind = output_format or output.suffix.removeprefix(".").lower()
    if kind not in _FORMATS:
        raise click.UsageError(f"{output}: say which --format: {' or '.join(_FORMATS)}")
    refuse_to_overwrite(output, force=force)
    model = lookup.load_named(model_path)
    message(f"Model: {printable(str(model.path))}")
    with needs("export"):
        if kind == "onnx":
            from dlcli.export.onnx_format import to_onnx

            content = to_onnx(model)
        else:
            from dlcli.export.safetensors_format import modules, to_safetensors

            content = to_safetensors(model)
            message(f"Load it into: Sequential({modules(model)})")
    with atomic_write(output) as file:
        file.write(content)
    click.echo(output)
