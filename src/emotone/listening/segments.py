"""From judged windows and stretches of speech to segments of one emotion.

Conventions: positions are in samples of the stream, probabilities in the order of the model's labels. Time is divided
into cells of one hop; the probabilities of a cell are the mean over the windows that cover it, by overlap and by share
of speech. Neighbouring cells of one emotion become one segment; silence parts segments. The last window is moved back
to end with the stream, and counts from the cell that it would have begun: cells before that are told by then, and to
hold each of them back would cost a live stream a hop.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from emotone.listening.certainty import TOO_SHORT, UnsureRule, known


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a recording with one emotion, or without speech.

    Attributes:
        start_s: in seconds from the beginning of the recording.
        end_s: its end.
        emotion: the most probable label; None where nobody speaks.
        probabilities: of each label, the mean over the segment; empty where nobody speaks.
        unsure: True where the answer is in doubt; see `certainty.UnsureRule`.
        speech: whether somebody speaks.
        channel: of the recording, from 0; None where channels were mixed.
        unfamiliar: how far the speech is from all that the model learnt from, as a quantile over corpora it has not
            seen, in [0, 1]; None if the model does not tell.
        reason: why it is unsure, such as "low confidence", or why a turn has no emotion; else empty.
        speaker: of the turn; None if unknown.
        text: what is said in the turn; None if unknown.
        turn: position among the turns that were given; None where none were.
        baseline: name of the baseline that the answer is relative to; None for none.
        note: what to know besides, such as that the turn overlaps another.
    """

    start_s: float
    end_s: float
    emotion: str | None
    probabilities: dict[str, float] = field(default_factory=dict)
    unsure: bool = False
    speech: bool = True
    channel: int | None = None
    unfamiliar: float | None = None
    reason: str = ""
    speaker: str | None = None
    text: str | None = None
    turn: int | None = None
    baseline: str | None = None
    note: str = ""

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.start_s

    @property
    def confidence(self) -> float:
        """The highest probability; 0 where nobody speaks."""
        return max(self.probabilities.values(), default=0.0)


@dataclass(slots=True)
class _Piece:
    """Samples [start, end) of speech.

    `mass` is probabilities times `weight`, None where no window says anything; `unfamiliar` is times `weight` too.
    """

    start: int
    end: int
    mass: npt.NDArray[np.float64] | None
    weight: float
    unfamiliar: float = 0.0

    def joined(self, other: _Piece) -> _Piece:
        """Both as one."""
        parts = [one.mass for one in (self, other) if one.mass is not None]
        weight = sum(one.weight for one in (self, other) if one.mass is not None)
        mass = np.sum(parts, axis=0) if parts else None
        unfamiliar = sum(one.unfamiliar for one in (self, other) if one.mass is not None)
        return _Piece(min(self.start, other.start), max(self.end, other.end), mass, weight, unfamiliar)

    def best(self) -> int | None:
        """The most probable class."""
        return None if self.mass is None else int(np.argmax(self.mass))


class SegmentJoiner:
    """Takes cells and stretches of speech as they become known, gives segments as they become final.

    Args:
        labels: of the probabilities.
        sample_rate: in Hz.
        rule: when a segment is unsure.
        min_segment: samples; a piece at the edge of speech that is shorter goes with its neighbour.
        channel: to write into the segments.
        baseline: likewise.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        sample_rate: int,
        *,
        rule: UnsureRule,
        min_segment: int,
        channel: int | None,
        baseline: str | None = None,
    ) -> None:
        self._labels, self._sample_rate = labels, sample_rate
        self._rule, self._min_segment, self._channel, self._baseline = rule, min_segment, channel, baseline
        self._cells: deque[tuple[int, npt.NDArray[np.float64] | None, float]] = deque()
        self._stretches: deque[tuple[int, bool]] = deque()
        self._at = 0
        self._silence_from: int | None = None
        self._leading: _Piece | None = None
        self._held: _Piece | None = None
        self._run: _Piece | None = None

    def add_cell(
        self, end: int, probabilities: npt.NDArray[np.float64] | None, unfamiliar: float = float("nan")
    ) -> None:
        """The next cell, up to sample `end`; None where no window heard speech in it."""
        self._cells.append((end, probabilities, unfamiliar))

    def add_speech(self, end: int, speech: bool) -> None:
        """Up to sample `end` there is speech, or none."""
        if self._stretches and self._stretches[-1][1] == speech:
            self._stretches[-1] = (end, speech)
        else:
            self._stretches.append((end, speech))

    def advance(self, *, last: bool = False) -> list[Segment]:
        """The segments that are final now; with `last`, all the rest."""
        final: list[Segment] = []
        while self._cells and self._stretches:
            (cell_end, probabilities, unfamiliar), (known_end, speech) = self._cells[0], self._stretches[0]
            # The end of the last stretch is only how far we know, unless the recording ends there.
            if known_end < cell_end and len(self._stretches) == 1 and not last:
                break
            end = min(cell_end, known_end)
            if end > self._at:
                self._take(self._at, end, speech, probabilities, unfamiliar, final)
                self._at = end
            if known_end <= end:
                self._stretches.popleft()
            if cell_end <= end:
                self._cells.popleft()
        if last:
            self._end_speech(final)
            self._end_silence(self._at, final)
        return final

    def _take(
        self,
        start: int,
        end: int,
        speech: bool,
        probabilities: npt.NDArray[np.float64] | None,
        unfamiliar: float,
        final: list[Segment],
    ) -> None:
        if not speech:
            self._end_speech(final)
            self._silence_from = start if self._silence_from is None else self._silence_from
            return
        self._end_silence(start, final)
        weight = float(end - start)
        mass = None if probabilities is None else probabilities * weight
        piece = _Piece(start, end, mass, weight, unfamiliar * weight)
        if piece.mass is None or end - start < self._min_segment:
            if self._held is not None:
                self._held = self._held.joined(piece)
            else:
                self._leading = piece if self._leading is None else self._leading.joined(piece)
            return
        if self._leading is not None:
            piece, self._leading = self._leading.joined(piece), None
        if self._held is not None:
            self._extend_run(self._held, final)
        self._held = piece

    def _extend_run(self, piece: _Piece, final: list[Segment]) -> None:
        if self._run is None:
            self._run = piece
        elif self._run.best() == piece.best():
            self._run = self._run.joined(piece)
        else:
            final.append(self._segment(self._run))
            self._run = piece

    def _end_speech(self, final: list[Segment]) -> None:
        for piece in (self._leading, self._held):
            if piece is not None:
                self._extend_run(piece, final)
        if self._run is not None:
            final.append(self._segment(self._run))
        self._leading = self._held = self._run = None

    def _end_silence(self, end: int, final: list[Segment]) -> None:
        if self._silence_from is not None:
            start_s, end_s = self._silence_from / self._sample_rate, end / self._sample_rate
            silence = Segment(start_s, end_s, None, speech=False, channel=self._channel)
            final.append(silence)
            self._silence_from = None

    def _segment(self, piece: _Piece) -> Segment:
        start_s, end_s = piece.start / self._sample_rate, piece.end / self._sample_rate
        if piece.mass is None:
            return Segment(start_s, end_s, None, unsure=True, channel=self._channel, reason=TOO_SHORT)
        return classified(
            (start_s, end_s),
            as_shares(self._labels, piece.mass / piece.weight),
            known(piece.unfamiliar / piece.weight),
            rule=self._rule,
            channel=self._channel,
            baseline=self._baseline,
        )


def classified(
    span_s: tuple[float, float],
    probabilities: dict[str, float],
    unfamiliar: float | None,
    *,
    rule: UnsureRule,
    channel: int | None = None,
    baseline: str | None = None,
) -> Segment:
    """A segment of speech with its most probable emotion.

    Args:
        span_s: start and end.
        probabilities: of each class.
        unfamiliar: in [0, 1]; None if the model does not tell.
        rule: when it is unsure.
        channel: of the recording.
        baseline: that the answer is relative to.
    """
    emotion = max(probabilities, key=probabilities.__getitem__)
    reason = rule.reason(probabilities, unfamiliar)
    return Segment(
        *span_s,
        emotion,
        probabilities,
        bool(reason),
        channel=channel,
        unfamiliar=unfamiliar,
        reason=reason,
        baseline=baseline,
    )


def as_shares(labels: tuple[str, ...], probabilities: npt.NDArray[np.floating]) -> dict[str, float]:
    """Probabilities by their labels.

    >>> as_shares(("neutral", "anger"), np.array([0.25, 0.75]))
    {'neutral': 0.25, 'anger': 0.75}
    """
    return {label: float(share) for label, share in zip(labels, probabilities, strict=True)}
