"""The example recordings of the page."""

from __future__ import annotations

from fastapi.testclient import TestClient

from emotone.audio import load_audio


def test_every_example_is_a_recording_of_its_media_type(client: TestClient) -> None:
    examples = client.get("/examples").json()
    assert len(examples) == 3
    for example in examples:
        answer = client.get(f"/examples/{example['name']}")
        assert answer.headers["content-type"] == example["media_type"]
        assert load_audio(answer.content, sample_rate=16_000).size > 16_000


def test_no_other_file_is_served_as_an_example(client: TestClient) -> None:
    assert client.get("/examples/LICENSE.md").status_code == 404
    assert client.get("/examples/..%2Fclips%2FLICENSE.md").status_code == 404
