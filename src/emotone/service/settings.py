"""What a client can ask for when it sends a recording: the one table of parameters.

A field of `RecognitionSettings` is a query parameter and a form field of `/v1/recognize` and `/v1/jobs`, is documented
in the OpenAPI description, stored with a job and passed to the worker process. A file of `EXTRA_FILES` is a form field
with a file, next to the recording. To add a parameter, add it here and use it in `workers/recognition.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emotone.errors import EmotoneError
from emotone.listening.classes import choose
from emotone.listening.options import TimelineOptions
from emotone.model_files.model_file import ModelMetadata
from emotone.service.errors import BadSettingError

EXTRA_FILES = {
    "baseline": (8 << 20, "a recording of the speaker's usual, neutral voice, for models that take a baseline"),
    "turns": (1 << 20, "who speaks when: RTTM, SubRip, WebVTT, TextGrid, CSV or JSON; then one segment per turn"),
}
"""Name -> most bytes, and a description."""


class RecognitionSettings(BaseModel):
    """How to recognise a recording."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: Literal["mix", "split"] = Field(
        "mix", description="mix: average the channels; split: recognise each one, as for the two sides of a call"
    )
    window: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] | None = Field(
        None, description="window length in seconds; default: the model's"
    )
    threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = Field(
        None, description="a confidence below this is unsure; default: the model's"
    )
    classes: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        None, description="some of the model's classes, separated by commas; the probabilities are of these alone"
    )
    track: int | None = Field(
        None, ge=1, description="number of the audio track, from 1, of a file that has several; default: the main one"
    )

    def with_fields(self, fields: Mapping[str, str], in_query: Iterable[str]) -> Self:
        """These settings, given in a query, with those given as form fields.

        Args:
            fields: of the form.
            in_query: names of the parameters in the query.
        Raises:
            RequestValidationError: a field is not a parameter, has an impossible value, or is in the query too.
        """
        if not fields:
            return self
        both = sorted(set(in_query) & set(fields))
        if both:
            raise RequestValidationError(
                [{"loc": ("form", name), "msg": "The parameter is in the query too.", "type": "twice"} for name in both]
            )
        try:
            return type(self).model_validate(self.model_dump(exclude_unset=True) | dict(fields))
        except ValidationError as error:
            raise RequestValidationError(
                [{**one, "loc": ("form", *one["loc"])} for one in error.errors()], body=list(type(self).model_fields)
            ) from error

    def options(self) -> TimelineOptions:
        """The options for a recognizer."""
        return TimelineOptions(window_s=self.window, track=self.track)

    def check(self, metadata: ModelMetadata) -> None:
        """Check, before a recording is read, that the model can do this.

        Raises:
            BadSettingError: it cannot.
        """
        try:
            self.options().hop_samples(metadata)
            if self.classes is not None:
                choose(metadata, self.classes)
        except (EmotoneError, ValueError) as error:
            raise BadSettingError(str(error)) from error
