"""Entries of the stores: files of a header with a checksum, and 16-bit values."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from emotone.errors import OutputError, StoreError
from emotone.files import write_bytes

_HEADER = struct.Struct("<8sIIQ")  # magic, checksum, rate or width, count
HEADER_SIZE = _HEADER.size


def write_entry(path: Path, magic: bytes, parameter: int, count: int, body: bytes) -> None:
    """Write an entry whole or not at all.

    It is not synced: thousands of waits for a disk take minutes, and the checksum notices what a power cut would lose.

    Args:
        path: of the entry.
        magic: eight bytes that name the kind of entry.
        parameter: sample rate of a waveform, width of frames.
        count: samples or frames.
        body: the values.
    Raises:
        StoreError: the store cannot be written.
    """
    try:
        write_bytes(path, _HEADER.pack(magic, zlib.crc32(body), parameter, count) + body, synced=False)
    except OutputError as error:
        raise StoreError(f"the store cannot be written: {error}") from error


def read_entry(path: Path, magic: bytes) -> tuple[int, int, memoryview] | None:
    """Parameter, count and body of an entry; None where it is missing or damaged.

    Raises:
        StoreError: it exists and cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) < _HEADER.size:
        return None
    found, checksum, parameter, count = _HEADER.unpack_from(content)
    body = memoryview(content)[_HEADER.size :]
    if found != magic or zlib.crc32(body) != checksum:
        return None
    return int(parameter), int(count), body
