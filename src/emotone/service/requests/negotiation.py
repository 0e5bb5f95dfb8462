"""What a request may ask for: the methods of a path, the query parameters of its route, media types by `Accept`.

The OpenAPI description says which parameters and media types a route has; what it does not list is refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.routing import Match, Mount
from starlette.types import Scope

from emotone.service.errors import NotAcceptableError

ROUTED_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def allowed_methods(scope: Scope) -> str:
    """The methods that a path has, as in an `Allow` header; empty for a path that does not exist."""
    found = set()
    for route in scope["app"].router.routes:
        for method in ("GET",) if isinstance(route, Mount) else ROUTED_METHODS:
            match, _ = route.matches({**scope, "type": "http", "method": method})
            if match is Match.FULL:
                found.add(method)
    if "GET" in found:
        found.add("HEAD")
    return ", ".join(sorted(found | {"OPTIONS"})) if found else ""


def quality(accept: str | None, media_type: str) -> float:
    """How much a client wants a media type, from 0 to 1 (RFC 9110, 12.5.1); the most specific range decides.

    >>> quality("text/*;q=0.5, application/json", "text/csv"), quality("text/csv", "application/json")
    (0.5, 0.0)
    """
    if accept is None or not accept.strip():
        return 1.0
    found, best = 0.0, -1
    for part in accept.split(","):
        wanted, *parameters = (word.strip().lower() for word in part.split(";"))
        ranges = (wanted == "*/*", wanted == f"{media_type.split('/')[0]}/*", wanted == media_type)
        if not any(ranges):
            continue
        specificity = max(index for index, fits in enumerate(ranges) if fits)
        if specificity >= best:
            best, found = specificity, _weight(parameters)
    return found


def _weight(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def check_accept(request: Request, media_types: Collection[str]) -> None:
    """Check that a client accepts one of the media types that a route has.

    Raises:
        NotAcceptableError: it accepts none.
    """
    accept = request.headers.get("accept")
    if media_types and not any(quality(accept, one) for one in media_types):
        raise NotAcceptableError(
            f"Accept: {(accept or '')[:80]} cannot be satisfied. Available: {', '.join(sorted(media_types))}."
        )


async def check_request(request: Request) -> None:
    """Refuse query parameters and media types that the route does not have.

    Raises:
        RequestValidationError: a parameter is unknown, or given more than once.
        NotAcceptableError: the client accepts no media type of the answer.
    """
    operation = _operation(request)
    known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    names = [name for name, _ in request.query_params.multi_items()]
    wrong = [
        {"loc": ("query", name[:80]), "msg": unknown_parameter(name, known), "type": "unknown"}
        for name in dict.fromkeys(names)
        if name not in known
    ]
    wrong += [
        {"loc": ("query", name), "msg": "The parameter is given more than once.", "type": "twice"}
        for name in known
        if names.count(name) > 1
    ]
    if wrong:
        raise RequestValidationError(wrong)
    answers = (answer for status, answer in operation.get("responses", {}).items() if status.startswith("2"))
    check_accept(request, {kind for answer in answers for kind in answer.get("content", ())})


def unknown_parameter(name: str, known: Collection[str]) -> str:
    """What to say of a parameter that does not exist.

    >>> unknown_parameter("chanels", ["channels", "window"])
    'Unknown parameter. Did you mean channels?'
    """
    if close := difflib.get_close_matches(name, known, n=1):
        return f"Unknown parameter. Did you mean {close[0]}?"
    return f"Unknown parameter. Known: {', '.join(known)}." if known else "Unknown parameter; none are known here."


def _operation(request: Request) -> dict[str, Any]:
    path = getattr(request.scope.get("route"), "path", "")
    operations = request.app.openapi()["paths"].get(path, {})
    operation: dict[str, Any] = operations.get(request.method.lower(), {})
    return operation
