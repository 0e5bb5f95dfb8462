"""Routes by which the service is monitored, and the explanations of its problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import Response

from emotone.service import metrics, problems
from emotone.service.requests.negotiation import check_request
from emotone.service.routes.dependencies import Context
from emotone.service.routes.openapi import problem_responses
from emotone.service.schemas import HealthReply

router = APIRouter(dependencies=[Depends(check_request)])
probes = APIRouter()
"""Without checks of the request: monitors send parameters of their own."""


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
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problem_responses(401)},
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
    responses=problem_responses(403, 404, 406, 422, 500, 503),
)
async def explain(name: str) -> Mapping[str, Any]:
    """The title and status of a type of problem, by the end of its `type`."""
    if (kind := problems.named(name)) is None:
        raise HTTPException(404, f"Unknown type of problem. Known: {', '.join(problems.NAMES)}.")
    return {"type": problems.type_of(kind), "title": kind.title, "status": kind.status}
