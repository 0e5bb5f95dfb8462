"""Cross-corpus evaluation: score a model file on a corpus, through the recognizer that users call."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotone.adaptation.recentring import ROLE as RECENTRED
from emotone.audio import load_audio
from emotone.corpora import CORPUS_NAMES, Corpus, Utterance, origin
from emotone.corpora.origins import CUT_FROM
from emotone.errors import AudioError, BaselineError, CorpusError, OutputError, SpeakerLeakError
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.provenance import Provenance
from emotone.evaluation.results import Results
from emotone.evaluation.run_folder import FoldFolder, RunFolder
from emotone.evaluation.summary import summarise
from emotone.experiments.shipping.model_facts import DEVELOPMENT_CORPUS
from emotone.files import check_replaceable
from emotone.listening.recognition import Recognition
from emotone.listening.recognizer import Recognizer

PROTOCOL = "cross-corpus: all speakers, nothing trained or chosen on this corpus"
RECIPE_PROTOCOL = "cross-corpus: all speakers, nothing trained on this corpus, but it chose the recipe"
UNKNOWN_PROTOCOL = "all speakers; it is not known whether the model was trained on them"
HELD_OUT_PROTOCOL = "held-out speakers of a corpus the model was trained on"

_RELEASES = frozenset(CORPUS_NAMES) - {"manifest"}
"""Corpora whose recordings are the same in every copy."""

Progress = Callable[[Sequence[Utterance]], Iterable[Utterance]]


def evaluate_model(
    recognizer: Recognizer,
    corpus: Corpus,
    folder: Path,
    *,
    speakers: Sequence[str] = (),
    unseen: bool = False,
    neutral_clips: int = 0,
    overwrite: bool = False,
    command: str = "",
    progress: Progress = iter,
) -> Results:
    """Score a model file on a corpus and write a run folder that `emotone report` reads.

    Args:
        recognizer: with the model file.
        corpus: as a task over (some of) the model's classes.
        folder: the run folder.
        speakers: score only these; none for all. On a corpus the model was trained on, none means all held-out ones.
        unseen: True where the caller knows that the model was trained on none of them. Corpus names tell this for
            the corpora that emotone reads, but not for a manifest, nor for a model that was trained on one.
        neutral_clips: predictions are relative to a baseline of so many other neutral utterances of the same speaker,
            drawn for each utterance from its id; 0 for none. Labels of the test speakers' neutral speech are used then,
            and the protocol says so.
        overwrite: replace files in the folder that are not of an earlier evaluation.
        command: for the results.
        progress: wraps the utterances, to show how far it is.
    Raises:
        SpeakerLeakError: the model was trained on this corpus, and a named speaker (or every one) was not held out.
        CorpusError: nothing is left to score, a speaker is not there, or one has no neutral utterance for a baseline.
        OutputError: the folder has files that are not of an earlier evaluation.
        BaselineError: `neutral_clips` asked of a model without baselines.
    """
    metadata = recognizer.metadata
    if absent := sorted(set(speakers) - set(corpus.speakers)):
        raise CorpusError(f"{corpus.name} has no speaker {', '.join(absent)} with these classes")
    check_folder(folder, overwrite=overwrite)
    asked = set(speakers) or set(corpus.speakers)
    origins = {speaker: origin(corpus.name, speaker, CORPUS_NAMES) for speaker in {*corpus.speakers, *asked}}
    held_out: dict[str, set[str]] = {}
    for entry in metadata.corpora:
        if entry.role == RECENTRED:  # no label of it was used, so it may measure what recentring is worth
            continue
        held_out.setdefault(CUT_FROM.get(entry.name, entry.name), set()).update(entry.held_out)
    seen_speakers = {speaker for speaker, (release, own) in origins.items() if own not in held_out.get(release, {own})}
    wanted = asked - seen_speakers
    if seen_speakers & asked and (speakers or not wanted):
        allowed = sorted(speaker for speaker in corpus.speakers if speaker not in seen_speakers)
        raise SpeakerLeakError(
            f"the model {metadata.name} was trained on recordings of {corpus.name}"
            f"{'' if corpus.name in CORPUS_NAMES else ', or of a manifest of that name'}; speakers "
            f"{', '.join(sorted(seen_speakers & asked)[:8])} were not held out; "
            f"speakers who may score it: {', '.join(allowed) or 'none'}"
        )
    corpus = corpus.where(
        lambda utterance: utterance.speaker in wanted, reason="speaker not asked for, or not held out"
    )
    if not corpus.utterances:
        raise CorpusError(f"no utterance of {corpus.name} is left to score; check the classes and the speakers")
    releases = {origins[speaker][0] for speaker in corpus.speakers}
    seen = releases & set(held_out)
    # Models name the held-out speakers of their training corpora; for other corpora, only the corpus name can tell.
    known = unseen or releases <= seen or releases | set(held_out) <= _RELEASES
    protocol = HELD_OUT_PROTOCOL if seen else PROTOCOL if known else UNKNOWN_PROTOCOL
    protocol = RECIPE_PROTOCOL if known and not seen and DEVELOPMENT_CORPUS in releases else protocol
    if len(corpus.classes) < len(metadata.labels):
        recognizer = recognizer.with_classes(corpus.classes)
    began = time.perf_counter()
    baselines = None
    if neutral_clips:
        protocol += f"; each relative to {neutral_clips} other neutral clips of the speaker"
        baselines = Baselines(recognizer, corpus, neutral_clips)
    rows, failures = [], []
    for utterance in progress(corpus.utterances):
        try:
            view = recognizer if baselines is None else baselines.recognizer_for(utterance)
            recognition = recognise_utterance(view, utterance)
        except AudioError as error:
            failures.append(f"{utterance.id}: {error}")
            continue
        # Without speech there is no prediction; count it as a guess with equal probabilities.
        rows.append([recognition.probabilities.get(label, 1 / len(corpus.classes)) for label in corpus.classes])
    if failures:
        more = f"; and {len(failures) - 5} more" if len(failures) > 5 else ""
        raise CorpusError(
            f"{len(failures)} of {len(corpus.utterances)} recordings of {corpus.name} cannot be used: "
            f"{'; '.join(failures[:5])}{more}. Repair them, or remove them from the manifest"
        )
    probabilities = np.array(rows)
    predictions = Predictions(
        labels=corpus.classes,
        utterances=tuple(utterance.id for utterance in corpus.utterances),
        speakers=tuple(utterance.speaker for utterance in corpus.utterances),
        sexes=tuple(utterance.sex or "" for utterance in corpus.utterances),
        folds=np.zeros(len(corpus.utterances), dtype=np.int64),
        truth=np.asarray(corpus.targets(), dtype=np.int64),
        # The temperature is inside the file already; log probabilities are logits of temperature 1.
        logits=np.log(np.maximum(probabilities, 1e-12)),
        temperatures=np.ones(len(corpus.utterances)),
    )
    info = {
        "fold": 0,
        "seed": 0,
        "test_speakers": list(corpus.speakers),
        "validation_speakers": [],
        "seconds": round(time.perf_counter() - began, 1),
    }
    provenance = Provenance(
        kind="cross-corpus",
        corpus=corpus.name,
        protocol=protocol,
        fold_hash=_hash(corpus, protocol),
        speaker_independent=known,
        sentences_shared=corpus.sentences_shared and bool(seen),
        recipe_name=str(metadata.recipe.get("name", metadata.name)),
        recipe=dict(metadata.recipe),
        command=command,
        device="cpu (ONNX Runtime)",
        weights_sha=metadata.weights_sha,
        precision=metadata.precision,
    )
    results = summarise({0: predictions}, [info], provenance)
    FoldFolder(folder).finish(predictions, info)
    results.write(RunFolder(folder).results)
    return results


def check_folder(folder: Path, *, overwrite: bool = False) -> None:
    """Check, before any work is done, that an evaluation can be written to a folder.

    Raises:
        OutputError: it cannot be written to, or has files that are not of an earlier evaluation.
    """
    run, fold = RunFolder(folder), FoldFolder(folder)
    if run.settings.exists() and not overwrite:
        raise OutputError(f"{folder} is the folder of a training; name another output, or add --overwrite")
    for path, kind, sign in (
        (run.results, "an evaluation's results", rb'"kind": "(cross-corpus|untouched)"'),
        (fold.predictions, "predictions", rb'^"?utterance"?,'),
        (fold.info, "an evaluation's fold", rb'"test_speakers"'),
    ):
        check_replaceable(path, kind, partial(_has, sign), overwrite=overwrite)


def _has(sign: bytes, content: bytes) -> bool:
    return re.search(sign, content) is not None


class Baselines:
    """Baselines of a corpus's speakers, from neutral utterances other than the one that is scored.

    Args:
        recognizer: of a model that takes baselines.
        corpus: in which some utterances are neutral.
        n_clips: neutral utterances in each baseline; fewer where a speaker has fewer.
    Raises:
        BaselineError: the model takes no baseline.
        CorpusError: a speaker has fewer than two neutral utterances.
    """

    def __init__(self, recognizer: Recognizer, corpus: Corpus, n_clips: int) -> None:
        if not recognizer.takes_baseline:
            raise BaselineError(f"the model {recognizer.metadata.name} takes no baseline; leave neutral clips out")
        self._recognizer, self._n_clips = recognizer, n_clips
        self._neutral: dict[str, list[tuple[str, NDArray[np.float32]]]] = {}
        for utterance in corpus.utterances:
            if utterance.emotion == "neutral":
                embedding = recognise_utterance(recognizer, utterance).embedding
                if embedding is not None:
                    self._neutral.setdefault(utterance.speaker, []).append((utterance.id, embedding))
        lacking = [speaker for speaker in corpus.speakers if len(self._neutral.get(speaker, ())) < 2]
        if lacking:
            raise CorpusError(
                f"speakers {', '.join(lacking[:8])} of {corpus.name} have fewer than two neutral utterances; "
                "a baseline needs one other than the utterance that is scored"
            )

    def recognizer_for(self, utterance: Utterance) -> Recognizer:
        """A recognizer relative to other neutral utterances of the speaker."""
        others = [one for name, one in self._neutral[utterance.speaker] if name != utterance.id]
        seed = int.from_bytes(hashlib.sha256(utterance.id.encode()).digest()[:8], "little")
        chosen = np.random.default_rng(seed).permutation(len(others))[: self._n_clips]
        return self._recognizer.with_baseline(np.mean([others[index] for index in chosen], axis=0))


def recognise_utterance(recognizer: Recognizer, utterance: Utterance) -> Recognition:
    """Recognise an utterance: its file, or the segment of the file that is the utterance."""
    if utterance.start_s is None and utterance.end_s is None:
        return recognizer(utterance.path)
    rate = recognizer.metadata.sample_rate
    waveform = load_audio(utterance.path, sample_rate=rate, start_s=utterance.start_s or 0.0, end_s=utterance.end_s)
    return recognizer((waveform, rate))


def _hash(corpus: Corpus, protocol: str) -> str:
    """12 hexadecimal digits that change with any utterance that is scored, as a fold's hash does."""
    rows = [protocol, *(f"{utterance.speaker}/{utterance.id}" for utterance in corpus.utterances)]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:12]
