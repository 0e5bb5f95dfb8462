"""A few of the bundled recordings, for visitors of the page who have none at hand."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse
from pydantic import BaseModel

_CLIPS = Path(__file__).parents[2] / "clips"
router = APIRouter(include_in_schema=False)


class Example(BaseModel):
    """One recording: its name under `/examples/`, what its actor was asked to play, and its media type."""

    name: str
    title: str
    media_type: str


def _example(name: str, title: str, media_type: str, path: str) -> tuple[Example, str]:
    return Example(name=name, title=title, media_type=media_type), path


_EXAMPLES = {
    example.name: (example, path)
    for example, path in (
        _example("anger-german.flac", "anger, in German", "audio/flac", "emodb/03a01Wa.flac"),
        _example("happiness-german.flac", "happiness, in German", "audio/flac", "emodb/03a01Fa.flac"),
        _example("neutral-english.opus", "no emotion, in English", "audio/ogg", "crema-d/1001_DFA_NEU_XX.opus"),
    )
}


@router.get("/examples")
async def examples() -> list[Example]:
    """The recordings that `example` serves."""
    return [example for example, _ in _EXAMPLES.values()]


@router.get("/examples/{name}")
async def example(name: str) -> FileResponse:
    """One of the bundled recordings."""
    if name not in _EXAMPLES:
        raise HTTPException(404, f"Example not found; expected one of {', '.join(_EXAMPLES)}.")
    described, path = _EXAMPLES[name]
    return FileResponse(_CLIPS / path, media_type=described.media_type)
