"""What the service answers besides recordings, typed: the schemas of its OpenAPI, with an example each.

Recordings and segments have the schema that files and the command line have: `emotone.output.objects`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from emotone.service.jobs.job import State

_SHARES: Any = {"neutral": 0.05, "happiness": 0.08, "sadness": 0.01, "anger": 0.86}


RECORDING_EXAMPLE: dict[str, Any] = {
    "file": "recording",
    "model": "default",
    "labels": list(_SHARES),
    "duration_s": 2.31,
    "emotion": "anger",
    "confidence": 0.86,
    "unsure": False,
    "reason": "",
    "unsure_threshold": 0.5,
    "unfamiliar": 0.4,
    "baseline": None,
    "probabilities": _SHARES,
    "narrow_band": False,
    "note": "",
    "segments": [
        {
            "start_s": 0.0,
            "end_s": 2.31,
            "channel": None,
            "emotion": "anger",
            "confidence": 0.86,
            "unsure": False,
            "reason": "",
            "unfamiliar": 0.4,
            "speech": True,
            "speaker": None,
            "text": None,
            "turn": None,
            "baseline": None,
            "note": "",
            "probabilities": _SHARES,
        }
    ],
    "channels": [],
    "timeline": {
        "start_s": [0.0],
        "end_s": [2.31],
        "channel": [None],
        "speech": [1.0],
        "probabilities": [list(_SHARES.values())],
    },
}
"""An answer to `POST /v1/recognize`: an object of `emotone.output.objects.RecordingObject`."""


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
    """A model: labels, training corpora, and measured scores."""

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
    """The models of this service; at present one."""

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
    """The state of a job."""

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
