"""A recording with several audio tracks, or with channels that cancel, says so, and there is a way to read it."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

import emotone
from emotone.listening.options import TimelineOptions

RATE = 16_000
TONE = 0.4 * np.sin(2 * np.pi * 220 * np.arange(2 * RATE) / RATE)


@pytest.fixture(scope="module")
def two_tracks() -> bytes:
    """A Matroska file: silence, and a tone."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="matroska") as output:
        streams = [output.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for stream, samples in zip(streams, (np.zeros_like(TONE), TONE), strict=True):
            frame = av.AudioFrame.from_ndarray((samples[None] * 32_767).astype(np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            output.mux(stream.encode(frame))
    return memory.getvalue()


def test_a_track_can_be_chosen_by_keyword_and_by_option(tiny_recognizer, two_tracks):
    expected = tiny_recognizer((TONE.astype(np.float32), RATE)).probabilities
    main = tiny_recognizer(two_tracks)
    assert main.note.startswith("2 audio tracks, of which track 1 was read")
    chosen = tiny_recognizer(two_tracks, track=2)
    assert chosen.probabilities == pytest.approx(expected, abs=1e-3)
    assert chosen.note == ""
    assert chosen.track == 2
    assert tiny_recognizer(two_tracks, options=TimelineOptions(track=2)).probabilities == chosen.probabilities
    assert next(tiny_recognizer.batch([two_tracks], track=2)).probabilities == chosen.probabilities
    with pytest.raises(emotone.NoAudioStreamError, match="no audio track 3"):
        tiny_recognizer(two_tracks, track=3)
    with pytest.raises(ValueError, match="track"):
        tiny_recognizer(two_tracks, track=0)


def test_an_array_whose_channels_cancel_has_the_note_of_a_file(tiny_recognizer):
    inverted = np.stack([TONE, -TONE]).astype(np.float32)
    assert "channels cancel each other" in tiny_recognizer((inverted, RATE)).note
    assert "cancel" not in tiny_recognizer((inverted, RATE), channels="split").note
    assert "cancel" not in tiny_recognizer((np.stack([TONE, TONE]).astype(np.float32), RATE)).note


def test_a_note_does_not_make_a_recording_narrow_band(tiny_recognizer, two_tracks):
    assert not tiny_recognizer((np.stack([TONE, -TONE]).astype(np.float32), RATE)).narrow_band
