"""What a model is like on corpora that it was not trained on: trained once for each corpus, with that corpus left out.

Users bring recordings of corpora that no model has seen, so the temperature of a model that ships, and the distances
that `unfamiliar` compares with, come from predictions on left-out corpora. The model's own test speakers take no part.

Conventions: the corpus is a merged one, whose speakers are named `part/speaker`; parts that are not speech (EmoGator's
vocal bursts) train and are never left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from emotone.adaptation.unfamiliarity import distances, whitening
from emotone.corpora import Corpus, Fold, Folds
from emotone.corpora.folds import fold_hash
from emotone.errors import TrainingError
from emotone.evaluation.calibration import fit_temperature
from emotone.evaluation.predictions import Predictions
from emotone.experiments.folds.processes import EpochListener
from emotone.experiments.folds.training import run_fold
from emotone.experiments.plan import Plan
from emotone.features.conditions import ConditionOptions
from emotone.features.encoder_frames import EncoderFrames
from emotone.models.frames import FramesNetwork
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.data.batches import LabelledWaveforms
from emotone.training.data.frame_cache import FrameCache
from emotone.training.data.waveform_store import StoredWaveforms, WaveformStore
from emotone.training.scoring import score
from emotone.training.trained_weights import read_weights

PROTOCOL = "leave-one-corpus-out"
NOT_SPEECH = ("emogator",)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Predictions on corpora that were left out of training.

    Attributes:
        predictions: of each corpus.
        distances: of the embeddings of each corpus from the training data, shape (n_utterances,); or empty.
    """

    predictions: tuple[Predictions, ...]
    distances: tuple[NDArray[np.float64], ...]

    def temperature(self, labels: Sequence[str] | None = None) -> float:
        """The geometric mean of the temperatures with the best Brier score on each corpus.

        Args:
            labels: a subset to which the probabilities are restricted; None for all labels.
        """
        kept = self.predictions if labels is None else [restrict(one, labels) for one in self.predictions]
        return float(np.exp(np.mean([np.log(fit_temperature(one.logits, one.truth)) for one in kept])))

    def __add__(self, other: LeftOut) -> LeftOut:
        """The corpora of both."""
        return LeftOut(self.predictions + other.predictions, self.distances + other.distances)


def restrict(predictions: Predictions, labels: Sequence[str]) -> Predictions:
    """Predictions among a subset of the labels, for the utterances whose true label is among them."""
    columns = [predictions.labels.index(label) for label in labels]
    kept = predictions.take(np.isin(predictions.truth, columns))
    position = {column: place for place, column in enumerate(columns)}
    truth = np.array([position[one] for one in kept.truth.tolist()], dtype=np.int64)
    return replace(kept, labels=tuple(labels), truth=truth, logits=kept.logits[:, columns])


def left_out_folds(corpus: Corpus, fold: Fold) -> tuple[Corpus, Folds]:
    """The corpus without a fold's test speakers, and one fold for each of its speech corpora.

    A corpus without which less than half of the speech would remain is not left out: a model trained on the rest tells
    nothing about one trained on all.

    Args:
        corpus: merged.
        fold: of the protocol that the model is trained on; its validation speakers stay validation speakers.
    Raises:
        TrainingError: no corpus of speech can be left out.
    """
    kept = corpus.where(lambda one: one.speaker not in fold.test, reason="test speaker of the shipped model")
    sizes = Counter(one.speaker.partition("/")[0] for one in kept.utterances)
    speech = {part: size for part, size in sizes.items() if part not in NOT_SPEECH}
    parts = sorted(part for part, size in speech.items() if 2 * size <= sum(speech.values()))
    if not parts:
        raise TrainingError(
            f"{corpus.name} has no corpus of speech that could be left out and leave half of the speech"
        )
    folds = []
    for index, part in enumerate(parts):
        test = {speaker for speaker in kept.speakers if speaker.startswith(f"{part}/")}
        validation = set(fold.validation) - test
        train = set(kept.speakers) - test - validation
        folds.append(Fold(index, tuple(sorted(train)), tuple(sorted(validation)), tuple(sorted(test))))
    return kept, Folds(PROTOCOL, tuple(folds), fold_hash(kept, PROTOCOL, folds))


def leave_corpora_out(plan: Plan, report: EpochListener | None = None) -> LeftOut:
    """Train with each speech corpus left out in turn, and predict it.

    Args:
        plan: of the model that ships; the first of its folds and seeds is taken.
        report: called after each epoch.
    Raises:
        TrainingError: see `left_out_folds` and `emotone.training.loop.train`.
    """
    number, seed = plan.fold_numbers[0], plan.seeds[0]
    whole = plan.folds.folds[number]
    if not isinstance(whole, Fold):
        raise TrainingError(f"the protocol {plan.folds.protocol} has no speaker-disjoint folds")
    corpus, folds = left_out_folds(plan.corpus, whole)
    inner = replace(plan, corpus=corpus, folds=folds, folder=plan.folder / PROTOCOL, seeds=(seed,), only_folds=None)
    tables, away = [], []
    for index in inner.fold_numbers:
        fold = inner.fold(seed, index)
        if not fold.is_done:
            run_fold(inner, seed, index, report)
        tables.append(Predictions.read(fold.predictions))
        network = read_weights(fold.weights).network
        split = folds.folds[index].indices(corpus)
        centre, projection = whitening(embeddings(inner, network, corpus, split.train))
        away.append(distances(embeddings(inner, network, corpus, split.test), centre, projection))
    return LeftOut(tuple(tables), tuple(away))


def predict_unseen(plan: Plan, network: RecognitionNetwork, corpus: Corpus) -> LeftOut:
    """Predictions on a corpus that a model was not trained on, for the classes that both have.

    Args:
        plan: that the model was trained by.
        network: the model; without an encoder, no distances are measured.
        corpus: none of whose speakers is in the plan.
    """
    corpus = corpus.where(lambda one: one.emotion in plan.corpus.classes, reason="not a class of the model")
    classes = plan.corpus.classes
    waveforms = WaveformStore(plan.store, sample_rate=plan.recipe.features.sample_rate).open(corpus.utterances)
    truth = np.array([classes.index(one.emotion) for one in corpus.utterances], dtype=np.int64)
    data = LabelledWaveforms(waveforms, truth, [one.id for one in corpus.utterances], len(classes))
    everyone = np.arange(len(truth))
    frames = None
    away: NDArray[np.float64] = np.zeros(0)
    if isinstance(network.front_end, EncoderFrames):
        split = plan.folds.folds[plan.fold_numbers[0]].indices(plan.corpus)
        centre, projection = whitening(embeddings(plan, network, plan.corpus, split.train))
        frames = _cache(plan, network, waveforms, everyone)
        away = distances(_embeddings(network, frames, everyone), centre, projection)
    predictions = Predictions(
        labels=classes,
        utterances=tuple(one.id for one in corpus.utterances),
        speakers=tuple(one.speaker for one in corpus.utterances),
        sexes=tuple(one.sex or "" for one in corpus.utterances),
        folds=np.zeros(len(truth), dtype=np.int64),
        truth=truth,
        logits=score(network, data, everyone, frames),
        temperatures=np.ones(len(truth)),
    )
    return LeftOut((predictions,), (away,))


def embeddings(
    plan: Plan, network: RecognitionNetwork, corpus: Corpus, indices: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Embeddings of some utterances, shape (len(indices), d)."""
    waveforms = WaveformStore(plan.store, sample_rate=plan.recipe.features.sample_rate).open(corpus.utterances)
    return _embeddings(network, _cache(plan, network, waveforms, indices), indices)


def _cache(
    plan: Plan, network: RecognitionNetwork, waveforms: StoredWaveforms, indices: NDArray[np.int64]
) -> FrameCache:
    """Frames of the recordings themselves, without copies or baselines."""
    nothing = np.zeros(0, dtype=np.int64)
    return FrameCache.open(
        network,
        waveforms,
        folder=plan.store / "frames",
        conditions=ConditionOptions(),
        copied=nothing,
        others=indices,
        neutral=[nothing] * len(waveforms),
    )


def _embeddings(network: RecognitionNetwork, cache: FrameCache, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    if not isinstance(network.network, FramesNetwork):
        raise TrainingError(f"a network of type {type(network.network).__name__} has no embedding of frames")
    rows = []
    with torch.no_grad():
        for start in range(0, len(indices), 64):
            features, counts = network.finish(*cache(indices[start : start + 64]))
            rows.append(network.network.embed(features, counts).numpy())
    return np.concatenate(rows)
