"""The position of decoded sound in time, from the timestamps of its container.

Containers leave out what was not recorded: sound that begins after the picture, a paused recorder, lost packets. Such
gaps become silence, so that times are those of the container's own clock.

Conventions: times are in seconds; the position is the end of all sound and silence so far.
"""

from __future__ import annotations

JITTER_S = 0.05
"""Smaller deviations are not gaps: timestamps are rounded (to 1 ms in Matroska), and in live recordings they vary by
a packet or two."""

LONGEST_GAP_S = 3600.0
"""A longer jump is a damaged timestamp or a clock that was set, not a gap."""

_MOST_SILENCE_S = 24 * 3600.0
"""Of one recording. Without a limit, a few packets with wild timestamps would give years of silence."""

_RESTART_S = 0.5
"""A clock that goes back by more has been restarted, as where files were joined."""


class Clock:
    """The position in a recording, moved on by sound and by gaps.

    Args:
        position_s: where the recording begins; behind another that it is joined to, at the end of that one.
        has_timestamps: whether the container has timestamps of its own; if not, only packets that cannot be decoded
            leave a gap.
        origin_s: the timestamp of the beginning; None for that of the first sound.
    Attributes:
        position_s: the end of all sound and silence so far.
    """

    def __init__(self, position_s: float, *, has_timestamps: bool, origin_s: float | None) -> None:
        self.position_s = position_s
        self._has_timestamps = has_timestamps
        self._offset_s = None if origin_s is None else position_s - origin_s
        self._expected_s: float | None = None
        self._lost_s = 0.0
        self._allowed_s = _MOST_SILENCE_S

    def lose(self, duration_s: float) -> None:
        """Count a packet that cannot be decoded."""
        self._lost_s += duration_s

    def place(self, timestamp_s: float | None, duration_s: float) -> float:
        """Move on by a piece of sound.

        Args:
            timestamp_s: of the piece; None if it has none.
            duration_s: of the piece.
        Returns:
            seconds of silence before it.
        """
        gap_s = self.skip(self._gap(timestamp_s) if self._has_timestamps else self._lost_s)
        if gap_s:
            self._lost_s = 0.0
        self.position_s += duration_s
        if timestamp_s is not None:
            self._expected_s = timestamp_s + duration_s
        elif self._expected_s is not None:
            self._expected_s += duration_s
        return gap_s

    def skip(self, gap_s: float) -> float:
        """Move on by a gap.

        Args:
            gap_s: its length; negative where sounds overlap.
        Returns:
            seconds of silence to insert: 0 if the gap is within the jitter, or too long to be plausible.
        """
        if not JITTER_S < gap_s <= min(LONGEST_GAP_S, self._allowed_s):
            return 0.0
        self._allowed_s -= gap_s
        self.position_s += gap_s
        return gap_s

    def _gap(self, timestamp_s: float | None) -> float:
        if timestamp_s is None:
            return 0.0
        expected_s = timestamp_s if self._expected_s is None else self._expected_s
        if self._offset_s is None or not -_RESTART_S < timestamp_s - expected_s <= LONGEST_GAP_S:
            self._offset_s = self.position_s - timestamp_s
        gap_s = timestamp_s + self._offset_s - self.position_s
        if gap_s > LONGEST_GAP_S:
            self._offset_s -= gap_s
            return 0.0
        return gap_s
