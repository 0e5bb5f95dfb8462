"""The models that ship: trained on merged corpora, calibrated on corpora left out, exported with all they need.

Conventions: a model is named like its recipe. Its run folder holds the trained fold and, below `leave-one-corpus-out`,
a fold for each speech corpus that was left out in turn. Everything resumes where it was stopped.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from emotone.adaptation.unfamiliarity import give_unfamiliarity
from emotone.corpora import Corpus, protocol_folds, read_corpus
from emotone.corpora.origins import MERGED_FROM
from emotone.emotions import FOUR_CLASSES
from emotone.errors import TrainingError
from emotone.evaluation.results import Results
from emotone.evaluation.run_folder import RunFolder
from emotone.experiments.cross_validation import cross_validate
from emotone.experiments.plan import Listener, Plan, SilentListener
from emotone.experiments.recipe import load_recipe
from emotone.experiments.shipping.across_corpora import LeftOut, embeddings, leave_corpora_out, predict_unseen
from emotone.experiments.shipping.model_facts import (
    DEVELOPMENT_CORPUS,
    score_of_fold,
    scores_of,
    training_corpora,
)
from emotone.experiments.shipping.without_encoder import SHARE, complete, unseen_speech
from emotone.files import write_bytes
from emotone.model_files.metadata import ClassSet
from emotone.model_files.model_file import read_model_file
from emotone.training.export import export_model
from emotone.training.trained_weights import read_weights

UNSURE_MARGIN = 0.1
"""A prediction is unsure where the runner-up is closer than this: 51 % against 49 % is not an answer."""

UNSURE_THRESHOLD = 0.5
"""A prediction is unsure where it is more likely wrong than right, by its calibrated probability."""


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """One of the models of this project.

    Attributes:
        corpus: a merged corpus.
        recipe: name of the recipe, and of the model.
        licence: of the model file.
        precision: in which its weights are stored.
        teacher: another of the models, which it learns from.
        baseline: of a model without an encoder, share of the difference between a speaker's and the training speakers'
            neutral speech that is taken back; 0 for one with an encoder, which learns to use a baseline.
    """

    corpus: str
    recipe: str
    licence: str
    precision: str
    teacher: str | None = None
    baseline: float = 0.0


MODELS = {
    "default": ShippedModel("open-six", "default", "MIT", "int8"),
    "small": ShippedModel("open-six", "small", "MIT", "fp32", teacher="default", baseline=SHARE),
    "research": ShippedModel("research-six", "research", "CC-BY-NC-SA-4.0", "int8"),
}


@dataclass(frozen=True, slots=True)
class Calibration:
    """What left-out corpora determine.

    Attributes:
        temperature: for all labels.
        class_sets: temperatures of subsets of the labels.
    """

    temperature: float
    class_sets: tuple[ClassSet, ...]


def plan_of(
    name: str,
    corpora: Path,
    folder: Path,
    store: Path,
    *,
    threads: int = 0,
    command: str = "",
    teacher: Path | None = None,
) -> Plan:
    """The plan of one of `MODELS`.

    Args:
        name: of the model.
        corpora: the folder that holds the corpora's folders.
        folder: of the run.
        store: of waveforms and frames.
        threads: of PyTorch; 0 leaves PyTorch's own choice.
        command: how the run was started.
        teacher: run folder of the model's teacher, where it has one.
    Raises:
        CorpusNotFoundError: a corpus is missing.
        TrainingError: the teacher is missing.
    """
    if MODELS[name].teacher is not None and teacher is None:
        raise TrainingError(f"{name} learns from {MODELS[name].teacher}; train that first and name its run folder")
    corpus = read_corpus(MODELS[name].corpus, corpora)
    return Plan(
        corpus=corpus,
        folds=protocol_folds(corpus),
        recipe=load_recipe(MODELS[name].recipe),
        seeds=(0,),
        folder=folder,
        store=store,
        threads=threads,
        command=command,
        teacher=None if teacher is None else RunFolder(teacher).find_fold(0, 0).weights,
    )


def build_model(
    name: str,
    plan: Plan,
    corpora: Path,
    output: str | os.PathLike[str],
    *,
    scores: Sequence[Results] = (),
    listener: Listener | None = None,
) -> Calibration:
    """Train, calibrate and export one of `MODELS`.

    Args:
        name: of the model.
        plan: from `plan_of`.
        corpora: the folder that holds the corpora's folders, for a student's calibration.
        output: the model file to write.
        scores: of `emotone evaluate`, for the model file.
        listener: of the progress.
    Returns:
        what left-out corpora determined.
    Raises:
        TrainingError: see `emotone.training.loop.train`.
        EvaluationError: a score is of other weights.
        ModelFileError: the exported graph does not agree with PyTorch; nothing was written.
    """
    listener = listener or SilentListener()
    shipped = MODELS[name]
    cross_validate(plan, listener=listener)
    fold = plan.fold(plan.seeds[0], plan.fold_numbers[0])
    weights = read_weights(fold.weights)
    # The development corpus is unseen too, where the model was not trained on it. A student would take hours to train
    # once more for each corpus, so it is calibrated on the development corpus and on its own validation speakers: on
    # the former alone, whose language a small model does not know, it would doubt everything.
    left_out = LeftOut((), ())
    if DEVELOPMENT_CORPUS not in MERGED_FROM[shipped.corpus]:
        unseen = read_corpus(DEVELOPMENT_CORPUS, corpora / DEVELOPMENT_CORPUS)
        left_out = predict_unseen(plan, weights.network, unseen)
    if plan.teacher is not None:
        left_out += predict_unseen(plan, weights.network, validation_part(plan))
    else:
        left_out += leave_corpora_out(plan, listener.epoch)
    calibration = calibrate(left_out, plan.corpus)
    weights = replace(weights, temperature=calibration.temperature)
    own = score_of_fold(fold.path)
    found = [(one, "") for one in [*([own] if own is not None else []), *scores]]
    before, after = scores_of(found, weights.sha, shipped.precision)
    with TemporaryDirectory() as folder:
        plain = Path(folder) / "model.onnx"
        export_model(
            weights,
            plain,
            name=name,
            corpora=training_corpora(weights.about, plan.folds.folds[plan.fold_numbers[0]].test),
            scores=before,
            file_scores=after,
            licence=shipped.licence,
            unsure_threshold=UNSURE_THRESHOLD,
            precision=shipped.precision,
            class_sets=calibration.class_sets,
            unsure_margin=UNSURE_MARGIN,
        )
        content, metadata = read_model_file(plain)
    split = plan.folds.folds[plan.fold_numbers[0]].indices(plan.corpus)
    if shipped.baseline:
        others = unseen_speech(corpora, plan.corpus.classes)
        content = complete(content, metadata, plan.corpus, split, others, shipped.baseline)
    elif plan.teacher is None:
        training = embeddings(plan, weights.network, plan.corpus, split.train)
        content, _ = give_unfamiliarity(content, metadata, training, np.concatenate(left_out.distances))
    write_bytes(output, content)
    return calibration


def validation_part(plan: Plan) -> Corpus:
    """The utterances of a plan's validation speakers, of the first of its folds."""
    split = plan.folds.folds[plan.fold_numbers[0]].indices(plan.corpus)
    speakers = {plan.corpus.utterances[index].speaker for index in split.validation.tolist()}
    return plan.corpus.where(lambda one: one.speaker in speakers, reason="not a validation speaker")


def calibrate(left_out: LeftOut, corpus: Corpus) -> Calibration:
    """Temperatures from predictions on left-out corpora."""
    temperature = left_out.temperature()
    four = ClassSet(FOUR_CLASSES, left_out.temperature(FOUR_CLASSES))
    return Calibration(temperature, (four,) if four.labels != tuple(corpus.classes) else ())
