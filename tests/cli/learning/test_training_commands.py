"""The whole way on the command line: manifest -> crossval -> report -> export -> predict and evaluate."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from emotone.cli.main import run
from emotone.corpora import Corpus
from emotone.evaluation.results import Results
from emotone.experiments.shipping.model_facts import score_of_fold
from emotone.model_files.model_file import read_model_file
from emotone.training.checkpoint import Checkpoint

RECIPE = """
summary = "for tests"
[features]
n_mels = 24
hop_length = 256
[normalisation]
centre = "none"
[model]
stem_channels = 4
stages = [{ channels = 8 }, { channels = 12 }]
embedding = 16
[training]
epochs = 12
batch_size = 8
learning_rate = 0.01
average = 0.9
"""


@pytest.fixture(scope="module")
def workplace(voices: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "small.toml").write_text(RECIPE, encoding="utf-8")
    with (folder / "voices.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "emotion", "speaker", "id", "sex"])
        writer.writerows([u.path, u.emotion, u.speaker, u.id, u.sex] for u in voices.utterances)
    return folder


def command(folder: Path, *words: str) -> int:
    return run([*words, "--recipe", str(folder / "small.toml"), "--store", str(folder / "store"), "--threads", "1"])


def test_from_a_manifest_to_a_prediction(
    workplace: Path, voices: Corpus, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    assert command(workplace, "crossval", "manifest", "voices.csv", "--folds", "0,1", "--output", "cv") == 0
    headline = capsys.readouterr().out
    for part in ("group-k", "SI", "n = 24", "UAR", "["):
        assert part in headline
    results = json.loads((workplace / "cv" / "results.json").read_text())
    assert results["fold_hash"]
    assert results["pooled"]["uar_interval"]
    assert run(["report", "cv"]) == 0
    assert (workplace / "cv" / "report.html").read_text().count("<html") == 1

    assert command(workplace, "train", "manifest", "voices.csv", "--fold", "0", "--output", "one") == 0
    assert run(["export", "one", "--output", "mine.onnx", "--licence", "CC0-1.0", "--card"]) == 0
    card = Path("mine.md").read_text(encoding="utf-8")
    assert "| voices | unstated | training | s" in card
    assert "not for" in card
    assert "actors" not in card
    assert "one speaker" in capsys.readouterr().err

    clip = next(u for u in voices.utterances if u.speaker == "s4" and u.emotion == "sadness").path
    assert run(["predict", str(clip), "--model", "mine.onnx", "--format", "json"]) == 0
    assert "sadness" in capsys.readouterr().out
    assert run(["export", "one", "--output", "small.onnx", "--precision", "int8"]) == 0
    assert "int8; within" in capsys.readouterr().out
    assert Path("small.onnx").stat().st_size < Path("mine.onnx").stat().st_size
    evaluate = ["evaluate", "manifest", "voices.csv", "--model", "mine.onnx", "--output", "scored"]
    assert run(evaluate) == 0
    assert "held-out speakers" in (shown := capsys.readouterr().out)
    assert "1 speaker" in shown
    assert run([*evaluate, "--speakers", "s0,s1,s2,s3,s4"]) != 0
    assert "not held out" in capsys.readouterr().err.replace("\n", " ")


def test_a_fold_of_many_is_exported_with_its_own_score_and_no_others(
    workplace: Path, voices: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    words = ("crossval", "manifest", "voices.csv", "--set", "training.epochs=1", "--output", "pairs")
    assert command(workplace, *words, "--protocol", "group-k") == 0
    fold = Path("pairs/seed-0/fold-01")
    held_out = json.loads((fold / "fold.json").read_text())["test_speakers"]
    score = score_of_fold(fold)
    assert score is not None
    assert sorted(score.per_speaker) == sorted(held_out)
    assert score.n == sum(one.speaker in held_out for one in voices.utterances)
    assert "fold 1 alone" in score.protocol
    whole = Results.read(Path("pairs/results.json"))
    assert set(whole.per_speaker) > set(score.per_speaker)


def test_scores_of_a_model_file_are_written_into_a_file_of_the_same_weights_alone(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    words = ("crossval", "manifest", "voices.csv", "--set", "training.epochs=1", "--output", "scores")
    assert command(workplace, *words, "--protocol", "group-3") == 0
    export = ["export", "scores/seed-0/fold-00", "--precision", "int8", "--output"]
    assert run([*export, "stored.onnx"]) == 0
    assert run(["evaluate", "manifest", "voices.csv", "--model", "stored.onnx", "--output", "of-file"]) == 0
    results = Results.read(Path("of-file/results.json"))
    assert (results.weights_sha, results.precision) == (read_model_file(Path("stored.onnx"))[1].weights_sha, "int8")
    scores = ["--scores", "of-file/results.json"]
    before = "measured before the weights were stored"
    assert run([*export, "again.onnx", *scores]) == 0
    own, of_file = read_model_file(Path("again.onnx"))[1].scores
    assert before in own.note
    assert before not in of_file.note
    assert of_file.uar == results.pooled.uar
    assert run([*export[:3], "fp16", "--output", "half.onnx", *scores]) == 0
    assert all(before in score.note for score in read_model_file(Path("half.onnx"))[1].scores)
    capsys.readouterr()
    assert run(["export", "scores/seed-0/fold-01", "--output", "other.onnx", *scores]) != 0
    assert "run `emotone evaluate` with a file of these weights" in capsys.readouterr().err.replace("\n", " ")
    adapted = results.model_copy(update={"recipe": {**results.recipe, "adaptation": {"kind": "recentred"}}})
    adapted.write("of-file/results.json")
    assert run([*export, "other.onnx", *scores]) != 0
    assert "of a model that was adapted" in capsys.readouterr().err.replace("\n", " ")
    assert not Path("other.onnx").exists()


def test_a_run_of_several_folds_cannot_be_exported_by_accident(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", str(workplace / "cv"), "--output", str(workplace / "x.onnx")]) != 0
    assert "name the fold's folder" in capsys.readouterr().err
    assert not (workplace / "x.onnx").exists()


def test_a_model_of_all_data_and_a_warm_start_from_one_fold(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    words = ("crossval", "manifest", "voices.csv", "--folds", "0,1", "--set", "training.epochs=2")
    assert command(workplace, *words, "--output", "short") == 0
    capsys.readouterr()
    assert run(["export", "short", "--all-data", "--output", "all.onnx", "--store", "store"]) == 0
    assert "no test score of its own" in capsys.readouterr().out
    metadata = read_model_file(Path("all.onnx"))[1]
    assert [one.held_out for one in metadata.corpora] == [()]
    assert metadata.recipe["training"]["epochs"] <= 2
    assert "no test score of its own" in metadata.scores[0].note

    again = ("train", "manifest", "voices.csv", "--set", "training.epochs=1", "--init", "short/seed-0/fold-00")
    assert command(workplace, *again, "--fold", "1", "--output", "leak") == 4
    assert "whom these folds hold out" in capsys.readouterr().err.replace("\n", " ")
    assert command(workplace, *again, "--fold", "0", "--output", "warm") == 0
    about = Checkpoint.read(Path("warm/seed-0/fold-00/model.safetensors")).state
    assert about["initialised_from"]["corpora"] == {"voices": "unstated"}
    other = ("train", "manifest", "voices.csv", "--set", "model.embedding=8", "--init", "short/seed-0/fold-00")
    assert command(workplace, *other, "--fold", "0", "--output", "other") == 6
    assert "other settings of model" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["crossval", "no-such-corpus", "."], "unknown corpus"),
        (["crossval", "emodb", "no-such-folder"], "no-such-folder"),
        (["crossval", "manifest", "voices.csv", "--protocol", "emodb-10"], "emodb-10"),
        (["crossval", "manifest", "voices.csv", "--folds", "one"], "--fold"),
        (["crossval", "manifest", "voices.csv", "--classes", "anger"], "two different classes"),
        (["crossval", "manifest", "voices.csv", "--map", "anger"], "expected old=new"),
        (["crossval", "manifest", "voices.csv", "--folds", "9"], "folds"),
        (["crossval", "manifest", "voices.csv", "--set", "loss.gama=1"], "did you mean loss.gamma?"),
        (["crossval", "manifest", "voices.csv", "--set", "gamma=1"], "did you mean loss.gamma?"),
        (["crossval", "manifest", "voices.csv", "--set", "model.embeding=8"], "did you mean model.embedding?"),
        (["crossval", "manifest", "voices.csv", "--set", "loss.zzz=8"], "expected one of loss.gamma"),
        (["crossval", "manifest", "absent.csv", "--tracker", "foo"], "--tracker"),
        (["crossval", "manifest", "voices.csv", "--device", "tpu"], "--device"),
        (["crossval", "manifest", "voices.csv", "--classes", "anger,angst"], "angst"),
        pytest.param(
            ["crossval", "manifest", "absent.csv", "--device", "cuda"],
            "finds no GPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_what_cannot_be_done_is_one_line_and_a_status(
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(workplace)
    assert command(workplace, *words, "--output", "refused") not in (0, None)
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
