"""From a job or a model file to what the service answers about it."""

from __future__ import annotations

from datetime import UTC, datetime

from emotone.model_files.metadata import ModelMetadata
from emotone.service.jobs.job import Job
from emotone.service.schemas import JobReply, ModelReply, ProblemReply, ScoreReply, TrainingCorpusReply


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
    """A model as the service describes it, without the recipe."""
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


def _round(value: float) -> float:
    return round(float(value), 6)
