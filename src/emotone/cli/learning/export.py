"""`emotone export`: make a model file, which needs no PyTorch, from the weights of a run."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emotone.cli.learning.options import Store
from emotone.cli.options import OverwriteOption

if TYPE_CHECKING:
    from emotone.training.job import EpochRecord

ALL_DATA = "trained on all data: the model has no test score of its own"


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
            "--scores", help="Another results.json, of `emotone evaluate` with a file of these weights. Repeatable."
        ),
    ] = None,
    with_card: Annotated[bool, typer.Option("--card", help="Write a model card beside it, as Markdown.")] = False,
    note: Annotated[str, typer.Option("--note", help="A remark to print with the run's own scores.")] = "",
    all_data: Annotated[
        bool,
        typer.Option(
            "--all-data",
            help="Train once more, on all data of the cross-validation RUN, for the median number of epochs of its "
            "folds. That model has no test score of its own.",
        ),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="With --all-data: the corpus's folder or manifest, if it has moved."),
    ] = None,
    store: Store = None,
    precision: Annotated[
        Precision,
        typer.Option("--precision", help="How the network's weights are stored, as with `convert`."),
    ] = Precision.fp32,
) -> None:
    """Write one ONNX file: waveform in, calibrated probabilities out, with labels, recipe, licences and scores inside.

    It is checked against PyTorch first, and not written if the two differ by more than 1e-4 (with weights of float32).
    """
    from emotone.cli.learning.training_run import fold_weights
    from emotone.evaluation.predictions import Predictions
    from emotone.evaluation.results import Results
    from emotone.evaluation.run_folder import FoldFolder, RunFolder
    from emotone.experiments.shipping.model_card import card
    from emotone.experiments.shipping.model_facts import score_of_fold, scores_of, training_corpora, unseen_note
    from emotone.files import check_replaceable, write_text
    from emotone.model_files.model_file import check_model_output, read_model_file
    from emotone.training.export import export_model
    from emotone.training.trained_weights import read_weights

    if all_data:
        check_model_output(output, inputs=[], overwrite=overwrite)
        path = _trained_on_all(run, data, store)
    else:
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
    if all_data:
        whole = Results.read(RunFolder(run).results)
        found.append((whole, f"{ALL_DATA}; this is the score of models trained on parts of the data"))
    found += [(extra, unseen_note(extra)) for extra in map(Results.read, scores or [])]
    before, after = scores_of(found, weights.sha, precision.value)
    for result, _ in found:
        if result.pooled.uar_interval is None:
            print(f"left out: the score on {result.corpus} has no interval (one speaker)", file=sys.stderr)
    difference = export_model(
        weights,
        output,
        name=name or output.stem,
        corpora=training_corpora(weights.about, held_out),
        scores=before,
        file_scores=after,
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
    if all_data:
        print(ALL_DATA)


def _trained_on_all(run: Path, data: Path | None, store: Path | None) -> Path:
    from emotone.cli.learning.training_run import default_store
    from emotone.experiments.plan import SilentListener
    from emotone.experiments.shipping.all_data import train_on_all

    class Lines(SilentListener):
        """One line per epoch."""

        def epoch(self, seed: int, fold: int, record: EpochRecord, n_epochs: int) -> None:
            """Print the loss."""
            print(f"all data: epoch {record.epoch} of {n_epochs}, loss {record.train_loss:.3f}", file=sys.stderr)

    return train_on_all(run, data=data, store=store or default_store(), listener=Lines())
