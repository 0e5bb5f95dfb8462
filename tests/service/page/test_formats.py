"""The downloads of the page hold what the service writes. Needs no browser: Playwright brings a Node."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from dataclasses import asdict
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from emotone.output.formats import as_text
from emotone.output.objects import SegmentObject, recognition_of
from emotone.service.app import STATIC
from emotone.service.schemas import RECORDING_EXAMPLE

_SCRIPT = """
import { readFileSync } from "node:fs";
import { FORMATS } from "./static/formats.js";
const reply = JSON.parse(readFileSync(0));
const texts = ["csv", "textgrid", "vtt"].map((name) => FORMATS[name].write([{ name: "recording", reply }]));
console.log(JSON.stringify(texts));
"""


def segment(start_s: float, end_s: float, emotion: str | None, **members: Any) -> dict[str, Any]:
    probabilities = dict(zip(RECORDING_EXAMPLE["labels"], (0.1, 0.2, 0.05, 0.65), strict=True)) if emotion else {}
    confidence = 0.65 if emotion else 0.0
    plain = SegmentObject(
        start_s, end_s, None, emotion, confidence, False, speech=emotion is not None, probabilities=probabilities
    )
    return {**asdict(plain), **members}


PLAIN = [
    segment(0.0, 1.5, "anger", unfamiliar=0.3),
    segment(1.5, 2.0, None),
    segment(2.0, 2.31, "anger", unsure=True, reason="low confidence"),
]
TURNS = [
    segment(0.0, 1.5, "anger", speaker="ann", text='She said "hi" & <b>', turn=0),
    segment(
        1.0, 2.0, "anger", speaker="bob", text="no", turn=1, unsure=True, reason="unfamiliar speech", unfamiliar=0.99
    ),
    segment(1.2, 1.9, None, speaker="=ann", turn=2, unsure=True, reason="no speech"),
]


@pytest.fixture(scope="module")
def node() -> Path:
    playwright = pytest.importorskip("playwright", reason="no Playwright: tests of the page's scripts are skipped")
    node = Path(playwright.__file__).parent / "driver" / "node"
    if not node.exists():
        pytest.skip("this Playwright brings no Node: tests of the page's scripts are skipped")
    return node


@pytest.mark.parametrize("segments", [PLAIN, TURNS], ids=["plain", "turns"])
def test_downloads_hold_what_the_service_writes(node: Path, segments: list[dict[str, Any]], tmp_path: Path) -> None:
    reply = {**RECORDING_EXAMPLE, "segments": segments}
    copytree(STATIC, tmp_path / "static")
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "write.js").write_text(_SCRIPT, encoding="utf-8")
    written = subprocess.run(
        [node, tmp_path / "write.js"], input=json.dumps(reply), capture_output=True, encoding="utf-8", check=True
    )
    table, textgrid, captions = json.loads(written.stdout)
    recognition = recognition_of(reply)
    assert textgrid == as_text([recognition], "textgrid")
    assert captions == as_text([recognition], "webvtt")
    page_rows, service_rows = (
        list(csv.DictReader(io.StringIO(text), quoting=csv.QUOTE_NONNUMERIC))
        for text in (table, as_text([recognition], "csv"))
    )
    assert page_rows == service_rows
