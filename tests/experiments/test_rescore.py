"""Scores of evaluations, written into the file that was evaluated."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from emotone.corpora import Corpus, Utterance
from emotone.emotions import FOUR_CLASSES
from emotone.experiments.cross_corpus import evaluate_model
from emotone.experiments.shipping import rescore
from emotone.listening.loading import load
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import read_model_file, with_metadata
from voices import voice, write_wav


@pytest.fixture
def model(tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata, tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(with_metadata(tiny_graph.SerializeToString(), replace(tiny_metadata, weights_sha="ab" * 32)))
    return path


@pytest.fixture
def evaluation(model: Path, tmp_path: Path) -> Path:
    utterances = []
    for number, speaker in enumerate(("x", "y", "z")):
        for emotion in ("anger", "sadness"):
            path = tmp_path / f"{speaker}-{emotion}.wav"
            write_wav(path, np.asarray(voice(emotion, number, 0), dtype=np.float32))
            utterances.append(Utterance(f"{speaker}-{emotion}", path, emotion, speaker, sex="female"))
    corpus = Corpus("savee", tuple(utterances), FOUR_CLASSES, "CC0-1.0")
    evaluate_model(load(model), corpus, tmp_path / "scored", unseen=True)
    return tmp_path / "scored"


def run(*arguments: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["rescore", *map(str, arguments)])
        rescore.main()


def test_a_file_gets_its_own_scores_and_a_card_that_has_them(model: Path, evaluation: Path, tmp_path: Path) -> None:
    output = tmp_path / "new.onnx"
    for source in (model, output):  # The second time the score replaces itself.
        run(source, output, evaluation)
        metadata = read_model_file(output)[1]
        assert [(one.corpus, one.n) for one in metadata.scores] == [("made-up", 10), ("savee", 6)]
    text = output.with_suffix(".md").read_text(encoding="utf-8")
    assert "| savee | cross-corpus" in text
    assert "| female | 6 |" in text
    assert "Expected calibration error on the held-out speakers: 0." in text
    assert "before the temperature" not in text
    before, after = (load(path).probabilities([voice("anger", 0, 0)]) for path in (model, output))
    np.testing.assert_array_equal(before, after)


def test_scores_of_other_weights_change_nothing(model: Path, evaluation: Path, tmp_path: Path) -> None:
    content, metadata = read_model_file(model)
    other = tmp_path / "other.onnx"
    for sha, words in (("cd" * 32, "with the weights ababab"), ("ab" * 32, "not known to be of this file")):
        precision = "fp16" if sha == metadata.weights_sha else "fp32"
        other.write_bytes(with_metadata(content, replace(metadata, weights_sha=sha, precision=precision)))
        with pytest.raises(SystemExit, match=words):
            run(other, tmp_path / "new.onnx", evaluation)
    assert not (tmp_path / "new.onnx").exists()
    assert not (tmp_path / "new.md").exists()
