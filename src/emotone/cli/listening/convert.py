"""`emotone convert`: the same model in a smaller file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emotone.cli.options import OverwriteOption


class Precision(StrEnum):
    """How the network's weights are stored."""

    fp16 = "fp16"
    int8 = "int8"


def convert(
    model: Annotated[Path, typer.Argument(help="A model file whose weights are float32.")],
    precision: Annotated[
        Precision,
        typer.Option("--precision", help="Store the network's weights as 16-bit floats, or as 8-bit integers."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The model file to write. [default: MODEL-PRECISION.onnx, here]"),
    ] = None,
    overwrite: OverwriteOption = False,
    name: Annotated[str | None, typer.Option("--name", help="Name of the model. [default: the output's name]")] = None,
) -> None:
    """Store a model's weights in fewer bits: a smaller file, used like any other.

    It computes in float32 as before, so it is neither faster nor slower. The feature layers are not changed. Both files
    are compared on the bundled recordings, and nothing is written if a probability changes by more than 0.1;
    `emotone evaluate` measures the effect on recordings of your own.
    """
    from emotone.listening.conversion import convert_model
    from emotone.model_files.model_file import check_model_output

    output = output or Path(f"{model.stem}-{precision.value}.onnx")
    check_model_output(output, inputs=[model], overwrite=overwrite)
    made = convert_model(model, output, precision.value, name=name)
    share = made.bytes_after / made.bytes_before
    print(
        f"{output}: {made.bytes_after / 1e6:.2f} MB, {share:.0%} of {made.bytes_before / 1e6:.2f}; "
        f"no probability changes by more than {made.largest_change:.1g} on the bundled clips"
    )
