"""Sources of bytes: a path, bytes or a file object, opened here so that FFmpeg never sees a name or a URL."""

from __future__ import annotations

import io
import os
import select
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from emotone.errors import AudioError, AudioNotFoundError, NotAudioError, SourceTypeError

AudioSource = str | os.PathLike[str] | bytes | BinaryIO
"""A path (never a URL), the bytes of a file, or a binary file object, which is read from its start if it can seek."""

_HEAD = 1 << 16
"""Bytes kept of the start: enough for every signature and for the headers of a stream that cannot seek."""

_LIVE_HEAD = 1 << 14
"""Bytes that are enough of the start of a live stream, where more would have to be waited for: half a second of 16-bit
samples at 16 kHz."""

_PIPE_WAIT_S = 2.0
"""How long to wait for the writer of a named pipe; a plain open would block forever."""


class SourceFile:
    """A readable file without a name, as PyAV gets it.

    FFmpeg resolves names that a file mentions against the name of the file itself, so there is none here. PyAV copies
    what `read` returns into a buffer of the size it asked for, whatever came back; a file object that returns too
    much is therefore caught here.

    Attributes:
        label: how messages call the source.
        head: the first 64 KiB.
        size: in bytes; None if the source cannot seek.
    """

    def __init__(self, file: BinaryIO, label: str) -> None:
        self.label = label
        self._file = file
        self._seekable = _can_seek(file)
        # On a pipe, `read` blocks until it has all the bytes asked for, `read1` only until it has some.
        self._reads_what_is_there = not self._seekable and hasattr(file, "read1")
        self.size: int | None = None
        if self._seekable:
            self.size = file.seek(0, os.SEEK_END)
            file.seek(0)
        self.head = self._read_head()
        self._position = 0
        if self._seekable:
            file.seek(0)

    def _read_head(self) -> bytes:
        parts: list[bytes] = []
        enough = _LIVE_HEAD if self._reads_what_is_there else _HEAD
        missing = _HEAD
        while _HEAD - missing < enough and (part := self._read_bytes(missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _read_bytes(self, size: int) -> bytes:
        data: object = self._file.read1(size) if self._reads_what_is_there else self._file.read(size)  # type: ignore[attr-defined]
        if not isinstance(data, bytes) or len(data) > size:
            raise NotAudioError(
                f"{self.label}: read({size}) gave {type(data).__name__}, expected at most {size} bytes; "
                "pass a file opened in binary mode ('rb')"
            )
        return data

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        if self._seekable or self._position >= len(self.head):
            return self._read_bytes(size)
        data = self.head[self._position : self._position + size]
        self._position += len(data)
        return data

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Whether the source can go back."""
        return self._seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, as a file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position in bytes."""
        return self._file.tell() if self._seekable else self._position

    def at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset` without moving; fewer where the source ends or cannot go there."""
        if offset + size <= len(self.head) or not self._seekable:
            return self.head[offset : offset + size]
        here = self._file.tell()
        try:
            self._file.seek(offset)
            return self._read_bytes(size)
        finally:
            self._file.seek(here)


def _can_seek(file: BinaryIO) -> bool:
    try:
        return bool(file.seekable())
    except (AttributeError, OSError, ValueError):
        return False


@contextmanager
def open_source(source: AudioSource) -> Iterator[SourceFile]:
    """Open a source; what we opened is closed at the end, a caller's file object stays open.

    Raises:
        AudioNotFoundError: no file at the path.
        NotAudioError: a folder, an empty file, a file opened as text.
        AudioError: a file that may not be read.
        SourceTypeError: neither a path nor bytes nor a file object.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        label = f"<{len(source)} bytes>"
        with io.BytesIO(source) as memory:
            yield _not_empty(memory, label)
    elif isinstance(source, str | os.PathLike):
        with _open_path(source) as file:
            yield _not_empty(file, os.fspath(source))
    elif hasattr(source, "read"):
        name = getattr(source, "name", None)
        yield _not_empty(source, name if isinstance(name, str) else "<file object>")
    else:
        raise SourceTypeError(f"a source is a path, bytes or a binary file object, got {type(source).__name__}")


def _open_path(path: str | os.PathLike[str]) -> BinaryIO:
    try:
        if stat.S_ISFIFO(Path(path).stat().st_mode):
            return _open_pipe(path)
        file = Path(path).open("rb")  # noqa: SIM115 - the caller closes it
    except (FileNotFoundError, NotADirectoryError):
        raise AudioNotFoundError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise NotAudioError(f"{path}: is a folder, expected a recording; name the files in it") from None
    except ValueError as error:  # a NUL in the name
        raise AudioNotFoundError(f"{path!r}: not a possible file name ({error})") from None
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened: {error.strerror}") from error
    if file.isatty():
        file.close()
        raise NotAudioError(f"{path}: is a terminal, expected a recording")
    return file


def _open_pipe(path: str | os.PathLike[str]) -> BinaryIO:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.poll(1000 * _PIPE_WAIT_S)
        # From here on a read waits while there is a writer, and ends at once where there is none.
        os.set_blocking(handle, True)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _not_empty(file: BinaryIO, label: str) -> SourceFile:
    try:
        source = SourceFile(file, label)
    except OSError as error:
        raise AudioError(f"{label}: cannot be read: {error}") from error
    except ValueError as error:
        if isinstance(error, AudioError):
            raise
        raise AudioError(f"{label}: cannot be read: {error}") from error  # a closed file
    if not source.head:
        raise NotAudioError(f"{label}: is empty (0 bytes)")
    return source
