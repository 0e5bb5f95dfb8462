"""From a recognition, a job or a model file to what the service answers, and from an answer back to a recognition.

Conventions: times in seconds, shares rounded to six places.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from emotone.listening.recognition import Recognition, Timeline
from emotone.listening.segments import Segment
from emotone.model_files.model_file import ModelMetadata
from emotone.service.jobs.job import Job
from emotone.service.schemas import (
    JobReply,
    ModelReply,
    ProblemReply,
    RecognitionReply,
    ScoreReply,
    SegmentReply,
    TimelineReply,
    TrackReply,
    TrainingCorpusReply,
)


def reply_of(
    recognition: Recognition, metadata: ModelMetadata, threshold: float, notices: Sequence[str]
) -> RecognitionReply:
    """A recognition as the service answers it.

    Args:
        recognition: of one recording.
        metadata: of the model that judged.
        threshold: under which a confidence is unsure.
        notices: what the decoder had to say.
    """
    tracks = recognition.channels or (recognition,)
    split = bool(recognition.channels)
    return RecognitionReply(
        model=metadata.name,
        labels=list(recognition.labels),
        duration_s=_round(recognition.duration_s),
        unsure_threshold=threshold,
        emotion=recognition.emotion,
        confidence=_round(recognition.confidence),
        unsure=recognition.unsure,
        probabilities=_shares(recognition.probabilities),
        reason=recognition.reason,
        unfamiliar=_round_or_none(recognition.unfamiliar),
        baseline=recognition.baseline,
        narrow_band=recognition.narrow_band,
        notices=[*notices, *([recognition.note] if recognition.note else [])],
        tracks=[_track(one, position if split else None) for position, one in enumerate(tracks)],
    )


def recognition_of(reply: RecognitionReply, source: str) -> Recognition:
    """The way back, for the formats; without embeddings, which are not kept."""
    tracks = [_recognition(reply, one, source) for one in reply.tracks]
    if len(tracks) == 1 and reply.tracks[0].channel is None:
        return tracks[0]
    timelines = [one.timeline for one in tracks]
    joined = Timeline(*(np.concatenate([getattr(one, name) for one in timelines]) for name in Timeline.__slots__))
    return Recognition(
        source=source,
        emotion=reply.emotion,
        probabilities=reply.probabilities,
        unsure=reply.unsure,
        duration_s=reply.duration_s,
        embedding=np.zeros(0, np.float32),
        segments=tuple(sorted((part for one in tracks for part in one.segments), key=lambda part: part.start_s)),
        timeline=joined,
        channels=tuple(tracks),
        labels=tuple(reply.labels),
        narrow_band=reply.narrow_band,
        note="; ".join(reply.notices),
        unfamiliar=reply.unfamiliar,
        reason=reply.reason,
        baseline=reply.baseline,
    )


def segment_reply(segment: Segment) -> SegmentReply:
    """A segment as the service answers it."""
    return SegmentReply(
        start_s=_round(segment.start_s),
        end_s=_round(segment.end_s),
        emotion=segment.emotion,
        confidence=_round(segment.confidence),
        unsure=segment.unsure,
        speech=segment.speech,
        probabilities=_shares(segment.probabilities),
        channel=segment.channel,
        reason=segment.reason,
        unfamiliar=_round_or_none(segment.unfamiliar),
        speaker=segment.speaker,
        text=segment.text,
        turn=segment.turn,
        baseline=segment.baseline,
        note=segment.note,
    )


def job_reply(job: Job, decoded_s: float = 0.0, declared_s: float | None = None) -> JobReply:
    """A job as the service answers it.

    Args:
        job: of the store.
        decoded_s: of its recording, while it runs.
        declared_s: duration of its recording as the header has it.
    """

    def moment(seconds: float | None) -> datetime | None:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

    return JobReply(
        id=job.id,
        state=job.state,
        created=datetime.fromtimestamp(job.created, UTC),
        started=moment(job.started),
        finished=moment(job.finished),
        decoded_s=_round(decoded_s),
        declared_s=None if declared_s is None else _round(declared_s),
        problem=ProblemReply(**job.problem) if job.problem else None,
    )


def model_reply(metadata: ModelMetadata, threshold: float) -> ModelReply:
    """What a model says of itself, without the recipe."""
    return ModelReply(
        name=metadata.name,
        labels=list(metadata.labels),
        sample_rate=metadata.sample_rate,
        window_s=metadata.window_s,
        baseline=metadata.baseline,
        unsure_threshold=threshold,
        licence=metadata.licence,
        created=metadata.created,
        corpora=[TrainingCorpusReply(name=one.name, licence=one.licence, role=one.role) for one in metadata.corpora],
        scores=[
            ScoreReply(**{name: getattr(one, name) for name in ScoreReply.model_fields}) for one in metadata.scores
        ],
    )


def _track(recognition: Recognition, channel: int | None) -> TrackReply:
    line = recognition.timeline
    return TrackReply(
        channel=channel,
        emotion=recognition.emotion,
        confidence=_round(recognition.confidence),
        unsure=recognition.unsure,
        probabilities=_shares(recognition.probabilities),
        reason=recognition.reason,
        unfamiliar=_round_or_none(recognition.unfamiliar),
        segments=[segment_reply(one) for one in recognition.segments],
        timeline=TimelineReply(
            start_s=_rounded(line.start_s),
            end_s=_rounded(line.end_s),
            speech=_rounded(line.speech),
            probabilities=[None if np.isnan(row).any() else _rounded(row) for row in line.probabilities],
        ),
    )


def _recognition(reply: RecognitionReply, track: TrackReply, source: str) -> Recognition:
    line = track.timeline
    silence = [float("nan")] * len(reply.labels)
    rows = [silence if row is None else row for row in line.probabilities]
    return Recognition(
        source=source,
        emotion=track.emotion,
        probabilities=track.probabilities,
        unsure=track.unsure,
        duration_s=reply.duration_s,
        embedding=np.zeros(0, np.float32),
        segments=tuple(Segment(**{name: getattr(one, name) for name in Segment.__slots__}) for one in track.segments),
        timeline=Timeline(
            np.array(line.start_s),
            np.array(line.end_s),
            np.array(rows, dtype=np.float32).reshape(-1, len(reply.labels)),
            np.array(line.speech, dtype=np.float32),
            np.full(len(rows), -1 if track.channel is None else track.channel, dtype=np.int16),
        ),
        labels=tuple(reply.labels),
        narrow_band=reply.narrow_band,
        note="; ".join(reply.notices),
        unfamiliar=track.unfamiliar,
        reason=track.reason,
        baseline=reply.baseline,
    )


def _round(value: float) -> float:
    return round(float(value), 6)


def _round_or_none(value: float | None) -> float | None:
    return None if value is None else _round(value)


def _rounded(values: Iterable[Any]) -> list[float]:
    return [_round(value) for value in values]


def _shares(probabilities: Any) -> dict[str, float]:
    return {label: _round(share) for label, share in probabilities.items()}
