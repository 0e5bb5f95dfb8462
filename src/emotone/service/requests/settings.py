"""What a client can ask for when it sends a recording: the one table of parameters.

A field of `RecognitionSettings` is a query parameter and a form field of `/v1/recognize` and `/v1/jobs`, is documented
in the OpenAPI description, stored with a job and passed to the worker process. Files next to the recording are
described in `extras.py`. To add a parameter, add it here and use it in `workers/recognition.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, Self

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emotone.errors import BaselineError, EmotoneError, TurnsError
from emotone.listening.model.classes import choose
from emotone.listening.options import TimelineOptions
from emotone.model_files.metadata import ModelMetadata
from emotone.service.errors import BadSettingError
from emotone.service.requests.extras import ExtraFile, baselines_of, turns_of


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
    tier: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        None,
        description="with a TextGrid of turns that has several tiers: the tier to use, or some, separated by commas",
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

    def tiers(self) -> list[str]:
        """The names of the tiers; none for any."""
        return [name for one in (self.tier or "").split(",") if (name := one.strip())]

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

    def check_files(self, metadata: ModelMetadata, extras: Sequence[ExtraFile]) -> None:
        """Check, before a recording is recognised or becomes a job, that its files go together.

        Raises:
            BadSettingError: a tier without turns.
            BaselineError: the model takes no baseline; baselines by speaker without turns, or only some by speaker.
            TurnsError: turns with split channels.
        """
        has_turns = turns_of(extras) is not None
        speakers = set(baselines_of(extras))
        if self.tier is not None and not has_turns:
            raise BadSettingError("A tier belongs to a file of turns. Send it as the form field `turns`.")
        if has_turns and self.channels != "mix":
            raise TurnsError("Turns are recognised in the mix of all channels. Leave channels=split out.")
        if speakers and not metadata.baseline:
            raise BaselineError(f"The model {metadata.name!r} takes no baseline. Leave the baseline out.")
        if speakers > {None}:
            raise BaselineError("One baseline has no speaker, and others do. Name each one `baseline[SPEAKER]`.")
        if speakers - {None} and not has_turns:
            raise BaselineError(
                "Baselines by speaker need turns. Send who speaks when as `turns`, or name the field `baseline`."
            )
