"""Speech detection with the Silero network, run by our own ONNX Runtime session.

Conventions: the detector takes 16 kHz in frames of 512 samples (32 ms); `probabilities (n_frames,)` are those of speech
in each frame, frame 0 starting with the stream. The network is recurrent, and running it frame by frame is slow.
Therefore its state starts again every `GRID_FRAMES`, after a warm-up of `WARM_UP_FRAMES` on what came before. These
chunks do not depend on one another, those of a file run as one batch, and a stream cut anywhere, live or not, gets the
same decisions. The network's file is arranged so that only its recurrent layer goes frame by frame
(`emotone.experiments.shipping.speech_detector`).
"""

from __future__ import annotations

from copy import copy
from functools import cache
from importlib import resources
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from emotone.audio import Resampler
from emotone.errors import ModelFileError
from emotone.model_files.onnx_runtime import onnx_runtime

SAMPLE_RATE = 16_000
FRAME = 512
FRAME_S = FRAME / SAMPLE_RATE

GRID_FRAMES = 1_000
"""32 s: long enough that the warm-up costs little, short enough that a file of minutes has several to run at once."""

WARM_UP_FRAMES = 64
"""2 s: decisions of a cold start then differ from those of an endless state in 0.7 % of frames (1.2 % without)."""

CHUNKS_AT_ONCE = 8
"""As a batch they run a fifth faster than two; more of them cost memory (2 MB each) and gain nothing."""

FRAMES_AT_ONCE = 384
"""In one call of the network: its products are large enough to be fast, and what lies between them takes 5 MB."""

# The network takes the end of the previous frame in front of each frame.
_CONTEXT = 64
_STATE = 128


class VoiceActivity:
    """Probabilities of speech over a stream: `push` blocks, then `finish`.

    Args:
        sample_rate: of the stream, in Hz.
        chunks: how many chunks of 32 s to gather and run at once; 1 runs every frame as soon as it is complete.
    Raises:
        ModelFileError: the detector's network cannot be loaded.
    """

    def __init__(self, sample_rate: int = SAMPLE_RATE, *, chunks: int = CHUNKS_AT_ONCE) -> None:
        self._session = _detector()
        self._resampler = None if sample_rate == SAMPLE_RATE else Resampler(sample_rate, SAMPLE_RATE)
        self._chunks = chunks
        self._group = GRID_FRAMES * chunks if chunks > 1 else 1
        self._blocks: list[npt.NDArray[np.float32]] = [np.zeros(_CONTEXT, dtype=np.float32)]
        # Samples from the context of frame `_first` on are kept; frames before `_next` are decided.
        self._n_kept = _CONTEXT
        self._first = 0
        self._next = 0
        self._states: dict[int, npt.NDArray[np.float32]] = {}

    def __deepcopy__(self, memo: object) -> Self:
        """A detector that can finish where this one is, without the last milliseconds that a resampler holds back."""
        other = copy(self)
        other._resampler, other._blocks, other._states = None, list(self._blocks), dict(self._states)
        return other

    def push(self, block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The probabilities that the block decides.

        Args:
            block: mono, shape (n_samples,), any n.
        Returns:
            shape (n_frames,), those after all that were given before; often none.
        """
        return self._decide(block if self._resampler is None else self._resampler.push(block), last=False)

    def finish(self) -> npt.NDArray[np.float32]:
        """The rest; a frame that the end cuts is filled with silence."""
        rest = np.zeros(0, dtype=np.float32) if self._resampler is None else self._resampler.finish()
        n_missing = -(self._n_kept - _CONTEXT + len(rest)) % FRAME
        return self._decide(np.concatenate([rest, np.zeros(n_missing, dtype=np.float32)]), last=True)

    def _decide(self, samples: npt.NDArray[np.float32], *, last: bool) -> npt.NDArray[np.float32]:
        if len(samples):
            self._blocks.append(samples)
            self._n_kept += len(samples)
        end = self._first + (self._n_kept - _CONTEXT) // FRAME
        if not last:
            end -= (end - self._next) % self._group
        if end <= self._next:
            return np.zeros(0, dtype=np.float32)
        kept = np.concatenate(self._blocks)
        decide = self._one_by_one if self._chunks == 1 else self._side_by_side
        groups = []
        while self._next < end:
            until = end if self._chunks == 1 else min(end, self._next + self._group)
            groups.append(decide(kept, self._next, until))
            self._next = until
        first = self._next if self._chunks == 1 else max(0, self._next - WARM_UP_FRAMES)
        self._blocks = [kept[(first - self._first) * FRAME :].copy()]
        self._n_kept = len(self._blocks[0])
        self._first = first
        return np.concatenate(groups)

    def _one_by_one(self, kept: npt.NDArray[np.float32], start: int, end: int) -> npt.NDArray[np.float32]:
        """Frames in their order; towards the end of a chunk the next one's state warms up beside it."""
        decided = np.zeros(end - start, dtype=np.float32)
        for frame in range(start, end):
            lanes = sorted({frame // GRID_FRAMES, (frame + WARM_UP_FRAMES) // GRID_FRAMES})
            states = [self._states.get(lane) for lane in lanes]
            fresh = np.zeros((2, 1, _STATE), dtype=np.float32)
            state = np.concatenate([fresh if one is None else one for one in states], axis=1)
            at = (frame - self._first) * FRAME
            sound = np.repeat(kept[None, at : at + _CONTEXT + FRAME], len(lanes), axis=0)
            probabilities, state = self._run(sound, state)
            self._states = {lane: state[:, place : place + 1] for place, lane in enumerate(lanes)}
            decided[frame - start] = probabilities[0, 0]
        return decided

    def _side_by_side(self, kept: npt.NDArray[np.float32], start: int, end: int) -> npt.NDArray[np.float32]:
        """Chunks as one batch, each step one frame of every chunk that has one there; `start` is on the grid."""
        begins = np.arange(start, end, GRID_FRAMES)
        decided = np.zeros(end - start, dtype=np.float32)
        state = np.zeros((2, len(begins), _STATE), dtype=np.float32)
        frames_of = np.lib.stride_tricks.sliding_window_view(kept, _CONTEXT + FRAME)[::FRAME]
        for first, last, chunks in _spans(begins, end):
            n_steps = max(1, FRAMES_AT_ONCE // (chunks.stop - chunks.start))
            for step in range(first, last, n_steps):
                frames = np.arange(step, min(last, step + n_steps))[:, None] + begins[None, chunks]
                sound = frames_of[frames.ravel() - self._first]
                probabilities, state[:, chunks] = self._run(sound, state[:, chunks])
                if step >= 0:
                    decided[frames - start] = probabilities
        return decided

    def _run(
        self, sound: npt.NDArray[np.float32], state: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Frames (n_steps * n_chunks, 576), step by step, and states (2, n_chunks, 128): probabilities and states."""
        probabilities, state = self._session.run(["probabilities", "next_state"], {"frames": sound, "state": state})
        return probabilities, state


def _spans(begins: npt.NDArray[np.int64], end: int) -> list[tuple[int, int, slice]]:
    """Steps, first and behind the last, during which the same chunks have frames, and which chunks these are.

    Args:
        begins: first frame of each chunk, shape (n_chunks,); step 0 is there, steps before it warm up.
        end: behind the last frame of the last chunk.
    """
    n_chunks, n_last = len(begins), int(end - begins[-1])
    # Nothing comes before the stream's first chunk.
    first_warm = 1 if begins[0] == 0 else 0
    spans = [(-WARM_UP_FRAMES, 0, slice(first_warm, n_chunks))] if first_warm < n_chunks else []
    spans.append((0, n_last, slice(0, n_chunks)))
    if n_chunks > 1 and n_last < GRID_FRAMES:
        spans.append((n_last, GRID_FRAMES, slice(0, n_chunks - 1)))
    return spans


@cache
def _detector() -> Any:
    """The network, loaded once."""
    file = resources.files("emotone") / "weights" / "speech_detector.onnx"
    runtime = onnx_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen exception classes with no root but Exception.
        raise ModelFileError(
            f"the speech detector {file} cannot be used: {error}. Install emotone again, or do without "
            "(--no-vad, TimelineOptions(vad=False))"
        ) from error
