"""One pass over a recording whose turns are given: one segment per turn, in the order of the turns.

Conventions: positions are samples at the model's rate. A turn is taken as speech. One that is longer than the model's
window is cut into windows as `windows_of` cuts a waveform, and its answer is their mean; so a turn gets the answer of
its sound alone. Memory depends on how many turns overlap, not on the length of the recording.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from emotone.errors import TurnsError
from emotone.listening.model.certainty import NO_SPEECH, TOO_SHORT, known
from emotone.listening.model.predictions import Classifier
from emotone.listening.options import TimelineOptions
from emotone.listening.recognition import Timeline
from emotone.listening.segments import Segment, as_shares, classified
from emotone.listening.sound.kept_sound import KeptSound
from emotone.listening.sound.sources import Waveform
from emotone.listening.sound.speech import is_silent
from emotone.listening.turns.turn import SHORTEST_TURN_S, Turn

OUTSIDE = "outside the recording"

MOST_AT_ONCE = 64
"""Turns that may overlap at one moment; each takes memory for two windows."""

_TOLERANCE_S = 0.1
"""By which a last turn may end late without a note: transcribers round."""

_BATCH = 16


@dataclass(slots=True)
class _Progress:
    """A turn while the recording goes by, and what its windows gave."""

    turn: Turn
    classifier: Classifier
    start: int
    end: float
    sound: KeptSound
    next_window: int = 0
    n_windows: int = 0
    n_spoken: int = 0
    probabilities: npt.NDArray[np.float64] | float = 0.0
    embedding: npt.NDArray[np.float64] | float = 0.0
    unfamiliar: float = 0.0


@dataclass(slots=True)
class _Window:
    of: _Progress
    start: int
    sound: Waveform
    probabilities: npt.NDArray[np.float32] | None = field(default=None)


class TurnPass:
    """Classifies turns while their recording goes by: `push` blocks, then `finish`.

    Args:
        turns: in any order.
        classifier_of: the recognizer for a speaker.
        options: as for a recording; of these, the window and whether to look for speech in quiet turns.
    Raises:
        ValueError: the options do not fit the model.
    """

    def __init__(
        self, turns: Sequence[Turn], classifier_of: Callable[[str], Classifier], options: TimelineOptions | None = None
    ) -> None:
        self._options = options or TimelineOptions()
        self._turns = turns
        any_classifier = classifier_of("")
        self._metadata, self._labels = any_classifier.metadata, any_classifier.labels
        self._options.hop_samples(self._metadata)
        self._window = self._options.window_samples(self._metadata)
        rate = self._metadata.sample_rate
        self._progress = [
            _Progress(turn, classifier_of(turn.speaker), round(turn.start_s * rate), turn.end_s * rate, KeptSound(rate))
            for turn in turns
        ]
        self._coming = sorted(self._progress, key=lambda one: one.start, reverse=True)
        self._active: list[_Progress] = []
        self._waiting: list[_Window] = []
        self._done: list[tuple[int, int, npt.NDArray[np.float32] | None]] = []
        self.n_samples = 0

    def push(self, block: Waveform) -> None:
        """The next block, shape (n_samples,).

        Raises:
            TurnsError: too many turns overlap.
        """
        begin, end = self.n_samples, self.n_samples + len(block)
        self.n_samples = end
        while self._coming and self._coming[-1].start < end:
            self._active.append(self._coming.pop())
        if len(self._active) > MOST_AT_ONCE:
            raise TurnsError(
                f"{len(self._active)} turns overlap at {begin / self._metadata.sample_rate:.1f} s; "
                f"at most {MOST_AT_ONCE} can be classified at once"
            )
        still = []
        for one in self._active:
            until = end if one.end >= end else max(one.start, round(one.end))
            one.sound.add(block[max(0, one.start - begin) : max(0, until - begin)])
            self._cut(one, last=False)
            if one.end < end:
                self._cut(one, last=True)
            else:
                still.append(one)
        self._active = still

    def finish(self) -> list[Segment]:
        """One segment per turn, in the order in which the turns were given."""
        for one in self._active:
            self._cut(one, last=True)
        self._classify()
        duration_s = self.n_samples / self._metadata.sample_rate
        overlaps_s = overlaps([(turn.start_s, min(turn.end_s, max(duration_s, turn.start_s))) for turn in self._turns])
        return [
            self._segment(place, one, duration_s, overlap_s)
            for place, (one, overlap_s) in enumerate(zip(self._progress, overlaps_s, strict=True))
        ]

    def means(self) -> tuple[npt.NDArray[np.float64] | None, npt.NDArray[np.float32], float | None]:
        """Probabilities (None without speech), embedding and unfamiliar over all turns, by their lengths."""
        spoken = [one for one in self._progress if one.n_spoken]
        if not spoken:
            return None, np.zeros(self._metadata.embedding_dim, np.float32), None
        weights = [one.sound.n_samples for one in spoken]
        probabilities, embedding, unfamiliar = (
            np.average([getattr(one, name) / one.n_spoken for one in spoken], axis=0, weights=weights)
            for name in ("probabilities", "embedding", "unfamiliar")
        )
        return probabilities, embedding.astype(np.float32), known(float(unfamiliar))

    def timeline(self) -> Timeline:
        """The windows of all turns, in the order of their times."""
        rate = self._metadata.sample_rate
        rows = sorted(self._done, key=lambda row: row[:2])
        nothing = np.full(len(self._labels), np.nan, np.float32)
        return Timeline(
            start_s=np.array([start for start, _, _ in rows], np.float64) / rate,
            end_s=np.array([end for _, end, _ in rows], np.float64) / rate,
            probabilities=np.array([nothing if one is None else one for *_, one in rows], np.float32).reshape(
                -1, len(self._labels)
            ),
            speech=np.array([one is not None for *_, one in rows], np.float32),
            channel=np.full(len(rows), -1, np.int16),
        )

    def _cut(self, one: _Progress, *, last: bool) -> None:
        sound, window = one.sound, self._window
        if sound.n_samples < self._shortest(one) and last:
            return
        while sound.n_samples > one.next_window + window:
            self._wait(one, one.next_window, one.next_window + window)
            one.next_window += window
            # The last window is moved back to end with the turn, and may begin in the one before.
            sound.forget_before(min(one.next_window, sound.n_samples - window))
        if last:
            self._wait(one, max(0, sound.n_samples - window), sound.n_samples)
            sound.forget_before(sound.n_samples)

    def _shortest(self, one: _Progress) -> int:
        return max(self._metadata.min_samples, round(SHORTEST_TURN_S * self._metadata.sample_rate))

    def _wait(self, one: _Progress, start: int, end: int) -> None:
        one.n_windows += 1
        sound = one.sound.read(start, end)
        if is_silent(sound, self._options, self._metadata.sample_rate):
            self._done.append((one.start + start, one.start + end, None))
            return
        self._waiting.append(_Window(one, one.start + start, sound))
        if len(self._waiting) >= _BATCH:
            self._classify()

    def _classify(self) -> None:
        groups: defaultdict[int, list[_Window]] = defaultdict(list)
        for window in self._waiting:
            groups[id(window.of.classifier)].append(window)
        for group in groups.values():
            predictions = group[0].of.classifier.classify([window.sound for window in group])
            for window, (probabilities, embedding, unfamiliar) in zip(group, predictions.rows(), strict=True):
                one = window.of
                one.n_spoken += 1
                one.probabilities = one.probabilities + probabilities.astype(np.float64)
                one.embedding = one.embedding + embedding.astype(np.float64)
                one.unfamiliar += float(unfamiliar)
                # A row of a batch would keep the whole batch in memory.
                self._done.append((window.start, window.start + len(window.sound), probabilities.copy()))
        self._waiting = []

    def _segment(self, place: int, one: _Progress, duration_s: float, overlap_s: float) -> Segment:
        turn = one.turn
        end_s = duration_s if math.isinf(turn.end_s) else turn.end_s
        span = turn.start_s, max(end_s, turn.start_s)
        notes = []
        if end_s < turn.start_s:
            notes.append(f"ends at {end_s:.2f} s, before it starts")
        if turn.start_s < duration_s and end_s > duration_s + _TOLERANCE_S:
            notes.append(f"ends {end_s - duration_s:.2f} s after the recording")
        if overlap_s > 0.0:
            notes.append(f"overlaps another turn for {overlap_s:.2f} s")
        if one.n_windows > 1:
            notes.append(f"mean of {one.n_windows} windows")
        if one.n_spoken:
            assert isinstance(one.probabilities, np.ndarray)  # noqa: S101 - for the type checker
            found = classified(
                span,
                as_shares(self._labels, one.probabilities / one.n_spoken),
                known(one.unfamiliar / one.n_spoken),
                rule=one.classifier.unsure_rule,
                baseline=one.classifier.baseline_name,
            )
        elif one.n_windows:
            found = Segment(*span, None, speech=False, reason=NO_SPEECH)
        elif turn.start_s >= duration_s and turn.end_s > turn.start_s:
            found = Segment(*span, None, unsure=True, speech=False, reason=OUTSIDE)
        else:
            found = Segment(*span, None, unsure=True, reason=TOO_SHORT)
        return replace(found, speaker=turn.speaker or None, text=turn.text or None, turn=place, note="; ".join(notes))


def overlaps(spans: Sequence[tuple[float, float]]) -> list[float]:
    """For how long each span shares its time with any other.

    Args:
        spans: (start, end), in any order; one that ends before it starts is empty.

    >>> overlaps([(0.0, 2.0), (1.5, 3.0), (4.0, 5.0)])
    [0.5, 0.5, 0.0]
    """
    events = sorted(event for start, end in spans if end > start for event in ((start, 1), (end, -1)))
    times: list[float] = []
    shared: list[float] = []
    depth, total = 0, 0.0
    for time, step in events:
        if times and depth >= 2:
            total += time - times[-1]
        times.append(time)
        shared.append(total)
        depth += step
    if not times:
        return [0.0] * len(spans)
    starts, ends = (np.interp([span[side] for span in spans], times, shared) for side in (0, 1))
    return [max(0.0, round(float(end - start), 6)) for start, end in zip(starts, ends, strict=True)]
