"""The controls of what only some models and services offer: classes, tracks, turns and a speaker's usual voice.

The service's descriptions and its answer are replaced, so that these tests hold for every model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from browsing import until

from emotone.service.schemas import RECORDING_EXAMPLE

pytestmark = pytest.mark.slow

OpenPage = Callable[..., Any]

# The names of the parts of a form, or ["body"] for a recording alone.
NOTE_UPLOADS = """() => {
    window.uploads = [];
    const send = XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function (body) {
        window.uploads.push(body instanceof FormData ? [...body.keys()] : ["body"]);
        return send.call(this, body);
    };
}"""


@pytest.fixture
def open_able_page(open_page: OpenPage) -> Callable[[], tuple[Any, list[dict[str, list[str]]]]]:
    """Opens the page of a service that offers everything; the queries of its uploads are collected."""

    def open_able() -> tuple[Any, list[dict[str, list[str]]]]:
        page = open_page()
        queries: list[dict[str, list[str]]] = []

        def describe(route: Any) -> None:
            answer = route.fetch()
            description = answer.json()
            operation = description["paths"]["/v1/recognize"]["post"]
            operation["parameters"] += [{"name": name, "in": "query"} for name in ("classes", "track")]
            properties = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
            properties |= {"baseline": {}, "turns": {}}
            route.fulfill(response=answer, json=description)

        def describe_model(route: Any) -> None:
            answer = route.fetch()
            description = answer.json()
            description["models"][0]["baseline"] = True
            route.fulfill(response=answer, json=description)

        def recognise(route: Any) -> None:
            queries.append(parse_qs(urlsplit(route.request.url).query))
            route.fulfill(status=200, content_type="application/json", body=json.dumps(RECORDING_EXAMPLE))

        page.route("**/openapi.json", describe)
        page.route("**/v1/models", describe_model)
        page.route("**/v1/recognize?*", recognise)
        page.reload()
        page.click(".settings summary")
        page.wait_for_selector("#baseline-field:not([hidden])")
        page.evaluate(NOTE_UPLOADS)
        return page, queries

    return open_able


def test_what_the_service_does_not_offer_is_not_shown(open_page: OpenPage) -> None:
    page = open_page()
    page.route("**/openapi.json", lambda route: route.fulfill(json={"paths": {"/v1/recognize": {"post": {}}}}))
    page.reload()
    page.click(".settings summary")
    page.wait_for_selector("#model-part:not([hidden])")
    assert all(page.is_hidden(field) for field in ("#classes-field", "#track-field", "#baseline-field", "#turns-hint"))


def test_five_seconds_of_the_usual_voice_are_sent_with_each_recording(open_able_page: Any, clip: Path) -> None:
    page, _ = open_able_page()
    page.click("#baseline-record")
    until(page, "document.querySelector('#baseline-note').textContent.includes('usual voice')")
    page.set_input_files("#file", clip)
    page.wait_for_selector("#result:not([hidden])")
    assert page.evaluate("window.uploads") == [["file", "baseline"]]
    page.click("#baseline-remove")
    until(page, "window.uploads.length === 2")
    assert page.evaluate("window.uploads[1]") == ["body"]


def test_a_file_of_turns_goes_with_its_recording(open_able_page: Any, clip: Path, tmp_path: Path) -> None:
    turns = tmp_path / f"{clip.stem}.rttm"
    turns.write_text(f"SPEAKER {clip.stem} 1 0.0 1.0 <NA> <NA> ann <NA> <NA>\n", encoding="utf-8")
    page, _ = open_able_page()
    page.set_input_files("#file", [clip, turns])
    page.wait_for_selector("#result:not([hidden])")
    assert page.evaluate("window.uploads") == [["file", "turns"]]
    assert turns.name in page.inner_text("#turns")
    page.click("#turns-remove")
    until(page, "window.uploads.length === 2")
    page.set_input_files("#file", turns)
    until(page, "window.uploads.length === 3")
    assert page.evaluate("window.uploads") == [["file", "turns"], ["body"], ["file", "turns"]]


def test_chosen_classes_and_the_track_are_applied(open_able_page: Any, clip: Path) -> None:
    page, queries = open_able_page()
    page.set_input_files("#file", clip)
    page.wait_for_selector("#result:not([hidden])")
    page.uncheck("#classes input >> nth=0")
    page.fill("#track", "2")
    until(page, "window.uploads.length >= 2")
    page.wait_for_selector("#progress", state="hidden")
    labels = page.locator("#classes label").all_inner_texts()
    assert queries[-1]["classes"] == [",".join(labels[1:])]
    assert queries[-1]["track"] == ["2"]


def test_the_live_view_uses_the_chosen_classes_and_the_usual_voice(open_able_page: Any, clip: Path) -> None:
    page, _ = open_able_page()
    embedding = [1.5, -2.0]
    page.route("**/v1/baseline", lambda route: route.fulfill(json={"model": "m", "embedding": embedding}))
    sent: list[str | bytes] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.set_input_files("#baseline-file", clip)
    page.uncheck("#classes input >> nth=0")
    labels = page.locator("#classes label").all_inner_texts()
    page.click("#record")
    for _ in range(300):
        if sent:
            break
        page.wait_for_timeout(100)
    first = json.loads(sent[0])
    assert (first["type"], first["baseline"], first["classes"]) == ("start", embedding, ",".join(labels[1:]))
