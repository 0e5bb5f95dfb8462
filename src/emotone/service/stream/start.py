"""The first message of a stream, and the recognizer that it asks for."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from emotone.listening.recognizer import Recognizer
from emotone.service.context import ServiceContext
from emotone.service.errors import StreamError


class Start(BaseModel):
    """The first message of a stream."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["start"]
    encoding: Literal["pcm16", "container"] = "pcm16"
    sample_rate: int | None = None
    threshold: float | None = None
    classes: str | None = Field(None, max_length=1000)
    baseline: list[float] | None = Field(None, max_length=8192)
    key: str | None = None


def recognizer_of(context: ServiceContext, start: Start) -> Recognizer:
    """The service's recognizer with the threshold, classes and baseline of a stream."""
    threshold = start.threshold
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise StreamError(f"threshold = {threshold}; expected a probability in [0, 1].")
    recognizer = context.recognizer_with(threshold)
    if start.classes is not None:
        recognizer = recognizer.with_classes(start.classes)
    if start.baseline is not None:
        recognizer = recognizer.with_baseline(start.baseline)
    return recognizer
