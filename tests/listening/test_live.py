"""Live streams: the segments of the file, and something to show before they are final."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import emotone
from emotone.errors import AudioSamplesError, EmotoneError, NotAudioError, SampleRateError
from emotone.listening.live import LiveRecognizer
from emotone.listening.model.predictions import Predictions
from emotone.listening.options import TimelineOptions
from emotone.listening.recognizer import Recognizer
from emotone.listening.segments import Segment
from stream_cuts import cut

RATE = 16_000


def hear(live: LiveRecognizer, blocks: list[np.ndarray]) -> list[Segment]:
    return [one for block in blocks for one in live.feed(block)] + live.finish()


def keys(segments: list[Segment] | tuple[Segment, ...]) -> list[tuple[float, float, str | None]]:
    return [(one.start_s, one.end_s, one.emotion) for one in segments]


def test_a_stream_gives_the_segments_of_the_file(tiny_recognizer: Recognizer, conversation: np.ndarray) -> None:
    live = LiveRecognizer(tiny_recognizer, RATE)
    got = hear(live, cut(conversation, 3))
    recognition = tiny_recognizer(conversation, RATE)
    assert keys(got) == keys(recognition.segments)
    for label, share in recognition.probabilities.items():
        assert live.probabilities[label] == pytest.approx(share, abs=1e-5)


def test_int16_at_another_rate_is_the_same_stream(tiny_recognizer: Recognizer, conversation: np.ndarray) -> None:
    whole = (conversation[: 30 * RATE] * 20_000).astype(np.int16)
    live = LiveRecognizer(tiny_recognizer, 8_000)
    assert keys(hear(live, cut(whole, 5))) == keys(tiny_recognizer(whole, 8_000).segments)
    assert live.duration_s == pytest.approx(60.0)


def test_channels_of_a_block_are_mixed(tiny_recognizer: Recognizer, conversation: np.ndarray) -> None:
    sound = conversation[: 20 * RATE]
    stereo = np.stack([sound, np.zeros_like(sound)])
    got = hear(LiveRecognizer(tiny_recognizer, RATE), [stereo[:, start : start + 1] for start in range(3)])
    assert got == []
    got = hear(LiveRecognizer(tiny_recognizer, RATE), cut(stereo, 4))
    assert keys(got) == keys(hear(LiveRecognizer(tiny_recognizer, RATE), cut(sound / 2, 5)))


def test_the_summary_is_what_a_file_of_the_stream_would_get(
    tiny_recognizer: Recognizer, conversation: np.ndarray
) -> None:
    live = LiveRecognizer(tiny_recognizer, RATE)
    live.feed(conversation[: 12 * RATE])
    for sound in (conversation[: 12 * RATE], conversation[: 20 * RATE]):
        recognition = tiny_recognizer(sound, RATE)
        summary = live.summary
        assert (summary.emotion, summary.unsure, summary.reason) == (
            recognition.emotion,
            recognition.unsure,
            recognition.reason,
        )
        assert summary.probabilities == pytest.approx(dict(recognition.probabilities), abs=1e-3)
        assert summary.end_s == recognition.duration_s
        live.feed(conversation[12 * RATE : 20 * RATE])


def test_current_is_the_speech_so_far(tiny_recognizer: Recognizer, conversation: np.ndarray) -> None:
    live = LiveRecognizer(tiny_recognizer, RATE, channel=1)
    assert live.current is None
    live.feed(conversation[: RATE - 1])
    assert live.current is None
    live.feed(conversation[RATE - 1 : RATE])
    assert live.current is not None
    assert (live.current.start_s, live.current.channel, live.current.speech) == (0.0, 1, True)
    assert 0.9 < live.current.end_s <= 1.0
    assert live.current.probabilities == pytest.approx(live.probabilities)
    expected = tiny_recognizer.probabilities([conversation[: round(live.current.end_s * RATE)]])[0]
    np.testing.assert_allclose(list(live.current.probabilities.values()), expected, atol=1e-6)


def test_current_says_when_nobody_speaks(tiny_recognizer: Recognizer) -> None:
    live = LiveRecognizer(tiny_recognizer, RATE)
    live.feed(np.zeros(5 * RATE, dtype=np.int16))
    assert live.current is not None
    assert (live.current.start_s, live.current.emotion, live.current.speech) == (0.0, None, False)
    assert 4.5 < live.current.end_s <= 5.0
    assert live.probabilities == {}


def test_live_and_final_answers_of_the_shipped_model_agree(shipped_model: object, conversation: np.ndarray) -> None:
    recognizer = emotone.load()
    for length_s in (3.0, 8.0, 10.0, 10.5, 25.0):
        sound = conversation[: round(length_s * RATE)]
        live = LiveRecognizer(recognizer, RATE)
        segments = hear(live, cut(sound, 8))
        recognition = recognizer(sound, RATE)
        assert keys(segments) == keys(recognition.segments)
        assert live.probabilities == pytest.approx(dict(recognition.probabilities), abs=1e-4)


def test_a_block_that_its_owner_uses_again_is_no_matter(tiny_recognizer: Recognizer, conversation: np.ndarray) -> None:
    sound = conversation[: 20 * RATE]
    live, reused = LiveRecognizer(tiny_recognizer, RATE), np.zeros(1_600, dtype=np.float32)
    got = []
    for start in range(0, len(sound), 1_600):
        reused[:] = sound[start : start + 1_600]
        got += live.feed(reused)
    assert keys(got + live.finish()) == keys(tiny_recognizer(sound, RATE).segments)


def test_a_stream_of_nothing_gives_nothing(tiny_recognizer: Recognizer) -> None:
    for blocks in ([], [np.zeros(0, dtype=np.float32)], [np.zeros(100, dtype=np.int16)]):
        assert hear(LiveRecognizer(tiny_recognizer, RATE), blocks) == []
        assert hear(LiveRecognizer(tiny_recognizer, 48_000), blocks) == []


@pytest.mark.parametrize(
    ("block", "error"),
    [
        (np.array([np.nan], dtype=np.float32), AudioSamplesError),
        (np.array([1e9], dtype=np.float32), AudioSamplesError),
        (np.array([1], dtype=np.uint8), AudioSamplesError),
        (np.zeros((2, 1, 1), dtype=np.float32), NotAudioError),
        (np.zeros((0, 5), dtype=np.float32), NotAudioError),
        (np.float32(0.0), NotAudioError),
    ],
)
def test_a_block_that_is_no_sound_is_an_error_of_ours(
    tiny_recognizer: Recognizer, block: np.ndarray, error: type[Exception]
) -> None:
    with pytest.raises(error):
        LiveRecognizer(tiny_recognizer, RATE).feed(block)


def test_an_impossible_rate_or_option_is_refused(tiny_recognizer: Recognizer) -> None:
    with pytest.raises(SampleRateError):
        LiveRecognizer(tiny_recognizer, 1_000)
    with pytest.raises(ValueError, match="window_s"):
        LiveRecognizer(tiny_recognizer, RATE, options=TimelineOptions(window_s=60.0))


def test_after_the_end_nothing_is_heard(tiny_recognizer: Recognizer) -> None:
    live = LiveRecognizer(tiny_recognizer, RATE)
    live.finish()
    assert live.finish() == []
    with pytest.raises(EmotoneError, match="finished"):
        live.feed(np.zeros(10, dtype=np.float32))


def test_the_class_is_public() -> None:
    assert emotone.LiveRecognizer is LiveRecognizer
    assert emotone.Segment is Segment


class Watched:
    """A recognizer that notes how many seconds of sound it is given, in every call."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self.seconds: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recognizer, name)

    def classify(self, waveforms: Sequence[np.ndarray]) -> Predictions:
        self.seconds.append(sum(map(len, waveforms)) / RATE)
        return self._recognizer.classify(waveforms)


def test_a_window_is_classified_when_it_ends_and_nothing_before_it_again(
    tiny_recognizer: Recognizer, conversation: np.ndarray
) -> None:
    watched = Watched(tiny_recognizer)
    live = LiveRecognizer(watched, RATE, options=TimelineOptions(vad=False, window_s=2.0, hop_s=1.0))
    ended, work = [], {}
    for n_blocks in range(1, 24 * 50 + 1):
        watched.seconds.clear()
        live.feed(conversation[(n_blocks - 1) * 320 : n_blocks * 320])
        if watched.seconds:
            work[n_blocks / 50] = sum(watched.seconds)
        if live.current is not None and live.current.end_s == n_blocks / 50:
            ended.append(live.current.end_s)
    # Each second has its answer in the block of 20 ms that ends it. A window is final once there is sound behind it,
    # which is in the next block; all others cost nothing.
    assert ended == list(range(1, 25))
    assert {at for at in work if at % 1} <= {end + 0.02 for end in ended}
    # What is computed then does not grow with the stream.
    assert max(work.values()) <= 2 * 2.0


@pytest.mark.parametrize("length_s", [1.5, 40])
def test_split_channels_are_those_of_the_file(
    tiny_recognizer: Recognizer, conversation: np.ndarray, length_s: float
) -> None:
    n = int(length_s * RATE)
    sides = np.stack([conversation[:n], conversation[n : 2 * n] / 3, np.zeros(n, dtype=np.float32)])
    live = LiveRecognizer(tiny_recognizer, RATE, channels="split")
    got = hear(live, cut(sides, 6))
    recognition = tiny_recognizer(sides, RATE, channels="split")
    expected = recognition.segments
    assert {one.channel for one in expected} == {0, 1, 2}
    got = sorted(got, key=lambda one: (one.start_s, one.channel or 0))
    assert [(*key, one.channel) for key, one in zip(keys(got), got, strict=True)] == [
        (*key, one.channel) for key, one in zip(keys(expected), expected, strict=True)
    ]
    for one, other in zip(got, expected, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)
    assert live.probabilities == pytest.approx(dict(recognition.probabilities), abs=1e-5)
    assert live.duration_s == length_s


def test_each_channel_has_its_last_segment_so_far(tiny_recognizer: Recognizer, conversation: np.ndarray) -> None:
    live = LiveRecognizer(tiny_recognizer, RATE, channels="split")
    assert live.currents == (None,)
    sound = conversation[:RATE]
    live.feed(np.stack([sound, np.zeros_like(sound)]))
    left, right = live.currents
    assert left is not None
    assert right is not None
    assert (right.start_s, right.emotion, right.channel, right.speech) == (0.0, None, 1, False)
    assert (left.channel, left.speech) == (0, True)
    assert live.current is right


def test_a_block_of_columns_is_not_heard_as_channels(tiny_recognizer: Recognizer) -> None:
    live = LiveRecognizer(tiny_recognizer, RATE)
    live.feed(np.zeros((512, 2), np.float32))
    assert live.duration_s == 512 / RATE
    with pytest.raises(NotAudioError, match=r"transpose one of \(n_samples, n_channels\)"):
        live.feed(np.zeros((512, 40), np.float32))


def test_channels_cannot_come_or_go_on_the_way(tiny_recognizer: Recognizer) -> None:
    live = LiveRecognizer(tiny_recognizer, RATE, channels="split")
    live.feed(np.zeros((2, 0), dtype=np.float32))
    with pytest.raises(NotAudioError, match="a block of 1 channels; those before it had 2"):
        live.feed(np.zeros(100, dtype=np.float32))
    with pytest.raises(ValueError, match="channels = 'both'"):
        LiveRecognizer(tiny_recognizer, RATE, channels="both")  # type: ignore[arg-type]
