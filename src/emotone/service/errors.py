"""What the service refuses, besides recordings that cannot be used.

EmotoneError
├── RequestError
│   ├── BadUploadError      a body that is no upload
│   ├── BadSettingError     a setting that does not fit the model
│   ├── EncodedBodyError    a body that is compressed for its way
│   ├── HeadTooLargeError   a head with too many or too long lines
│   ├── TooLargeError       more bytes than allowed
│   ├── TooLongError        more seconds of sound than allowed
│   ├── SlowClientError     a body that comes too slowly
│   ├── TimeLimitError      a recording that takes too long to judge
│   ├── BusyError           no place left; come again
│   ├── StorageError        a disk that is full or cannot be written
│   ├── UnauthorizedError     no key, or a wrong one
│   ├── ForbiddenError  a web page of another origin
│   ├── JobNotFoundError    no such job, or another caller's
│   ├── JobNotDoneError     a result that is not there yet
│   └── StreamError         a live stream that does not keep to the protocol
└── KeyFileError (ValueError)   a file of keys that cannot be used
"""

from __future__ import annotations

from emotone.errors import EmotoneError


class RequestError(EmotoneError):
    """A request that the service does not do."""


class BadUploadError(RequestError):
    """The body is no upload."""


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
    """The recording takes too long to judge."""


class BusyError(RequestError):
    """No place is left.

    Args:
        message: which place.
        retry_after_s: when to come again.
    """

    def __init__(self, message: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class TooManyConnectionsError(BusyError):
    """More connections are open than are served."""


class StorageError(RequestError):
    """The disk is full, or cannot be written."""


class UnauthorizedError(RequestError):
    """No key, or a wrong one."""


class ForbiddenError(RequestError):
    """A web page of another origin calls."""


class JobNotFoundError(RequestError):
    """No such job, or another caller's."""


class JobNotDoneError(RequestError):
    """The job has no result yet, or will have none."""


class StreamError(RequestError):
    """A live stream that does not keep to the protocol."""


class KeyFileError(EmotoneError, ValueError):
    """A file of keys that cannot be used."""
