"""What several routes need: the context, the caller, an answer that a closed connection cancels."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from emotone.service.context import ServiceContext
from emotone.service.routes.parameters import MEDIA_TYPES

_Result = TypeVar("_Result")


# Asynchronous, though they wait for nothing: FastAPI would run each in a thread.
async def _context(request: Request) -> ServiceContext:
    context: ServiceContext = request.app.state.context
    return context


Context = Annotated[ServiceContext, Depends(_context)]


def caller(request: Request) -> str:
    """Who sent a request, for the ownership of jobs: empty without API keys."""
    name: str = request.scope.get("caller", "")
    return name


async def while_connected(request: Request, work: Coroutine[Any, Any, _Result]) -> _Result:
    """Await work, and cancel it when the client closes the connection.

    Raises:
        ClientDisconnect: the client is gone.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_until_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _until_disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def text_response(text: str, text_format: str) -> Response:
    """A text in the media type of its format."""
    return Response(text.encode("utf-8"), media_type=MEDIA_TYPES[text_format])
