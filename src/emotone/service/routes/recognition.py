"""Routes that recognise at once, measure a baseline, describe the model, or open a live stream."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from emotone.errors import BaselineError
from emotone.output.objects import RecordingObject
from emotone.service.replies import model_reply
from emotone.service.requests.negotiation import check_request
from emotone.service.requests.settings import RecognitionSettings
from emotone.service.requests.uploads import nameless_upload
from emotone.service.routes.dependencies import Context, text_response, while_connected
from emotone.service.routes.openapi import ALWAYS, BASELINE_BODY, TEXTS, WITH_UPLOAD, problem_responses, recording_body
from emotone.service.routes.parameters import RecognizeQuery
from emotone.service.schemas import BaselineReply, ModelsReply
from emotone.service.stream.connection import serve_stream
from emotone.service.workers.recognition import Task

router = APIRouter(dependencies=[Depends(check_request)])
live = APIRouter()
"""A live stream checks its own request."""


@router.post(
    "/v1/recognize",
    tags=["recognition"],
    summary="Recognise a recording at once",
    response_model=RecordingObject,
    responses={200: {"content": TEXTS}, **problem_responses(*ALWAYS, *WITH_UPLOAD)},
    openapi_extra=recording_body(RecognizeQuery),
)
async def recognize(request: Request, context: Context, query: Annotated[RecognizeQuery, Query()]) -> Response:
    """Send a recording of any audio format, get segments and probabilities."""
    options = context.options
    query.check(context.recognizer.metadata)
    query.text_format(request)
    context.queue.check_place()
    async with (
        context.receiving.place(),
        nameless_upload(request, options, context.jobs.uploads) as (file, upload),
    ):
        query = query.with_fields(upload.fields, request.query_params)
        query.check(context.recognizer.metadata)
        query.check_files(context.recognizer.metadata, upload.extras)
        text_format = query.text_format(request)
        task = Task(query.settings(), text_format, options.max_duration_s, options.request_timeout_s)
        answer = await while_connected(request, context.queue.run(task, file, upload.extras))
    context.metrics.recognition_seconds.observe(answer.seconds)
    context.metrics.audio_seconds.inc(answer.duration_s)
    return text_response(answer.text, text_format)


@router.post(
    "/v1/baseline",
    tags=["recognition"],
    summary="Measure a speaker's baseline for a live stream",
    response_model=BaselineReply,
    responses=problem_responses(*ALWAYS, *WITH_UPLOAD),
    openapi_extra=BASELINE_BODY,
)
async def measure_baseline(request: Request, context: Context) -> Response:
    """Send neutral recordings of one speaker, get the embedding that the first message of a live stream takes."""
    options = context.options
    if not context.recognizer.takes_baseline:
        raise BaselineError(f"The model {context.recognizer.metadata.name!r} takes no baseline.")
    context.queue.check_place()
    async with (
        context.receiving.place(),
        nameless_upload(request, options, context.jobs.uploads, needs_recording=False) as (file, upload),
    ):
        unknown = {*upload.fields, *(one.field for one in upload.extras)} - {"baseline"}
        if unknown:
            raise RequestValidationError(
                [
                    {
                        "loc": ("form", name[:80]),
                        "msg": "Only recordings of one speaker are expected.",
                        "type": "unknown",
                    }
                    for name in sorted(unknown)
                ]
            )
        task = Task(RecognitionSettings(), "json", options.max_duration_s, options.request_timeout_s, kind="baseline")
        answer = await while_connected(request, context.queue.run(task, file, upload.extras))
    return text_response(answer.text, "json")


@router.get(
    "/v1/models",
    tags=["recognition"],
    summary="Describe the model",
    response_model=ModelsReply,
    responses=problem_responses(401, 403, 406, 422, 500, 503),
)
async def models(context: Context) -> ModelsReply:
    """Its labels, its training corpora, and its measured scores with their protocols."""
    return ModelsReply(models=[model_reply(context.recognizer.metadata, context.recognizer.unsure_threshold)])


@live.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Live: see `emotone.service.stream.connection`."""
    await serve_stream(socket, socket.app.state.context)
