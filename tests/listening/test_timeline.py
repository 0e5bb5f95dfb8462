"""Windows and segments over streams: against a plain second reckoning, and however the stream is cut."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotone.errors import AudioTooShortError
from emotone.listening.certainty import UnsureRule
from emotone.listening.options import TimelineOptions
from emotone.listening.recognizer import Recognizer, load
from emotone.listening.segments import Segment, SegmentJoiner
from emotone.listening.timeline import StreamingTimeline, Window
from emotone.model_files.model_file import ModelMetadata
from stream_cuts import cut

RATE = 16_000
NO_VAD = TimelineOptions(vad=False)


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    """Noise whose level wanders, so that the tiny model's answer does."""
    generator = np.random.default_rng(seed)
    levels = np.interp(np.arange(n_samples), np.arange(0, n_samples + 8_000, 8_000), _wander(generator, n_samples))
    return (levels * generator.standard_normal(n_samples)).astype(np.float32)


def _wander(generator: np.random.Generator, n_samples: int) -> np.ndarray:
    return np.exp(generator.uniform(-8.0, -1.0, len(np.arange(0, n_samples + 8_000, 8_000))))


def run(
    recognizer: Recognizer, blocks: list[np.ndarray], options: TimelineOptions | None = None, *, stretches: int = 24
) -> tuple[list[Segment], list[Window], StreamingTimeline]:
    windows: list[Window] = []
    timeline = StreamingTimeline(recognizer, options, on_window=windows.append, stretches=stretches)
    segments = [one for block in blocks for one in timeline.push(block)]
    return segments + timeline.finish(), windows, timeline


def same(got: list[Segment], expected: list[Segment]) -> None:
    assert [(one.start_s, one.end_s, one.emotion, one.unsure, one.speech) for one in got] == [
        (one.start_s, one.end_s, one.emotion, one.unsure, one.speech) for one in expected
    ]
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(list(one.probabilities.values()), list(other.probabilities.values()), atol=1e-5)


@pytest.mark.parametrize("vad", [True, False])
@pytest.mark.parametrize(("seed", "stretches"), [(1, 24), (2, 1), (3, 1), (4, 2)])
def test_cut_anywhere_the_segments_are_the_same(
    tiny_recognizer: Recognizer, conversation: np.ndarray, seed: int, stretches: int, vad: bool
) -> None:
    options = TimelineOptions(vad=vad)
    expected, _, whole = run(tiny_recognizer, [conversation], options)
    got, _, timeline = run(tiny_recognizer, cut(conversation, seed), options, stretches=stretches)
    assert len(expected) > 5
    same(got, expected)
    np.testing.assert_allclose(timeline.probabilities, whole.probabilities, atol=1e-5)
    np.testing.assert_allclose(timeline.embedding, whole.embedding, atol=1e-5)


def test_segments_tile_the_recording_and_have_what_they_say(
    tiny_recognizer: Recognizer, conversation: np.ndarray
) -> None:
    segments, _, _ = run(tiny_recognizer, [conversation])
    assert segments[0].start_s == 0.0
    assert segments[-1].end_s == len(conversation) / RATE
    for one, after in itertools.pairwise(segments):
        assert one.end_s == after.start_s
        assert (one.speech, one.emotion) != (after.speech, after.emotion)
    for one in segments:
        assert one.start_s < one.end_s
        assert (one.emotion is None) == (not one.speech) == (one.probabilities == {})
        if one.emotion is not None:
            assert sum(one.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
            assert one.confidence == one.probabilities[one.emotion]
            assert one.unsure == (one.confidence < tiny_recognizer.unsure_threshold)


def test_segments_agree_with_a_plain_reckoning(tiny_recognizer: Recognizer) -> None:
    window, hop = 32_000, 12_000
    waveform = noise(300_123)
    got, _, timeline = run(tiny_recognizer, [waveform], TimelineOptions(hop_s=hop / RATE, vad=False))
    starts = [*range(0, len(waveform) - window + 1, hop), len(waveform) - window]
    judged = tiny_recognizer.probabilities([waveform[start : start + window] for start in starts])
    np.testing.assert_allclose(timeline.probabilities, judged.mean(axis=0), atol=1e-5)
    # The mean over the windows that cover each hop; the moved one counts from the place it would have had.
    cells = []
    for cell in range(-(-len(waveform) // hop)):
        weights = np.array(
            [
                max(0, min(cell * hop + hop, start + window) - max(cell * hop, start)) if place <= cell else 0
                for place, start in enumerate(starts)
            ]
        )
        cells.append(weights @ judged / weights.sum())
    best = [int(np.argmax(one)) for one in cells]
    edges = [0, *(place for place in range(1, len(best)) if best[place] != best[place - 1]), len(best)]
    expected = [
        (first * hop / RATE, min(behind * hop, len(waveform)) / RATE, tiny_recognizer.labels[best[first]])
        for first, behind in itertools.pairwise(edges)
    ]
    assert len(expected) > 4
    assert [(one.start_s, one.end_s, one.emotion) for one in got] == expected


@pytest.mark.parametrize("n_samples", [400, 20_000, 32_000])
@pytest.mark.parametrize("stretches", [1, 24])
def test_a_clip_is_judged_once_as_by_the_model_alone(
    tiny_recognizer: Recognizer, n_samples: int, stretches: int
) -> None:
    waveform = noise(n_samples)
    segments, _, timeline = run(tiny_recognizer, cut(waveform, 1), stretches=stretches)
    expected, embedding, _ = tiny_recognizer.judge([waveform])
    assert len(segments) == 1
    assert (segments[0].start_s, segments[0].end_s, segments[0].speech) == (0.0, n_samples / RATE, True)
    np.testing.assert_array_equal(list(segments[0].probabilities.values()), expected[0])
    np.testing.assert_array_equal(timeline.probabilities, expected[0])
    np.testing.assert_array_equal(timeline.embedding, embedding[0])


def test_one_sample_more_than_a_clip_has_windows(tiny_recognizer: Recognizer) -> None:
    _, windows, _ = run(tiny_recognizer, [noise(32_001)], NO_VAD)
    assert [(one.start, one.end) for one in windows] == [(0, 32_000), (1, 32_001)]


def test_a_window_asked_for_makes_windows_of_a_clip(tiny_recognizer: Recognizer) -> None:
    _, windows, _ = run(tiny_recognizer, [noise(32_000)], TimelineOptions(window_s=1.0, vad=False))
    assert [one.start for one in windows] == [0, 8_000, 16_000]


def test_silence_is_one_segment_without_emotion_and_costs_no_judgement(tiny_recognizer: Recognizer) -> None:
    segments, windows, timeline = run(tiny_recognizer, [np.zeros(RATE * 70, dtype=np.float32)])
    assert segments == [Segment(0.0, 70.0, None, speech=False)]
    assert all(one.probabilities is None for one in windows)
    assert timeline.probabilities is None
    assert timeline.embedding is None


def test_only_what_is_spoken_is_judged(tiny_recognizer: Recognizer, spoken_clips: list[np.ndarray]) -> None:
    clip = spoken_clips[-1][:RATE]
    silence = np.zeros(4 * RATE, dtype=np.float32)
    segments, _, _ = run(tiny_recognizer, [np.concatenate([silence, clip, silence])])
    spoken = [one for one in segments if one.speech]
    assert [one.speech for one in segments] == [False, True, False]
    assert 3.7 < spoken[0].start_s < 4.4
    assert 4.6 < spoken[0].end_s < 5.4
    # The tiny model hears power: seconds of silence in its windows would make the voice much softer.
    alone = tiny_recognizer.probabilities([clip])[0]
    np.testing.assert_allclose(list(spoken[0].probabilities.values()), alone, atol=0.12)


def test_a_stream_too_short_to_judge_is_said(tiny_recognizer: Recognizer) -> None:
    with pytest.raises(AudioTooShortError, match="399 samples"):
        run(tiny_recognizer, [noise(399)])


@pytest.mark.parametrize(
    "values",
    [
        {"window_s": 0.0},
        {"window_s": float("nan")},
        {"hop_s": -1.0},
        {"speech_threshold": 1.0},
        {"pad_s": -0.1},
        {"batch": 0},
    ],
)
def test_impossible_options_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        TimelineOptions(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [{"window_s": 3.0}, {"window_s": 0.01}, {"hop_s": 2.5}, {"hop_s": 0.01}])
def test_options_that_do_not_fit_the_model_are_refused(tiny_recognizer: Recognizer, values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"expected|judges"):
        StreamingTimeline(tiny_recognizer, TimelineOptions(**values))  # type: ignore[arg-type]


def test_by_default_a_window_is_the_models_but_at_most_four_seconds(tiny_metadata: ModelMetadata) -> None:
    assert TimelineOptions().window_samples(tiny_metadata) == 2 * RATE
    assert TimelineOptions().window_samples(replace(tiny_metadata, window_s=10.0)) == 4 * RATE
    assert TimelineOptions().hop_samples(replace(tiny_metadata, window_s=10.0)) == 2 * RATE
    assert TimelineOptions().clip_samples(replace(tiny_metadata, window_s=10.0)) == 10 * RATE


@pytest.mark.parametrize("vad", [True, False])
def test_memory_does_not_grow_with_the_stream(tiny_recognizer: Recognizer, vad: bool) -> None:
    block = noise(5 * RATE)

    def peak(minutes: int) -> int:
        timeline = StreamingTimeline(tiny_recognizer, TimelineOptions(vad=vad), stretches=2)
        tracemalloc.start()
        for _ in range(minutes * 12):
            timeline.push(block)
        timeline.finish()
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    # The detector is slow under tracemalloc; without it, a whole hour is heard.
    short, long = (2, 4) if vad else (6, 60)
    assert peak(long) < peak(short) + 1_000_000


def cells(*shares: float | None) -> list[tuple[int, np.ndarray | None]]:
    return [
        (100 * (place + 1), None if share is None else np.array([share, 1 - share]))
        for place, share in enumerate(shares)
    ]


def join(speech: list[tuple[int, bool]], *shares: float | None) -> list[tuple[float, float, str | None]]:
    joiner = SegmentJoiner(("neutral", "anger"), 100, rule=UnsureRule(), min_segment=50, channel=None)
    for end, spoken in speech:
        joiner.add_speech(end, spoken)
    for end, probabilities in cells(*shares):
        joiner.add_cell(end, probabilities)
    return [(one.start_s, one.end_s, one.emotion) for one in joiner.advance(last=True)]


def test_a_sliver_at_an_edge_of_speech_goes_with_its_neighbour() -> None:
    assert join([(80, False), (400, True)], 0.9, 0.2, 0.2, 0.2) == [(0.0, 0.8, None), (0.8, 4.0, "anger")]
    assert join([(320, True), (400, False)], 0.9, 0.9, 0.9, 0.2) == [(0.0, 3.2, "neutral"), (3.2, 4.0, None)]


def test_a_short_word_alone_is_a_segment_of_its_own() -> None:
    assert join([(20, False), (50, True), (100, False)], 0.9) == [
        (0.0, 0.2, None),
        (0.2, 0.5, "neutral"),
        (0.5, 1.0, None),
    ]


def test_where_no_window_says_anything_the_neighbour_counts() -> None:
    assert join([(400, True)], None, 0.9, None, 0.2) == [(0.0, 3.0, "neutral"), (3.0, 4.0, "anger")]


def test_a_pause_parts_segments_of_one_emotion() -> None:
    assert join([(150, True), (250, False), (400, True)], 0.9, 0.9, 0.9, 0.9) == [
        (0.0, 1.5, "neutral"),
        (1.5, 2.5, None),
        (2.5, 4.0, "neutral"),
    ]


def test_the_shipped_model_gives_the_same_segments_however_cut(shipped_model: Path, conversation: np.ndarray) -> None:
    recognizer = load(shipped_model)
    expected, _, _ = run(recognizer, [conversation])
    got, _, _ = run(recognizer, cut(conversation, 7), stretches=1)
    same(got, expected)
