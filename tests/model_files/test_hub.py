"""Models from the hub: the real client against a small hub on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest

import emotone
from emotone.batch.local import recognise_many
from emotone.errors import AudioError, MissingExtraError, ModelFileError, OutputError
from emotone.model_files import hub as hub_module
from emotone.model_files.hub import hub_model, local_model
from emotone.model_files.model_file import read_metadata, read_model_file, with_metadata
from hub_server import Hub, Repository, commit_of, running_hub


def move_to(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client ask there, as the variable HF_ENDPOINT does in a fresh process."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, an empty cache, and an empty folder to stand in."""
    from huggingface_hub import constants

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with running_hub() as running:
        move_to(running.endpoint, monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield running


@pytest.fixture
def content(tiny_model: Path) -> bytes:
    return tiny_model.read_bytes()


def downloads(hub: Hub) -> list[str]:
    return [request for request in hub.requests if request.startswith("GET") and "/resolve/" in request]


def test_a_model_is_loaded_by_its_name(hub: Hub, content: bytes, clips_dir: Path, tiny_model: Path) -> None:
    hub.repositories["acme/voices"] = Repository({"main": {"model.onnx": content}})
    clip = clips_dir / "emodb" / "03a01Wa.flac"
    loaded = emotone.load("acme/voices")
    assert loaded.metadata.name == "tiny"
    assert loaded(clip).probabilities == emotone.load(tiny_model)(clip).probabilities


def test_only_the_onnx_file_is_downloaded(hub: Hub, content: bytes) -> None:
    files = {"model.onnx": content, "pytorch_model.bin": b"\x80\x02}q\x00.", "other.onnx": b"", "README.md": b"hello"}
    hub.repositories["acme/voices"] = Repository({"main": files})
    path = local_model("acme/voices")
    assert downloads(hub) == ["GET /acme/voices/resolve/main/model.onnx"]
    assert [one.name for one in path.parent.iterdir()] == ["model.onnx"]


def test_the_only_onnx_file_is_taken_whatever_its_name(hub: Hub, content: bytes) -> None:
    hub.repositories["acme/voices"] = Repository({"main": {"onnx/angry.onnx": content, "config.json": b"{}"}})
    assert local_model("acme/voices").read_bytes() == content


def test_a_revision_is_pinned(hub: Hub, content: bytes) -> None:
    hub.repositories["acme/voices"] = Repository({"main": {"model.onnx": b"new"}, "v1.0": {"model.onnx": content}})
    assert local_model("acme/voices@v1.0").read_bytes() == content
    assert local_model(f"acme/voices@{commit_of('v1.0')}").read_bytes() == content
    with pytest.raises(ModelFileError, match=r"no revision v2\.0"):
        local_model("acme/voices@v2.0")


def test_a_commit_that_is_here_asks_nobody(hub: Hub, content: bytes) -> None:
    hub.repositories["acme/voices"] = Repository({"main": {"model.onnx": content}})
    local_model("acme/voices")
    hub.requests.clear()
    assert local_model(f"acme/voices@{commit_of('main')}").read_bytes() == content
    assert not hub.requests


def test_what_is_here_is_never_looked_for_elsewhere(hub: Hub, content: bytes) -> None:
    Path("acme").mkdir()
    Path("acme/voices").write_bytes(content)
    assert emotone.load("acme/voices").metadata.name == "tiny"
    Path("acme/folder").mkdir()
    for name in (
        "acme/folder",
        "acme/absent.onnx",
        "absent",
        "/acme/absent",
        "../acme/absent",
        "a/b/c",
        "./acme/x",
        "",
    ):
        assert hub_model(name) is None
        with pytest.raises(ModelFileError):
            emotone.load(name)
    assert not hub.requests


def test_without_a_network_the_last_download_serves(hub: Hub, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repositories["acme/voices"] = Repository({"main": {"deep/angry.onnx": content}})
    known = local_model("acme/voices")
    move_to("http://127.0.0.1:9", monkeypatch)
    assert local_model("acme/voices") == known
    with pytest.raises(ModelFileError, match=r"cannot be reached .* not downloaded before"):
        local_model("acme/others")
    with pytest.raises(ModelFileError, match="cannot be reached"):
        local_model("acme/voices@v1.0")


def test_offline_mode_is_obeyed(hub: Hub, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repositories["acme/voices"] = Repository({"main": {"model.onnx": content}})
    known = local_model("acme/voices")
    hub.requests.clear()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert local_model("acme/voices") == known
    with pytest.raises(ModelFileError, match="not downloaded before"):
        local_model("acme/others")
    assert not hub.requests


def test_a_hub_that_is_ill_lets_the_last_download_serve(hub: Hub, content: bytes) -> None:
    repository = hub.repositories["acme/voices"] = Repository({"main": {"model.onnx": content}})
    known = local_model("acme/voices")
    repository.status = 500
    assert local_model("acme/voices") == known
    hub.repositories["acme/others"] = Repository({}, status=500)
    with pytest.raises(ModelFileError, match="answered 500"):
        local_model("acme/others")


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (404, "RepoNotFound", "no model acme/voices on the hub"),
        (401, "", "log in"),
        (401, "RepoNotFound", "log in"),
        (403, "GatedRepo", "consent"),
        (401, "GatedRepo", "consent"),
        (403, "", r"access is refused \(403\)"),
    ],
)
def test_a_refusal_is_said_even_if_the_model_was_downloaded_before(
    hub: Hub, content: bytes, status: int, code: str, says: str
) -> None:
    repository = hub.repositories["acme/voices"] = Repository({"main": {"model.onnx": content}})
    local_model("acme/voices")
    repository.status, repository.code = status, code
    with pytest.raises(ModelFileError, match=says):
        local_model("acme/voices")


def test_a_private_model_is_shown_to_whoever_has_its_token(
    hub: Hub, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["acme/secret"] = Repository({"main": {"model.onnx": content}}, token="hf_made_up")
    with pytest.raises(ModelFileError, match="log in"):
        local_model("acme/secret")
    monkeypatch.setenv("HF_TOKEN", "hf_made_up")
    assert local_model("acme/secret").read_bytes() == content


def test_a_name_that_nobody_has_is_no_file_and_no_model(hub: Hub) -> None:
    for name in ("acme/nothing", "acme/double--dash"):
        with pytest.raises(ModelFileError, match=f"no file {name}, and no model {name} on the hub"):
            local_model(name)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"pytorch_model.bin": b"", "config.json": b""}, r"no ONNX file \(it has config\.json, pytorch_model\.bin\)"),
        ({}, "it has nothing"),
        ({"a.onnx": b"", "b/c.onnx": b""}, r"2 ONNX files \(a\.onnx, b/c\.onnx\).*give its path"),
    ],
)
def test_a_repository_without_one_onnx_file_is_refused(hub: Hub, files: dict[str, bytes], says: str) -> None:
    hub.repositories["acme/voices"] = Repository({"main": files})
    with pytest.raises(ModelFileError, match=says):
        local_model("acme/voices")
    assert not downloads(hub)


@pytest.mark.parametrize("other", [b"PK\x03\x04" + bytes(100), b"\x80\x02}q\x00.", b""])
def test_a_file_that_is_not_ours_is_refused(hub: Hub, other: bytes) -> None:
    hub.repositories["acme/voices"] = Repository({"main": {"model.onnx": other}})
    with pytest.raises(ModelFileError, match=r"model\.onnx: no"):
        emotone.load("acme/voices")


def test_a_large_file_is_not_downloaded(hub: Hub, content: bytes) -> None:
    hub.repositories["acme/voices"] = Repository({"main": {"model.onnx": content}}, says=hub_module.MAX_BYTES + 1)
    with pytest.raises(ModelFileError, match="larger than 512 MB"):
        local_model("acme/voices")
    assert not downloads(hub)


def test_a_file_without_end_is_cut_off(hub: Hub, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAX_BYTES", 2**20)
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 2**16)
    hub.repositories["acme/voices"] = Repository({"main": {"model.onnx": content}}, endless=True)
    with pytest.raises(ModelFileError, match="larger than 1 MB"):
        local_model("acme/voices")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits a second before it tries again; here it does not."""
    from huggingface_hub import file_download

    monkeypatch.setattr(file_download.time, "sleep", lambda seconds: None)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("resumes", [True, False])
def test_a_download_that_broke_off_is_finished(hub: Hub, content: bytes, resumes: bool) -> None:
    hub.repositories["acme/voices"] = Repository({"main": {"model.onnx": content}}, breaks_off=2, resumes=resumes)
    assert local_model("acme/voices").read_bytes() == content
    assert len(downloads(hub)) == 3


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("chunk_size", [2**20, 2**7])
def test_a_download_that_always_breaks_off_ends_and_leaves_no_model(
    hub: Hub, content: bytes, chunk_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In small pieces each attempt brings some, and the client by itself would never give up.
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", chunk_size)
    repository = Repository({"main": {"model.onnx": content}}, breaks_off=-1, resumes=False)
    hub.repositories["acme/voices"] = repository
    with pytest.raises(ModelFileError, match="cannot be reached"):
        local_model("acme/voices")
    assert len(downloads(hub)) <= 8
    repository.breaks_off = 0
    assert read_model_file(local_model("acme/voices"))[0] == content


def test_without_the_extra_it_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"no file acme/voices;.*emotone\[hub\]"):
        emotone.load("acme/voices")


def test_predict_takes_a_model_of_the_hub_and_never_shows_a_traceback(
    hub: Hub, content: bytes, clips_dir: Path, tmp_path: Path
) -> None:
    hub.repositories["acme/voices"] = Repository({"v1": {"model.onnx": content}})
    environment = os.environ | {"HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(tmp_path / "cache")}
    clip = str(clips_dir / "emodb" / "03a01Wa.flac")

    def predict(model: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from emotone.cli.main import main; main()", "predict", clip, "--model", model]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    good = predict("acme/voices@v1")
    assert (good.returncode, good.stderr) == (0, "")
    assert "03a01Wa" in good.stdout
    bad = predict("acme/voices")
    assert bad.returncode == 5
    assert bad.stderr.startswith("error: acme/voices@main: acme/voices has no revision main")
    assert "Traceback" not in bad.stderr
    assert len(bad.stderr.splitlines()) == 1


def test_a_batch_goes_on_with_the_file_it_began_with_or_not_at_all(
    hub: Hub, content: bytes, clips_dir: Path, tmp_path: Path
) -> None:
    newer = with_metadata(content, replace(read_metadata(content), name="newer"))
    hub.repositories["acme/voices"] = Repository({"v1": {"model.onnx": content}, "v2": {"model.onnx": newer}})
    folder, output = tmp_path / "calls", tmp_path / "results.csv"
    folder.mkdir()
    shutil.copy(clips_dir / "emodb" / "03a01Wa.flac", folder)
    (folder / "bad.wav").touch()
    with pytest.raises(AudioError):
        recognise_many([folder], output, model="acme/voices@v1", workers=1, fail_fast=True)
    assert len(downloads(hub)) == 1
    with pytest.raises(OutputError, match="another model"):
        recognise_many([folder], output, model="acme/voices@v2", workers=1)
    report = recognise_many([folder], output, model="acme/voices@v1", workers=1)
    assert (report.n_recognised, report.n_failed) == (1, 1)
