"""OpenAPI descriptions of problems, bodies and text formats, which signatures do not contain."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from emotone.service import problems
from emotone.service.requests.extras import EXTRA_FILES
from emotone.service.routes.parameters import MEDIA_TYPES

_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
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


def recording_body(model: type[BaseModel]) -> dict[str, Any]:
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


BASELINE_BODY: dict[str, Any] = {
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

ALWAYS = (401, 403, 406, 422, 429, 431, 500, 503)
WITH_UPLOAD = (400, 408, 413, 415, 507)
TEXTS: dict[str, Any] = {
    kind: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values() if kind != "application/json"
}
