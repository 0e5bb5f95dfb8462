"""Whole recordings: over time, channel by channel, many at once, and what a recognition can do."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from emotone.errors import AudioError, AudioTooShortError, MissingExtraError, NotAudioError
from emotone.listening.loading import load
from emotone.listening.options import TimelineOptions
from emotone.listening.recognition import Recognition
from emotone.listening.recognizer import Recognizer
from emotone.listening.segments import Segment
from emotone.listening.sound.sources import Source

RATE = 16_000


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory, conversation: np.ndarray) -> Path:
    """A call of half a minute: one voice on the left, another, softer one on the right."""
    path = tmp_path_factory.mktemp("calls") / "call.wav"
    sides = np.stack([conversation[: 30 * RATE], 0.2 * conversation[40 * RATE : 70 * RATE]])
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, RATE, 0, "NONE", "NONE"))
        file.writeframes((np.clip(sides.T, -1, 1) * 32_767).astype("<i2").tobytes())
    return path


def test_a_file_and_its_samples_give_the_same(tiny_recognizer: Recognizer, call: Path) -> None:
    with wave.open(str(call)) as file:
        samples = np.frombuffer(file.readframes(-1), dtype="<i2").reshape(-1, 2).T
    by_path, by_samples = tiny_recognizer(call), tiny_recognizer(samples, RATE)
    assert by_path.segments == by_samples.segments
    assert by_path.probabilities == by_samples.probabilities


def test_the_whole_is_the_mean_over_segments_by_their_durations(tiny_recognizer: Recognizer, call: Path) -> None:
    recognition = tiny_recognizer(call)
    timeline = recognition.timeline
    np.testing.assert_array_equal(timeline.times, (timeline.start_s + timeline.end_s) / 2)
    np.testing.assert_array_equal(np.isnan(timeline.probabilities).any(axis=1), timeline.speech == 0.0)
    spoken = [one for one in recognition.segments if one.speech]
    assert len(spoken) > 3
    mean = np.average(
        [list(one.probabilities.values()) for one in spoken], axis=0, weights=[one.duration_s for one in spoken]
    )
    np.testing.assert_allclose(list(recognition.probabilities.values()), mean, atol=1e-6)
    assert set(timeline.channel) == {-1}


def test_split_channels_are_judged_as_if_each_were_a_file(tiny_recognizer: Recognizer, call: Path) -> None:
    recognition = tiny_recognizer(call, channels="split")
    with wave.open(str(call)) as file:
        samples = np.frombuffer(file.readframes(-1), dtype="<i2").reshape(-1, 2).T
    assert len(recognition.channels) == 2
    for number, side in enumerate(recognition.channels):
        alone = tiny_recognizer(np.ascontiguousarray(samples[number]), RATE)
        assert side.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
        assert [(one.start_s, one.end_s, one.emotion) for one in side.segments] == [
            (one.start_s, one.end_s, one.emotion) for one in alone.segments
        ]
        assert {one.channel for one in side.segments} == {number}
        assert set(side.timeline.channel) == {number}
    assert len(recognition.segments) == sum(len(side.segments) for side in recognition.channels)
    assert [one.start_s for one in recognition.segments] == sorted(one.start_s for one in recognition.segments)
    assert sum(recognition.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    assert set(recognition.timeline.channel) == {0, 1}


def test_a_split_clip_has_a_judgement_a_side(tiny_recognizer: Recognizer, spoken_clips: list[np.ndarray]) -> None:
    clip = spoken_clips[0][:RATE]
    recognition = tiny_recognizer(np.stack([clip, 0.1 * clip]), RATE, channels="split")
    for factor, side in zip((1.0, 0.1), recognition.channels, strict=True):
        alone = tiny_recognizer((factor * clip).astype(np.float32), RATE)
        assert side.probabilities == pytest.approx(alone.probabilities, abs=1e-5)


def test_an_hour_of_nothing_has_no_emotion(tiny_recognizer: Recognizer) -> None:
    recognition = tiny_recognizer(np.zeros(60 * RATE, dtype=np.float32), RATE)
    assert (recognition.emotion, recognition.probabilities, recognition.unsure) == (None, {}, True)
    assert recognition.segments == (Segment(0.0, 60.0, None, speech=False),)
    assert recognition.confidence == 0.0
    assert recognition.labels == tiny_recognizer.labels
    assert not recognition.embedding.any()


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.1])
def test_a_clip_of_nothing_has_no_emotion_however_sure_a_model_would_be(shipped_model: Path, noise: float) -> None:
    sound = (noise * np.random.default_rng(0).standard_normal(5 * RATE)).astype(np.float32)
    recognizer = load(shipped_model)
    for recognition in (recognizer(sound, RATE), *recognizer.batch([(sound, RATE)])):
        assert (recognition.emotion, recognition.probabilities, recognition.unsure) == (None, {}, True)
        assert recognition.segments == (Segment(0.0, 5.0, None, speech=False),)
        assert len(recognition.timeline) == 1
    assert recognizer(sound, RATE, options=TimelineOptions(vad=False)).emotion is not None


def test_a_faint_voice_is_heard_and_a_silent_side_says_nothing(
    shipped_model: Path, spoken_clips: list[np.ndarray]
) -> None:
    recognizer = load(shipped_model)
    clip = spoken_clips[0]
    faint = recognizer((0.03 * clip).astype(np.float32), RATE)
    assert faint.emotion is not None
    alone = recognizer(clip, RATE)
    call = recognizer(np.stack([clip, np.zeros_like(clip)]), RATE, channels="split")
    assert call.probabilities == pytest.approx(alone.probabilities, abs=1e-6)
    assert [side.emotion for side in call.channels] == [alone.emotion, None]


def test_more_channels_than_can_be_kept_apart_are_refused_before_they_are_decoded(
    tiny_recognizer: Recognizer, tmp_path: Path
) -> None:
    path = tmp_path / "array.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((17, 2, RATE, 0, "NONE", "NONE"))
        file.writeframes(bytes(17 * 2 * RATE))
    with pytest.raises(AudioError, match="17 channels; at most 16"):
        tiny_recognizer(path, channels="split")
    assert tiny_recognizer(path).emotion is None
    with pytest.raises(AudioError, match="17 channels"):
        tiny_recognizer(np.zeros((17, RATE), np.float32), RATE, channels="split")


def test_without_voice_detection_everything_is_judged(tiny_recognizer: Recognizer) -> None:
    silence = np.zeros(10 * RATE, dtype=np.float32)
    recognition = tiny_recognizer(silence, RATE, options=TimelineOptions(vad=False))
    assert recognition.emotion is not None
    assert (recognition.timeline.speech == 1.0).all()


def test_a_batch_gives_what_single_calls_give(tiny_recognizer: Recognizer, call: Path, clips_dir: Path) -> None:
    sources: list[Source] = [*sorted(clips_dir.glob("emodb/*.flac")), call, *sorted(clips_dir.glob("crema-d/*.opus"))]
    sources += sources[:4] * 5
    together = list(tiny_recognizer.batch(iter(sources)))
    assert [one.source for one in together] == [str(source) for source in sources]
    for one, source in zip(together, sources, strict=True):
        alone = tiny_recognizer(source)
        assert one.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
        assert len(one.segments) == len(alone.segments)
        np.testing.assert_allclose(one.embedding, alone.embedding, rtol=1e-5)


def test_a_batch_can_split_channels_and_go_on_after_an_error(
    tiny_recognizer: Recognizer, call: Path, spoken_clips: list[np.ndarray]
) -> None:
    failed: list[tuple[Source, AudioError]] = []
    stereo = np.stack([spoken_clips[0][:RATE]] * 2)
    sources: list[Source] = [(stereo, RATE), "absent.wav", call, b"no audio"]
    found = list(
        tiny_recognizer.batch(sources, channels="split", on_error=lambda source, error: failed.append((source, error)))
    )
    assert [len(one.channels) for one in found] == [2, 2]
    assert [source for source, _ in failed] == ["absent.wav", b"no audio"]
    assert isinstance(failed[1][1], NotAudioError)
    with pytest.raises(NotAudioError):
        list(tiny_recognizer.batch([b"no audio"]))
    assert list(tiny_recognizer.batch([])) == []


def test_a_recording_too_short_is_named(tiny_recognizer: Recognizer, tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "NONE"))
        file.writeframes(bytes(2 * 399))
    with pytest.raises(AudioTooShortError, match=r"short\.wav: 399 samples"):
        tiny_recognizer(path)


def test_an_unknown_way_with_channels_is_refused(tiny_recognizer: Recognizer) -> None:
    with pytest.raises(ValueError, match="'left'"):
        tiny_recognizer(np.zeros(RATE, dtype=np.float32), RATE, channels="left")  # type: ignore[arg-type]


def test_a_short_recording_gets_the_models_answer_but_for_silence_beyond_the_margin(
    shipped_model: Path, spoken_clips: list[np.ndarray]
) -> None:
    recognizer = load(shipped_model)
    margin_s = TimelineOptions().margin_s
    for clip in spoken_clips:
        recognition = recognizer(clip, RATE)
        (spoken,) = (one for one in recognition.segments if one.speech)
        start, end = max(0.0, spoken.start_s - margin_s), spoken.end_s + margin_s
        expected = recognizer.probabilities([clip[round(start * RATE) : round(end * RATE)]])[0]
        np.testing.assert_allclose(list(recognition.probabilities.values()), expected, atol=1e-5)


def test_an_annotation_is_of_emotions_and_channels(tiny_recognizer: Recognizer, call: Path) -> None:
    recognition = tiny_recognizer(call, channels="split")
    annotation = recognition.to_annotation()
    assert annotation.uri == "call"
    assert len(annotation) == len({(one.start_s, one.end_s) for one in recognition.segments if one.emotion})
    assert {track for _, track in annotation.itertracks()} == {0, 1}


@pytest.mark.parametrize("channels", ["mix", "split"])
def test_plot_draws_the_recording_over_time(
    tiny_recognizer: Recognizer, call: Path, tmp_path: Path, channels: str
) -> None:
    picture = tmp_path / "picture.png"
    tiny_recognizer(call, channels=channels).plot(picture)  # type: ignore[arg-type]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_plot_needs_no_file(tiny_recognizer: Recognizer, conversation: np.ndarray, tmp_path: Path) -> None:
    tiny_recognizer(conversation, RATE).plot(tmp_path / "long.svg")
    tiny_recognizer(conversation[:RATE], RATE).plot(tmp_path / "clip.svg")
    tiny_recognizer(np.zeros(20 * RATE, dtype=np.float32), RATE).plot(tmp_path / "silence.svg")
    assert len(list(tmp_path.iterdir())) == 3


def test_plot_without_matplotlib_names_the_extra(
    tiny_recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recognition = tiny_recognizer(np.zeros(RATE, dtype=np.float32), RATE)
    monkeypatch.setattr("emotone.extras.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="plot"):
        recognition.plot(tmp_path / "picture.png")


def test_a_recognition_that_names_no_segments_is_one_segment() -> None:
    one = Recognition("a", "anger", {"neutral": 0.25, "anger": 0.75}, False, 2.0, np.zeros(1, np.float32))
    assert one.segments == (Segment(0.0, 2.0, "anger", {"neutral": 0.25, "anger": 0.75}),)
    assert one.labels == ("neutral", "anger")


def test_one_recording_is_not_a_batch(tiny_recognizer: Recognizer, call: Path) -> None:
    for one in (call, str(call), b"RIFF"):
        with pytest.raises(NotAudioError, match="one recording; expected several"):
            next(tiny_recognizer.batch(one))  # type: ignore[arg-type]
