"""Recognitions in plain types: what JSON, JSON Lines and the journal of a batch hold.

Conventions: times are seconds, rounded to the microsecond as probabilities are to the millionth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emotone.listening.recognition import Recognition
from emotone.listening.segments import Segment

SEGMENT_COLUMNS = (
    *("file", "start_s", "end_s", "channel", "emotion", "unsure"),
    *("reason", "unfamiliar", "speaker", "text", "baseline", "note"),
)
"""Columns of tables with one row per segment; one column for each class follows."""


def recording_object(recognition: Recognition) -> dict[str, Any]:
    """A recognition in plain types: what JSON shows of it, its segments included."""
    shown: dict[str, Any] = {
        "file": recognition.source,
        "emotion": recognition.emotion,
        "unsure": recognition.unsure,
        "reason": recognition.reason,
        "unfamiliar": _rounded_or_none(recognition.unfamiliar),
        "baseline": recognition.baseline,
        "duration_s": round(recognition.duration_s, 6),
        "probabilities": _rounded(recognition.probabilities),
        "narrow_band": recognition.narrow_band,
        "note": recognition.note,
        "segments": [segment_object(segment) for segment in recognition.segments],
    }
    if recognition.channels:
        shown["channels"] = [
            {
                "emotion": one.emotion,
                "unsure": one.unsure,
                "reason": one.reason,
                "unfamiliar": _rounded_or_none(one.unfamiliar),
                "probabilities": _rounded(one.probabilities),
            }
            for one in recognition.channels
        ]
    return shown


def segment_object(segment: Segment) -> dict[str, Any]:
    """A segment in plain types: what JSON shows of it, in files and live."""
    return {
        "start_s": round(segment.start_s, 6),
        "end_s": round(segment.end_s, 6),
        "channel": segment.channel,
        "emotion": segment.emotion,
        "unsure": segment.unsure,
        "reason": segment.reason,
        "unfamiliar": _rounded_or_none(segment.unfamiliar),
        "speech": segment.speech,
        "speaker": segment.speaker,
        "text": segment.text,
        "turn": segment.turn,
        "baseline": segment.baseline,
        "note": segment.note,
        "probabilities": _rounded(segment.probabilities),
    }


def _rounded_or_none(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _rounded(shares: Mapping[str, float]) -> dict[str, float]:
    return {label: round(share, 6) for label, share in shares.items()}
