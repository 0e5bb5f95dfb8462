"""Windows and segments over streams: against a plain second reckoning, and however the stream is cut."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotone.errors import AudioTooShortError
from emotone.listening.live import LiveRecognizer
from emotone.listening.loading import load
from emotone.listening.model.certainty import UnsureRule
from emotone.listening.options import TimelineOptions
from emotone.listening.recognition import Recognition
from emotone.listening.recognizer import Recognizer
from emotone.listening.segments import Segment, SegmentJoiner, overall
from emotone.listening.timeline import StreamingTimeline, Window
from emotone.model_files.metadata import ModelMetadata
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
    recognizer: Recognizer, blocks: list[np.ndarray], options: TimelineOptions | None = None, *, chunks: int = 24
) -> tuple[list[Segment], list[Window], StreamingTimeline]:
    windows: list[Window] = []
    timeline = StreamingTimeline(recognizer, options, on_window=windows.append, chunks=chunks)
    segments = [one for block in blocks for one in timeline.push(block)]
    return segments + timeline.finish(), windows, timeline


def same(got: list[Segment], expected: list[Segment]) -> None:
    assert [(one.start_s, one.end_s, one.emotion, one.unsure, one.speech) for one in got] == [
        (one.start_s, one.end_s, one.emotion, one.unsure, one.speech) for one in expected
    ]
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(list(one.probabilities.values()), list(other.probabilities.values()), atol=1e-5)


@pytest.mark.parametrize("vad", [True, False])
@pytest.mark.parametrize(("seed", "chunks"), [(1, 24), (2, 1), (3, 1), (4, 2)])
def test_cut_anywhere_the_segments_are_the_same(
    tiny_recognizer: Recognizer, conversation: np.ndarray, seed: int, chunks: int, vad: bool
) -> None:
    options = TimelineOptions(vad=vad)
    expected, _, whole = run(tiny_recognizer, [conversation], options)
    got, _, timeline = run(tiny_recognizer, cut(conversation, seed), options, chunks=chunks)
    assert len(expected) > 5
    same(got, expected)
    assert overall(got)[0] == pytest.approx(overall(expected)[0], abs=1e-5)
    np.testing.assert_allclose(timeline.embedding, whole.embedding, atol=1e-5)


def test_several_long_regions_of_speech_get_the_same_segments_with_batches_of_any_size(
    tiny_recognizer: Recognizer, spoken_clips: list[np.ndarray]
) -> None:
    loud = [clip[np.flatnonzero(np.abs(clip) > 0.02 * np.abs(clip).max())] for clip in spoken_clips]
    region = np.resize(np.concatenate(loud), 13 * RATE)
    recording = np.concatenate([np.concatenate([region, np.zeros(RATE, np.float32)])] * 3)
    expected, windows, _ = run(tiny_recognizer, [recording], TimelineOptions(batch=1))
    assert sum(one.speech == 1.0 for one in windows) > 3 * 10
    for batch in (2, 7, 16):
        same(run(tiny_recognizer, [recording], TimelineOptions(batch=batch))[0], expected)


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
    got, _, _ = run(tiny_recognizer, [waveform], TimelineOptions(hop_s=hop / RATE, vad=False))
    starts = [*range(0, len(waveform) - window + 1, hop), len(waveform) - window]
    judged = tiny_recognizer.probabilities([waveform[start : start + window] for start in starts])
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
    lengths = [min(hop, len(waveform) - cell * hop) for cell in range(len(cells))]
    mean = np.average(cells, axis=0, weights=lengths)
    np.testing.assert_allclose(list(overall(got)[0].values()), mean, atol=1e-5)
    best = [int(np.argmax(one)) for one in cells]
    edges = [0, *(place for place in range(1, len(best)) if best[place] != best[place - 1]), len(best)]
    expected = [
        (first * hop / RATE, min(behind * hop, len(waveform)) / RATE, tiny_recognizer.labels[best[first]])
        for first, behind in itertools.pairwise(edges)
    ]
    assert len(expected) > 4
    assert [(one.start_s, one.end_s, one.emotion) for one in got] == expected


@pytest.mark.parametrize("n_samples", [400, 20_000, 32_000])
@pytest.mark.parametrize("chunks", [1, 24])
def test_speech_that_fits_into_the_window_is_classified_as_by_the_model_alone(
    tiny_recognizer: Recognizer, n_samples: int, chunks: int
) -> None:
    waveform = noise(n_samples)
    segments, windows, timeline = run(tiny_recognizer, cut(waveform, 1), NO_VAD, chunks=chunks)
    expected, embedding, _ = tiny_recognizer.classify([waveform])
    assert len(segments) == len(windows) == 1
    assert (segments[0].start_s, segments[0].end_s, segments[0].speech) == (0.0, n_samples / RATE, True)
    np.testing.assert_allclose(list(overall(segments)[0].values()), expected[0], atol=1e-6)
    np.testing.assert_allclose(timeline.embedding, embedding[0], rtol=1e-6)


def test_one_sample_more_than_a_window_has_two(tiny_recognizer: Recognizer) -> None:
    _, windows, _ = run(tiny_recognizer, [noise(32_001)], NO_VAD)
    assert [(one.start, one.end) for one in windows] == [(0, 32_000), (1, 32_001)]


def test_a_shorter_window_makes_more_of_them(tiny_recognizer: Recognizer) -> None:
    _, windows, _ = run(tiny_recognizer, [noise(32_000)], TimelineOptions(window_s=1.0, vad=False))
    assert [one.start for one in windows] == [0, 8_000, 16_000]


def test_silence_is_one_segment_without_emotion_and_costs_no_judgement(tiny_recognizer: Recognizer) -> None:
    segments, windows, timeline = run(tiny_recognizer, [np.zeros(RATE * 70, dtype=np.float32)])
    assert segments == [Segment(0.0, 70.0, None, speech=False)]
    assert all(one.probabilities is None for one in windows)
    assert overall(segments) == ({}, None)
    assert timeline.embedding is None


def test_only_what_is_spoken_is_judged(tiny_recognizer: Recognizer, spoken_clips: list[np.ndarray]) -> None:
    clip = spoken_clips[-1][:RATE]
    silence = np.zeros(4 * RATE, dtype=np.float32)
    options = TimelineOptions(margin_s=0.0)
    segments, _, _ = run(tiny_recognizer, [np.concatenate([silence, clip, silence])], options)
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
    with pytest.raises(ValueError, match=r"expected|takes"):
        StreamingTimeline(tiny_recognizer, TimelineOptions(**values))  # type: ignore[arg-type]


def test_by_default_a_window_is_the_models_and_a_hop_is_half_of_it(tiny_metadata: ModelMetadata) -> None:
    assert TimelineOptions().window_samples(tiny_metadata) == 2 * RATE
    assert TimelineOptions().window_samples(replace(tiny_metadata, window_s=10.0)) == 10 * RATE
    assert TimelineOptions().hop_samples(replace(tiny_metadata, window_s=10.0)) == 5 * RATE


@pytest.mark.parametrize("vad", [True, False])
def test_memory_does_not_grow_with_the_stream(tiny_recognizer: Recognizer, vad: bool) -> None:
    block = noise(5 * RATE)

    def peak(minutes: int) -> int:
        timeline = StreamingTimeline(tiny_recognizer, TimelineOptions(vad=vad), chunks=2)
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


def join(*cells: tuple[int, int, float] | None, min_segment: int = 50) -> list[tuple[float, float, str | None]]:
    """Cells of (start, end, share of neutral) in samples at 100 Hz; None ends the speech."""
    joiner = SegmentJoiner(("neutral", "anger"), 100, rule=UnsureRule(), min_segment=min_segment, channel=None)
    found: list[Segment] = []
    for cell in (*cells, None):
        if cell is None:
            found += joiner.end_speech()
        else:
            start, end, share = cell
            found += joiner.speech(start, end, np.array([share, 1 - share]))
    return [(one.start_s, one.end_s, one.emotion) for one in found]


def test_neighbouring_cells_of_one_emotion_are_one_segment() -> None:
    assert join((0, 100, 0.9), (100, 200, 0.8), (200, 300, 0.2)) == [(0.0, 2.0, "neutral"), (2.0, 3.0, "anger")]


def test_a_sliver_at_the_end_of_speech_goes_with_its_neighbour() -> None:
    assert join((0, 100, 0.9), (100, 120, 0.1)) == [(0.0, 1.2, "neutral")]


def test_a_short_word_alone_is_a_segment_of_its_own() -> None:
    assert join((20, 50, 0.9)) == [(0.2, 0.5, "neutral")]


def test_a_pause_separates_segments_of_one_emotion() -> None:
    assert join((0, 150, 0.9), None, (250, 400, 0.9)) == [(0.0, 1.5, "neutral"), (2.5, 4.0, "neutral")]


def test_a_recording_with_pauses_has_segments_at_any_length(
    tiny_recognizer: Recognizer, spoken_clips: list[np.ndarray]
) -> None:
    pause = np.zeros(RATE, dtype=np.float32)
    two = np.concatenate([spoken_clips[0][-RATE:], pause, spoken_clips[1][:RATE]])
    for sound in (two, np.concatenate([two, pause, two])):
        recognition = tiny_recognizer(sound, RATE)
        spoken = [one for one in recognition.segments if one.speech]
        assert len(spoken) >= 2
        assert len(recognition.segments) > len(spoken)
        lengths = [one.duration_s for one in spoken]
        mean = np.average([list(one.probabilities.values()) for one in spoken], axis=0, weights=lengths)
        np.testing.assert_allclose(list(recognition.probabilities.values()), mean, atol=1e-6)


def test_a_growing_recording_keeps_what_is_final_and_live_agrees_every_second(
    shipped_model: Path, conversation: np.ndarray
) -> None:
    recognizer = load(shipped_model)
    live = LiveRecognizer(recognizer, RATE)
    before: Recognition | None = None
    final: list[Segment] = []
    for second in range(1, 15):
        final += live.feed(conversation[(second - 1) * RATE : second * RATE])
        grown = recognizer(conversation[: second * RATE], RATE)
        same(final, list(grown.segments[: len(final)]))
        assert live.probabilities == pytest.approx(dict(grown.probabilities), abs=1e-3)
        assert live.current is not None
        same([live.current], [grown.segments[-1]])
        if before is not None and before.probabilities:
            # Only segments that are new or have grown can move the mean, by their part of the speech.
            kept = {(one.start_s, one.end_s) for one in before.segments}
            spoken = [one for one in grown.segments if one.speech]
            changed_s = sum(one.duration_s for one in spoken if (one.start_s, one.end_s) not in kept)
            bound = (changed_s + 1.0) / sum(one.duration_s for one in spoken)
            for label, share in before.probabilities.items():
                assert abs(grown.probabilities[label] - share) <= bound
        before = grown
    assert sum(one.speech for one in final) > 2


def test_no_answer_jumps_where_speech_outgrows_the_window(shipped_model: Path, spoken_clips: list[np.ndarray]) -> None:
    recognizer = load(shipped_model)
    parts = []
    for clip in spoken_clips:
        spans = [(one.start_s, one.end_s) for one in recognizer(clip, RATE).segments if one.speech]
        parts += [clip[round(start_s * RATE) : round(end_s * RATE)] for start_s, end_s in spans]
    sound = np.concatenate(parts * 2)[: 11 * RATE]
    window_s = recognizer.metadata.window_s
    shorter, exact, longer = (
        recognizer(sound[: round(length_s * RATE)], RATE, options=NO_VAD)
        for length_s in (window_s - 0.1, window_s, window_s + 0.1)
    )
    assert [len(one.timeline) for one in (shorter, exact, longer)] == [1, 1, 2]
    for one in (shorter, longer):
        assert one.probabilities == pytest.approx(dict(exact.probabilities), abs=0.1)


@pytest.mark.parametrize("live", [True, False])
def test_a_short_uneven_sound_without_speech_is_classified_and_unsure(tiny_recognizer: Recognizer, live: bool) -> None:
    sound = np.linspace(0.01, 0.2, 2 * RATE) * np.random.default_rng(0).standard_normal(2 * RATE)
    sound = sound.astype(np.float32)
    if live:
        stream = LiveRecognizer(tiny_recognizer, RATE)
        assert stream.feed(sound) == []
        probabilities, segments = stream.probabilities, stream.finish()
        assert stream.probabilities == pytest.approx(probabilities, abs=1e-6)
    else:
        recognition = tiny_recognizer(sound, RATE)
        assert (recognition.unsure, recognition.reason) == (True, "no speech detected")
        probabilities, segments = dict(recognition.probabilities), list(recognition.segments)
    expected = tiny_recognizer.probabilities([sound])[0]
    np.testing.assert_allclose(list(probabilities.values()), expected, atol=1e-6)
    assert [(one.start_s, one.end_s, one.unsure, one.reason) for one in segments] == [
        (0.0, 2.0, True, "no speech detected")
    ]


def test_a_longer_sound_without_speech_has_no_emotion(tiny_recognizer: Recognizer) -> None:
    sound = np.linspace(0.01, 0.2, 3 * RATE) * np.random.default_rng(0).standard_normal(3 * RATE)
    recognition = tiny_recognizer(sound.astype(np.float32), RATE)
    assert (recognition.emotion, recognition.reason) == (None, "no speech")
    assert recognition.segments == (Segment(0.0, 3.0, None, speech=False),)


def test_the_shipped_model_gives_the_same_segments_however_cut(shipped_model: Path, conversation: np.ndarray) -> None:
    recognizer = load(shipped_model)
    expected, _, _ = run(recognizer, [conversation])
    got, _, _ = run(recognizer, cut(conversation, 7), chunks=1)
    same(got, expected)
