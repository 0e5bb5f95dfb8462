"""The sound of a stream: from messages to blocks of samples, in the stream's thread."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from emotone.audio import stream_audio
from emotone.service.workers.recognition import SOURCE

_HEAD_BYTES = 4096
_SAMPLE = np.dtype("<i2")


class ClosedError(Exception):
    """The client is gone."""


class Pipe:
    """The messages of a stream as a file that cannot seek.

    A recording's first 64 KiB are read at once to see what it is; live, these are many seconds. So the first reads end
    early, once there is enough to tell.
    """

    name = SOURCE

    def __init__(self, sound: queue.Queue[bytes]) -> None:
        self._sound = sound
        self._rest = b""
        self._given = 0
        self._head_ended = False
        self._ended = False
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Wait for the next bytes; empty at the end, and once after the head."""
        if self._given >= _HEAD_BYTES and not self._head_ended:
            self._head_ended = True
            return b""
        while not self._rest and not self._ended:
            self._rest = self._sound.get()
            if self.closed:
                raise ClosedError
            self._ended = not self._rest
        piece, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        self._given += len(piece)
        return piece

    def seekable(self) -> bool:
        """It cannot seek."""
        return False

    def readable(self) -> bool:
        """It can be read."""
        return True


def pcm_blocks(pipe: Pipe) -> Iterator[npt.NDArray[np.int16]]:
    """Samples as they come; a message may end within one."""
    odd = b""
    pipe._head_ended = True
    while piece := pipe.read():
        piece = odd + piece
        whole = len(piece) // 2 * 2
        odd = piece[whole:]
        if whole:
            yield np.frombuffer(piece[:whole], _SAMPLE).astype(np.int16)


def decoded_blocks(pipe: Pipe, sample_rate: int) -> Iterator[npt.NDArray[np.float32]]:
    """The sound of a container, such as webm, as it comes."""
    return stream_audio(cast(BinaryIO, pipe), sample_rate=sample_rate, block_s=0.1)
