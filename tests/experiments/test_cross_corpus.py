"""The score of a model file on a corpus: no training speakers, under whatever name, and every segment by itself."""

from __future__ import annotations

import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from emotone.corpora import Corpus, Utterance, merge_corpora
from emotone.emotions import FOUR_CLASSES
from emotone.errors import CorpusError, OutputError, SpeakerLeakError
from emotone.evaluation.reports.report import write_report
from emotone.experiments.cross_corpus import HELD_OUT_PROTOCOL, PROTOCOL, UNKNOWN_PROTOCOL, evaluate_model
from emotone.experiments.shipping.model_facts import training_corpora
from emotone.listening.loading import load
from emotone.listening.recognizer import Recognizer
from emotone.model_files.metadata import ModelMetadata, TrainingCorpus
from emotone.model_files.model_file import with_metadata

RATE = 16_000


@pytest.fixture(scope="module")
def recognizer(
    tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata, tmp_path_factory: pytest.TempPathFactory
) -> Recognizer:
    """Trained on CREMA-D, whose speaker 1002 was held out."""
    metadata = replace(tiny_metadata, corpora=(TrainingCorpus("crema-d", "ODbL-1.0", "training", ("1002",)),))
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(with_metadata(tiny_graph.SerializeToString(), metadata))
    return load(path)


@pytest.fixture
def crema_d(tmp_path: Path) -> Corpus:
    """A second of hum from each of three speakers, in each of two emotions."""
    hum = 0.2 * np.sin(np.arange(RATE) * 0.05)
    write(tmp_path / "hum.wav", hum)
    utterances = [
        Utterance(f"{speaker}_{emotion}", tmp_path / "hum.wav", emotion, speaker)
        for speaker in ("1001", "1002", "1003")
        for emotion in ("anger", "sadness")
    ]
    return Corpus("crema-d", tuple(utterances), FOUR_CLASSES, "ODbL-1.0")


def write(path: Path, sound: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32_767).astype("<i2").tobytes())


@pytest.mark.parametrize("name", ["crema-d", "crema-d-imbalanced"])
def test_under_every_name_of_a_corpus_only_held_out_speakers_score(
    recognizer: Recognizer, crema_d: Corpus, tmp_path: Path, name: str
) -> None:
    corpus = replace(crema_d, name=name)
    results = evaluate_model(recognizer, corpus, tmp_path / "scored")
    assert sorted(results.per_speaker) == ["1002"]
    assert results.protocol == HELD_OUT_PROTOCOL
    with pytest.raises(SpeakerLeakError, match="1001 were not held out; speakers who may score it: 1002"):
        evaluate_model(recognizer, corpus, tmp_path / "scored", speakers=["1001", "1002"])


def test_in_a_merged_corpus_the_heard_part_is_left_out_and_the_other_scores(
    recognizer: Recognizer, crema_d: Corpus, tmp_path: Path
) -> None:
    emodb = replace(crema_d, name="emodb")
    merged = merge_corpora("open-four", [crema_d, emodb], FOUR_CLASSES)
    results = evaluate_model(recognizer, merged, tmp_path / "scored")
    assert sorted(results.per_speaker) == ["crema-d/1002", "emodb/1001", "emodb/1002", "emodb/1003"]
    assert results.protocol == HELD_OUT_PROTOCOL
    heard = merged.where(lambda one: one.speaker == "crema-d/1001", reason="for the test")
    with pytest.raises(SpeakerLeakError):
        evaluate_model(recognizer, heard, tmp_path / "leak")
    assert not (tmp_path / "leak").exists()


def test_a_corpus_that_is_new_to_the_model_is_scored_whole(
    recognizer: Recognizer, crema_d: Corpus, tmp_path: Path
) -> None:
    results = evaluate_model(recognizer, replace(crema_d, name="savee"), tmp_path / "scored")
    assert (results.n, results.protocol) == (6, PROTOCOL)
    with pytest.raises(CorpusError, match="has no speaker 9999"):
        evaluate_model(recognizer, replace(crema_d, name="savee"), tmp_path / "none", speakers=["9999"])


def test_a_model_of_a_cut_corpus_names_the_corpus_it_was_cut_from() -> None:
    about = {"corpus": "crema-d-imbalanced", "licence": "ODbL-1.0"}
    (entry,) = training_corpora(about, ["1002"])
    assert (entry.name, entry.held_out) == ("crema-d", ("1002",))
    assert "crema-d-imbalanced" in entry.role


def test_stretches_of_one_file_are_judged_each_by_itself(recognizer: Recognizer, tmp_path: Path) -> None:
    swell = np.linspace(0.1, 1.0, 2 * RATE)
    loud, soft = (level * swell * np.sin(np.arange(2 * RATE) * 0.05) for level in (0.9, 0.05))
    write(tmp_path / "talk.wav", np.concatenate([loud, soft]))
    stretches = (
        Utterance("a", tmp_path / "talk.wav", "anger", "s1", start_s=0.0, end_s=2.0),
        Utterance("b", tmp_path / "talk.wav", "sadness", "s2", start_s=2.0),
    )
    results = evaluate_model(recognizer, Corpus("mine", stretches, FOUR_CLASSES, "CC0-1.0"), tmp_path / "scored")
    rows = (tmp_path / "scored" / "predictions.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert results.n == 2
    assert rows[0].split(",")[5:] != rows[1].split(",")[5:]
    each = [recognizer((sound.astype(np.float32), RATE)).emotion for sound in (loud, soft)]
    assert each[0] is not None
    assert results.pooled.accuracy == np.mean([each[0] == "anger", each[1] == "sadness"])


def test_a_manifest_is_speaker_independent_only_where_the_user_says_so(
    recognizer: Recognizer, crema_d: Corpus, tmp_path: Path
) -> None:
    renamed = replace(crema_d, name="my-recordings")
    results = evaluate_model(recognizer, renamed, tmp_path / "scored")
    assert (results.speaker_independent, results.protocol) == (False, UNKNOWN_PROTOCOL)
    assert "not known to be SI" in results.headline()
    beside = merge_corpora("both", [crema_d, replace(renamed, name="mine")], FOUR_CLASSES)
    assert not evaluate_model(recognizer, beside, tmp_path / "both").speaker_independent
    known = evaluate_model(recognizer, renamed, tmp_path / "known", unseen=True)
    assert (known.speaker_independent, known.protocol) == (True, PROTOCOL)


def test_every_recording_that_cannot_be_used_is_named_and_nothing_is_written(
    recognizer: Recognizer, crema_d: Corpus, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    first, second, *others = replace(crema_d, name="savee").utterances
    bad = tuple(replace(one, path=broken) for one in (first, second))
    corpus = replace(crema_d, name="savee", utterances=(*bad, *others))
    with pytest.raises(CorpusError, match=f"2 of 6 recordings.*{first.id}.*{second.id}"):
        evaluate_model(recognizer, corpus, tmp_path / "scored")
    assert not (tmp_path / "scored").exists()


def test_the_run_folder_holds_no_training_facts_and_is_reported(
    recognizer: Recognizer, crema_d: Corpus, tmp_path: Path
) -> None:
    results = evaluate_model(recognizer, replace(crema_d, name="savee"), tmp_path / "scored")
    info = results.per_fold[0].info
    assert (info.best_epoch, info.epochs_run, info.n_parameters, info.validation_uar) == (None,) * 4
    written = write_report(tmp_path / "scored", figures=False)
    text = written[0].read_text(encoding="utf-8")
    assert "validation UAR" not in text
    assert "training time" not in text
    assert "time to recognise" in text


def test_scoring_needs_nothing_beyond_the_plain_install() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'sklearn', 'scipy', 'pandas', 'matplotlib', 'accelerate'): sys.modules[name] = None\n"
        "import emotone.cli.learning.evaluate, emotone.experiments.cross_corpus, emotone.evaluation.reports.report\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_speaker_who_is_not_there_is_an_error(recognizer: Recognizer, crema_d: Corpus, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="savee has no speaker 1009"):
        evaluate_model(recognizer, replace(crema_d, name="savee"), tmp_path / "scored", speakers=["1001", "1009"])


@pytest.mark.parametrize("name", ["results.json", "predictions.csv", "fold.json", "run.json"])
def test_an_evaluation_replaces_earlier_evaluations_alone(
    recognizer: Recognizer, crema_d: Corpus, tmp_path: Path, name: str
) -> None:
    corpus = replace(crema_d, name="savee")
    for _ in range(2):
        evaluate_model(recognizer, corpus, tmp_path)
    (tmp_path / name).write_text("somebody's notes")
    with pytest.raises(OutputError, match="add --overwrite"):
        evaluate_model(recognizer, corpus, tmp_path)
    assert (tmp_path / name).read_text() == "somebody's notes"
    evaluate_model(recognizer, corpus, tmp_path, overwrite=True)
