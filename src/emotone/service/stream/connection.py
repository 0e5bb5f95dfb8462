"""`WS /v1/stream`: sound as it comes, segments as they become known.

The client sends one JSON message, `{"type": "start", "encoding": "pcm16", "sample_rate": 48000}`, then binary messages
of mono 16-bit little-endian samples; with `"encoding": "container"` the bytes of a file as the browser records it (webm
with opus, ogg). `{"type": "stop"}` ends the sound. The service sends JSON: `ready`, `current` (a segment that is not
final yet), `segment` (final), `done` (the whole stream, as a segment), or `problem`. Each stream has a thread, and a
queue that slows its client down.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread
from time import monotonic
from typing import Any, cast

import numpy.typing as npt
from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from emotone.audio import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from emotone.errors import EmotoneError
from emotone.listening.live import LiveRecognizer
from emotone.output.objects import segment_object
from emotone.service.access.keys import bearer, check_key
from emotone.service.access.limits import SocketPlace
from emotone.service.context import ServiceContext
from emotone.service.errors import (
    RequestError,
    ShuttingDownError,
    SlowClientError,
    StreamError,
    TimeLimitError,
    TooLongError,
)
from emotone.service.middleware import authorize
from emotone.service.problems import problem_of, respond_to
from emotone.service.stream.sound import ClosedError, Pipe, decoded_blocks, pcm_blocks
from emotone.service.stream.start import Start, recognizer_of

_log = logging.getLogger("emotone.service")

_WAITING_MESSAGES = 32
_BURST_S = 60.0
_FASTEST = 20.0
"""A stream is processed at most so many times faster than it would be played, but for its first `_BURST_S`: a message
of some formats can hold an hour of silence."""
_LAST_S = 15.0
_LAST_SHARE = 0.4
"""For the last segments when the service shuts down, in seconds and as a share of the drain time."""
_REFUSED = 1008
_RESTART = 1012


async def serve_stream(socket: WebSocket, context: ServiceContext) -> None:
    """One live stream, from its first message to its end.

    Args:
        socket: not accepted yet.
        context: of the service.
    """
    try:
        context.queue.check_open()
        authorize(context, socket.scope, socket.headers, with_key=False)
    except RequestError as error:
        response = respond_to(error)
        try:
            await socket.send_denial_response(response)
        except RuntimeError:  # the server cannot send one
            await socket.close(_REFUSED)
        return
    await socket.accept()
    try:
        stream = _Stream(socket, context)
        # A client that has not shown a key yet takes no place from those that have.
        async with context.arriving.place():
            start = await stream.first_message()
        async with context.streams.place() as place:
            context.metrics.streams.inc()
            try:
                await stream.run(start, place)
            finally:
                context.metrics.streams.dec()
    except WebSocketDisconnect:
        return
    except Exception as error:
        if not isinstance(error, EmotoneError):
            _log.exception("stream failed")
        await _send_problem(socket, error)


async def _send_problem(socket: WebSocket, error: Exception) -> None:
    try:
        await socket.send_json({"type": "problem", "problem": problem_of(error)})
        code = _RESTART if isinstance(error, ShuttingDownError) else _REFUSED
        await socket.close(code if isinstance(error, EmotoneError) else 1011)
    except (WebSocketDisconnect, RuntimeError):
        return


class _Stream:
    """A stream that was accepted."""

    def __init__(self, socket: WebSocket, context: ServiceContext) -> None:
        self._socket, self._context = socket, context
        self._loop = asyncio.get_running_loop()
        self._sound: queue.Queue[bytes] = queue.Queue(_WAITING_MESSAGES)

    async def run(self, start: Start, place: SocketPlace) -> None:
        recognizer = recognizer_of(self._context, start)
        metadata = self._context.recognizer.metadata
        rate = start.sample_rate or metadata.sample_rate
        live = LiveRecognizer(recognizer, rate if start.encoding == "pcm16" else metadata.sample_rate)
        pipe = Pipe(self._sound)
        blocks = pcm_blocks(pipe) if start.encoding == "pcm16" else decoded_blocks(pipe, metadata.sample_rate)
        outcome: asyncio.Future[None] = self._loop.create_future()
        thread = Thread(target=self._listen, args=(live, blocks, outcome, pipe), name="stream", daemon=True)
        await self._socket.send_json({"type": "ready", "labels": list(recognizer.labels), "model": metadata.name})
        thread.start()
        receiving = asyncio.ensure_future(self._receive(place))
        ending = asyncio.ensure_future(self._context.ending.wait())
        # The sound may end first; then the outcome of receiving is not asked for.
        receiving.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            ends: set[asyncio.Future[Any]] = {receiving, outcome, ending}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            stopped = receiving.done()
            if stopped:
                receiving.result()
                timeout_s = self._context.options.request_timeout_s
                ends = {outcome, ending}
                await asyncio.wait(ends, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if ending.done() and not outcome.done():
                receiving.cancel()
                await self._last_segments(outcome)
                if not stopped or not outcome.done():
                    raise ShuttingDownError
            if not outcome.done():
                raise TimeLimitError("The end of the stream was not recognised in time. Send less sound at once.")
            outcome.result()
            done = {"type": "done", "duration_s": round(live.duration_s, 6), **segment_object(live.summary)}
            await self._socket.send_json(done)
            await self._socket.close()
        finally:
            receiving.cancel()
            ending.cancel()
            pipe.closed = True
            await self._put(b"", patience=False)

    async def _last_segments(self, outcome: asyncio.Future[None]) -> None:
        """Recognise the sound that has been received, for a part of the drain time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(_LAST_S, _LAST_SHARE * self._context.options.drain_s)):
                # Where the thread is behind, the queue has no room for the end.
                await self._put(b"")
                await asyncio.wait({outcome})

    async def first_message(self) -> Start:
        message = await self._next()
        try:
            start = Start.model_validate_json(message.get("text") or "")
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, one['loc']))} {one['msg']}".strip() for one in error.errors())
            raise StreamError(f'The first message must be {{"type": "start", ...}}: {wrong}') from error
        if names := ", ".join(sorted(self._socket.query_params)):
            raise StreamError(
                f"Unknown query parameters: {names[:80]}. Settings and the key belong in the first message."
            )
        options = self._context.options
        if options.api_keys:
            headers = self._socket.headers
            key = start.key or bearer(headers.get("authorization")) or headers.get("x-api-key")
            self._socket.scope["caller"] = check_key(options.api_keys, key)
        if start.encoding == "pcm16" and not MIN_SAMPLE_RATE <= (start.sample_rate or 0) <= MAX_SAMPLE_RATE:
            raise StreamError(f"pcm16 needs a sample_rate from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}.")
        return start

    async def _receive(self, place: SocketPlace) -> None:
        """Everything until `stop`; an empty piece ends the sound."""
        while True:
            message = await self._next()
            if (sound := message.get("bytes")) is not None:
                if sound:
                    place.received(len(sound))
                    await self._put(sound)
                continue
            try:
                kind = json.loads(message.get("text") or "")["type"]
            except (ValueError, KeyError, TypeError) as error:
                raise StreamError('Expected sound as a binary message, or {"type": "stop"}.') from error
            if kind != "stop":
                raise StreamError(f'Unknown message type {str(kind)[:40]!r}. Expected sound, or {{"type": "stop"}}.')
            await self._put(b"")
            return

    async def _next(self) -> dict[str, Any]:
        idle_s = self._context.options.idle_timeout_s
        try:
            message = await asyncio.wait_for(self._socket.receive(), idle_s)
        except TimeoutError:
            raise SlowClientError(f"No message was received for {idle_s:g} s.") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        return cast(dict[str, Any], message)

    async def _put(self, piece: bytes, *, patience: bool = True) -> None:
        while True:
            try:
                self._sound.put_nowait(piece)
                return
            except queue.Full:
                if not patience:
                    return
                # Not receiving is what holds the client back.
                await asyncio.sleep(0.01)

    def _listen(
        self, live: LiveRecognizer, blocks: Iterator[npt.NDArray[Any]], outcome: asyncio.Future[None], pipe: Pipe
    ) -> None:
        """In the stream's thread."""
        error: Exception | None = None
        current = None
        begun = monotonic()
        longest_s = self._context.options.max_stream_s
        try:
            for block in blocks:
                if pipe.closed:
                    raise ClosedError
                for segment in live.feed(block):
                    self._send({"type": "segment", **segment_object(segment)})
                if live.current is not None and live.current is not current:
                    current = live.current
                    self._send({"type": "current", **segment_object(current)})
                if live.duration_s > longest_s:
                    raise TooLongError(f"The stream is longer than {longest_s:g} s, the limit. Start another one.")
                ahead_s = live.duration_s - _BURST_S - _FASTEST * (monotonic() - begun)
                if ahead_s > 0:
                    time.sleep(min(ahead_s / _FASTEST, 1.0))
            for segment in live.finish():
                self._send({"type": "segment", **segment_object(segment)})
            self._context.metrics.audio_seconds.inc(live.duration_s)
        except ClosedError:
            pass
        except Exception as found:
            error = found
        # The loop may have ended with the service.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_settle, outcome, error)

    def _send(self, message: dict[str, Any]) -> None:
        sending = asyncio.run_coroutine_threadsafe(self._socket.send_json(message), self._loop)
        try:
            sending.result(self._context.options.idle_timeout_s)
        except TimeoutError:
            sending.cancel()
            raise SlowClientError("The client does not read its messages.") from None
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ClosedError from error


def _settle(outcome: asyncio.Future[None], error: Exception | None) -> None:
    if outcome.done():
        return
    if error is None:
        outcome.set_result(None)
    else:
        outcome.set_exception(error)
        outcome.exception()
