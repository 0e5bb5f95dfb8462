"""Classes, baselines, unfamiliar speech and turns, as a caller of the Python interface uses them."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest

from emotone import LiveRecognizer, TimelineOptions
from emotone.errors import BaselineError, TurnsError, UnknownEmotionError
from emotone.listening.baseline import Baseline
from emotone.listening.loading import load
from emotone.listening.recognizer import Recognizer
from emotone.listening.turns.turn import Turn
from emotone.model_files.metadata import ModelMetadata
from relative_model import relative_model
from voices import write_wav

RATE = 16_000
BIAS = np.array([-2.0, 1.0, 0.0, 3.0])
WEIGHT = np.array([-0.5, 0.1, -0.2, 0.6])
NO_VAD = TimelineOptions(vad=False)


def noise(seconds: float, seed: int = 0, level: float = 0.1) -> np.ndarray:
    """It swells and fades, as speech does: steady noise would be looked through for speech."""
    n_samples = round(seconds * RATE)
    swell = 1.0 + 0.95 * np.sin(2 * np.pi * 3.0 * np.arange(n_samples) / RATE)
    return (level * swell * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


def log_power(waveform: np.ndarray) -> float:
    return float(np.log(np.mean(waveform.astype(np.float64) ** 2) + 1e-9))


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata) -> Path:
    path = tmp_path_factory.mktemp("models") / "relative.onnx"
    path.write_bytes(relative_model(tiny_graph, tiny_metadata, unsure_threshold=0.0))
    return path


@pytest.fixture(scope="module")
def recognizer(path: Path) -> Recognizer:
    return load(path)


@pytest.fixture(scope="module")
def plain(tiny_model: Path) -> Recognizer:
    return load(tiny_model)


# Classes.


def test_a_subset_of_classes_is_renormalised(plain: Recognizer) -> None:
    waveform = noise(1.0)
    all_classes = plain(waveform, RATE, options=NO_VAD).probabilities
    two = plain(waveform, RATE, options=NO_VAD, classes=["angry", "neutral"])
    assert tuple(two.probabilities) == two.labels == ("neutral", "anger")
    total = all_classes["neutral"] + all_classes["anger"]
    for name, share in two.probabilities.items():
        assert share == pytest.approx(all_classes[name] / total, abs=1e-6)
    assert plain.labels == ("neutral", "happiness", "sadness", "anger")


def test_a_subset_with_a_temperature_of_its_own_uses_it(recognizer: Recognizer) -> None:
    """The model's temperature is 2, that of neutral and anger 4: logits are halved."""
    waveform = noise(1.0)
    logits = (log_power(waveform) * WEIGHT + BIAS)[[0, 3]]
    fitted = recognizer(waveform, RATE, options=NO_VAD, classes="neutral,anger")
    np.testing.assert_allclose(list(fitted.probabilities.values()), softmax(logits / 2), atol=1e-5)
    unlisted = recognizer(waveform, RATE, options=NO_VAD, classes=["neutral", "sadness"])
    logits = (log_power(waveform) * WEIGHT + BIAS)[[0, 2]]
    np.testing.assert_allclose(list(unlisted.probabilities.values()), softmax(logits), atol=1e-5)


def test_speech_of_a_class_that_was_not_chosen_is_unsure(plain: Recognizer) -> None:
    waveform = noise(1.0)
    probabilities = plain(waveform, RATE, options=NO_VAD).probabilities
    ranked = sorted(probabilities, key=lambda name: probabilities[name])
    without = plain(waveform, RATE, options=NO_VAD, classes=ranked[:2])
    assert (without.unsure, without.reason, without.unfamiliar) == (True, "unfamiliar speech", 1.0)
    chosen = plain(waveform, RATE, options=NO_VAD, classes=ranked[2:])
    assert (chosen.unsure, chosen.unfamiliar) == (False, None)


def test_all_classes_in_any_order_are_the_model_itself(recognizer: Recognizer) -> None:
    waveform = noise(1.0)
    assert recognizer(waveform, RATE, classes="anger,sad,happy,neutral") == recognizer(waveform, RATE)
    assert recognizer.with_classes("four").labels == recognizer.labels


@pytest.mark.parametrize("classes", ["anger", ["anger", "angry"], ["anger", "contempt"], [], [""]])
def test_impossible_classes_are_refused(recognizer: Recognizer, classes: object) -> None:
    with pytest.raises(UnknownEmotionError, match="neutral, happiness, sadness, anger"):
        recognizer.with_classes(classes)  # type: ignore[arg-type]


def test_classes_hold_over_time_and_live(recognizer: Recognizer) -> None:
    view = recognizer.with_classes(["neutral", "anger"])
    sound = np.concatenate([noise(3.0, level=0.3), noise(3.0, level=0.01)])
    recognition = view(sound, RATE, options=NO_VAD)
    assert recognition.timeline.probabilities.shape[1] == 2
    assert all(set(one.probabilities) == {"neutral", "anger"} for one in recognition.segments)
    live = LiveRecognizer(view, RATE, options=NO_VAD)
    assert all(set(one.probabilities) == {"neutral", "anger"} for one in live.feed(sound) + live.finish())


# Unsure and unfamiliar.


def test_every_answer_says_how_unfamiliar_the_speech_is(recognizer: Recognizer, plain: Recognizer) -> None:
    waveform = noise(1.0)
    expected = -log_power(waveform) / 10
    recognition = recognizer(waveform, RATE, options=NO_VAD)
    assert recognition.unfamiliar == pytest.approx(expected, abs=1e-5)
    assert recognition.segments[0].unfamiliar == recognition.unfamiliar
    long = recognizer(noise(7.0), RATE, options=NO_VAD)
    assert long.unfamiliar == pytest.approx(expected, abs=0.01)
    assert all(one.unfamiliar == pytest.approx(expected, abs=0.01) for one in long.segments)
    assert plain(waveform, RATE, options=NO_VAD).unfamiliar is None


def test_unsure_has_three_reasons(tmp_path: Path, tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata) -> None:
    waveform = noise(1.0)

    def reason(**rule: float) -> tuple[bool, str]:
        path = tmp_path / "model.onnx"
        path.write_bytes(relative_model(tiny_graph, tiny_metadata, **{"unsure_threshold": 0.0, **rule}))
        recognition = load(path)(waveform, RATE, options=NO_VAD)
        assert (recognition.segments[0].unsure, recognition.segments[0].reason) == (
            recognition.unsure,
            recognition.reason,
        )
        return recognition.unsure, recognition.reason

    assert reason() == (False, "")
    assert reason(unsure_threshold=0.999) == (True, "low confidence")
    assert reason(unsure_margin=0.999) == (True, "close to the runner-up")
    assert reason(unsure_unfamiliar=0.1) == (True, "unfamiliar speech")


# Baselines.


def test_answers_are_relative_to_a_baseline_and_say_so(recognizer: Recognizer) -> None:
    waveform, calm = noise(1.0), noise(1.0, seed=1, level=0.03)
    recognition = recognizer(waveform, RATE, options=NO_VAD, baseline=(calm, RATE))
    expected = softmax((log_power(waveform) - log_power(calm)) * WEIGHT + BIAS)
    np.testing.assert_allclose(list(recognition.probabilities.values()), expected, atol=1e-4)
    assert recognition.baseline == recognition.segments[0].baseline == "<waveform>"
    assert recognizer(waveform, RATE, options=NO_VAD).baseline is None


def test_several_recordings_are_averaged_and_named(recognizer: Recognizer, tmp_path: Path) -> None:
    for number in (1, 2):
        write_wav(tmp_path / f"calm {number}.wav", noise(1.0, seed=number, level=0.02 * number))
    paths = [tmp_path / "calm 1.wav", tmp_path / "calm 2.wav"]
    baseline = recognizer.measure_baseline(paths)
    mean = np.mean([recognizer(path).embedding for path in paths], axis=0)
    np.testing.assert_allclose(baseline.embedding, mean, atol=1e-6)
    assert (baseline.name, baseline.n_recordings, baseline.duration_s) == ("calm 1.wav, calm 2.wav", 2, 2.0)
    waveform = noise(1.0)
    assert recognizer(waveform, RATE, baseline=paths) == recognizer(waveform, RATE, baseline=baseline)
    assert (
        recognizer(waveform, RATE, baseline=mean).probabilities
        == recognizer(waveform, RATE, baseline=paths).probabilities
    )
    assert recognizer(waveform, RATE, baseline=mean.tolist()).baseline == "<embedding>"


def test_the_embedding_does_not_depend_on_the_baseline(recognizer: Recognizer) -> None:
    waveform = noise(1.0)
    view = recognizer.with_baseline((noise(1.0, seed=1), RATE))
    np.testing.assert_array_equal(view.embed(waveform, RATE), recognizer.embed(waveform, RATE))
    # Nor does a second baseline depend on the first.
    other = (noise(1.0, seed=2), RATE)
    np.testing.assert_array_equal(view.measure_baseline(other).embedding, recognizer.measure_baseline(other).embedding)


def test_a_recognizer_with_classes_and_a_baseline_can_be_pickled_and_copied(recognizer: Recognizer) -> None:
    waveform = noise(1.0)
    view = recognizer.with_classes("neutral,anger").with_baseline((noise(1.0, seed=1), RATE))
    for other in (pickle.loads(pickle.dumps(view)), copy.copy(view), copy.deepcopy(view)):
        assert other(waveform, RATE) == view(waveform, RATE)


def test_a_baseline_holds_live(recognizer: Recognizer) -> None:
    view = recognizer.with_baseline((noise(1.0, seed=1, level=0.03), RATE))
    live = LiveRecognizer(view, RATE, options=NO_VAD)
    sound = noise(1.5)
    segments = live.feed(sound) + live.finish()
    assert segments == list(view(sound, RATE, options=NO_VAD).segments)
    assert segments[0].baseline == "<waveform>"


def test_a_model_without_baselines_refuses_one(plain: Recognizer) -> None:
    with pytest.raises(BaselineError, match="the model 'tiny' takes no baseline"):
        plain(noise(1.0), RATE, baseline=(noise(1.0), RATE))


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        (np.zeros(3, np.float32), "shape \\(3,\\); expected an embedding of shape \\(2,\\)"),
        (np.zeros(2, np.float32), "not all zeros"),
        (np.array([np.nan, 1.0], np.float32), "must be finite"),
        ([], "no recordings"),
        ((np.zeros(RATE, np.float32), RATE), "no speech was found"),
        ({"ann": "calm.wav"}, "go with turns"),
    ],
)
def test_a_bad_baseline_is_refused(recognizer: Recognizer, baseline: object, message: str) -> None:
    with pytest.raises(BaselineError, match=message):
        recognizer(noise(1.0), RATE, baseline=baseline)


# Turns.


def test_each_turn_gets_the_answer_of_its_sound_alone(recognizer: Recognizer) -> None:
    sound = np.concatenate([noise(2.0, 1, 0.02), noise(2.0, 2, 0.3), noise(2.0, 3, 0.1)])
    turns = [(0.0, 2.0, "ann", "Hello."), (2.0, 4.0, "bob"), (4.5, 5.75)]
    recognition = recognizer(sound, RATE, turns=turns)
    for segment, (start, end, *words) in zip(recognition.segments, turns, strict=True):
        alone = recognizer.probabilities([sound[round(start * RATE) : round(end * RATE)]])[0]
        np.testing.assert_allclose(list(segment.probabilities.values()), alone, atol=1e-6)
        assert (segment.start_s, segment.end_s, segment.note) == (start, end, "")
        assert [segment.speaker, segment.text] == [*words, None, None][:2]
    assert [segment.turn for segment in recognition.segments] == [0, 1, 2]
    assert recognition.note == "3 turns"
    lengths = [2.0, 2.0, 1.25]
    mean = np.average([list(one.probabilities.values()) for one in recognition.segments], axis=0, weights=lengths)
    np.testing.assert_allclose(list(recognition.probabilities.values()), mean, atol=1e-6)
    assert len(recognition.timeline) == 3


def test_a_turn_longer_than_a_window_is_the_mean_of_its_windows(recognizer: Recognizer) -> None:
    sound = np.concatenate([noise(1.0, seed, 0.01 * 2**seed) for seed in range(6)])
    segment = recognizer(sound, RATE, turns=[(0.25, 5.5)]).segments[0]
    expected = recognizer.classify([sound[RATE // 4 : round(5.5 * RATE)]])
    np.testing.assert_allclose(list(segment.probabilities.values()), expected.probabilities[0], atol=1e-6)
    assert segment.unfamiliar == pytest.approx(float(expected.unfamiliar[0]), abs=1e-6)
    assert segment.note == "mean of 3 windows"


def test_no_turn_is_ever_dropped(recognizer: Recognizer) -> None:
    sound = noise(4.0)
    turns = [(0.0, 1.5, "ann"), (1.0, 2.5, "bob"), (2.5, 2.7), (3.0, 6.0), (5.0, 6.0), (1.2, 0.8), (3.0, float("inf"))]
    recognition = recognizer(sound, RATE, turns=turns)
    found = [(one.emotion is not None, one.unsure, one.reason, one.note) for one in recognition.segments]
    assert found[0][0], found[1][0]
    assert found[0][3] == found[1][3] == "overlaps another turn for 0.50 s"
    assert found[2] == (False, True, "too short", "")
    assert found[3][0]
    assert found[3][3] == "ends 2.00 s after the recording; overlaps another turn for 1.00 s"
    assert found[4] == (False, True, "outside the recording", "")
    assert found[5] == (False, True, "too short", "ends at 0.80 s, before it starts")
    assert recognition.segments[6].end_s == 4.0
    assert (
        recognition.note == "7 turns: 2 too short, 1 outside the recording, 4 overlapping, 1 ending after the recording"
    )


def test_a_silent_turn_has_no_speech(recognizer: Recognizer) -> None:
    sound = np.concatenate([noise(2.0), np.zeros(2 * RATE, np.float32)])
    _, silent = recognizer(sound, RATE, turns=[(0, 2), (2, 4)], options=TimelineOptions()).segments
    assert silent.emotion is None
    assert (silent.speech, silent.reason) == (False, "no speech")


def test_the_cut_into_blocks_changes_nothing(recognizer: Recognizer, tmp_path: Path) -> None:
    """A file arrives in blocks of its decoder, a waveform in one piece."""
    sound = noise(12.3, level=0.2)
    path = tmp_path / "call.wav"
    write_wav(path, sound)
    whole = (np.clip(np.rint(sound * 32767), -32768, 32767) / 32768).astype(np.float32)
    turns = [(0.1, 4.3), (4.0, 11.9), (11.0, 12.3)]
    by_path, by_array = recognizer(path, turns=turns), recognizer(whole, RATE, turns=turns)
    for one, other in zip(by_path.segments, by_array.segments, strict=True):
        np.testing.assert_allclose(list(one.probabilities.values()), list(other.probabilities.values()), atol=1e-6)
        assert one.note == other.note


def test_each_speaker_has_a_baseline_of_their_own(recognizer: Recognizer) -> None:
    sound = noise(4.0)
    calm = {"ann": (noise(1.0, 1, 0.01), RATE), "bob": [(noise(1.0, 2, 0.3), RATE)]}
    recognition = recognizer(
        sound, RATE, turns=[(0, 1, "ann"), (1, 2, "bob"), (2, 3, "eve"), (3, 4, "ann")], baseline=calm
    )
    for segment in recognition.segments:
        part = sound[round(segment.start_s * RATE) : round(segment.end_s * RATE)]
        view = recognizer.with_baseline(calm.get(segment.speaker or ""))
        np.testing.assert_allclose(list(segment.probabilities.values()), view.probabilities([part])[0], atol=1e-6)
    names = [segment.baseline for segment in recognition.segments]
    assert names == ["ann: <waveform>", "bob: <waveform>", None, "ann: <waveform>"]
    assert recognition.baseline == "ann: <waveform>, bob: <waveform>"
    with pytest.raises(BaselineError, match="a baseline for 'ane', who has no turn; speakers of the turns: ann"):
        recognizer(sound, RATE, turns=[(0, 1, "ann")], baseline={"ane": calm["ann"]})


def test_turns_and_classes_go_together(recognizer: Recognizer) -> None:
    recognition = recognizer(noise(2.0), RATE, turns=[Turn(0.0, 2.0)], classes=["neutral", "anger"])
    assert recognition.labels == ("neutral", "anger")
    assert set(recognition.segments[0].probabilities) == {"neutral", "anger"}


def test_turns_that_cannot_be_used_are_refused(recognizer: Recognizer) -> None:
    sound = noise(1.0)
    with pytest.raises(TurnsError, match="no turns"):
        recognizer(sound, RATE, turns=[])
    with pytest.raises(TurnsError, match="mix of all channels"):
        recognizer(sound, RATE, turns=[(0, 1)], channels="split")
    with pytest.raises(TurnsError, match="one recording"):
        recognizer([sound], RATE, turns=[(0, 1)])
    with pytest.raises(TurnsError, match="70 turns overlap at"):
        recognizer(sound, RATE, turns=[(0, 1)] * 70)


def test_a_baseline_is_shown_by_its_name_alone() -> None:
    assert repr(Baseline("calm.wav", np.zeros(2, np.float32), 1, 5.0)) == (
        "Baseline(name='calm.wav', n_recordings=1, duration_s=5.0)"
    )
