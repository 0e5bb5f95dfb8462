"""A model is built in one go: trained, calibrated on speech it has not heard, exported with what was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import emotone
from emotone.adaptation.unfamiliarity import UNSURE_ABOVE
from emotone.corpora import Corpus
from emotone.experiments.folds.training import run_fold
from emotone.experiments.plan import Plan
from emotone.experiments.recipe import recipe_with
from emotone.experiments.shipping import shipped_model, without_encoder
from emotone.experiments.shipping.shipped_model import ShippedModel, build_model
from emotone.model_files.model_file import read_model_file
from features.test_whisper import write_encoder
from training.test_encoder_models import plan_for, recipe_for
from training.test_teaching import student
from voices import made_up_voices

EMOTIONS = ("neutral", "happiness", "sadness", "anger", "fear")
SPEAKERS = ("crema-d/a", "crema-d/b", "crema-d/c", "crema-d/d", "emodb/e", "emodb/f")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("teacher")
    corpus = made_up_voices(folder / "voices", "open-six", EMOTIONS, SPEAKERS)
    plan = plan_for(corpus, folder, recipe_for(write_encoder(folder / "whisper-made-up")))
    run_fold(plan, 0, 0)
    return plan


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return made_up_voices(tmp_path_factory.mktemp("unseen"), "nemo", EMOTIONS, ("x", "y"))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_student_takes_a_baseline_where_its_model_says_so(
    share: float, teacher: Plan, unseen: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ShippedModel("open-six", "student", "CC0-1.0", "fp32", teacher="default", baseline=share)
    monkeypatch.setitem(shipped_model.MODELS, "student", model)
    for module in (shipped_model, without_encoder):
        monkeypatch.setattr(module, "read_corpus", lambda name, folder: {"nemo": unseen}[name])
    recipe = recipe_with(student(), ["training.teacher_embedding=0"])
    plan = replace(teacher, folder=tmp_path / "run", recipe=recipe, teacher=teacher.fold(0, 0).weights)
    output = tmp_path / "student.onnx"
    calibration = build_model("student", plan, tmp_path, output)
    metadata = read_model_file(output)[1]
    assert metadata.baseline == bool(share)
    assert metadata.temperature == calibration.temperature
    assert [one.labels for one in metadata.class_sets] == [("neutral", "happiness", "sadness", "anger")]
    assert [one.name for one in metadata.corpora] == ["crema-d", "emodb", "emogator"]
    recognizer = emotone.load(output)
    path = next(one.path for one in unseen.utterances if one.emotion == "anger")
    recognition = recognizer(path)
    alone = list(recognition.probabilities.values())
    assert (recognition.unfamiliar is not None) == bool(share)
    if share:
        own = [one.path for one in unseen.utterances if one.emotion == "neutral" and one.speaker == "x"][:3]
        assert not np.allclose(alone, list(recognizer(path, baseline=own).probabilities.values()), atol=1e-3)
    else:
        with pytest.raises(emotone.errors.BaselineError, match="takes no baseline"):
            recognizer(path, baseline=path)


def test_a_model_with_an_encoder_says_how_unfamiliar_speech_is(
    teacher: Plan, unseen: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(shipped_model.MODELS, "made-up", ShippedModel("open-six", "made-up", "MIT", "int8"))
    monkeypatch.setattr(shipped_model, "read_corpus", lambda name, folder: {"nemo": unseen}[name])
    output = tmp_path / "made-up.onnx"
    build_model("made-up", teacher, tmp_path, output)
    recognizer = emotone.load(output)
    assert recognizer.metadata.precision == "int8"
    assert recognizer.metadata.unsure_unfamiliar == UNSURE_ABOVE
    heard = [recognizer(one.path).unfamiliar for one in unseen.utterances]
    assert all(one is not None and 0 < one < 1 for one in heard)
