"""Messages between the service and its worker processes, over a Unix socket.

A message is a JSON object, followed by bytes (such as a short recording), with an open file where there is a long one.
"""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

_LENGTHS = struct.Struct(">II")


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        fields: the JSON object.
        content: bytes that follow it.
        file: number of an open file that is passed along; None for none. The receiver owns it.
    """

    fields: dict[str, Any]
    content: bytes = field(default=b"", repr=False)
    file: int | None = None


def send(connection: socket.socket, message: Message) -> None:
    """Send a message.

    Raises:
        OSError: the other end is closed, or the socket's timeout is over.
    """
    fields = json.dumps(message.fields).encode()
    head = _LENGTHS.pack(len(fields), len(message.content))
    # The file travels with the first byte, so that the receiver has it once it has the lengths.
    sent = socket.send_fds(connection, [head], [] if message.file is None else [message.file])
    connection.sendall(head[sent:] + fields)
    if message.content:
        connection.sendall(message.content)


def receive(connection: socket.socket) -> Message:
    """The next message.

    Raises:
        EOFError: the other end is closed.
        TimeoutError: the socket's timeout is over.
    """
    head, files, _, _ = socket.recv_fds(connection, _LENGTHS.size, 1)
    if not head:
        raise EOFError
    head += _exactly(connection, _LENGTHS.size - len(head))
    n_fields, n_content = _LENGTHS.unpack(head)
    fields = json.loads(_exactly(connection, n_fields))
    return Message(fields, _exactly(connection, n_content), files[0] if files else None)


def _exactly(connection: socket.socket, n_bytes: int) -> bytes:
    data = bytearray(n_bytes)
    view = memoryview(data)
    done = 0
    while done < n_bytes:
        received = connection.recv_into(view[done:])
        if not received:
            raise EOFError
        done += received
    return bytes(data)
