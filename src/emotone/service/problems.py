"""Errors as problem details (RFC 9457): one table from the exception tree to responses."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from emotone import errors
from emotone.service import errors as service_errors
from emotone.service.requests.negotiation import unknown_parameter

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger("emotone.service")

root_path: ContextVar[str] = ContextVar("root_path", default="")
"""The path of the service for the request that is being answered; types of problems are below it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem.

    Attributes:
        name: the end of its type, `/problems/NAME`.
        status: of the response.
        title: the same for every problem of this kind.
        public: whether the response has the message; else it is only logged.
    """

    name: str
    status: int
    title: str
    public: bool = True


KINDS: dict[type[errors.EmotoneError], Kind] = {
    errors.NoAudioStreamError: Kind("no-sound", 422, "The file has no audio"),
    errors.NotAudioError: Kind("not-audio", 415, "The file is not audio of a known format"),
    errors.AudioTruncatedError: Kind("truncated", 422, "The recording is cut off or damaged"),
    errors.AudioSamplesError: Kind("bad-samples", 422, "The recording has invalid samples"),
    errors.AudioTooShortError: Kind("too-short", 422, "The recording is too short"),
    errors.SampleRateError: Kind("sample-rate", 422, "The sample rate cannot be used"),
    errors.AudioError: Kind("unusable-audio", 422, "The recording cannot be used"),
    errors.TurnsError: Kind("bad-turns", 422, "The turns cannot be used"),
    errors.BaselineError: Kind("bad-baseline", 422, "The baseline cannot be used"),
    errors.UnknownEmotionError: Kind("bad-classes", 422, "The model does not have these classes"),
    errors.OptionError: Kind("bad-option", 422, "An option has an impossible value"),
    errors.MissingExtraError: Kind("not-installed", 501, "This installation cannot do that"),
    service_errors.BadUploadError: Kind("bad-upload", 400, "The body is not an upload"),
    service_errors.BadSettingError: Kind("bad-setting", 422, "A setting does not fit the model"),
    service_errors.TooLargeError: Kind("too-large", 413, "The upload is too large"),
    service_errors.TooLongError: Kind("too-long", 413, "The recording is too long"),
    service_errors.SlowClientError: Kind("slow-client", 408, "The upload was too slow"),
    service_errors.TimeLimitError: Kind("time-limit", 503, "The recording took too long"),
    service_errors.EncodedBodyError: Kind("encoded", 415, "The body is compressed"),
    service_errors.HeadTooLargeError: Kind("head-too-large", 431, "The head of the request is too large"),
    service_errors.StorageError: Kind("storage", 507, "The service cannot store it"),
    service_errors.BusyError: Kind("busy", 429, "The service is busy"),
    service_errors.ShuttingDownError: Kind("shutting-down", 503, "The service is shutting down"),
    service_errors.NotAcceptableError: Kind("not-acceptable", 406, "The answer is not available in that media type"),
    service_errors.NotListedError: Kind("not-listed", 403, "Jobs cannot be listed"),
    service_errors.IdempotencyError: Kind("idempotency-key", 422, "The idempotency key was used for another request"),
    service_errors.TooManyConnectionsError: Kind("crowded", 503, "Too many connections are open"),
    service_errors.UnauthorizedError: Kind("key", 401, "An API key is required"),
    service_errors.ForbiddenError: Kind("origin", 403, "Another web page may not call this service"),
    service_errors.JobNotFoundError: Kind("no-such-job", 404, "Job not found"),
    service_errors.JobNotDoneError: Kind("job-not-done", 409, "The job has no result"),
    service_errors.StreamError: Kind("bad-stream", 400, "The stream violates the protocol"),
    errors.EmotoneError: Kind("internal", 500, "The service failed", public=False),
}
"""The most specific class of an error counts. What is not public is a fault of the service, and may name files."""

INVALID = Kind("invalid", 422, "Invalid parameter")
NOT_HTTP = Kind("not-http", 400, "The request is not HTTP")


ALL_KINDS = (*KINDS.values(), INVALID, NOT_HTTP)
NAMES = sorted(kind.name for kind in ALL_KINDS)


def named(name: str) -> Kind | None:
    """The kind of a name, the end of its type."""
    return next((kind for kind in ALL_KINDS if kind.name == name), None)


def kind_of(error: BaseException) -> Kind:
    """What kind of problem an error is.

    >>> kind_of(errors.AudioTooShortError("0.001 s")).status
    422
    """
    for one in type(error).__mro__:
        if one in KINDS:
            return KINDS[one]
    return KINDS[errors.EmotoneError]


def problem(kind: Kind, detail: str, **more: Any) -> dict[str, Any]:
    """The members of a problem.

    Args:
        kind: what it is.
        detail: what happened, and what to do.
        more: additional members.
    """
    return {"type": type_of(kind), "title": kind.title, "status": kind.status, "detail": detail, **more}


def type_of(kind: Kind) -> str:
    """The type of a kind of problem: where the service explains it."""
    return f"{root_path.get()}/problems/{kind.name}"


def below_root_path(members: Mapping[str, Any]) -> dict[str, Any]:
    """A problem that was stored when no request was being answered, as the answer to this one."""
    return {**members, "type": root_path.get() + members["type"]}


def problem_of(error: BaseException) -> dict[str, Any]:
    """The problem that an error is."""
    kind = kind_of(error)
    return problem(kind, str(error) if kind.public else "An internal error occurred. See the log of the service.")


def response_of(members: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a response."""
    return Response(encoded(members), members["status"], headers, media_type=MEDIA_TYPE)


def encoded(members: Mapping[str, Any]) -> bytes:
    """A problem as JSON."""
    return json.dumps(members, ensure_ascii=False).encode("utf-8", "backslashreplace")


def respond_to(error: errors.EmotoneError) -> Response:
    """The response to an error of ours."""
    kind = kind_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, service_errors.BusyError):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, service_errors.UnauthorizedError):
        headers["WWW-Authenticate"] = 'Bearer realm="emotone"'
    if not kind.public:
        _log.error("failed", exc_info=error)
    return response_of(problem_of(error), headers)


def respond_to_unforeseen(error: Exception) -> Response:
    """The response to an unexpected error, which is logged."""
    _log.error("failed", exc_info=error)
    return response_of(problem_of(error))


def _message(error: Mapping[str, Any], known: Any) -> str:
    if error["type"] == "extra_forbidden":
        return unknown_parameter(str(error["loc"][-1]), known or ())
    return str(error["msg"])


def add_handlers(app: FastAPI) -> None:
    """Make every error that the application raises a problem."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, errors.EmotoneError)  # noqa: S101
        return respond_to(error)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        found = [
            {"where": ".".join(str(part) for part in one["loc"]), "what": _message(one, error.body)}
            for one in error.errors()
        ]
        detail = "; ".join(f"{one['where']}: {one['what']}" for one in found)
        return response_of(problem(INVALID, detail, errors=found))

    async def plain(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        title = HTTPStatus(error.status_code).phrase
        members = {"type": "about:blank", "title": title, "status": error.status_code, "detail": str(error.detail)}
        return response_of(members, error.headers)

    async def gone(_: Request, error: Exception) -> Response:
        return Response(status_code=400)

    app.add_exception_handler(errors.EmotoneError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(ClientDisconnect, gone)
