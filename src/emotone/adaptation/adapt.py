"""Adapt a model to recordings of one's own: from files to a new model file.

>>> import emotone
>>> emotone.adapt("calls/", "mine.onnx").result.changed                 # doctest: +SKIP
57
>>> emotone.adapt("calls.csv", "mine.onnx").result.adapted.uar          # doctest: +SKIP
0.712
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from emotone.adaptation.graph import require_onnx
from emotone.adaptation.new_head import NewHead, adapt_head, require_classes
from emotone.adaptation.recentring import Recentred, recentre
from emotone.adaptation.recordings import Progress, find_recordings, run_model
from emotone.corpora import Corpus, read_corpus
from emotone.emotions import parse_classes, require_present
from emotone.errors import CorpusError
from emotone.files import write_bytes
from emotone.listening.loading import read_model
from emotone.listening.model.classes import choose
from emotone.listening.recognizer import Recognizer
from emotone.model_files.model_file import check_model_output

TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
"""Suffixes of manifests; anything else is a recording or a folder of recordings."""

StrPath: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, eq=False)
class Adaptation:
    """What `adapt` did.

    Attributes:
        output: the new model file.
        unadapted: name of the model that it was made from.
        result: the new model and what changed: `Recentred` without labels, `NewHead` with labels.
        n_recordings: that were used.
        failures: recordings that could not be used, with the reason.
        notes: on the manifest, such as labels that were renamed or left out.
    """

    output: Path
    unadapted: str
    result: Recentred | NewHead
    n_recordings: int
    failures: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def adapt(
    sources: StrPath | Sequence[StrPath],
    output: StrPath,
    *,
    model: StrPath | None = None,
    classes: str | Iterable[str] | None = None,
    labels: Mapping[str, str] | None = None,
    name: str | None = None,
    overwrite: bool = False,
    progress: Progress = iter,
) -> Adaptation:
    """Adapt a model to recordings, with or without labels, in seconds and without PyTorch (extra `adapt`).

    Args:
        sources: a folder or recordings, to recentre the model without labels; or one manifest (.csv, .tsv, .jsonl,
            .parquet), to fit a new classifier for its classes, of any names. At least 20 recordings.
        output: the model file to write.
        model: as for `load`; None for the shipped model.
        classes: only these classes of the manifest; or, without labels, those of the model's that occur in the
            recordings, which alone are shifted; None for all.
        labels: rules that rename labels of the manifest first, such as `{"annoyed": "anger"}`.
        name: of the new model; None for the name of the output.
        overwrite: replace an existing file whatever it is; else only a model file is replaced, and never the input.
        progress: wraps the recordings, to show how many are done.
    Raises:
        MissingExtraError: the extra `adapt` is not installed.
        CorpusError: too few recordings, fewer than two classes, or sources that do not exist or do not go together.
        ManifestError: the manifest cannot be read.
        UnknownEmotionError: a class that the manifest, or without labels the model, does not have.
        ModelFileError: the model cannot be used.
        OutputError: the output cannot be written, or would replace a file of another kind.
    """
    require_onnx()
    paths = [Path(one) for one in ([sources] if isinstance(sources, str | os.PathLike) else sources)]
    check_model_output(output, inputs=[*paths, *([] if model is None else [model])], overwrite=overwrite)
    name = name or Path(output).stem
    if tables := [path for path in paths if path.suffix.lower() in TABLES]:
        if len(paths) > 1:
            raise CorpusError(f"got {tables[0]} and other sources; give one manifest, or recordings without labels")
        corpus = _manifest(tables[0], classes, labels or {})
        content, metadata = read_model(model)
        recordings = run_model(Recognizer(content, metadata), corpus.utterances, progress)
        result: Recentred | NewHead = adapt_head(
            content, metadata, recordings, corpus.classes, name=name, corpus=corpus.name
        )
        notes = (*corpus.notes, *(f"left out: {count} ({reason})" for reason, count in corpus.dropped.items()))
    else:
        if labels:
            raise CorpusError("rules for labels need a manifest; recordings alone have no labels")
        utterances = find_recordings(paths)
        content, metadata = read_model(model)
        if classes is not None:
            choose(metadata, classes)
        recordings = run_model(Recognizer(content, metadata), utterances, progress)
        stem = paths[0].resolve().stem if len(paths) == 1 else "recordings"
        result = recentre(content, metadata, recordings, name=name, corpus=stem, classes=classes)
        notes = ()
    write_bytes(output, result.content)
    return Adaptation(Path(output), metadata.name, result, len(recordings), recordings.failures, notes)


def _manifest(table: Path, classes: str | Iterable[str] | None, rules: Mapping[str, str]) -> Corpus:
    corpus = read_corpus("manifest", table, labels=rules)
    if classes is not None:
        wanted = parse_classes(classes if isinstance(classes, str) else ",".join(classes))
        require_present(wanted, corpus.classes, str(table))
        corpus = corpus.with_classes(wanted)
    require_classes(corpus.classes, [utterance.emotion for utterance in corpus.utterances])
    return corpus
