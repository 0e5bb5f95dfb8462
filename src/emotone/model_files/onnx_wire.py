"""Reads as much of ONNX's protobuf as a model file needs before a runtime opens it; the plain install has no `onnx`.

Conventions: a message is a sequence of fields; a field's value is a number, or the raw bytes of a string or of a
message. Everything is read in place and without recursion, so that a hostile file costs no more than its own size.
Files are written with the package `onnx`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

# Field numbers of onnx.proto.
GRAPH, METADATA_PROPS = 7, 14
_FUNCTIONS = 25
_DATA_LOCATION, _EXTERNAL = 14, 1

# Kind of message -> number of a field that holds messages -> their kind; all paths that lead to a tensor.
_PARTS: dict[str, dict[int, str]] = {
    "model": {GRAPH: "graph", _FUNCTIONS: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}


class DamagedError(Exception):
    """The bytes are not a protobuf message."""


class Field(NamedTuple):
    """One field of a message."""

    number: int
    value: int | memoryview


def spans(message: bytes | memoryview) -> Iterator[Field]:
    r"""The fields of a message, in order.

    Raises:
        DamagedError: a field is cut short or of no known wire type.

    >>> [(one.number, bytes(one.value)) for one in spans(b"\n\3key\x12\5value")]
    [(1, b'key'), (2, b'value')]
    """
    view = memoryview(message)
    position = 0
    while position < len(view):
        key, position = _varint(view, position)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise DamagedError
        if wire == 0:
            value, position = _varint(view, position)
            yield Field(number, value)
            continue
        if wire == 2:
            size, position = _varint(view, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise DamagedError
        if position + size > len(view):
            raise DamagedError
        yield Field(number, view[position : position + size])
        position += size


def has_external_data(model: bytes) -> bool:
    """Whether any tensor of a model declares that its data is in another file.

    Raises:
        DamagedError: the bytes are not a model.
    """
    waiting = [("model", memoryview(model))]
    while waiting:
        kind, message = waiting.pop()
        parts = _PARTS[kind]
        for one in spans(message):
            if kind == "tensor" and one.number == _DATA_LOCATION and one.value == _EXTERNAL:
                return True
            if one.number in parts:
                if isinstance(one.value, int):
                    raise DamagedError
                waiting.append((parts[one.number], one.value))
    return False


def string_entry(value: int | memoryview) -> tuple[str, str]:
    """Key and value of one entry of a model's metadata.

    Raises:
        DamagedError: it is not such an entry.
    """
    if isinstance(value, int):
        raise DamagedError
    parts = {one.number: one.value for one in spans(value) if not isinstance(one.value, int)}
    try:
        return str(parts.get(1, b""), "utf-8"), str(parts.get(2, b""), "utf-8")
    except UnicodeDecodeError as error:
        raise DamagedError from error


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(view) and shift < 64:
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise DamagedError
