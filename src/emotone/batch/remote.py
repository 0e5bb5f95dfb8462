"""Recordings in object stores and on other remote file systems: S3 through Arrow, all others through fsspec.

Conventions: an address is `scheme://bucket/key`, with the key as the store has it: spaces, `#` and `?` have no special
meaning. Credentials, region and endpoint are found as by the store's own tools: for S3 in the environment
(AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_ENDPOINT_URL …) and ~/.aws, for gs:// as Google's default credentials.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from emotone.errors import AudioError, AudioNotFoundError, EmotoneError, MissingExtraError, OutputError

_BLOCK_BYTES = 1 << 20
"""Read with one request: each takes long, and a decoder reads 32 KiB at a time."""

_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
}
_NO_BUCKET = ("NO_SUCH_BUCKET", "NoSuchBucket")
_REFUSED = (
    *("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "HTTP response code 403"),
    *("Forbidden", "Unauthorized", "Anonymous caller", "Invalid Credentials", "default credentials"),
)


def remote_file_system(address: str) -> tuple[Any, str]:
    """The Arrow file system of an address, and the path in it.

    Raises:
        MissingExtraError: the packages for it are not installed.
        AudioError: an unknown scheme, no bucket, or the store cannot be reached.
    """
    scheme, _, path = address.partition("://")
    bucket = path.partition("/")[0]
    if not bucket and scheme != "file":
        raise AudioError(f"{address} names no bucket; expected {scheme}://BUCKET/KEY")
    with _explained(address):
        return _file_system(f"{scheme}://{bucket}"), path.rstrip("/")


# Once per process and bucket: Arrow requests a bucket's region, gcsfs credentials.
@lru_cache(maxsize=16)
def _file_system(bucket: str) -> Any:
    scheme = bucket.partition("://")[0]
    try:
        from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem
    except ImportError as error:
        raise MissingExtraError(f"an address such as {bucket}", "remote") from error
    try:
        if scheme == "s3":
            return FileSystem.from_uri(bucket)[0]
        # Arrow's own client for gs:// ends the process on unknown answers.
        import fsspec

        # They log each attempt, in the middle of our own messages.
        for logger in ("gcsfs", "google.auth"):
            logging.getLogger(logger).addHandler(logging.NullHandler())
        return PyFileSystem(FSSpecHandler(fsspec.core.url_to_fs(bucket)[0]))
    except ImportError as error:
        if scheme == "gs":
            raise MissingExtraError(f"an address such as {bucket}", "remote") from error
        raise AudioError(f"cannot be read: {error}") from error


def remote_folder(address: str, wanted: Callable[[str], bool]) -> Iterator[str]:
    """The files under an address, folder by folder, in the order of a folder on a disk.

    Args:
        address: of a folder.
        wanted: whether a file of that name is used; hidden files and folders never are.
    Yields:
        addresses.
    Raises:
        AudioNotFoundError: no such bucket or folder.
        AudioError: it cannot be listed.
    """
    file_system, root = remote_file_system(address)
    from pyarrow.fs import FileSelector, FileType  # after the check above, which names the extra

    scheme = address.partition("://")[0]
    folders = [root]
    while folders:
        folder = folders.pop()
        with _explained(f"{scheme}://{folder}", "no such folder (an address without an audio suffix means a folder)"):
            entries = file_system.get_file_info(FileSelector(folder))
        entries = sorted((one for one in entries if not one.base_name.startswith(".")), key=lambda one: one.base_name)
        for entry in entries:
            if entry.type == FileType.File and wanted(entry.base_name):
                yield f"{scheme}://{entry.path}"
        folders += [entry.path for entry in reversed(entries) if entry.type == FileType.Directory]


def require_empty_folder(address: str) -> None:
    """Check, before any work is done, that results can be written to an address.

    Raises:
        OutputError: the folder exists and is not empty, the bucket does not exist, or the store cannot be reached.
        MissingExtraError: the packages for it are not installed.
    """
    try:
        file_system, path = remote_file_system(address)
        from pyarrow.fs import FileSelector, FileType  # after the check above, which names the extra

        with _explained(address):
            bucket = file_system.get_file_info(path.partition("/")[0])
            there = file_system.get_file_info(FileSelector(path, allow_not_found=True))
    except AudioError as error:
        raise OutputError(f"cannot write to {error}") from error
    if bucket.type == FileType.NotFound:
        raise OutputError(f"cannot write to {address}: no such bucket; create it first")
    if there:
        raise OutputError(f"{address} exists and is not an empty folder; name a new folder for the Parquet files")


class RemoteFile(io.BufferedReader):
    """An open file of a store, named by its address.

    A decoder finds a file's size by seeking to its end and back. A plain BufferedReader drops its block then and makes
    another request; here a seek is made only when something is read.
    """

    def __init__(self, raw: Any, name: str) -> None:
        super().__init__(raw, _BLOCK_BYTES)
        self._name, self._size = name, int(raw.size())
        self._wanted: int | None = None

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position, and return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        self._wanted = max(0, start + offset)
        return self._wanted

    def tell(self) -> int:
        """The position, in bytes."""
        return super().tell() if self._wanted is None else self._wanted

    def read(self, size: int | None = -1, /) -> bytes:
        """That many bytes, or all that are left."""
        self._seek_now()
        return super().read(size)

    def read1(self, size: int = -1, /) -> bytes:
        """At most that many bytes, with one request."""
        self._seek_now()
        return super().read1(size)

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; the number of bytes."""
        self._seek_now()
        return super().readinto(buffer)

    def peek(self, size: int = 0, /) -> bytes:
        """Bytes that come next, without moving."""
        self._seek_now()
        return super().peek(size)

    def _seek_now(self) -> None:
        if self._wanted is not None:
            # From the file's start, which keeps the block if the position is in it.
            super().seek(self._wanted)
            self._wanted = None

    @property
    def name(self) -> str:
        """Its address."""
        return self._name


@contextmanager
def opened_remote(address: str) -> Iterator[RemoteFile]:
    """The file at an address, open for reading.

    Raises:
        AudioNotFoundError: there is no such file.
        AudioError: the store cannot be reached, or fails while the file is read.
    """
    with _explained(address, "no such file"):
        file_system, path = remote_file_system(address)
        file = RemoteFile(file_system.open_input_file(path), address)
    with file:
        try:
            yield file
        except OSError as error:
            raise AudioError(f"{address}: reading failed: {_short(str(error))}") from error


@contextmanager
def _explained(address: str, absent: str = "no such file or folder") -> Iterator[None]:
    """Raise errors of a store as AudioErrors; the clients' own classes share only Exception."""
    try:
        yield
    except MissingExtraError:
        raise
    except EmotoneError as error:
        message = str(error)
        raise (error if message.startswith(address) else type(error)(f"{address}: {message}")) from error.__cause__
    except FileNotFoundError as error:
        raise AudioNotFoundError(f"{address}: {absent}") from error
    except Exception as error:
        words = str(error)
        if any(sign in words for sign in _NO_BUCKET):
            raise AudioNotFoundError(f"{address}: no such bucket") from error
        if any(sign in words for sign in _REFUSED):
            how = _CREDENTIALS.get(address.partition("://")[0], "check your credentials")
            raise AudioError(f"{address}: access is refused; {how}") from error
        raise AudioError(f"{address}: cannot be reached: {_short(words)}") from error


def _short(words: str) -> str:
    """The readable part of an Arrow message, without the address."""
    return " ".join(words.rpartition(" operation: ")[2].split()) or "no reason given"
