"""Recognitions as JSON: one schema for files, the command line, batches, HTTP and live streams.

Conventions: the dataclasses describe the JSON objects field by field; pydantic and OpenAPI read their descriptions, and
this module needs neither. Times are seconds, rounded to the microsecond as probabilities are to the millionth. `null`
and empty texts mean "none".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from emotone.listening.recognition import Recognition, Timeline
from emotone.listening.segments import Segment

SEGMENT_COLUMNS = (
    *("file", "start_s", "end_s", "channel", "emotion", "unsure"),
    *("reason", "unfamiliar", "speaker", "text", "baseline", "note"),
)
"""Columns of tables with one row per segment; one column for each class follows."""

_UNFAMILIAR = "distance from the training data, as a quantile in [0, 1]; null if the model does not measure it"


def _about(description: str) -> dict[str, str]:
    return {"description": description}


@dataclass(frozen=True, slots=True)
class SegmentObject:
    """A part of a recording with one emotion, or without speech."""

    start_s: float
    end_s: float
    channel: int | None = field(metadata=_about("from 0; null where channels were mixed"))
    emotion: str | None = field(metadata=_about("null without speech, or where it is too short"))
    confidence: float = field(metadata=_about("the highest probability; 0 where there is none"))
    unsure: bool = field(metadata=_about("the answer is in doubt; see `reason`"))
    reason: str = field(metadata=_about("why it is unsure, or why it has no emotion; else empty"), default="")
    unfamiliar: float | None = field(metadata=_about(_UNFAMILIAR), default=None)
    speech: bool = field(metadata=_about("whether speech was detected, or taken for granted"), default=True)
    speaker: str | None = field(metadata=_about("of the turn"), default=None)
    text: str | None = field(metadata=_about("what is said in the turn"), default=None)
    turn: int | None = field(
        metadata=_about("position among the turns that were given; null without turns"), default=None
    )
    baseline: str | None = field(metadata=_about("the baseline that the answer is relative to"), default=None)
    note: str = field(metadata=_about("further remarks, such as that the turn overlaps another"), default="")
    probabilities: dict[str, float] = field(
        metadata=_about("of each class; empty without an emotion"), default_factory=dict
    )


@dataclass(frozen=True, slots=True)
class ChannelObject:
    """One channel as a whole, where channels were split."""

    channel: int = field(metadata=_about("from 0"))
    emotion: str | None
    confidence: float
    unsure: bool
    reason: str
    unfamiliar: float | None
    probabilities: dict[str, float]


@dataclass(frozen=True, slots=True)
class TimelineObject:
    """The windows that were classified, and the pauses between them, one entry each."""

    start_s: list[float]
    end_s: list[float]
    channel: list[int | None]
    speech: list[float] = field(metadata=_about("1 with speech, 0 without"))
    probabilities: list[list[float] | None] = field(metadata=_about("in the order of `labels`; null without speech"))


@dataclass(frozen=True, slots=True)
class RecordingObject:
    """One recording, as a whole and over time."""

    file: str
    model: str
    labels: list[str]
    duration_s: float
    emotion: str | None = field(metadata=_about("null without speech"))
    confidence: float = field(metadata=_about("the highest probability; 0 where there is none"))
    unsure: bool = field(metadata=_about("the answer is in doubt; see `reason`"))
    reason: str = field(metadata=_about("why it is unsure; empty if it is sure"))
    unsure_threshold: float | None = field(metadata=_about("a confidence below is unsure"))
    unfamiliar: float | None = field(metadata=_about(_UNFAMILIAR))
    baseline: str | None = field(metadata=_about("the baselines that the answer is relative to"))
    probabilities: dict[str, float] = field(
        metadata=_about("of each class, the mean over the segments by their durations")
    )
    narrow_band: bool = field(metadata=_about("the recording has the band of a telephone or less"))
    note: str = field(metadata=_about("further remarks, such as that the recording is cut off"))
    segments: list[SegmentObject] = field(metadata=_about("in the order of their times, those of all channels"))
    channels: list[ChannelObject] = field(metadata=_about("one per channel where channels were split, else none"))
    timeline: TimelineObject


def recording_object(recognition: Recognition) -> dict[str, Any]:
    """A recognition as a JSON object with the fields of `RecordingObject`."""
    return asdict(
        RecordingObject(
            file=recognition.source,
            model=recognition.model,
            labels=list(recognition.labels),
            duration_s=_round(recognition.duration_s),
            **_answer(recognition),
            unsure_threshold=recognition.unsure_threshold,
            baseline=recognition.baseline,
            narrow_band=recognition.narrow_band,
            note=recognition.note,
            segments=[_segment(one) for one in recognition.segments],
            channels=[ChannelObject(number, **_answer(one)) for number, one in enumerate(recognition.channels)],
            timeline=_timeline(recognition.timeline),
        )
    )


def segment_object(segment: Segment) -> dict[str, Any]:
    """A segment as a JSON object with the fields of `SegmentObject`."""
    return asdict(_segment(segment))


def recognition_of(content: Mapping[str, Any]) -> Recognition:
    """A recognition from its JSON object, for the other formats; without the embedding, which is not kept.

    Args:
        content: an object of `recording_object`.
    """
    labels, line = tuple(content["labels"]), content["timeline"]
    nothing = [float("nan")] * len(labels)
    rows = [nothing if row is None else row for row in line["probabilities"]]
    timeline = Timeline(
        np.array(line["start_s"], np.float64),
        np.array(line["end_s"], np.float64),
        np.array(rows, np.float32).reshape(-1, len(labels)),
        np.array(line["speech"], np.float32),
        np.array([-1 if one is None else one for one in line["channel"]], np.int16),
    )
    segments = tuple(Segment(**{name: one[name] for name in Segment.__slots__}) for one in content["segments"])

    def recognition(answer: Mapping[str, Any], channel: int | None, channels: tuple[Recognition, ...]) -> Recognition:
        own = np.full(len(timeline), fill_value=True) if channel is None else timeline.channel == channel
        return Recognition(
            source=content["file"],
            **{name: answer[name] for name in ("emotion", "probabilities", "unsure", "unfamiliar", "reason")},
            duration_s=content["duration_s"],
            embedding=np.zeros(0, np.float32),
            segments=tuple(one for one in segments if channel is None or one.channel == channel),
            timeline=Timeline(*(getattr(timeline, name)[own] for name in Timeline.__slots__)),
            channels=channels,
            labels=labels,
            **{name: content[name] for name in ("narrow_band", "note", "baseline", "model", "unsure_threshold")},
        )

    channels = tuple(recognition(one, one["channel"], ()) for one in content["channels"])
    return recognition(content, None, channels)


def _answer(one: Recognition) -> dict[str, Any]:
    return {
        "emotion": one.emotion,
        "confidence": _round(one.confidence),
        "unsure": one.unsure,
        "reason": one.reason,
        "unfamiliar": _round_or_none(one.unfamiliar),
        "probabilities": _rounded(one.probabilities),
    }


def _segment(one: Segment) -> SegmentObject:
    return SegmentObject(
        start_s=_round(one.start_s),
        end_s=_round(one.end_s),
        channel=one.channel,
        emotion=one.emotion,
        confidence=_round(one.confidence),
        unsure=one.unsure,
        reason=one.reason,
        unfamiliar=_round_or_none(one.unfamiliar),
        speech=one.speech,
        speaker=one.speaker,
        text=one.text,
        turn=one.turn,
        baseline=one.baseline,
        note=one.note,
        probabilities=_rounded(one.probabilities),
    )


def _timeline(line: Timeline) -> TimelineObject:
    return TimelineObject(
        start_s=_round_all(line.start_s),
        end_s=_round_all(line.end_s),
        channel=[None if one < 0 else int(one) for one in line.channel],
        speech=_round_all(line.speech),
        probabilities=[None if np.isnan(row).any() else _round_all(row) for row in line.probabilities],
    )


def _round(value: float) -> float:
    return round(float(value), 6)


def _round_or_none(value: float | None) -> float | None:
    return None if value is None else _round(value)


def _round_all(values: Iterable[Any]) -> list[float]:
    return [_round(value) for value in values]


def _rounded(probabilities: Mapping[str, float]) -> dict[str, float]:
    return {label: _round(value) for label, value in probabilities.items()}
