"""A network that learns from a teacher: its probabilities, and its embeddings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotone.corpora import Corpus
from emotone.errors import RecipeError, TrainingError
from emotone.experiments.folds.teaching import taught
from emotone.experiments.folds.training import run_fold, train_fold
from emotone.experiments.plan import Plan
from emotone.experiments.recipe import Recipe, recipe_from, recipe_with
from emotone.training.data.batches import LabelledWaveforms
from emotone.training.data.waveform_store import WaveformStore
from emotone.training.job import EpochRecord
from emotone.training.trained_weights import read_weights
from features.test_whisper import write_encoder
from training.test_encoder_models import plan_for, recipe_for


def student(*settings: str) -> Recipe:
    recipe = recipe_from(
        {
            "name": "student",
            "features": {"n_mels": 16, "hop_length": 320},
            "model": {"stem_channels": 4, "stages": [{"channels": 4, "stride": [2, 2]}], "embedding": 8},
            "training": {"epochs": 4, "batch_size": 8, "learning_rate": 0.01, "crop_s": 0, "average": 0.0},
        },
        source="test",
    )
    return recipe_with(recipe, ["training.teacher_embedding=1.0", *settings])


@pytest.fixture(scope="module")
def teacher(voices: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    encoder = write_encoder(tmp_path_factory.mktemp("encoders") / "whisper-made-up")
    plan = plan_for(voices, tmp_path_factory.mktemp("teacher"), recipe_for(encoder))
    run_fold(plan, 0, 0)
    return plan


def plan_of(teacher: Plan, folder: Path, recipe: Recipe) -> Plan:
    return replace(teacher, folder=folder, recipe=recipe, teacher=teacher.fold(0, 0).weights)


def labelled(plan: Plan) -> LabelledWaveforms:
    corpus = plan.corpus
    waveforms = WaveformStore(plan.store, sample_rate=16_000).open(corpus.utterances)
    return LabelledWaveforms(waveforms, np.asarray(corpus.targets()), [one.id for one in corpus.utterances], 3)


def test_targets_are_half_the_label_and_only_for_those_who_learn(teacher: Plan, tmp_path: Path) -> None:
    plan = plan_of(teacher, tmp_path, student())
    split = plan.folds.folds[0].indices(plan.corpus)
    data = taught(plan, labelled(plan), split.train)
    assert data.soft is not None
    assert data.embeddings is not None
    np.testing.assert_allclose(data.soft.sum(1), 1, atol=1e-5)
    assert (data.soft[split.train, data.targets[split.train]] >= 0.5).all()
    assert set(data.soft[split.test].ravel()) == {0.0, 1.0}
    np.testing.assert_allclose(data.embeddings[split.train].mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(data.embeddings[split.train].std(0), 1, atol=1e-2)
    assert not data.embeddings[split.test].any()


def test_the_embeddings_are_learnt_and_the_map_to_them_is_not_kept(
    teacher: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = []

    def watch(given: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        errors.append((given - wanted).square().mean().item())
        return (given - wanted).square().mean()

    monkeypatch.setattr(torch.nn.functional, "mse_loss", watch)
    plan = plan_of(teacher, tmp_path, student("training.epochs=30"))
    run_fold(plan, 0, 0)
    by_epoch = np.array(errors).reshape(30, -1).mean(1)
    assert by_epoch[0] > 1  # the teacher's mean alone would give 1
    assert by_epoch[-5:].mean() < 0.96
    content = plan.fold(0, 0).weights.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert not [name for name in header if "teacher" in name]
    assert read_weights(plan.fold(0, 0).weights).network.teacher_map is None


def test_a_student_that_was_stopped_ends_with_the_same_bits(teacher: Plan, tmp_path: Path) -> None:
    plans = [plan_of(teacher, tmp_path / name, student()) for name in ("whole", "stopped")]
    run_fold(plans[0], 0, 0)

    def stop(seed: int, fold: int, record: EpochRecord, n_epochs: int) -> None:
        if record.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_fold(plans[1], 0, 0, stop)
    run_fold(plans[1], 0, 0)
    ours, theirs = (plan.fold(0, 0).predictions.read_bytes() for plan in plans)
    assert ours == theirs


def test_embeddings_without_a_teacher_are_refused(teacher: Plan, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no teacher"):
        train_fold(replace(teacher, folder=tmp_path, recipe=student()), 0, 0, None)


def test_a_teacher_of_another_kind_is_refused(teacher: Plan, tmp_path: Path) -> None:
    pupil = replace(teacher, folder=tmp_path / "pupil", recipe=student("training.teacher_embedding=0"))
    run_fold(pupil, 0, 0)
    plan = replace(pupil, folder=tmp_path / "next", teacher=pupil.fold(0, 0).weights)
    with pytest.raises(TrainingError, match="expected a network on an encoder's frames"):
        train_fold(plan, 0, 0, None)


def test_embeddings_of_mixed_utterances_are_refused() -> None:
    with pytest.raises(RecipeError, match="no mixup"):
        student("augmentation.mixup=0.2")
