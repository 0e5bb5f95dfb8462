"""`emotone adapt` as a person runs it: without labels, and with labels of any names."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import emotone
from emotone.adaptation.graph import with_linear_head, with_logit_shift
from emotone.adaptation.linear_head import fit_head
from emotone.adaptation.recentring import balancing_shift, recentre
from emotone.adaptation.recordings import Recordings
from emotone.cli.main import run
from emotone.corpora import Utterance
from emotone.model_files.model_file import read_metadata, with_metadata
from relative_model import relative_model
from voices import voice, write_wav

LEVELS = {"calm": 0.08, "tense": 0.25, "furious": 0.8}


def sound(label: str, speaker: int, take: int) -> np.ndarray:
    """A voice whose level tells its class; the tiny model's embedding is the level."""
    made = voice("neutral", speaker, take)
    scale = LEVELS[label] * np.random.default_rng([speaker, take]).uniform(0.8, 1.25)
    return scale * made / np.abs(made).max()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four speakers, three classes of any names, four takes each."""
    root = tmp_path_factory.mktemp("own")
    rows = []
    for speaker in range(4):
        for label in LEVELS:
            for take in range(4):
                name = f"s{speaker}-{label}-{take}.wav"
                write_wav(root / "calls" / name, sound(label, speaker, take))
                rows.append([f"calls/{name}", label, f"s{speaker}"])
    write_manifest(root / "calls.csv", rows)
    return root


def write_manifest(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "emotion", "speaker"], *rows])
    return path


def rows_of(folder: Path) -> list[list[str]]:
    return list(csv.reader((folder / "calls.csv").read_text(encoding="utf-8").splitlines()))[1:]


def adapt(*words: object) -> int:
    return run(["adapt", *map(os.fspath, words)])


def test_labels_of_any_names_make_an_ordinary_model_file(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "mine.onnx"
    assert adapt(folder / "calls.csv", "--model", tiny_model, "--map", "furious=angry", "--output", made) == 0
    shown = capsys.readouterr()
    assert "4-fold cross-validation by speaker" in shown.out
    found = re.search(r"adapted +UAR ([\d.]+) \[[\d.]+, [\d.]+\], accuracy [\d.]+, n = 48", shown.out)
    assert found is not None
    assert float(found[1]) > 80
    assert "unadapted    tiny has fewer than two of these classes" in shown.out

    recognizer = emotone.load(made)
    assert recognizer.labels == ("calm", "anger", "tense")
    right = [recognizer(folder / path).emotion for path, label, _ in rows_of(folder) if label == "tense"]
    assert right.count("tense") >= 0.8 * len(right)
    metadata = recognizer.metadata
    assert [one.licence for one in metadata.corpora] == ["CC0-1.0", "user data"]
    (score,) = metadata.scores
    assert score.n == 48
    assert score.speaker_independent
    assert "no test score of its own" in score.note
    assert metadata.recipe["adaptation"]["from"]["name"] == "tiny"
    clip = folder / rows_of(folder)[0][0]
    assert run(["predict", str(clip), "--model", str(made), "--format", "json"]) == 0
    assert set(json.loads(capsys.readouterr().out)[0]["probabilities"]) == {"calm", "anger", "tense"}


def test_the_same_from_python(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    made = tmp_path / "mine.onnx"
    seen: list[Utterance] = []

    def progress(utterances):
        for one in utterances:
            seen.append(one)
            yield one

    labelled = emotone.adapt(
        folder / "calls.csv",
        made,
        model=tiny_model,
        classes=["calm", "anger"],
        labels={"furious": "angry"},
        progress=progress,
    )
    assert isinstance(labelled.result, emotone.NewHead)
    assert (labelled.output, labelled.n_recordings, len(seen), labelled.failures) == (made, 32, 32, ())
    assert labelled.result.adapted.uar > 0.8
    assert any("tense" in note or "left out: 16" in note for note in labelled.notes)
    assert emotone.load(made).labels == ("calm", "anger")
    plain = emotone.adapt([folder / "calls"], made, model=tiny_model, name="here")
    assert isinstance(plain.result, emotone.Recentred)
    assert (plain.unadapted, emotone.load(made).metadata.name) == ("tiny", "here")
    with pytest.raises(emotone.CorpusError, match="need a manifest"):
        emotone.adapt(folder / "calls", made, model=tiny_model, labels={"calm": "neutral"})
    with pytest.raises(emotone.UnknownEmotionError, match="the model has no class 'calm'"):
        emotone.adapt(folder / "calls", made, model=tiny_model, classes="calm,anger")
    with pytest.raises(emotone.CorpusError, match="give one manifest"):
        emotone.adapt([folder / "calls.csv", folder / "calls"], made, model=tiny_model)
    with pytest.raises(emotone.OutputError, match="is an input"):
        emotone.adapt(folder / "calls.csv", folder / "calls.csv", model=tiny_model)
    with pytest.raises(emotone.CorpusError, match="does not exist"):
        emotone.adapt(folder / "none", made, model=tiny_model)


def test_a_new_classifier_takes_no_baseline_and_says_so(
    folder: Path,
    tiny_graph: onnx.ModelProto,
    tiny_metadata: emotone.ModelMetadata,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    relative, made = tmp_path / "relative.onnx", tmp_path / "mine.onnx"
    relative.write_bytes(relative_model(tiny_graph, tiny_metadata))
    assert adapt(folder / "calls.csv", "--model", relative, "--output", made) == 0
    assert "warning: the new model takes no speaker baseline, unlike relative" in capsys.readouterr().err
    clip = folder / rows_of(folder)[0][0]
    assert not emotone.load(made).takes_baseline
    assert run(["predict", str(clip), "--model", str(made), "--baseline", str(clip)]) == 5
    assert "takes no baseline" in capsys.readouterr().err
    # Without labels the classifier stays, and so does its use of a baseline.
    assert adapt(folder / "calls", "--model", relative, "--output", made) == 0
    recognizer = emotone.load(made)
    before, after = (emotone.load(model)(clip, baseline=clip).probabilities for model in (relative, made))
    assert recognizer.takes_baseline
    assert after == pytest.approx(before, abs=1e-4)


def test_a_model_is_not_scored_on_the_recordings_it_was_adapted_to(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "mine.onnx"
    assert adapt(folder / "calls.csv", "--model", tiny_model, "--output", made) == 0
    assert run(["evaluate", "manifest", str(folder / "calls.csv"), "--model", str(made), "-o", str(tmp_path)]) == 4
    assert "not held out" in capsys.readouterr().err.replace("\n", " ")


def test_a_folder_recentres_the_model_and_evaluate_measures_it(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "mine.onnx"
    assert adapt(folder / "calls", "--model", tiny_model, "--output", made) == 0
    shown = capsys.readouterr()
    assert "recordings are predicted differently" in shown.out
    before, after = emotone.load(tiny_model), emotone.load(made)
    clips = [folder / path for path, _, _ in rows_of(folder)]
    means = [np.mean([list(one.probabilities.values()) for one in model.batch(clips)], 0) for model in (before, after)]
    assert np.abs(means[1] - 0.25).max() < np.abs(means[0] - 0.25).max()
    assert after.metadata.recipe["adaptation"]["weight"] == pytest.approx(48 / 68)
    labels = {"calm": "neutral", "tense": "sadness", "furious": "anger"}
    # The same name as the folder's: recentring used no labels, so its recordings may be scored.
    table = write_manifest(
        tmp_path / "calls.csv", [[str(folder / path), labels[label], who] for path, label, who in rows_of(folder)]
    )
    assert run(["evaluate", "manifest", str(table), "--model", str(made), "-o", str(tmp_path / "scored")]) == 0
    assert "UAR" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (lambda row: row[1] == "calm", "recordings of one class, calm"),
        (lambda row: row[2] == "s0", "got 12 usable recordings; adaptation needs at least 20"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], keep, said: str
) -> None:
    table = write_manifest(folder / "part.csv", [row for row in rows_of(folder) if keep(row)])
    assert adapt(table, "--model", tiny_model, "--output", tmp_path / "x.onnx") == 4
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x.onnx").exists()


def test_few_recordings_and_lone_speakers_are_warned_of(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row for row in rows_of(folder) if row[1] != "tense" or row[2] == "s1"]
    table = write_manifest(folder / "lone.csv", rows)
    assert adapt(table, "--model", tiny_model, "--output", tmp_path / "x.onnx") == 0
    shown = capsys.readouterr().err
    assert "classes with fewer than 10 recordings: tense 4" in shown
    assert "classes with one speaker: tense (of s1)" in shown
    one = write_manifest(folder / "one.csv", [[path, label, "s0"] for path, label, _ in rows_of(folder)])
    assert adapt(one, "--model", tiny_model, "--output", tmp_path / "x.onnx") == 0
    shown = capsys.readouterr()
    assert "all recordings are of one speaker, s0" in shown.err
    assert "no interval" in shown.out
    assert emotone.load(tmp_path / "x.onnx").metadata.scores == ()


def test_recordings_that_cannot_be_used_are_listed_and_set_the_status(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio at all")
    assert adapt(folder / "calls", broken, "--model", tiny_model, "--output", tmp_path / "x.onnx") == 3
    assert "broken.wav" in capsys.readouterr().err
    assert (tmp_path / "x.onnx").exists()


def test_adapting_loads_no_torch(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    words = ["adapt", str(folder / "calls.csv"), "--model", str(tiny_model), "-o", str(tmp_path / "x.onnx")]
    code = f"import sys; from emotone.cli.main import run; sys.exit(run({words!r}) or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_recordings_that_are_all_alike_are_warned_of(tiny_model: Path) -> None:
    content = tiny_model.read_bytes()
    utterances = tuple(Utterance(str(number), Path(f"{number}.wav"), "", "") for number in range(20))
    probabilities = np.tile([0.1, 0.1, 0.1, 0.7], (20, 1))
    recordings = Recordings(utterances, probabilities, np.full((20, 2), 3.0), ())
    result = recentre(content, read_metadata(content), recordings, name="mine", corpus="calls")
    one_class, alike = result.warnings
    assert "predicts anger for 100% of the recordings" in one_class
    assert "nearly identical" in alike
    assert result.weight == 0.5


def test_the_shift_makes_mean_probabilities_equal() -> None:
    logarithms = np.log(np.random.default_rng(0).dirichlet([5, 1, 0.5], 40))
    scores = np.exp(logarithms + balancing_shift(logarithms))
    np.testing.assert_allclose((scores / scores.sum(1, keepdims=True)).mean(0), 1 / 3, atol=1e-4)


def test_a_classifier_for_known_classes_starts_from_the_recentred_model() -> None:
    generator = np.random.default_rng(0)
    targets = np.repeat(np.arange(3), 200)
    # The unadapted model knows these classes, but prefers one of them; its other class is not asked for.
    logits = 2.0 * np.eye(4)[targets] + generator.normal(size=(600, 4)) + [0.0, 4.0, 0.0, 0.0]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    embeddings = generator.normal(size=(600, 1000))
    used = np.concatenate([np.arange(5) + 200 * label for label in range(3)])

    def right(known: list[int] | None) -> float:
        head = fit_head(embeddings[used], probabilities[used], targets[used], 3, known)
        return float((head.logits(embeddings, probabilities).argmax(1) == targets).mean())

    assert right([0, 1, 2]) > right(None) + 0.02
    assert right([0, 1, 2]) > (probabilities[:, :3].argmax(1) == targets).mean() + 0.2

    plain = fit_head(embeddings[used], probabilities[used], targets[used], 3)
    both = fit_head(embeddings[used], probabilities[used], targets[used], 3, [0, 1, 2])
    logarithms = np.log(probabilities)
    shift = balancing_shift(logarithms[used][:, :3])
    expected = (plain.logits(embeddings, probabilities) + logarithms[:, :3] + shift) / 2
    np.testing.assert_allclose(both.logits(embeddings, probabilities), expected, atol=1e-9)


def with_baseline(graph: onnx.ModelProto) -> bytes:
    """The tiny graph with an input `baseline` that is added to its logits' first two columns."""
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    model.graph.input.append(helper.make_tensor_value_info("baseline", TensorProto.FLOAT, ["batch", 2]))
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    softmax.input[0] = "moved"
    wide = numpy_helper.from_array(np.eye(2, 4, dtype=np.float32), "wide")
    model.graph.initializer.append(wide)
    nodes = [
        helper.make_node("MatMul", ["baseline", "wide"], ["effect"]),
        helper.make_node("Add", ["logits", "effect"], ["moved"]),
    ]
    position = list(model.graph.node).index(softmax)
    every = [*model.graph.node[:position], *nodes, *model.graph.node[position:]]
    del model.graph.node[:]
    model.graph.node.extend(every)
    return model.SerializeToString()


def answers(content: bytes, baseline: np.ndarray | None) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    waveform = np.stack([voice("neutral", 0, 0)[:4000], 0.3 * voice("anger", 1, 0)[:4000]]).astype(np.float32)
    feeds = {"waveform": waveform, "lengths": np.array([4000, 3000])}
    if baseline is not None:
        feeds["baseline"] = baseline.astype(np.float32)
    return session.run(["probabilities"], feeds)[0]


def test_only_the_classes_that_occur_are_shifted(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "mine.onnx"
    words = ("--model", tiny_model, "--output", made)
    assert adapt(folder / "calls", *words, "--classes", "neutral,sad") == 0
    assert "would make neutral, sadness equally probable" in " ".join(capsys.readouterr().out.split())
    before, after = emotone.load(tiny_model), emotone.load(made)
    settings = after.metadata.recipe["adaptation"]
    shift = dict(zip(after.labels, settings["shift"], strict=True))
    assert settings["classes"] == ["neutral", "sadness"]
    assert shift["happiness"] == shift["anger"] == 0
    assert shift["neutral"] == pytest.approx(-shift["sadness"], abs=1e-5)
    assert shift["neutral"] != 0
    clip = folder / rows_of(folder)[0][0]
    plain, moved = before(clip).probabilities, after(clip).probabilities
    assert moved["happiness"] / moved["anger"] == pytest.approx(plain["happiness"] / plain["anger"], rel=1e-3)
    assert adapt(folder / "calls", *words) == 0
    assert "would make all classes equally probable" in " ".join(capsys.readouterr().out.split())


def test_the_shift_spares_rows_with_a_baseline_and_a_new_head_takes_none(tiny_graph: onnx.ModelProto) -> None:
    content = with_baseline(tiny_graph)
    baseline = np.array([[0.0, 0.0], [0.5, -1.0]])
    before = answers(content, baseline)
    shift = np.array([1.0, -1.0, 0.5, -0.5])
    after = answers(with_logit_shift(content, shift), baseline)
    expected = before[0] * np.exp(shift)
    np.testing.assert_allclose(after[0], expected / expected.sum(), rtol=1e-4)
    np.testing.assert_allclose(after[1], before[1], rtol=1e-4)

    head = with_linear_head(content, np.ones((2, 3)), np.eye(4, 3), np.zeros(3))
    assert answers(head, None).shape == (2, 3)


def test_a_model_can_be_adapted_twice(tiny_model: Path) -> None:
    content = tiny_model.read_bytes()
    shift = np.array([1.0, 0.0, 0.0, -1.0])
    twice = with_logit_shift(with_logit_shift(content, shift), -shift)
    np.testing.assert_allclose(answers(twice, None), answers(content, None), rtol=1e-4)
    assert read_metadata(with_metadata(twice, read_metadata(content))).name == "tiny"
