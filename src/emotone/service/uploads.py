"""Uploads: streamed to disk as they come, under no name at all or a random one.

A recording that is answered at once goes to a file without a name, which vanishes with the process, however it ends; a
clip stays in memory. What a client calls its file is not kept.
"""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, cast

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from emotone.service.disk import writing
from emotone.service.errors import BadUploadError, EncodedBodyError, SlowClientError, TooLargeError
from emotone.service.options import ServiceOptions

FIELD = b"file"

_IN_MEMORY_BYTES = 256 * 1024
"""Eight seconds of 16-bit sound at 16 kHz: to make a file of it costs more than to receive it."""

# Each part costs the event loop some microseconds; a body of nothing but parts would cost it half a minute.
_MAX_PARTS = 32
# Newer versions of the parser have such a limit of their own; older ones gather headers without an end.
_MAX_HEADER_BYTES = 4096


@asynccontextmanager
async def nameless_upload(request: Request, options: ServiceOptions, folder: Path) -> AsyncIterator[BinaryIO]:
    """The recording in a request, at its start: on disk without a name, or in memory where it is a clip's size.

    Raises:
        RequestError: as `save_upload`.
        StorageError: the disk has no room for it.
    """
    with (
        writing(),
        tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(folder)) as spooled,
    ):
        file = cast(BinaryIO, spooled)
        await save_upload(request, options, options.max_upload_bytes, file)
        file.seek(0)
        yield file


def own_handle(upload: BinaryIO) -> BinaryIO:
    """A handle of one's own on a nameless upload, at its start, for a thread that may outlast the request.

    To ask a file in memory for its number would put it on the disk.
    """
    size = upload.seek(0, os.SEEK_END)
    upload.seek(0)
    if size <= _IN_MEMORY_BYTES:
        return io.BytesIO(upload.read())
    return os.fdopen(os.dup(upload.fileno()), "rb")


async def save_upload(request: Request, options: ServiceOptions, max_bytes: int, file: BinaryIO) -> int:
    """Write the recording in a request to a file: the body itself, or the field `file` of a form.

    Args:
        request: whose body has not been read yet.
        options: of the service.
        max_bytes: of the body.
        file: to write to.
    Returns:
        the bytes written.
    Raises:
        BadUploadError: no form that can be read, or without the field, or nothing at all.
        EncodedBodyError: the body is compressed.
        TooLargeError: more than `max_bytes`, by its head or in fact.
        SlowClientError: a piece takes too long, or they come too slowly.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise EncodedBodyError(f"Content-Encoding: {encoding[:40]}; send the recording as it is")
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    body = _pieces(request, options, max_bytes)
    if kind == b"multipart/form-data":
        form = _Form(parameters.get(b"boundary", b""), file.write)
        async for piece in body:
            form.feed(piece)
        form.finish()
    else:
        async for piece in body:
            file.write(piece)
    size = file.tell()
    if not size:
        raise BadUploadError("nothing was sent; send the recording as the body, or as the field `file` of a form")
    return size


async def _pieces(request: Request, options: ServiceOptions, max_bytes: int) -> AsyncIterator[bytes]:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise TooLargeError(f"{int(declared):,} bytes announced; {max_bytes:,} are the most")
    received, begun = 0, asyncio.get_running_loop().time()
    pieces = request.stream()
    while True:
        try:
            async with asyncio.timeout(options.idle_timeout_s):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise SlowClientError(f"nothing came for {options.idle_timeout_s:g} s after {received:,} bytes") from None
        received += len(piece)
        if received > max_bytes:
            raise TooLargeError(f"more than {max_bytes:,} bytes; that is the most")
        elapsed_s = asyncio.get_running_loop().time() - begun
        if elapsed_s > options.idle_timeout_s and received < options.min_upload_rate * elapsed_s:
            raise SlowClientError(f"{received:,} bytes in {elapsed_s:.0f} s; {options.min_upload_rate:g} B/s expected")
        if piece:
            yield piece


class _Form:
    """A form that is read as it comes; the field `file` goes to `write`, all others nowhere."""

    def __init__(self, boundary: bytes, write: Callable[[bytes], int]) -> None:
        self._write = write
        self._header = b""
        self._value = b""
        self._wanted = False
        self._found = self._parts = 0
        self._ended = False
        if not boundary:
            raise BadUploadError("a form without a boundary; send `multipart/form-data; boundary=...`")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_header_begin": self._begin_header,
                    "on_header_field": self._add_header,
                    "on_header_value": self._add_value,
                    "on_header_end": self._end_header,
                    "on_part_begin": self._begin_part,
                    "on_part_data": self._add_data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise BadUploadError(f"the form cannot be read: {error}") from error

    def feed(self, piece: bytes) -> None:
        """The next bytes of the body."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise BadUploadError(f"the form cannot be read: {error}") from error

    def finish(self) -> None:
        """Judge the form when all of it is there."""
        if not self._ended:
            raise BadUploadError("the form ends before its last boundary")
        if self._found != 1:
            raise BadUploadError(f"the form has {self._found} fields `file`; expected one, with the recording")

    def _begin_part(self) -> None:
        self._wanted = False
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise BadUploadError(f"the form has more than {_MAX_PARTS} parts; one is wanted, `file`")

    def _begin_header(self) -> None:
        self._header = self._value = b""

    def _add_header(self, data: bytes, start: int, end: int) -> None:
        self._header = self._joined(self._header, data[start:end])

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value = self._joined(self._value, data[start:end])

    def _joined(self, text: bytes, more: bytes) -> bytes:
        if len(text) + len(more) > _MAX_HEADER_BYTES:
            raise BadUploadError(f"a part of the form has a header of more than {_MAX_HEADER_BYTES:,} bytes")
        return text + more

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, parameters = parse_options_header(self._value)
            if parameters.get(b"name") == FIELD:
                self._wanted = True
                self._found += 1

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted and self._found == 1:
            self._write(data[start:end])

    def _end(self) -> None:
        self._ended = True


def sync(file: BinaryIO) -> None:
    """Wait until the disk has what was written."""
    file.flush()
    os.fsync(file.fileno())
