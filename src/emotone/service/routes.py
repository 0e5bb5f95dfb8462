"""The routes of the service, under `/v1`, and those by which it is monitored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from emotone.errors import BaselineError
from emotone.output.formats import as_text
from emotone.output.objects import RecordingObject, recognition_of
from emotone.service import metrics, problems
from emotone.service.context import ServiceContext
from emotone.service.disk import writing
from emotone.service.errors import JobNotDoneError, NotListedError
from emotone.service.job_runner import JobRunner
from emotone.service.jobs.job import Job, State
from emotone.service.parameters import MEDIA_TYPES, JobsQuery, RecognizeQuery, ResultQuery
from emotone.service.replies import job_reply, model_reply
from emotone.service.requests.extras import EXTRA_FILES
from emotone.service.requests.negotiation import check_request
from emotone.service.requests.settings import RecognitionSettings
from emotone.service.requests.uploads import Upload, nameless_upload, receive_upload, sha256, sync
from emotone.service.schemas import BaselineReply, HealthReply, JobReply, JobsReply, ModelsReply
from emotone.service.stream import serve_stream
from emotone.service.workers.recognition import Task

_Result = TypeVar("_Result")
_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
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


def _body_with(model: type[BaseModel]) -> dict[str, Any]:
    """The body of a route for its OpenAPI: the recording, with the parameters as form fields."""
    fields = {
        name: {key: value for key, value in one.items() if key != "title"}
        for name, one in model.model_json_schema(ref_template="#/components/schemas/{model}")["properties"].items()
    }
    files = {name: {**_BINARY, "description": description} for name, (_, description) in EXTRA_FILES.items()}
    files["baseline"] = {"type": "array", "items": _BINARY, "description": EXTRA_FILES["baseline"][1]}
    form = {"type": "object", "required": ["file"], "properties": {"file": _BINARY, **files, **fields}}
    return {
        "requestBody": {
            "required": True,
            "description": "A recording of any audio format, as the form field `file` or as the body itself. "
            "Parameters can be form fields instead of being in the query.",
            "content": {
                "multipart/form-data": {"schema": form},
                "application/octet-stream": {"schema": _BINARY},
                "audio/*": {"schema": _BINARY},
            },
        }
    }


_BASELINE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A recording as the body or as the form field `file`, or one or more as form fields `baseline`.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": _BINARY, "baseline": {"type": "array", "items": _BINARY}},
                }
            },
            "application/octet-stream": {"schema": _BINARY},
            "audio/*": {"schema": _BINARY},
        },
    }
}

_ALWAYS = (401, 403, 406, 422, 429, 431, 500, 503)
_WITH_UPLOAD = (400, 408, 413, 415, 507)
_TEXTS: dict[str, Any] = {
    kind: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values() if kind != "application/json"
}

router = APIRouter(dependencies=[Depends(check_request)])
probes = APIRouter()
"""Without checks of the request: monitors send parameters of their own. A live stream checks its own."""


# Asynchronous, though they wait for nothing: FastAPI would run each in a thread.
async def _context(request: Request) -> ServiceContext:
    context: ServiceContext = request.app.state.context
    return context


Context = Annotated[ServiceContext, Depends(_context)]
JobId = Annotated[str, Path(max_length=64, description="as the service gave it")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="chosen by the client, such as a UUID: a repeated request with the same key makes no second job",
    ),
]


@router.post(
    "/v1/recognize",
    tags=["recognition"],
    summary="Recognise a recording at once",
    response_model=RecordingObject,
    responses={200: {"content": _TEXTS}, **_problems(*_ALWAYS, *_WITH_UPLOAD)},
    openapi_extra=_body_with(RecognizeQuery),
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
        answer = await _while_connected(request, context.queue.run(task, file, upload.extras))
    context.metrics.recognition_seconds.observe(answer.seconds)
    context.metrics.audio_seconds.inc(answer.duration_s)
    return _response(answer.text, text_format)


@router.post(
    "/v1/baseline",
    tags=["recognition"],
    summary="Measure a speaker's baseline for a live stream",
    response_model=BaselineReply,
    responses=_problems(*_ALWAYS, *_WITH_UPLOAD),
    openapi_extra=_BASELINE_BODY,
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
        answer = await _while_connected(request, context.queue.run(task, file, upload.extras))
    return _response(answer.text, "json")


@router.post(
    "/v1/jobs",
    tags=["jobs"],
    summary="Add a job for a long recording",
    status_code=202,
    response_model=JobReply,
    responses=_problems(*_ALWAYS, *_WITH_UPLOAD),
    openapi_extra=_body_with(RecognitionSettings),
)
async def add_job(
    request: Request,
    response: Response,
    context: Context,
    query: Annotated[RecognitionSettings, Query()],
    idempotency_key: IdempotencyKey = None,
) -> JobReply:
    """The recording is recognised when its turn comes; a restart of the service loses no job."""
    query.check(context.recognizer.metadata)
    context.queue.check_open()
    if idempotency_key is None:
        context.jobs.check_place()
    space = context.jobs.space
    claimed = 0

    def claim(n_bytes: int) -> None:
        nonlocal claimed
        space.claim(n_bytes)
        claimed += n_bytes

    def keep() -> Job:
        sync(file)
        settings = query.with_fields(upload.fields, request.query_params)
        settings.check(context.recognizer.metadata)
        settings.check_files(context.recognizer.metadata, upload.extras)
        stored = settings.model_dump(exclude_defaults=True)
        context.jobs.add_extras(name, upload.extras)
        content = upload.fingerprint()
        fingerprint = None if content is None else f"{content} {json.dumps(stored)}"
        return context.jobs.add(
            name, stored, _caller(request), idempotency_key=idempotency_key, fingerprint=fingerprint
        )

    async with context.receiving.place():
        with writing():
            name, file = context.jobs.new_upload()
        job = None
        try:
            upload = Upload(file.write, digest=None if idempotency_key is None else sha256())
            with writing(), file:
                await receive_upload(request, context.options, context.options.max_job_upload_bytes, upload, claim)
                # A disk may take seconds for gigabytes; others are answered meanwhile.
                job = await run_in_threadpool(keep)
        finally:
            if job is None or job.upload != name:
                context.jobs.drop_upload(name)
                space.add(-claimed)
            else:
                space.add(job.size - claimed)
    request.app.state.runner.wake()
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/v1/jobs/{job.id}"
    return _job_reply(request, job)


@router.get(
    "/v1/jobs",
    tags=["jobs"],
    summary="List one's own jobs",
    response_model=JobsReply,
    responses=_problems(*_ALWAYS, 404, 507),
)
async def list_jobs(request: Request, context: Context, query: Annotated[JobsQuery, Query()]) -> JobsReply:
    """The newest first. Without API keys, callers cannot be told apart; then only a service for one machine lists."""
    if not context.options.api_keys and not (context.options.is_private and not request.scope.get("forwarded")):
        raise NotListedError(
            "Without API keys, callers cannot be told apart, so jobs are not listed. Set --api-keys, or keep the id."
        )
    jobs = await run_in_threadpool(
        context.jobs.of_owner, _caller(request), state=query.state, limit=query.limit, before=query.before
    )
    return JobsReply(jobs=[_job_reply(request, job) for job in jobs])


@router.get(
    "/v1/jobs/{job_id}",
    tags=["jobs"],
    summary="Get the state of a job",
    response_model=JobReply,
    responses=_problems(*_ALWAYS, 404, 507),
)
async def get_job(request: Request, job_id: JobId, context: Context) -> JobReply:
    """Queued, running, done or failed; a failed one says why."""
    return _job_reply(request, context.jobs.get(job_id, _caller(request)))


@router.get(
    "/v1/jobs/{job_id}/result",
    tags=["jobs"],
    summary="Get the result of a job",
    response_model=RecordingObject,
    responses={200: {"content": _TEXTS}, **_problems(*_ALWAYS, 404, 409, 507)},
)
def get_result(request: Request, job_id: JobId, context: Context, query: Annotated[ResultQuery, Query()]) -> Response:
    """As `/v1/recognize` would have answered."""
    text_format = query.text_format(request)
    job = context.jobs.get(job_id, _caller(request))
    if job.state is not State.done or job.result is None:
        raise JobNotDoneError(f"The job is {job.state}. Poll /v1/jobs/{job.id} until it is done.")
    if text_format == "json":
        return _response(job.result, text_format)
    return _response(as_text([recognition_of(json.loads(job.result))], text_format), text_format)


@router.delete(
    "/v1/jobs/{job_id}",
    tags=["jobs"],
    summary="Delete a job",
    status_code=204,
    responses=_problems(*_ALWAYS, 404, 507),
)
async def delete_job(request: Request, job_id: JobId, context: Context) -> Response:
    """In any state; its recording and its result are deleted."""
    await run_in_threadpool(context.jobs.delete, job_id, _caller(request))
    request.app.state.runner.cancel(job_id)
    return Response(status_code=204)


@router.get(
    "/v1/models",
    tags=["recognition"],
    summary="Describe the model",
    response_model=ModelsReply,
    responses=_problems(401, 403, 406, 422, 500, 503),
)
async def models(context: Context) -> ModelsReply:
    """Its labels, its training corpora, and its measured scores with their protocols."""
    return ModelsReply(models=[model_reply(context.recognizer.metadata, context.recognizer.unsure_threshold)])


@probes.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """Live: see `emotone.service.stream`."""
    await serve_stream(socket, socket.app.state.context)


@probes.get("/healthz", tags=["monitoring"], summary="Whether the process lives", response_model=HealthReply)
async def health() -> HealthReply:
    """For a supervisor, which restarts it when there is no answer."""
    return HealthReply(status="alive")


@probes.get(
    "/readyz",
    tags=["monitoring"],
    summary="Whether a request would be answered soon",
    response_model=HealthReply,
    responses={503: {"model": HealthReply}},
)
async def ready(context: Context, response: Response) -> HealthReply:
    """For a load balancer: 503 while the service shuts down, or while its queue is full or does not move."""
    if not context.draining and not context.queue.stalled:
        return HealthReply(status="ready")
    response.status_code = 503
    return HealthReply(status="ending" if context.draining else "busy")


@probes.get(
    "/metrics",
    tags=["monitoring"],
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **_problems(401)},
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
    tags=["monitoring"],
    summary="Explain a type of problem",
    response_model=dict[str, Any],
    responses=_problems(403, 404, 406, 422, 500, 503),
)
async def explain(name: str) -> Mapping[str, Any]:
    """The title and status of a type of problem, by the end of its `type`."""
    if (kind := problems.named(name)) is None:
        raise HTTPException(404, f"Unknown type of problem. Known: {', '.join(problems.NAMES)}.")
    return {"type": problems.type_of(kind), "title": kind.title, "status": kind.status}


def _caller(request: Request) -> str:
    caller: str = request.scope.get("caller", "")
    return caller


def _job_reply(request: Request, job: Job) -> JobReply:
    runner: JobRunner = request.app.state.runner
    if job.problem is not None:
        job = replace(job, problem=problems.below_root_path(job.problem))
    return job_reply(job, *runner.progress(job.id))


async def _while_connected(request: Request, work: Coroutine[Any, Any, _Result]) -> _Result:
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


def _response(text: str, text_format: str) -> Response:
    return Response(text.encode("utf-8"), media_type=MEDIA_TYPES[text_format])
