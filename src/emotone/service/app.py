"""The ASGI application."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from emotone import __version__
from emotone.listening.loading import load
from emotone.service import problems
from emotone.service.context import JOB_NICENESS, ServiceContext
from emotone.service.job_runner import JobRunner
from emotone.service.jobs.store import JobStore
from emotone.service.middleware import ServiceMiddleware, page_policy
from emotone.service.options import ServiceOptions
from emotone.service.routes import examples, monitoring, recognition
from emotone.service.routes import jobs as job_routes
from emotone.service.schemas import RECORDING_EXAMPLE, JobReply, JobsReply, ProblemReply
from emotone.service.workers.process import WorkerPool

STATIC = Path(__file__).parent / "static"

_ABOUT = """Speech emotion recognition with calibrated probabilities.

Errors are problem details (RFC 9457). A model classifies how a voice sounds, not what a person feels: see the page at
`/`.
"""


def make_context(
    options: ServiceOptions, make_pool: Callable[[Path | None, int, int], WorkerPool] = WorkerPool
) -> ServiceContext:
    """Load the model and open the jobs.

    Args:
        options: of the service.
        make_pool: called with the model, the most processes and their niceness.
    Raises:
        ModelFileError: the model cannot be used.
        OutputError: the folder for the data cannot be used.
    """
    recognizer = load(options.model)
    jobs = JobStore(
        options.data_dir,
        max_queued=options.max_queued_jobs,
        max_attempts=options.job_attempts,
        max_bytes=options.max_job_bytes,
    )
    workers = make_pool(options.model, 2 * options.max_running, 0)
    job_workers = make_pool(options.model, 1, JOB_NICENESS)
    return ServiceContext(options, recognizer, jobs, workers, job_workers)


def create_app(context: ServiceContext) -> FastAPI:
    """The service as an ASGI application.

    Args:
        context: made by `make_context`; the application closes it when it ends.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(context.workers.start)
        app.state.runner.start()
        yield
        context.drain()
        context.queue.cancel_all()
        await run_in_threadpool(app.state.runner.stop)
        await run_in_threadpool(context.queue.close)
        context.workers.close()
        context.job_workers.close()
        context.jobs.close()

    # FastAPI's own documentation page loads scripts from other hosts; ours is at /docs.
    app = FastAPI(title="emotone", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.context = context
    app.state.runner = JobRunner(context)
    context.on_drain = app.state.runner.begin_stop
    problems.add_handlers(app)
    for routes in (recognition, job_routes, monitoring, examples):
        app.include_router(routes.router)
    for unchecked in (recognition.live, monitoring.probes):
        app.include_router(unchecked)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _add_pages(app)
    app.add_middleware(ServiceMiddleware)
    if context.options.cors_origins:
        # Outside of the other, so that its errors have these headers too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=context.options.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "X-API-Key", "Content-Type", "Idempotency-Key"],
            expose_headers=["Location", "Retry-After", "X-Request-ID", "Allow"],
        )
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return _page("index.html")

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> HTMLResponse:
        return _page("api.html")

    @app.get("/favicon.ico", include_in_schema=False)
    async def icon(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/static/icon.svg")


def _page(name: str) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    content = (STATIC / name).read_text(encoding="utf-8").replace("{{nonce}}", nonce)
    return HTMLResponse(content, headers={"Content-Security-Policy": page_policy(nonce), "Cache-Control": "no-store"})


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title="emotone", version=__version__, description=_ABOUT, routes=app.routes)
        schemas = schema["components"]["schemas"]
        schemas["ProblemReply"] = ProblemReply.model_json_schema()
        # FastAPI drops null values, in examples too.
        schemas["RecordingObject"]["example"] = RECORDING_EXAMPLE
        for reply in (JobReply, JobsReply):
            schemas[reply.__name__]["example"] = reply.model_json_schema()["example"]
        # Ours are problem details, not FastAPI's own form of a validation error.
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path in schema["paths"].values():
            for operation in path.values():
                content = operation.get("responses", {}).get("422", {}).get("content", {})
                if "application/json" in content:
                    content.pop("application/json")
                    content[problems.MEDIA_TYPE] = {"schema": {"$ref": "#/components/schemas/ProblemReply"}}
        schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{}, {"key": []}]
        app.openapi_schema = schema
    return app.openapi_schema
