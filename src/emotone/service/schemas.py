"""What the service answers, typed: the schemas of its OpenAPI, with an example each.

Conventions: times in seconds, shares in [0, 1], `null` where nobody speaks.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from emotone.service.jobs.job import State

_SHARES: Any = {"neutral": 0.05, "happiness": 0.08, "sadness": 0.01, "anger": 0.86}


class SegmentReply(BaseModel):
    """A stretch with one emotion, or without speech."""

    start_s: float
    end_s: float
    emotion: str | None = Field(description="null where nobody speaks, or too shortly to say")
    confidence: float = Field(description="the highest probability, 0 where there is none")
    unsure: bool = Field(description="the answer is in doubt; see `reason`")
    speech: bool
    probabilities: dict[str, float]
    channel: int | None = Field(description="from 0; null where channels were mixed")
    reason: str = Field("", description="why it is unsure, or why a turn has no emotion; empty if it is sure")
    unfamiliar: float | None = Field(
        None, description="distance from the training data, as a quantile; null if the model does not measure it"
    )
    speaker: str | None = Field(None, description="of the turn")
    text: str | None = Field(None, description="what is said in the turn")
    turn: int | None = Field(None, description="position among the turns that were sent; null without turns")
    baseline: str | None = Field(None, description="the baseline that the answer is relative to")
    note: str = Field("", description="further remarks, such as that the turn overlaps another")


class TimelineReply(BaseModel):
    """The windows that were judged, one entry each."""

    start_s: list[float]
    end_s: list[float]
    speech: list[float] = Field(description="share of the window with speech")
    probabilities: list[list[float] | None] = Field(description="in the order of `labels`; null where nobody speaks")


class TrackReply(BaseModel):
    """One channel, or all of them mixed."""

    channel: int | None
    emotion: str | None
    confidence: float
    unsure: bool
    probabilities: dict[str, float]
    reason: str = Field("", description="why it is unsure; empty if it is sure")
    unfamiliar: float | None = None
    segments: list[SegmentReply]
    timeline: TimelineReply


class RecognitionReply(BaseModel):
    """One recording, judged as a whole and over time."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "default",
                "labels": list(_SHARES),
                "duration_s": 2.31,
                "unsure_threshold": 0.5,
                "emotion": "anger",
                "confidence": 0.86,
                "unsure": False,
                "probabilities": _SHARES,
                "narrow_band": False,
                "notices": [],
                "tracks": [
                    {
                        "channel": None,
                        "emotion": "anger",
                        "confidence": 0.86,
                        "unsure": False,
                        "probabilities": _SHARES,
                        "segments": [
                            {
                                "start_s": 0.0,
                                "end_s": 2.31,
                                "emotion": "anger",
                                "confidence": 0.86,
                                "unsure": False,
                                "speech": True,
                                "probabilities": _SHARES,
                                "channel": None,
                            }
                        ],
                        "timeline": {
                            "start_s": [0.0],
                            "end_s": [2.31],
                            "speech": [1.0],
                            "probabilities": [list(_SHARES.values())],
                        },
                    }
                ],
            }
        }
    )

    model: str
    labels: list[str]
    duration_s: float
    unsure_threshold: float
    emotion: str | None
    confidence: float
    unsure: bool
    probabilities: dict[str, float]
    reason: str = Field("", description="why it is unsure; empty if it is sure")
    unfamiliar: float | None = Field(
        None, description="distance from the training data, as a quantile; null if the model does not measure it"
    )
    baseline: str | None = Field(None, description="the baselines that the answer is relative to")
    narrow_band: bool = Field(description="the recording has the band of a telephone or less")
    notices: list[str] = Field(description="what a reader should know besides, such as that the recording is cut off")
    tracks: list[TrackReply] = Field(description="one, or one a channel where channels were split")


class TrainingCorpusReply(BaseModel):
    """A corpus that the model has seen."""

    name: str
    licence: str
    role: str


class ScoreReply(BaseModel):
    """A measured score, with its protocol and its interval."""

    corpus: str
    protocol: str
    n: int
    uar: float
    uar_low: float
    uar_high: float
    accuracy: float
    speaker_independent: bool
    note: str


class ModelReply(BaseModel):
    """What a model says of itself."""

    name: str
    labels: list[str]
    sample_rate: int
    window_s: float
    baseline: bool = Field(False, description="whether it takes a baseline of the speaker")
    unsure_threshold: float
    licence: str
    created: str
    corpora: list[TrainingCorpusReply]
    scores: list[ScoreReply]


class ModelsReply(BaseModel):
    """The models that this service has: the one it judges with."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "models": [
                    {
                        "name": "default",
                        "labels": list(_SHARES),
                        "sample_rate": 16_000,
                        "window_s": 10.0,
                        "unsure_threshold": 0.5,
                        "licence": "MIT",
                        "created": "2026-01-31",
                        "corpora": [{"name": "emodb", "licence": "CC0-1.0", "role": "training"}],
                        "scores": [
                            {
                                "corpus": "a corpus",
                                "protocol": "held-out speakers",
                                "n": 1000,
                                "uar": 0.68,
                                "uar_low": 0.63,
                                "uar_high": 0.73,
                                "accuracy": 0.67,
                                "speaker_independent": True,
                                "note": "",
                            }
                        ],
                    }
                ]
            }
        }
    )

    models: list[ModelReply]


class BaselineReply(BaseModel):
    """How a speaker usually sounds, for the first message of a live stream."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"model": "default", "embedding": [0.12, -0.5], "n_recordings": 2, "duration_s": 9.4}
        }
    )

    model: str = Field(description="that the embedding belongs to; of no use to another one")
    embedding: list[float]
    n_recordings: int
    duration_s: float = Field(description="of the recordings together")


class ProblemReply(BaseModel):
    """A problem (RFC 9457)."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "/problems/not-audio",
                "title": "The file is not audio of a known format",
                "status": 415,
                "detail": "recording: not audio of a known format (starts with b'PK'); expected wav, flac, mp3, …",
            }
        },
    )

    type: str
    title: str
    status: int
    detail: str


class JobReply(BaseModel):
    """How a job stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "Vh1p0cT4bY3l7m2QxNnK8d0S",
                "state": "queued",
                "created": "2026-01-31T12:00:00Z",
                "started": None,
                "finished": None,
                "decoded_s": 0.0,
                "declared_s": None,
                "problem": None,
            }
        }
    )

    id: str
    state: State
    created: datetime
    started: datetime | None
    finished: datetime | None
    decoded_s: float = Field(description="seconds of the recording that were decoded so far, while it runs")
    declared_s: float | None = Field(description="duration that the recording declares, once it is known")
    problem: ProblemReply | None = Field(description="why it failed, else null")


class JobsReply(BaseModel):
    """Jobs, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"jobs": []}})

    jobs: list[JobReply]


class HealthReply(BaseModel):
    """Whether the service lives, or can work."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ready"}})

    status: str
