"""Object stores: a real S3 server and a real emulator of gs:// on loopback, and what this machine's disk gives."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow.dataset as ds
import pytest

from emotone.batch import remote
from emotone.batch.locations import find_recordings, is_many, opened
from emotone.cli.main import run
from emotone.errors import AudioError, AudioNotFoundError, OutputError
from emotone.listening.recognizer import Recognizer
from hostile.make_hostile import TONE, wav

# Deep and flat, with letters that mean something in addresses; hidden ones are left out.
NAMES = ("a b.wav", "b#1?x=%20.wav", "sub/c.wav", "sub/deep/ü.wav", "z.wav")
IGNORED = ("notes.md", ".hidden.wav", ".cache/d.wav")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("local") / "calls"
    for number, name in enumerate((*NAMES, *IGNORED)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(wav(TONE * (number + 1) / 10))
    return folder


def answer(url: str, method: str, content: bytes = b"") -> bytes:
    headers = {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(url, data=content, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as response:
        return bytes(response.read())


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    moto = pytest.importorskip("moto.server", reason="moto is not installed: no S3 server to ask")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, calls: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a folder on a real S3 server that holds the recordings."""
    settings = {"AWS_ENDPOINT_URL": s3_server, "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret"}
    for name, value in (settings | {"AWS_EC2_METADATA_DISABLED": "true"}).items():
        monkeypatch.setenv(name, value)
    answer(f"{s3_server}/moto-api/reset", "POST")
    answer(f"{s3_server}/bucket", "PUT")
    for path in (path for path in calls.rglob("*") if path.is_file()):
        key = quote(f"calls/{path.relative_to(calls)}")
        answer(f"{s3_server}/bucket/{key}", "PUT", path.read_bytes())
    remote._file_system.cache_clear()
    yield "s3://bucket/calls"
    remote._file_system.cache_clear()


@pytest.fixture
def gs(calls: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The same on an emulator of Google's store."""
    emulator = pytest.importorskip(
        "gcp_storage_emulator.server", reason="gcp-storage-emulator is not installed: no gs:// to ask"
    )
    pytest.importorskip("gcsfs", reason="the extra `remote` is not installed")
    server = emulator.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    url = f"http://127.0.0.1:{server._api._httpd.server_address[1]}"
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    for path in (path for path in calls.rglob("*") if path.is_file()):
        name = quote(f"calls/{path.relative_to(calls)}", safe="")
        answer(f"{url}/upload/storage/v1/b/bucket/o?uploadType=media&name={name}", "POST", path.read_bytes())
    remote._file_system.cache_clear()
    yield "gs://bucket/calls"
    remote._file_system.cache_clear()
    server.stop()


@pytest.fixture(params=["s3", "gs"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_of_a_store_holds_what_the_same_folder_on_a_disk_holds(store: str, calls: Path) -> None:
    here = [str(Path(name).relative_to(calls)) for name in find_recordings([calls])]
    assert sorted(here) == sorted(NAMES)
    assert [name.removeprefix(f"{store}/") for name in find_recordings([store])] == here
    assert [name.removeprefix(f"{store}/") for name in find_recordings([f"{store}/"])] == here


def test_a_batch_over_a_store_gives_the_rows_of_the_disk(
    store: str, calls: Path, tiny_model: Path, tmp_path: Path
) -> None:
    for source, name in ((store, "there.csv"), (str(calls), "here.csv")):
        words = ["predict", source, "--model", str(tiny_model), "--output", str(tmp_path / name), "--workers", "1"]
        assert run(words) == 0
    there, here = rows_of(tmp_path / "there.csv"), rows_of(tmp_path / "here.csv")
    assert len({row["file"] for row in there}) == len(NAMES)
    assert [row | {"file": row["file"].replace(store, str(calls))} for row in there] == here


def test_one_recording_of_a_store_is_called_by_its_address(
    store: str, calls: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    for folder in (store, str(calls)):
        assert run(["predict", f"{folder}/b#1?x=%20.wav", "--model", str(tiny_model), "--format", "json"]) == 0
        shown += json.loads(capsys.readouterr().out)
    there, here = shown
    assert there.pop("file") == f"{store}/b#1?x=%20.wav"
    here.pop("file")
    assert there == here


def test_what_is_not_there_is_said_with_its_address(
    store: str, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([f"{store}/no.wav", f"{store}/z.wav"], [f"{store}/nothing"], [store.replace("bucket", "no-bucket")]):
        assert run(["predict", *words, "--model", str(tiny_model)]) == 3
        err = capsys.readouterr().err
        assert words[0] in err
        assert "no such" in err
        assert "Traceback" not in err


def test_a_bucket_that_is_not_there_is_called_one(s3: str) -> None:
    with pytest.raises(AudioNotFoundError, match=r"^s3://other/calls: no such bucket$"):
        list(find_recordings(["s3://other/calls"]))
    with pytest.raises(AudioError, match="names no bucket"):
        list(find_recordings(["s3:///calls"]))


def test_keys_that_the_store_refuses_are_told_from_a_store_that_is_not_there(
    s3: str, s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(f"{s3_server}/moto-api/reset-auth", "POST", b"0")
    try:
        for location in (f"{s3}/z.wav", s3):
            remote._file_system.cache_clear()
            refused = pytest.raises(AudioError, match=r"access is refused; set AWS_ACCESS_KEY_ID")
            with refused, opened(next(find_recordings([location]))):
                pass
    finally:
        answer(f"{s3_server}/moto-api/reset-auth", "POST", b"1000000")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    remote._file_system.cache_clear()
    with pytest.raises(AudioError, match=r"cannot be reached: .*127\.0\.0\.1"):
        list(find_recordings([s3]))


@pytest.mark.parametrize(
    ("address", "package"),
    [
        ("s3://bucket/a.wav", "pyarrow"),
        ("s3://bucket/folder", "pyarrow"),
        ("gs://bucket/a.wav", "gcsfs"),
        ("gs://bucket/folder", "pyarrow"),
    ],
)
def test_without_its_package_an_address_names_the_extra(address: str, package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from emotone.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", address], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 7
    assert "emotone[remote]" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_scheme_that_nobody_knows_is_an_error_of_ours() -> None:
    with pytest.raises(AudioError, match=r"^nosuch://bucket/a.wav: "), opened("nosuch://bucket/a.wav"):
        pass


def test_an_address_with_an_audio_suffix_is_one_recording_whatever_letters_it_has() -> None:
    assert not is_many("s3://bucket/call[1].wav")
    assert is_many("s3://bucket/calls")


def test_without_a_cluster_results_are_not_written_to_an_address(
    calls: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for output in ("s3://bucket/all.parquet", "s3://bucket/all.json"):
        assert run(["predict", str(calls), "--model", str(tiny_model), "--output", output]) == 8
        assert "--ray local" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_recording_of_a_minute_takes_a_request_a_megabyte(
    s3: str, s3_server: str, tiny_recognizer: Recognizer, caplog: pytest.LogCaptureFixture
) -> None:
    content = wav(np.tile(TONE, 60))
    answer(f"{s3_server}/bucket/calls/long.wav", "PUT", content)
    caplog.set_level("INFO", logger="werkzeug")
    with opened(f"{s3}/long.wav") as file:
        assert tiny_recognizer(file).duration_s == 60.0
    asked = [line for line in caplog.messages if "GET /bucket/calls/long.wav" in line]
    # Its blocks, and the end of the file, where a decoder looks for more.
    assert 1 <= len(asked) <= len(content) // 2**20 + 2


@pytest.mark.slow
def test_a_cluster_reads_and_writes_a_store_as_one_machine_reads_and_writes_a_disk(
    store: str, calls: Path, tiny_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    file_system, folder = remote.remote_file_system(store)
    with file_system.open_output_stream(f"{folder}/bad.wav") as file:
        file.write(b"no sound")
    output = store.replace("calls", "emotions")
    command = [sys.executable, "-c", "from emotone.cli.main import main; main()", "predict", store]
    command += ["--ray", "local", "--model", str(tiny_model)]
    environment = os.environ | {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}

    def on_a_cluster(folder: str) -> subprocess.CompletedProcess[str]:
        words = [*command, "--output", folder]
        return subprocess.run(words, capture_output=True, text=True, timeout=280, check=False, env=environment)

    done = on_a_cluster(output)
    assert done.returncode == 3, done.stderr[-3_000:]
    assert f"5 of 6 recordings are in {output}" in done.stderr
    assert f"{store}/bad.wav: not audio" in done.stderr
    assert run(["predict", str(calls), "--model", str(tiny_model), "--output", str(tmp_path / "here.parquet")]) == 0
    here = ds.dataset(tmp_path / "here.parquet").to_table()
    there = ds.dataset(remote.remote_file_system(output)[1], filesystem=file_system, partitioning="hive").to_table(
        filter=ds.field("outcome") == "recognised"
    )
    there = there.sort_by("index").select(here.column_names).to_pylist()
    assert [row | {"file": row["file"].replace(store, str(calls))} for row in there] == here.to_pylist()

    again = on_a_cluster(output)
    assert (again.returncode, "not an empty folder" in again.stderr) == (8, True)
    nowhere = on_a_cluster(output.replace("bucket", "no-bucket"))
    assert (nowhere.returncode, "no such bucket" in nowhere.stderr) == (8, True)


def test_a_cluster_is_not_asked_for_while_the_output_cannot_be_written(store: str) -> None:
    with pytest.raises(OutputError, match="not an empty folder"):
        remote.require_empty_folder(store)
    with pytest.raises(OutputError, match="no such bucket"):
        remote.require_empty_folder(store.replace("bucket", "no-bucket"))
    remote.require_empty_folder(store.replace("calls", "new"))
