"""The routes of jobs: recordings that are recognised later."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from emotone.output.formats import as_text
from emotone.output.objects import RecordingObject, recognition_of
from emotone.service import problems
from emotone.service.disk import writing
from emotone.service.errors import JobNotDoneError, NotListedError
from emotone.service.job_runner import JobRunner
from emotone.service.jobs.job import Job, State
from emotone.service.replies import job_reply
from emotone.service.requests.negotiation import check_request
from emotone.service.requests.settings import RecognitionSettings
from emotone.service.requests.uploads import Upload, receive_upload, sha256, sync
from emotone.service.routes.dependencies import Context, caller, text_response
from emotone.service.routes.openapi import ALWAYS, TEXTS, WITH_UPLOAD, problem_responses, recording_body
from emotone.service.routes.parameters import JobsQuery, ResultQuery
from emotone.service.schemas import JobReply, JobsReply

router = APIRouter(dependencies=[Depends(check_request)])

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
    "/v1/jobs",
    tags=["jobs"],
    summary="Add a job for a long recording",
    status_code=202,
    response_model=JobReply,
    responses=problem_responses(*ALWAYS, *WITH_UPLOAD),
    openapi_extra=recording_body(RecognitionSettings),
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
        return context.jobs.add(name, stored, caller(request), idempotency_key=idempotency_key, fingerprint=fingerprint)

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
    responses=problem_responses(*ALWAYS, 404, 507),
)
async def list_jobs(request: Request, context: Context, query: Annotated[JobsQuery, Query()]) -> JobsReply:
    """The newest first. Without API keys, callers cannot be distinguished; then only a private service lists jobs."""
    if not context.options.api_keys and not (context.options.is_private and not request.scope.get("forwarded")):
        raise NotListedError(
            "Without API keys, callers cannot be distinguished, so jobs are not listed. Set --api-keys, or keep the id."
        )
    jobs = await run_in_threadpool(
        context.jobs.of_owner, caller(request), state=query.state, limit=query.limit, before=query.before
    )
    return JobsReply(jobs=[_job_reply(request, job) for job in jobs])


@router.get(
    "/v1/jobs/{job_id}",
    tags=["jobs"],
    summary="Get the state of a job",
    response_model=JobReply,
    responses=problem_responses(*ALWAYS, 404, 507),
)
async def get_job(request: Request, job_id: JobId, context: Context) -> JobReply:
    """Queued, running, done or failed; a failed one says why."""
    return _job_reply(request, context.jobs.get(job_id, caller(request)))


@router.get(
    "/v1/jobs/{job_id}/result",
    tags=["jobs"],
    summary="Get the result of a job",
    response_model=RecordingObject,
    responses={200: {"content": TEXTS}, **problem_responses(*ALWAYS, 404, 409, 507)},
)
def get_result(request: Request, job_id: JobId, context: Context, query: Annotated[ResultQuery, Query()]) -> Response:
    """As `/v1/recognize` would have answered."""
    text_format = query.text_format(request)
    job = context.jobs.get(job_id, caller(request))
    if job.state is not State.done or job.result is None:
        raise JobNotDoneError(f"The job is {job.state}. Poll /v1/jobs/{job.id} until it is done.")
    if text_format == "json":
        return text_response(job.result, text_format)
    return text_response(as_text([recognition_of(json.loads(job.result))], text_format), text_format)


@router.delete(
    "/v1/jobs/{job_id}",
    tags=["jobs"],
    summary="Delete a job",
    status_code=204,
    responses=problem_responses(*ALWAYS, 404, 507),
)
async def delete_job(request: Request, job_id: JobId, context: Context) -> Response:
    """In any state; its recording and its result are deleted."""
    await run_in_threadpool(context.jobs.delete, job_id, caller(request))
    request.app.state.runner.cancel(job_id)
    return Response(status_code=204)


def _job_reply(request: Request, job: Job) -> JobReply:
    runner: JobRunner = request.app.state.runner
    if job.problem is not None:
        job = replace(job, problem=problems.below_root_path(job.problem))
    return job_reply(job, *runner.progress(job.id))
