"""`emotone adapt`: fit a model to the user's own recordings, with or without labels."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emotone.cli.options import MapOption, ModelOption, OverwriteOption, check_model_output, label_rules

if TYPE_CHECKING:
    from emotone.adaptation.new_head import Measured, NewHead
    from emotone.adaptation.recentring import Recentred
    from emotone.adaptation.recordings import Recordings

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
"""Suffixes of manifests; anything else is a recording or a folder of recordings."""


def adapt(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORDINGS...|MANIFEST",
            help="A folder or recordings, to adapt without labels; or one manifest, to fit a new classifier.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")],
    model: ModelOption = None,
    classes: Annotated[
        str | None, typer.Option("--classes", help="Only these classes of the manifest, comma-separated, or `four`.")
    ] = None,
    map_: MapOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Of the new model. [default: the output's name]")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Adapt a model to recordings of your own, in seconds and without PyTorch (extra `adapt`).

    Without labels, the model is recentred: its answers are shifted so that no class is preferred over all recordings.
    With the labels of a manifest, a new classifier for its classes, of any names, is fitted, scored by cross-validation
    with speakers left out, and calibrated. At least 20 recordings are needed either way. The result is an ordinary
    model file.
    """
    from emotone.adaptation.graph import require_onnx
    from emotone.errors import CorpusError

    require_onnx()
    check_model_output(output, inputs=[*sources, *([] if model is None else [model])], overwrite=overwrite)
    tables = [source for source in sources if source.suffix.lower() in TABLES]
    if tables and len(sources) > 1:
        raise CorpusError(f"got {tables[0]} and other sources; give one manifest, or recordings without labels")
    if tables:
        failed = _to_labels(tables[0], output, model, classes, label_rules(map_), name or output.stem)
    else:
        if classes is not None or map_:
            raise CorpusError("--classes and --map are about labels; recordings without a manifest have none")
        failed = _without_labels(sources, output, model, name or output.stem)
    if failed:
        raise typer.Exit(3)


def _without_labels(sources: Sequence[Path], output: Path, model: Path | None, name: str) -> bool:
    from emotone.adaptation.recentring import recentre
    from emotone.adaptation.recordings import find_recordings
    from emotone.files import write_bytes
    from emotone.listening.recognizer import Recognizer, read_model

    content, metadata = read_model(model)
    recordings = _run(Recognizer(content, metadata), find_recordings(sources))
    corpus = sources[0].resolve().stem if len(sources) == 1 else "recordings"
    result = recentre(content, metadata, recordings, name=name, corpus=corpus)
    write_bytes(output, result.content)
    _warn(result.warnings)
    _print_recentred(result, recordings)
    print(f"{output}: {metadata.name}, recentred on {len(recordings)} recordings")
    return bool(recordings.failures)


def _to_labels(
    table: Path, output: Path, model: Path | None, classes: str | None, rules: dict[str, str], name: str
) -> bool:
    from emotone.adaptation.new_head import adapt_head, require_classes
    from emotone.corpora import read_corpus
    from emotone.emotions import parse_classes, require_present
    from emotone.files import write_bytes
    from emotone.listening.recognizer import Recognizer, read_model

    corpus = read_corpus("manifest", table, labels=rules)
    if classes is not None:
        wanted = parse_classes(classes)
        require_present(wanted, corpus.classes, str(table))
        corpus = corpus.with_classes(wanted)
    for note in corpus.notes:
        print(f"note: {note}", file=sys.stderr)
    for reason, count in corpus.dropped.items():
        print(f"left out: {count} ({reason})", file=sys.stderr)
    require_classes(corpus.classes, [utterance.emotion for utterance in corpus.utterances])
    content, metadata = read_model(model)
    recordings = _run(Recognizer(content, metadata), corpus.utterances)
    result = adapt_head(content, metadata, recordings, corpus.classes, name=name, corpus=corpus.name)
    write_bytes(output, result.content)
    _warn(result.warnings)
    _print_scores(result, metadata.name)
    print(f"{output}: {', '.join(result.metadata.labels)}; {metadata.name} with a classifier of {corpus.name}")
    return bool(recordings.failures)


def _run(recognizer: object, utterances: Sequence[object]) -> Recordings:
    from rich.console import Console
    from rich.progress import track

    from emotone.adaptation.recordings import run_model

    console = Console(stderr=True)
    recordings = run_model(
        recognizer,  # type: ignore[arg-type]  # imported lazily
        utterances,  # type: ignore[arg-type]
        lambda items: track(items, "recognising", console=console, transient=True, disable=not console.is_terminal),
    )
    for failed, reason in recordings.failures:
        print(f"left out: {failed}: {reason}", file=sys.stderr)
    return recordings


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _print_recentred(result: Recentred, recordings: Recordings) -> None:
    from rich.table import Table

    from emotone.cli.terminal import table_console

    table = Table("class", "shift of its logit", "predicted before", "predicted after")
    for label, shift, before, after in zip(
        result.metadata.labels, result.shift, result.before, result.after, strict=True
    ):
        table.add_row(label, f"{shift:+.2f}", f"{before:.0%}", f"{after:.0%}")
    table_console().print(table)
    print(
        f"{result.changed} of {len(recordings)} recordings are predicted differently. The shift counts "
        f"{result.weight:.2f} of what would make all classes equally probable, because there are {len(recordings)} "
        "recordings."
    )


def _print_scores(result: NewHead, before: str) -> None:
    print(f"{result.protocol}, the encoder unchanged:")
    print(f"  adapted      {_in_words(result.adapted)}")
    if result.unadapted is None:
        print(f"  unadapted    {before} has fewer than two of these classes")
    else:
        lacking = [name for name in result.adapted.classes if name not in result.unadapted.classes]
        without = f"; without {', '.join(lacking)}, which {before} does not have" if lacking else ""
        print(f"  unadapted    {_in_words(result.unadapted)}{without}")


def _in_words(score: Measured) -> str:
    interval = "no interval" if score.low is None or score.high is None else f"[{_p(score.low)}, {_p(score.high)}]"
    return f"UAR {_p(score.uar)} {interval}, accuracy {_p(score.accuracy)}, n = {score.n}"


def _p(share: float) -> str:
    return f"{100 * share:.1f}"
