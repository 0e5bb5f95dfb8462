"""From classified windows to segments of one emotion.

Conventions: positions are in samples of the stream, probabilities in the order of the labels. Speech between two pauses
is divided into cells: one cell where it is classified as a whole, else one per hop. Neighbouring cells of one emotion
become one segment; silence separates segments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from emotone.listening.model.certainty import NO_SPEECH_FOUND, UnsureRule, known


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a recording with one emotion, or without speech.

    Attributes:
        start_s: in seconds from the beginning of the recording.
        end_s: its end.
        emotion: the most probable label; None without speech.
        probabilities: of each label, the mean over the segment; empty without speech.
        unsure: True where the answer is in doubt; see `certainty.UnsureRule`.
        speech: whether it has speech.
        channel: of the recording, from 0; None where channels were mixed.
        unfamiliar: distance of the speech from the training data, as a quantile over corpora that the model has not
            seen, in [0, 1]; None if the model does not measure it.
        reason: why it is unsure, such as "low confidence", or why a turn has no emotion; else empty.
        speaker: of the turn; None if unknown.
        text: what is said in the turn; None if unknown.
        turn: position among the turns that were given; None where none were.
        baseline: name of the baseline that the answer is relative to; None for none.
        note: further remarks, such as that the turn overlaps another.
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
        """The highest probability; 0 without speech."""
        return max(self.probabilities.values(), default=0.0)


@dataclass(slots=True)
class _Piece:
    """Samples [start, end) of speech; `mass` is probabilities times `weight`, and so is `unfamiliar`."""

    start: int
    end: int
    mass: npt.NDArray[np.float64]
    weight: float
    unfamiliar: float = 0.0

    def joined(self, other: _Piece) -> _Piece:
        """Both as one."""
        return _Piece(
            self.start,
            other.end,
            self.mass + other.mass,
            self.weight + other.weight,
            self.unfamiliar + other.unfamiliar,
        )

    def best(self) -> int:
        """The most probable class."""
        return int(np.argmax(self.mass))


class SegmentJoiner:
    """Takes cells in their order, gives segments as they become final.

    Args:
        labels: of the probabilities.
        sample_rate: in Hz.
        rule: when a segment is unsure.
        min_segment: samples; a shorter cell is joined to its neighbour in the same speech.
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
        self._held: _Piece | None = None
        self._run: _Piece | None = None

    def speech(
        self, start: int, end: int, probabilities: npt.NDArray[np.float64], unfamiliar: float = float("nan")
    ) -> list[Segment]:
        """The next cell of the same speech; returns the segments that it makes final."""
        weight = float(end - start)
        piece = _Piece(start, end, probabilities * weight, weight, unfamiliar * weight)
        final: list[Segment] = []
        if self._held is not None and min(weight, self._held.weight) < self._min_segment:
            self._held = self._held.joined(piece)
        else:
            if self._held is not None:
                self._extend_run(self._held, final)
            self._held = piece
        return final

    def end_speech(self, *, doubtful: bool = False) -> list[Segment]:
        """The rest of the speech, which a pause or the recording ends.

        Args:
            doubtful: it was not found to be speech, so that the segment is unsure in any case.
        """
        final: list[Segment] = []
        if self._held is not None:
            self._extend_run(self._held, final)
        if self._run is not None:
            final.append(self._segment(self._run))
        self._held = self._run = None
        return [replace(one, unsure=True, reason=NO_SPEECH_FOUND) for one in final] if doubtful else final

    def silence(self, start: int, end: int) -> Segment:
        """A segment without speech."""
        return Segment(start / self._sample_rate, end / self._sample_rate, None, speech=False, channel=self._channel)

    def _extend_run(self, piece: _Piece, final: list[Segment]) -> None:
        if self._run is None:
            self._run = piece
        elif self._run.best() == piece.best():
            self._run = self._run.joined(piece)
        else:
            final.append(self._segment(self._run))
            self._run = piece

    def _segment(self, piece: _Piece) -> Segment:
        return classified(
            (piece.start / self._sample_rate, piece.end / self._sample_rate),
            as_shares(self._labels, piece.mass / piece.weight),
            known(piece.unfamiliar / piece.weight),
            rule=self._rule,
            channel=self._channel,
            baseline=self._baseline,
        )


def overall(segments: Iterable[Segment]) -> tuple[dict[str, float], float | None]:
    """The mean over the segments with speech, weighted by their durations.

    Returns:
        probabilities of each label, empty where there is no speech; and `unfamiliar`, None where it is not known.

    >>> overall([Segment(0.0, 3.0, "a", {"a": 1.0, "b": 0.0}), Segment(3.0, 4.0, "b", {"a": 0.0, "b": 1.0})])
    ({'a': 0.75, 'b': 0.25}, None)
    """
    spoken = [one for one in segments if one.probabilities]
    if len(spoken) == 1:
        return dict(spoken[0].probabilities), spoken[0].unfamiliar
    total_s = sum(one.duration_s for one in spoken)
    if not total_s:
        return {}, None
    shares = {
        label: sum(one.duration_s * one.probabilities[label] for one in spoken) / total_s
        for label in spoken[0].probabilities
    }
    values = [one.duration_s * one.unfamiliar for one in spoken if one.unfamiliar is not None]
    return shares, sum(values) / total_s if len(values) == len(spoken) else None


def reason_for(segments: Sequence[Segment], rule: UnsureRule) -> str:
    """Why the mean of segments is unsure; empty if it is sure.

    Args:
        segments: as for `overall`.
        rule: when an answer is unsure.
    """
    with_emotion = [one for one in segments if one.probabilities]
    if with_emotion and all(one.reason == NO_SPEECH_FOUND for one in with_emotion):
        return NO_SPEECH_FOUND
    return rule.reason(*overall(segments))


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
        unfamiliar: in [0, 1]; None if the model does not measure it.
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
