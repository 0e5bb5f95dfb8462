"""Errors of the service, besides those about recordings.

EmotoneError
├── RequestError
│   ├── BadUploadError      a body that is not an upload
│   ├── BadSettingError     a setting that does not fit the model
│   ├── EncodedBodyError    a body that is compressed for its way
│   ├── HeadTooLargeError   a head with too many or too long lines
│   ├── TooLargeError       more bytes than allowed
│   ├── TooLongError        more seconds of sound than allowed
│   ├── SlowClientError     a body that comes too slowly
│   ├── TimeLimitError      a recording that takes too long
│   ├── BusyError           no place left; retry later
│   │   ├── TooManyConnectionsError
│   │   └── ShuttingDownError
│   ├── StorageError        a disk that is full or cannot be written
│   ├── UnauthorizedError     no key, or a wrong one
│   ├── ForbiddenError  a web page of another origin
│   ├── JobNotFoundError    an unknown job, or another caller's
│   ├── NotAcceptableError  no media type that the client accepts
│   ├── NotListedError      jobs are not listed without keys
│   ├── IdempotencyError    an idempotency key that was used for another request
│   ├── JobNotDoneError     a result that is not there yet
│   └── StreamError         a live stream that does not keep to the protocol
├── WorkerDiedError         a worker process that ended by itself
└── KeyFileError (ValueError)   a file of keys that cannot be used
"""

from __future__ import annotations

from emotone.errors import EmotoneError

RESTART_S = 10
"""About the time of a restart."""


class RequestError(EmotoneError):
    """A request that the service refuses."""


class BadUploadError(RequestError):
    """The body is not an upload."""


class BadSettingError(RequestError):
    """A setting that does not fit the model."""


class EncodedBodyError(RequestError):
    """The body is compressed, and would have to be unpacked first."""


class HeadTooLargeError(RequestError):
    """Too many lines in the head of a request, or too long ones."""


class TooLargeError(RequestError):
    """More bytes than allowed."""


class TooLongError(RequestError):
    """More seconds of sound than allowed."""


class SlowClientError(RequestError):
    """The body comes too slowly."""


class TimeLimitError(RequestError):
    """The recording takes too long."""


class BusyError(RequestError):
    """No place is left.

    Args:
        message: which limit.
        retry_after_s: seconds after which to retry.
    """

    def __init__(self, message: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class TooManyConnectionsError(BusyError):
    """More connections are open than are served."""


class ShuttingDownError(BusyError):
    """The service is about to end."""

    def __init__(self) -> None:
        super().__init__(f"The service is shutting down. Retry in {RESTART_S} s.", RESTART_S)


class WorkerDiedError(EmotoneError):
    """A worker process ended by itself, such as by a fault in a decoder."""


class StorageError(RequestError):
    """The disk is full, or cannot be written."""


class UnauthorizedError(RequestError):
    """No key, or a wrong one."""


class ForbiddenError(RequestError):
    """A web page of another origin calls."""


class JobNotFoundError(RequestError):
    """An unknown job, or another caller's."""


class JobNotDoneError(RequestError):
    """The job has no result yet, or will have none."""


class NotAcceptableError(RequestError):
    """No media type of the answer is acceptable to the client."""


class NotListedError(RequestError):
    """Jobs are not listed, since the callers cannot be distinguished."""


class IdempotencyError(RequestError):
    """An idempotency key that was used for another request."""


class StreamError(RequestError):
    """A live stream that does not keep to the protocol."""


class KeyFileError(EmotoneError, ValueError):
    """A file of keys that cannot be used."""
