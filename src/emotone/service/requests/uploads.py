"""Uploads: streamed to disk as they come, without a name or under a random one.

A recording that is answered at once goes to a file without a name, which vanishes with the process, however that ends;
a short one stays in memory. What a client calls its file is not kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from emotone.service.disk import writing
from emotone.service.errors import BadUploadError, EncodedBodyError, SlowClientError, TooLargeError
from emotone.service.options import ServiceOptions
from emotone.service.requests.extras import EXTRA_FILES, MAX_BASELINE_BYTES, ExtraFile, packed, split_field

FIELD = "file"

_IN_MEMORY_BYTES = 256 * 1024
"""Eight seconds of 16-bit sound at 16 kHz: to write it to a file costs more than to receive it."""

# Each part costs the event loop some microseconds; a body of nothing but parts would take half a minute.
_MAX_FIELDS = 32
_MAX_FIELD_BYTES = 4096


@dataclass
class Upload:
    """A recording that is received.

    Attributes:
        write: takes its bytes.
        size: bytes so far.
        fields: the other fields of its form.
        digest: SHA-256 of its bytes; None where it is not needed.
        needs_recording: whether a form must have the field `file`.
    """

    write: Callable[[bytes], Any]
    size: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    digest: Any = None
    needs_recording: bool = True
    _extras: list[tuple[str, bytearray]] = field(default_factory=list)

    def add(self, data: bytes) -> int:
        """The next bytes of the recording."""
        self.write(data)
        self.size += len(data)
        if self.digest is not None:
            self.digest.update(data)
        return len(data)

    @property
    def extras(self) -> tuple[ExtraFile, ...]:
        """The files that belong to it, in the order of the form."""
        return tuple(ExtraFile(name, bytes(content)) for name, content in self._extras)

    def new_extra(self, name: str) -> Callable[[bytes], None]:
        """A file that belongs to the recording; returns what takes its bytes.

        Raises:
            RequestValidationError: a second file of a kind that there is one of.
        """
        if split_field(name)[0] != "baseline" and any(name == one for one, _ in self._extras):
            raise _invalid(name, "The field is given more than once.")
        content = bytearray()
        self._extras.append((name, content))

        def add(data: bytes) -> None:
            content.extend(data)
            most, _ = EXTRA_FILES[split_field(name)[0]]
            if len(content) > most:
                raise TooLargeError(f"The file `{name}` has more than {most:,} bytes, the limit.")
            if sum(len(one) for _, one in self._extras) > MAX_BASELINE_BYTES + EXTRA_FILES["turns"][0]:
                raise TooLargeError(f"The baselines have more than {MAX_BASELINE_BYTES:,} bytes together, the limit.")

        return add

    def fingerprint(self) -> str | None:
        """SHA-256 of the recording and the files that belong to it; None where it is not needed."""
        if self.digest is None:
            return None
        digest = self.digest.copy()
        digest.update(packed(self.extras))
        return str(digest.hexdigest())


class Spool:
    """A file in memory, which moves to the disk, without a name, when it grows."""

    def __init__(self, folder: Path) -> None:
        self.file: BinaryIO = io.BytesIO()
        self._folder = folder

    def write(self, data: bytes) -> None:
        """The next bytes."""
        if isinstance(self.file, io.BytesIO) and self.file.tell() + len(data) > _IN_MEMORY_BYTES:
            disk = cast(BinaryIO, tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115 - closed by the owner
            disk.write(self.file.getbuffer())
            self.file = disk
        self.file.write(data)


@asynccontextmanager
async def nameless_upload(
    request: Request, options: ServiceOptions, folder: Path, *, needs_recording: bool = True
) -> AsyncIterator[tuple[BinaryIO, Upload]]:
    """The recording in a request, on disk without a name or in memory; and what else the form has.

    Args:
        request: whose body has not been read yet.
        options: of the service.
        folder: for a recording that is too long for memory.
        needs_recording: whether a form must have the field `file`.
    Raises:
        RequestError: as `receive_upload`.
        StorageError: the disk has no room for it.
    """
    with writing():
        spool = Spool(folder)
        try:
            upload = Upload(spool.write, needs_recording=needs_recording)
            await receive_upload(request, options, options.max_upload_bytes, upload)
            spool.file.flush()
            yield spool.file, upload
        finally:
            spool.file.close()


async def receive_upload(
    request: Request,
    options: ServiceOptions,
    max_bytes: int,
    upload: Upload,
    claim: Callable[[int], None] = lambda _: None,
) -> None:
    """Receive the recording in a request: the body itself, or the field `file` of a form.

    Args:
        request: whose body has not been read yet.
        options: of the service.
        max_bytes: of the body.
        upload: to fill.
        claim: called with the size of each piece before it is written; may raise.
    Raises:
        BadUploadError: a form that cannot be read or has no `file`, or nothing at all.
        RequestValidationError: a form field is given twice.
        EncodedBodyError: the body is compressed.
        TooLargeError: more than `max_bytes`, as declared or in fact.
        SlowClientError: a piece takes too long, or they come too slowly.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise EncodedBodyError(f"Content-Encoding {encoding[:40]!r} is not supported. Send the recording unencoded.")
    kind, _ = parse_options_header(request.headers.get("content-type", ""))
    body = _pieces(request, options, max_bytes, claim)
    if kind == b"multipart/form-data":
        await _Form(request.headers, body, upload).receive()
    else:
        async for piece in body:
            upload.add(piece)
    if not upload.size and (upload.needs_recording or not upload.extras):
        raise BadUploadError("The request has no recording. Send it as the body, or as the form field `file`.")


async def _pieces(
    request: Request, options: ServiceOptions, max_bytes: int, claim: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise TooLargeError(f"The upload declares {int(declared):,} bytes (limit: {max_bytes:,}).")
    received, begun = 0, asyncio.get_running_loop().time()
    pieces = request.stream()
    while True:
        try:
            async with asyncio.timeout(options.idle_timeout_s):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise SlowClientError(
                f"No data was received for {options.idle_timeout_s:g} s after {received:,} bytes."
            ) from None
        received += len(piece)
        if received > max_bytes:
            raise TooLargeError(f"The upload has more than {max_bytes:,} bytes, the limit.")
        elapsed_s = asyncio.get_running_loop().time() - begun
        if elapsed_s > options.idle_timeout_s and received < options.min_upload_rate * elapsed_s:
            raise SlowClientError(
                f"The upload is too slow: {received:,} bytes in {elapsed_s:.0f} s "
                f"(at least {options.min_upload_rate:g} bytes/s)."
            )
        if piece:
            claim(len(piece))
            yield piece


class _Form(MultiPartParser):
    """Starlette's parser, but for where the recording goes: to the upload, as it comes, with or without a file name."""

    def __init__(self, headers: Headers, stream: AsyncGenerator[bytes, None], upload: Upload) -> None:
        super().__init__(headers, stream, max_files=_MAX_FIELDS, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES)
        self._upload = upload
        self._ended = False
        self._n_files = 0

    async def receive(self) -> None:
        try:
            form = await self.parse()
        except (MultiPartException, MultipartParseError) as error:  # older releases of Starlette pass the latter on
            reason = error.message if isinstance(error, MultiPartException) else error
            raise BadUploadError(f"The form cannot be read: {reason}") from error
        if not self._ended:
            raise BadUploadError("The form is incomplete: its last boundary is missing.")
        if not self._n_files and self._upload.needs_recording:
            raise BadUploadError("The form has no field `file`. Send the recording in it.")
        for name, value in form.multi_items():
            if not isinstance(value, str):
                continue
            if name in self._upload.fields:
                raise _invalid(name, "The field is given more than once.")
            self._upload.fields[name] = value

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        part = self._current_part
        if part.file is not None:
            part.file.file.close()
            if split_field(part.field_name)[0] not in (FIELD, *EXTRA_FILES):
                raise _invalid(
                    part.field_name,
                    f"Only these fields can have a file: {', '.join((FIELD, *EXTRA_FILES))}, baseline[SPEAKER].",
                )
        if part.field_name == FIELD:
            self._n_files += 1
            if self._n_files > 1:
                raise BadUploadError("The form has more than one field `file`. Send one recording per request.")
            part.file = _Sink(self._upload.add)
        elif split_field(part.field_name)[0] in EXTRA_FILES:
            part.file = _Sink(self._upload.new_extra(part.field_name))

    def on_end(self) -> None:
        self._ended = True


class _Sink(UploadFile):
    """A file of a form, as the parser writes it."""

    def __init__(self, add: Callable[[bytes], Any]) -> None:
        super().__init__(io.BytesIO())
        self._add = add

    async def write(self, data: bytes) -> None:
        self._add(data)

    async def seek(self, offset: int) -> None:
        pass


def _invalid(name: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("form", name[:80]), "msg": message, "type": "value_error"}])


def sha256() -> Any:
    """An empty digest for `Upload`."""
    return hashlib.sha256()


def sync(file: BinaryIO) -> None:
    """Wait until the disk has what was written."""
    file.flush()
    os.fsync(file.fileno())
