"""What the service refuses, besides recordings that cannot be used.

EmotoneError
├── RefusalError
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
│   ├── KeyRefusedError     no key, or a wrong one
│   ├── OriginRefusedError  a web page of another origin
│   ├── JobNotFoundError    no such job, or another caller's
│   ├── JobNotDoneError     a result that is not there yet
│   └── StreamError         a live stream that does not keep to the protocol
└── KeyFileError (ValueError)   a file of keys that cannot be used
"""

from __future__ import annotations

from emotone.errors import EmotoneError


class RefusalError(EmotoneError):
    """A request that the service does not do."""


class BadUploadError(RefusalError):
    """The body is no upload."""


class BadSettingError(RefusalError):
    """A setting that does not fit the model."""


class EncodedBodyError(RefusalError):
    """The body is compressed, and would have to be unpacked first."""


class HeadTooLargeError(RefusalError):
    """Too many lines in the head of a request, or too long ones."""


class TooLargeError(RefusalError):
    """More bytes than allowed."""


class TooLongError(RefusalError):
    """More seconds of sound than allowed."""


class SlowClientError(RefusalError):
    """The body comes too slowly."""


class TimeLimitError(RefusalError):
    """The recording takes too long to judge."""


class BusyError(RefusalError):
    """No place is left.

    Args:
        message: which place.
        retry_after_s: when to come again.
    """

    def __init__(self, message: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class CrowdedError(BusyError):
    """More connections are open than are served."""


class StorageError(RefusalError):
    """The disk is full, or cannot be written."""


class KeyRefusedError(RefusalError):
    """No key, or a wrong one."""


class OriginRefusedError(RefusalError):
    """A web page of another origin calls."""


class JobNotFoundError(RefusalError):
    """No such job, or another caller's."""


class JobNotDoneError(RefusalError):
    """The job has no result yet, or will have none."""


class StreamError(RefusalError):
    """A live stream that does not keep to the protocol."""


class KeyFileError(EmotoneError, ValueError):
    """A file of keys that cannot be used."""
