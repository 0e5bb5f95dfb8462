"""`emotone export`: make a model file, which needs no PyTorch, from the weights of a run."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emotone.cli.options import OverwriteOption, check_model_output


class Precision(StrEnum):
    """How the network's weights are stored."""

    fp32 = "fp32"
    fp16 = "fp16"
    int8 = "int8"


def export(
    run: Annotated[Path, typer.Argument(help="A run folder, a fold's folder, or a model.safetensors.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")] = Path("model.onnx"),
    overwrite: OverwriteOption = False,
    name: Annotated[str | None, typer.Option("--name", help="Name of the model. [default: the output's name]")] = None,
    licence: Annotated[str, typer.Option("--licence", help="Licence of the model file.")] = "MIT",
    threshold: Annotated[
        float, typer.Option("--threshold", min=0, max=1, help="A highest probability below this is called unsure.")
    ] = 0.5,
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            "--scores", help="Another results.json to write into the file, beside the fold's own. Repeatable."
        ),
    ] = None,
    with_card: Annotated[bool, typer.Option("--card", help="Write a model card beside it, as Markdown.")] = False,
    note: Annotated[str, typer.Option("--note", help="A remark to print with the run's own scores.")] = "",
    precision: Annotated[
        Precision,
        typer.Option("--precision", help="How the network's weights are stored, as with `convert`."),
    ] = Precision.fp32,
) -> None:
    """Write one ONNX file: waveform in, calibrated probabilities out, with labels, recipe, licences and scores inside.

    It is checked against PyTorch first, and not written if the two differ by more than 1e-4 (with weights of float32).
    """
    from emotone.cli.training_run import fold_weights
    from emotone.evaluation.predictions import Predictions
    from emotone.evaluation.results import Results
    from emotone.evaluation.run_folder import FoldFolder
    from emotone.experiments.fold_score import score_of_fold
    from emotone.experiments.model_card import card, score_of, training_corpora, untouched_note
    from emotone.files import check_replaceable, write_text
    from emotone.model_files.model_file import read_model_file
    from emotone.training.export import export_model, read_weights

    path = fold_weights(run)
    check_model_output(output, inputs=[path], overwrite=overwrite)
    if with_card:
        check_replaceable(
            output.with_suffix(".md"), "a model card", lambda old: old.startswith(b"# Model card"), overwrite=overwrite
        )
    weights = read_weights(path)
    fold = FoldFolder(path.parent)
    held_out = fold.read_info()["test_speakers"] if fold.is_done else []
    own = score_of_fold(fold.path) if fold.is_done else None
    found = [(own, note)] if own is not None else []
    found += [(extra, untouched_note(extra)) for extra in map(Results.read, scores or [])]
    measured = [score_of(result, note=remark) for result, remark in found]
    for (result, _), score in zip(found, measured, strict=True):
        if score is None:
            print(f"left out: the score on {result.corpus} has no interval (one speaker)", file=sys.stderr)
    difference = export_model(
        weights,
        output,
        name=name or output.stem,
        corpora=training_corpora(weights.about, held_out),
        scores=[score for score in measured if score is not None],
        licence=licence,
        unsure_threshold=threshold,
        precision=precision.value,
    )
    if with_card:
        text = card(
            read_model_file(output)[1],
            own,
            Predictions.read(fold.predictions) if fold.predictions.is_file() else None,
        )
        write_text(output.with_suffix(".md"), text)
    size_mb = output.stat().st_size / 1e6
    print(f"{output}: {size_mb:.1f} MB, {', '.join(weights.labels)}; {precision}; within {difference:.0e} of PyTorch")
