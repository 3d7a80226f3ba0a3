"""``dlcli export``."""

from pathlib import Path

import click

from dlcli.cli import options
from dlcli.cli.completion import complete_model
from dlcli.cli.help import Command
from dlcli.cli.loading import load_models, needs
from dlcli.cli.output import message, open_output, print_path

_NAMES = {"onnx": "ONNX", "safetensors": "safetensors"}
_FORMATS = tuple(_NAMES)


@click.command("export", cls=Command)
@click.argument(
    "model_path",
    metavar="[MODEL]",
    required=False,
    type=options.PathType(),
    shell_complete=complete_model,
)
@click.option(
    "-f",
    "--format",
    "output_format",
    type=click.Choice(_FORMATS),
    help="What to write.  [default: as FILE ends]",
)
@options.output("The file to write.", required=True)
@click.option(
    "--opset",
    type=int,
    metavar="N",
    help="Operator set of ONNX.  [default: 13, which every runtime since 2021 knows]",
)
@options.force
@options.debug_and_quiet
def command(
    model_path: str | None,
    output_format: str | None,
    output: Path,
    opset: int | None,
    force: bool,
) -> None:
    """Write a model as ONNX or safetensors.

    MODEL is a run directory, an .npz file, or "pretrained"; without one, $DLCLI_MODEL, else
    runs/latest. onnx: a graph from "images" (batch, 28, 28), bytes, to "probabilities" (batch,
    classes), with the scaling of pixels, the temperature and softmax inside, and the names of the
    classes in its metadata. safetensors: the arrays
    under PyTorch's names; stderr and the file's metadata say into which torch.nn.Sequential to
    load them. Prints the file's path. Needs the extra "export".

    \b
    Examples:
      dlcli export runs/latest --format onnx -o digits.onnx
      dlcli export pretrained -o digits.safetensors
    """
    from dlcli.files import refuse_to_overwrite, refuse_wrong_ending

    kind = output_format or output.suffix.removeprefix(".").lower()
    if kind not in _FORMATS:
        raise click.UsageError(f"{output}: say which --format: {' or '.join(_FORMATS)}")
    refuse_wrong_ending(output, _NAMES[kind], f".{kind}", hint=", or leave out --format")
    if opset is not None and kind != "onnx":
        raise click.UsageError(f"--opset is for ONNX; {output} would hold {kind}")
    refuse_to_overwrite(output, force=force)
    (model,) = load_models([] if model_path is None else [model_path])
    with needs("export"):
        if kind == "onnx":
            from dlcli.export.onnx_format import LOWEST_OPSET, to_onnx

            content = to_onnx(model, LOWEST_OPSET if opset is None else opset)
        else:
            from dlcli.export.safetensors_format import modules, to_safetensors

            content = to_safetensors(model)
            message(f"Load it into: Sequential({modules(model)})")
    with open_output(output) as file:
        file.write(content)
    print_path(output)
