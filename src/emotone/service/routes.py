"""The routes of the service, under `/v1`, and those by which it is watched."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, WebSocket
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from emotone.output.formats import FORMATS, TEXT_FORMATS, as_text
from emotone.service import metrics, problems
from emotone.service.context import SOURCE, RecognitionSettings, ServiceContext
from emotone.service.disk import writing
from emotone.service.errors import JobNotDoneError
from emotone.service.jobs import Job, State
from emotone.service.replies import job_reply, model_reply, recognition_of
from emotone.service.schemas import HealthReply, JobReply, ModelsReply, RecognitionReply
from emotone.service.stream import serve_stream
from emotone.service.uploads import nameless_upload, own_handle, save_upload, sync

Format = StrEnum("Format", {name: name for name in ("json", *(name for name in TEXT_FORMATS if name != "json"))})  # type: ignore[misc]
JSON = Format("json")

_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
_UPLOAD = {
    "requestBody": {
        "required": True,
        "description": "A recording of any audio format: as the field `file` of a form, or as the body itself.",
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file"], "properties": {"file": _BINARY}}
            },
            "application/octet-stream": {"schema": _BINARY},
            "audio/*": {"schema": _BINARY},
        },
    }
}


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer, for its OpenAPI."""
    titles: dict[int, list[str]] = {}
    for kind in problems.ALL_KINDS:
        titles.setdefault(kind.status, []).append(kind.title)
    schema = {"$ref": "#/components/schemas/ProblemReply"}
    return {
        status: {
            "description": "; ".join(titles.get(status, ["Problem"])),
            "content": {problems.MEDIA_TYPE: {"schema": schema}},
        }
        for status in statuses
    }


_ALWAYS = (401, 403, 429, 431, 500)
_WITH_UPLOAD = (400, 408, 413, 415, 422, 507)
_TEXTS: dict[str, Any] = {
    FORMATS[name].media_type: {"schema": {"type": "string"}} for name in TEXT_FORMATS if name != "json"
}

router = APIRouter()


# Asynchronous, though they wait for nothing: FastAPI would give each its own trip to a thread.
async def _context(request: Request) -> ServiceContext:
    context: ServiceContext = request.app.state.context
    return context


async def _settings(
    channels: Annotated[
        Literal["mix", "split"], Query(description="mix them to one, or judge each on its own, as the sides of a call")
    ] = "mix",
    window: Annotated[
        float | None,
        Query(gt=0, le=60, allow_inf_nan=False, description="length of a window in s; the model's own without"),
    ] = None,
    threshold: Annotated[
        float | None,
        Query(ge=0, le=1, allow_inf_nan=False, description="a confidence below is unsure; the model's own without"),
    ] = None,
) -> RecognitionSettings:
    return RecognitionSettings(channels, window, threshold)


Context = Annotated[ServiceContext, Depends(_context)]
Settings = Annotated[RecognitionSettings, Depends(_settings)]
TheFormat = Annotated[Format, Query(alias="format", description="of the answer")]
JobId = Annotated[str, Path(max_length=64, description="as the service gave it")]


@router.post(
    "/v1/recognize",
    tags=["recognition"],
    summary="Judge a recording at once",
    response_model=RecognitionReply,
    responses={200: {"content": _TEXTS}, **_refusals(*_ALWAYS, *_WITH_UPLOAD, 503)},
    openapi_extra=_UPLOAD,
)
async def recognize(request: Request, context: Context, settings: Settings, text_format: TheFormat = JSON) -> Response:
    """Send a recording of any audio format, get segments and probabilities."""
    options = context.options
    context.check_settings(settings)
    context.queue.check_place()
    async with context.receiving.place(), nameless_upload(request, options, context.jobs.uploads) as file:

        def work(cancelled: Any) -> str:
            # The thread's own handle: after a time limit the work may last longer than this request.
            with own_handle(file) as recording:
                reply = context.judge(
                    recording,
                    settings,
                    cancelled,
                    max_duration_s=options.max_duration_s,
                    timeout_s=options.request_timeout_s,
                )
                return _text(reply, text_format)

        text = await context.queue.do(work, options.request_timeout_s)
    return _response(text, text_format)


@router.post(
    "/v1/jobs",
    tags=["jobs"],
    summary="Leave a long recording",
    status_code=202,
    response_model=JobReply,
    responses=_refusals(*_ALWAYS, *_WITH_UPLOAD),
    openapi_extra=_UPLOAD,
)
async def add_job(request: Request, response: Response, context: Context, settings: Settings) -> JobReply:
    """The recording is judged when its turn comes; a restart of the service loses no job."""
    context.check_settings(settings)
    context.jobs.check_place()

    def keep() -> Job:
        sync(file)
        return context.jobs.add(name, settings.as_dict(), _caller(request))

    async with context.receiving.place():
        with writing():
            name, file = context.jobs.new_upload()
        try:
            with writing(), file:
                await save_upload(request, context.options, context.options.max_job_upload_bytes, file)
                # A disk may take seconds for gigabytes; others are answered meanwhile.
                job = await run_in_threadpool(keep)
        except BaseException:
            context.jobs.drop_upload(name)
            raise
    request.app.state.runner.wake()
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job_reply(job)


@router.get(
    "/v1/jobs/{job_id}",
    tags=["jobs"],
    summary="How a job stands",
    response_model=JobReply,
    responses=_refusals(*_ALWAYS, 404, 422, 507),
)
async def get_job(request: Request, job_id: JobId, context: Context) -> JobReply:
    """Queued, running, done or failed; a failed one says why."""
    return job_reply(context.jobs.get(job_id, _caller(request)))


@router.get(
    "/v1/jobs/{job_id}/result",
    tags=["jobs"],
    summary="What a job found",
    response_model=RecognitionReply,
    responses={200: {"content": _TEXTS}, **_refusals(*_ALWAYS, 404, 409, 422, 507)},
)
def get_result(request: Request, job_id: JobId, context: Context, text_format: TheFormat = JSON) -> Response:
    """As `/v1/recognize` would have answered."""
    job = context.jobs.get(job_id, _caller(request))
    if job.state is not State.done or job.result is None:
        raise JobNotDoneError(f"the job is {job.state}; ask /v1/jobs/{job.id} until it is done")
    if text_format is JSON:
        return _response(job.result, text_format)
    return _response(_text(RecognitionReply.model_validate_json(job.result), text_format), text_format)


@router.delete(
    "/v1/jobs/{job_id}",
    tags=["jobs"],
    summary="Forget a job",
    status_code=204,
    responses=_refusals(*_ALWAYS, 404, 422, 507),
)
async def delete_job(request: Request, job_id: JobId, context: Context) -> Response:
    """Whatever its state; its recording and its result are deleted."""
    await run_in_threadpool(context.jobs.delete, job_id, _caller(request))
    request.app.state.runner.cancel(job_id)
    return Response(status_code=204)


@router.get(
    "/v1/models",
    tags=["recognition"],
    summary="Which model judges",
    response_model=ModelsReply,
    responses=_refusals(401, 403, 500),
)
async def models(context: Context) -> ModelsReply:
    """What it tells apart, what it learnt from, and its measured scores with their protocols."""
    return ModelsReply(models=[model_reply(context.recognizer.metadata, context.recognizer.unsure_threshold)])


@router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Live: see `emotone.service.stream`."""
    await serve_stream(socket, socket.app.state.context)


@router.get("/healthz", tags=["watching"], summary="Whether it lives", response_model=HealthReply)
async def health() -> HealthReply:
    """For a supervisor: no answer means start it again."""
    return HealthReply(status="alive")


@router.get(
    "/readyz",
    tags=["watching"],
    summary="Whether it can work",
    response_model=HealthReply,
    responses={503: {"model": HealthReply}},
)
async def ready(context: Context, response: Response) -> HealthReply:
    """For a balancer: 503 while it ends, or while its queue is full."""
    if context.ready and context.queue.waiting < context.options.max_waiting:
        return HealthReply(status="ready")
    response.status_code = 503
    return HealthReply(status="busy" if context.ready else "ending")


@router.get(
    "/metrics",
    tags=["watching"],
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **_refusals(401)},
)
async def figures(context: Context) -> Response:
    """Requests, times, queues, jobs."""
    context.metrics.running.set(context.queue.running)
    context.metrics.waiting.set(context.queue.waiting)
    for state, count in context.jobs.counts().items():
        context.metrics.jobs.labels(state.value).set(count)
    return Response(context.metrics.text(), media_type=metrics.MEDIA_TYPE)


@router.get(
    "/problems/{name}",
    tags=["watching"],
    summary="What a problem means",
    response_model=dict[str, Any],
    responses=_refusals(403, 404, 422, 500),
)
async def explain(name: str) -> Mapping[str, Any]:
    """The title and status of a kind of problem, by the end of its type."""
    if (kind := problems.named(name)) is None:
        raise HTTPException(404, f"no such kind of problem; known are {', '.join(problems.NAMES)}")
    return {"type": f"/problems/{kind.name}", "title": kind.title, "status": kind.status}


def _caller(request: Request) -> str:
    caller: str = request.scope.get("caller", "")
    return caller


def _text(reply: RecognitionReply, text_format: Format) -> str:
    if text_format is JSON:
        return reply.model_dump_json()
    return as_text([recognition_of(reply, SOURCE)], text_format.value)


def _response(text: str, text_format: Format) -> Response:
    return Response(text.encode("utf-8"), media_type=FORMATS[text_format.value].media_type)
