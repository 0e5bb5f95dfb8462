"""The parameters of the routes, as pydantic models. Those of a recognition are in `requests/settings.py`."""

from __future__ import annotations

from enum import StrEnum

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from emotone.output.formats import FORMATS, TEXT_FORMATS
from emotone.service.jobs.job import State
from emotone.service.requests.negotiation import check_accept, quality
from emotone.service.requests.settings import RecognitionSettings

MEDIA_TYPES = {name: FORMATS[name].media_type for name in ("json", *TEXT_FORMATS)}

# A format's suffixes are other names of it, such as vtt for webvtt.
_ALIASES = {
    suffix.removeprefix("."): name
    for name in TEXT_FORMATS
    for suffix in FORMATS[name].suffixes
    if suffix.removeprefix(".") not in FORMATS
}
_NAMES = (*MEDIA_TYPES, *_ALIASES)

Format = StrEnum("Format", {name: name for name in _NAMES})  # type: ignore[misc]


class ResultQuery(BaseModel):
    """The format of a result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Format | None = Field(None, description="of the answer; default: chosen by Accept, else json")

    def text_format(self, request: Request) -> str:
        """The name of the format to answer in: the one asked for, else the one that `Accept` prefers.

        Raises:
            NotAcceptableError: the client accepts none, or not the one that it asks for.
        """
        if self.format is not None:
            name = _ALIASES.get(self.format, str(self.format))
            check_accept(request, {MEDIA_TYPES[name]})
            return name
        accept = request.headers.get("accept")
        # A media type means the first format that has it; text/plain could be anything.
        unique = {kind: name for name, kind in reversed(MEDIA_TYPES.items()) if kind != "text/plain"}
        check_accept(request, unique)
        # Sorted, so that JSON is first and wins where the client has no preference.
        return unique[max(sorted(unique), key=lambda kind: quality(accept, kind))]


class RecognizeQuery(RecognitionSettings, ResultQuery):
    """How to recognise a recording, and the format of the answer."""

    def settings(self) -> RecognitionSettings:
        """Without the format."""
        return RecognitionSettings(**{name: getattr(self, name) for name in RecognitionSettings.model_fields})


class JobsQuery(BaseModel):
    """Which jobs to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: State | None = Field(None, description="only jobs in this state")
    limit: int = Field(100, ge=1, le=1000, description="at most so many")
    before: str = Field("", max_length=64, description="only jobs older than the one with this id")
