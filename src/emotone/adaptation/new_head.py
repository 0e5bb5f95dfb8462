"""Adaptation with labels: a new classifier, for any classes, on the embedding of a model file.

The encoder is not changed; the classifier is the one of `linear_head`. It is scored by cross-validation with the
speakers of each test part left out, calibrated on the same left-out predictions, and then fitted once more on
everything.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from emotone.adaptation.graph import with_linear_head
from emotone.adaptation.linear_head import Indices, fit_head
from emotone.adaptation.recentring import adapted_metadata
from emotone.adaptation.recordings import Recordings, require_enough
from emotone.errors import CorpusError, MissingExtraError
from emotone.evaluation import metrics
from emotone.evaluation.calibration import fit_temperature
from emotone.evaluation.significance import bootstrap_over_speakers
from emotone.model_files.metadata import ModelMetadata, Score, TrainingCorpus
from emotone.model_files.model_file import with_metadata

ROLE = "new classifier"
FEW_RECORDINGS = 10
"""A class with fewer recordings is warned of."""

MOST_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """A UAR with its interval, accuracy and n.

    Attributes:
        uar: in [0, 1].
        low: lower end of its 95 % interval, None with one speaker.
        high: upper end.
        accuracy: in [0, 1].
        n: recordings.
        classes: over which it was computed.
    """

    uar: float
    low: float | None
    high: float | None
    accuracy: float
    n: int
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class NewHead:
    """A model file with a new classifier, and its scores.

    Attributes:
        content: the bytes of the new model file.
        metadata: its metadata.
        adapted: the score of the new classifier, in cross-validation.
        unadapted: the score of the unadapted model on the same recordings, over the classes that it knows; None where
            it knows fewer than two of them.
        protocol: of both, in words.
        warnings: sentences on recordings that are too few or too alike.
    """

    content: bytes
    metadata: ModelMetadata
    adapted: Measured
    unadapted: Measured | None
    protocol: str
    warnings: tuple[str, ...]


def require_classes(classes: Sequence[str], emotions: Sequence[str]) -> None:
    """Check that a classifier can be fitted at all; needs no model, so it comes before any recording is read.

    Raises:
        CorpusError: fewer than two classes, or too few recordings.
    """
    present = sorted(set(emotions))
    if len(present) < 2 or len(classes) < 2:
        raise CorpusError(
            f"got recordings of one class, {', '.join(present) or 'none'}; a classifier needs at least two. To adapt "
            "without labels, give the folder instead of the manifest"
        )
    require_enough(len(emotions), [])


def adapt_head(
    content: bytes, metadata: ModelMetadata, recordings: Recordings, classes: Sequence[str], *, name: str, corpus: str
) -> NewHead:
    """Fit, score and calibrate a new classifier, and put it into the model file.

    Args:
        content: the bytes of the model file.
        metadata: its metadata.
        recordings: the outputs of this model for labelled recordings.
        classes: of the new model, in the order of its outputs.
        name: of the new model.
        corpus: a name for the recordings, for the metadata.
    Raises:
        CorpusError: fewer than two classes, or too few recordings.
        MissingExtraError: the extra `adapt` is not installed.
        ModelFileError: the graph is not that of a model file.
    """
    emotions = [utterance.emotion for utterance in recordings.utterances]
    speakers = [utterance.speaker for utterance in recordings.utterances]
    require_classes(classes, emotions)
    targets = np.array([list(classes).index(emotion) for emotion in emotions], dtype=np.int64)
    parts = list(_test_parts(targets, speakers))
    known = [metadata.labels.index(name) for name in classes] if set(classes) <= set(metadata.labels) else None
    left_out = np.zeros((len(targets), len(classes)))
    for test in parts:
        rest = np.setdiff1d(np.arange(len(targets)), test)
        head = fit_head(recordings.embeddings[rest], recordings.probabilities[rest], targets[rest], len(classes), known)
        left_out[test] = head.logits(recordings.embeddings[test], recordings.probabilities[test])
    temperature = fit_temperature(left_out, targets)
    head = fit_head(recordings.embeddings, recordings.probabilities, targets, len(classes), known)

    by_speaker = len(set(speakers)) > 1
    what = "by speaker" if by_speaker else "by recording, one speaker on both sides"
    protocol = f"{len(parts)}-fold cross-validation {what}"
    adapted = _measured(targets, left_out.argmax(1), speakers, classes)
    changed = adapted_metadata(
        content,
        metadata,
        name=name,
        corpus=TrainingCorpus(corpus, "user data", ROLE),
        settings={"kind": "new classifier", "n": len(targets), "recordings": dict(Counter(emotions))},
    )
    # Settings that were fitted for the old classes, or for the old classifier's baseline, no longer apply.
    changed = dataclasses.replace(
        changed,
        labels=tuple(classes),
        temperature=temperature,
        scores=_scores(corpus, protocol, adapted, parts, recordings, by_speaker=by_speaker),
        baseline=False,
        class_sets=(),
        unsure_margin=0.0,
    )
    graph = with_linear_head(
        content, *(part / temperature for part in (head.from_embedding, head.from_logarithms, head.bias))
    )
    return NewHead(
        content=with_metadata(graph, changed),
        metadata=changed,
        adapted=adapted,
        unadapted=_unadapted(metadata, recordings, targets, speakers, classes),
        protocol=protocol,
        warnings=tuple(_warnings(metadata, emotions, speakers, classes)),
    )


def _test_parts(targets: Indices, speakers: Sequence[str]) -> Iterator[Indices]:
    """The test parts of a cross-validation: whole speakers, or recordings where there is one speaker."""
    try:
        from sklearn.model_selection import GroupKFold, StratifiedKFold
    except ImportError as error:
        raise MissingExtraError("adapting to labels", "adapt") from error
    n_speakers = len(set(speakers))
    rows = np.zeros((len(targets), 1))
    if n_speakers > 1:
        splits = GroupKFold(min(MOST_FOLDS, n_speakers)).split(rows, targets, speakers)
    else:
        smallest = int(np.bincount(targets)[np.unique(targets)].min())
        n_folds = max(2, min(MOST_FOLDS, smallest))
        if smallest < 2:
            # A class with one recording cannot be in training and in test, so it is never recognised.
            yield from np.array_split(np.argsort(targets, kind="stable"), n_folds)
            return
        splits = StratifiedKFold(n_folds, shuffle=True, random_state=0).split(rows, targets)
    for _, test in splits:
        yield test


def _measured(truth: Indices, prediction: Indices, speakers: Sequence[str], classes: Sequence[str]) -> Measured:
    interval = None
    if len(set(speakers)) > 1:
        interval = bootstrap_over_speakers(truth, prediction, speakers, n_labels=len(classes))
    return Measured(
        uar=metrics.unweighted_average_recall(truth, prediction, len(classes)),
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        accuracy=metrics.accuracy(truth, prediction, len(classes)),
        n=len(truth),
        classes=tuple(classes),
    )


def _unadapted(
    metadata: ModelMetadata, recordings: Recordings, targets: Indices, speakers: Sequence[str], classes: Sequence[str]
) -> Measured | None:
    """The unadapted model over the classes that it knows, on the recordings of these classes."""
    known = [position for position, label in enumerate(classes) if label in metadata.labels]
    rows = np.flatnonzero(np.isin(targets, known))
    if len(known) < 2 or not len(rows):
        return None
    columns = [metadata.labels.index(classes[position]) for position in known]
    prediction = recordings.probabilities[rows][:, columns].argmax(1)
    truth = np.searchsorted(known, targets[rows])
    return _measured(
        truth, prediction, [speakers[row] for row in rows.tolist()], [classes[position] for position in known]
    )


def _scores(
    corpus: str,
    protocol: str,
    measured: Measured,
    parts: Sequence[Indices],
    recordings: Recordings,
    *,
    by_speaker: bool,
) -> tuple[Score, ...]:
    if measured.low is None or measured.high is None:
        return ()
    ids = [sorted(recordings.utterances[row].id for row in part) for part in parts]
    return (
        Score(
            corpus=corpus,
            protocol=protocol,
            n=measured.n,
            uar=measured.uar,
            uar_low=measured.low,
            uar_high=measured.high,
            accuracy=measured.accuracy,
            fold_hash=hashlib.sha256(repr(ids).encode()).hexdigest()[:12],
            speaker_independent=by_speaker,
            note="of classifiers fitted without the test speakers; the classifier in this file was fitted on all of "
            "them and has no test score of its own",
        ),
    )


def _warnings(
    metadata: ModelMetadata, emotions: Sequence[str], speakers: Sequence[str], classes: Sequence[str]
) -> list[str]:
    said = []
    if metadata.baseline:
        said.append(f"the new model takes no speaker baseline, unlike {metadata.name}")
    counts = Counter(emotions)
    if few := [f"{name} {counts[name]}" for name in classes if counts[name] < FEW_RECORDINGS]:
        said.append(f"classes with fewer than {FEW_RECORDINGS} recordings: {', '.join(few)}")
    if len(set(speakers)) == 1:
        said.append(
            f"all recordings are of one speaker, {speakers[0]}: the score says nothing about other speakers, and it "
            "has no interval"
        )
    else:
        of_class = {
            name: {who for who, what in zip(speakers, emotions, strict=True) if what == name} for name in counts
        }
        if lone := [f"{name} (of {next(iter(who))})" for name, who in of_class.items() if len(who) == 1]:
            said.append(
                f"classes with one speaker: {', '.join(sorted(lone))}; the model may learn the voice, not the class"
            )
    return said
