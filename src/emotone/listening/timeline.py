"""Emotion over time: one pass over a stream of blocks of any size, in memory that does not grow with it.

Conventions: a stream is mono float32 at the model's sample rate; positions are in its samples. The rule is the same for
a recording of any length, in a file and live:

Speech is found first. Speech between two pauses is classified as a whole, together with up to `margin_s` of the silence
on either side of it. Speech that is longer than the model's window is covered by windows, one every `hop_s`, the last
one moved back to end with it; each hop gets the mean over the windows that cover it. Neighbouring hops of one emotion
become one segment. The emotion of the recording is the mean over its segments, weighted by their durations. A recording
no longer than the window in which no speech is found, but which is neither quiet nor steady (a sob, a laugh, a single
word), is classified as a whole, and unsure.

So nothing depends on how the stream is cut into blocks, a recording without pauses that fits into the window gets the
model's answer to all of it, and an answer changes gradually as a recording grows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emotone.errors import AudioTooShortError
from emotone.listening.model.predictions import Classifier, Prediction
from emotone.listening.options import TimelineOptions
from emotone.listening.pieces import Piece, StreamPieces
from emotone.listening.segments import Segment, SegmentJoiner
from emotone.listening.sound.sources import Waveform
from emotone.voice_activity import CHUNKS_AT_ONCE


@dataclass(frozen=True, slots=True)
class Window:
    """One window of a timeline: speech that was classified at once, or silence.

    Attributes:
        start: first sample.
        end: behind the last sample.
        speech: 1 for speech, 0 for silence.
        probabilities: shape (n_classes,); None for silence.
        embedding: shape (d,); None for silence.
        unfamiliar: in [0, 1]; NaN if the model does not tell.
    """

    start: int
    end: int
    speech: float
    probabilities: npt.NDArray[np.float32] | None
    embedding: npt.NDArray[np.float32] | None
    unfamiliar: float = float("nan")


class StreamingTimeline:
    """Segments of one channel, as they become final: `push` blocks, then `finish`.

    Args:
        recognizer: whose model classifies.
        options: how to cut and join.
        channel: to write into the segments.
        on_window: called with each window once it is classified, in their order.
        chunks: of 32 s, in which the speech detector runs at once; 1 for a live stream, which then classifies every
            window as soon as it is complete. Each takes 2 MB of memory.
    Raises:
        ValueError: the options do not fit the model.
        ModelFileError: the voice activity detector is not installed.
    """

    def __init__(
        self,
        recognizer: Classifier,
        options: TimelineOptions | None = None,
        *,
        channel: int | None = None,
        on_window: Callable[[Window], None] | None = None,
        chunks: int = CHUNKS_AT_ONCE,
    ) -> None:
        options = options or TimelineOptions()
        metadata = recognizer.metadata
        self._recognizer, self._metadata, self._on_window = recognizer, metadata, on_window
        self._batch = 1 if chunks == 1 else options.batch
        self._rate = metadata.sample_rate
        self._pieces = StreamPieces(options, metadata, chunks=chunks)
        # Pieces that wait to be classified, the windows that cover the next cell, and where that cell begins.
        self._waiting: list[Piece] = []
        self._covering: deque[Window] = deque()
        self._cells_from = 0
        self._joiner = SegmentJoiner(
            recognizer.labels,
            metadata.sample_rate,
            rule=recognizer.unsure_rule,
            min_segment=min(round(options.min_segment_s * metadata.sample_rate), options.hop_samples(metadata)),
            channel=channel,
            baseline=recognizer.baseline_name,
        )
        self._final: list[Segment] = []
        self._weight = 0.0
        self._embeddings = np.zeros(metadata.embedding_dim)

    @property
    def n_samples(self) -> int:
        """Of all that was pushed."""
        return self._pieces.n_samples

    @property
    def duration_s(self) -> float:
        """Of all that was pushed."""
        return self._pieces.n_samples / self._rate

    @property
    def weight(self) -> float:
        """Seconds of speech that were classified."""
        return self._weight

    @property
    def embedding(self) -> npt.NDArray[np.float32] | None:
        """The mean over the speech so far, shape (d,); None where there is none."""
        return (self._embeddings / self._weight).astype(np.float32) if self._weight else None

    def push(self, block: Waveform) -> list[Segment]:
        """The segments that became final with this block.

        Args:
            block: mono float32 at the model's rate, shape (n_samples,), any n.
        """
        if len(block):
            for piece in self._pieces.push(block):
                self._queue(piece)
        return self._taken()

    def end(self) -> list[Waveform]:
        """No more blocks come; the sounds that still wait to be classified.

        Raises:
            AudioTooShortError: the whole stream is shorter than the model can classify.
        """
        least = self._metadata.min_samples
        if self.n_samples < least:
            raise AudioTooShortError(
                f"{self.n_samples} samples at {self._rate} Hz ({self.duration_s:.4f} s); "
                f"the model needs at least {least} ({least / self._rate:.3f} s)"
            )
        for piece in self._pieces.end():
            self._queue(piece)
        return [piece.sound for piece in self._waiting if piece.sound is not None]

    def finish(self, predictions: Sequence[Prediction] | None = None) -> list[Segment]:
        """The rest of the segments.

        Args:
            predictions: for the sounds that `end` gave; None to end and classify here.
        Raises:
            AudioTooShortError: as `end`.
        """
        if predictions is None:
            sounds = self.end()
            predictions = self._recognizer.classify(sounds).rows() if sounds else []
        self._add(predictions)
        return self._taken()

    def so_far(self) -> list[Segment]:
        """The segments that `finish` would give if the stream ended here. The stream can go on."""
        if self.n_samples < self._metadata.min_samples:
            return []
        shared = (self._recognizer, self._metadata)
        other = deepcopy(self, {id(one): one for one in shared} | {id(self._on_window): None})
        return other.finish()

    def _queue(self, piece: Piece) -> None:
        self._waiting.append(piece)
        sounds = [one.sound for one in self._waiting if one.sound is not None]
        if len(sounds) >= self._batch or not sounds:
            self._add(self._recognizer.classify(sounds).rows() if sounds else [])

    def _add(self, predictions: Sequence[Prediction]) -> None:
        remaining = iter(predictions)
        pieces, self._waiting = self._waiting, []
        for piece in pieces:
            if piece.sound is None:
                window = Window(piece.start, piece.end, 0.0, None, None)
                self._final.append(self._joiner.silence(piece.start, piece.end))
            else:
                # A row of a batch would keep the whole batch in memory.
                probabilities, embedding, unfamiliar = next(remaining)
                window = Window(piece.start, piece.end, 1.0, probabilities.copy(), embedding, float(unfamiliar))
                self._add_speech(window, piece)
            if self._on_window:
                self._on_window(window)

    def _add_speech(self, window: Window, piece: Piece) -> None:
        if not self._covering:
            self._cells_from = window.start
        self._covering.append(window)
        for end in piece.cell_ends:
            self._end_cell(end)
        if piece.ends_speech:
            self._final += self._joiner.end_speech(doubtful=piece.doubtful)
            self._covering.clear()

    def _end_cell(self, end: int) -> None:
        """The mean over the windows that cover the next cell, weighted by how much of it they cover."""
        start, self._cells_from = self._cells_from, end
        while self._covering[0].end <= start:
            self._covering.popleft()
        mass = np.zeros(len(self._recognizer.labels))
        unfamiliar, total = 0.0, 0
        for window in self._covering:
            overlap = max(0, min(end, window.end) - max(start, window.start))
            assert window.probabilities is not None  # noqa: S101 - silence covers no cell
            mass += overlap * window.probabilities
            unfamiliar += overlap * window.unfamiliar
            total += overlap
        newest = self._covering[-1]
        assert newest.embedding is not None  # noqa: S101
        seconds = (end - start) / self._rate
        self._weight += seconds
        self._embeddings += seconds * newest.embedding
        self._final += self._joiner.speech(start, end, mass / total, unfamiliar / total)

    def _taken(self) -> list[Segment]:
        final, self._final = self._final, []
        return final
