"""`emotone predict` with a folder, a list or a pattern."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emotone.cli.main import run
from hostile.make_hostile import TONE, wav


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    folder.mkdir()
    for i in range(4):
        (folder / f"{i}.wav").write_bytes(wav(TONE * (i + 1) / 8))
    return folder


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["--model", str(tiny_model)]


@pytest.mark.parametrize("kind", ["folder", "list", "pattern"])
def test_all_recordings_go_to_the_table(calls, model, tmp_path, kind, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text("".join(f"calls/{i}.wav\n" for i in range(4)))
    source = {"folder": "calls", "list": "list.txt", "pattern": "calls/*.wav"}[kind]
    assert run(["predict", source, *model, "--output", "results.csv", "--workers", "1"]) == 0
    with Path("results.csv").open(newline="") as file:
        named = [row["file"] for row in csv.DictReader(file)]
    # A recording has a row for each of its segments.
    assert list(dict.fromkeys(named)) == [f"calls/{i}.wav" for i in range(4)]
    out, err = capsys.readouterr()
    assert out == ""
    assert "4 of 4 recordings are in results.csv" in err


def test_bad_recordings_are_listed_at_the_end_with_their_status(calls, model, tmp_path, capsys):
    (calls / "bad\n.wav").write_text("no sound")
    output = tmp_path / "results.jsonl"
    assert run(["predict", str(calls), *model, "--output", str(output), "--workers", "1"]) == 3
    assert len(output.read_text().splitlines()) == 4
    err = capsys.readouterr().err
    assert "1 of 5 recordings could not be used:" in err
    assert "bad\\n.wav: not audio of a known format" in err
    assert "results.jsonl.failures.jsonl" in err


def test_fail_fast_stops_at_the_first(calls, model, tmp_path, capsys):
    (calls / "bad.wav").write_text("no sound")
    output = tmp_path / "results.csv"
    assert run(["predict", str(calls), *model, "--output", str(output), "--workers", "1", "--fail-fast"]) == 3
    assert not output.exists()
    assert "bad.wav: not audio" in capsys.readouterr().err
    assert run(["predict", str(calls / "bad.wav"), str(calls / "0.wav"), *model, "--fail-fast"]) == 3
    assert capsys.readouterr().out == ""


def test_an_empty_folder_is_an_error(tmp_path, model, capsys):
    (tmp_path / "empty").mkdir()
    for words in ([], ["--output", str(tmp_path / "results.csv")]):
        assert run(["predict", str(tmp_path / "empty"), *model, *words]) == 3
        assert "has no recordings" in capsys.readouterr().err


def test_an_empty_list_is_told_from_an_empty_folder(tmp_path, model, capsys):
    (tmp_path / "list.txt").write_text("\n\n")
    assert run(["predict", str(tmp_path / "list.txt"), *model]) == 3
    assert "has no recordings; expected one name per line" in capsys.readouterr().err


def test_a_folder_without_an_output_is_shown(calls, model, capsys):
    assert run(["predict", str(calls), *model, "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 4


def test_workers_and_clusters_need_an_output(calls, model, capsys):
    for words in (["--workers", "2"], ["--ray", "local"]):
        assert run(["predict", str(calls), *model, *words]) == 2
        assert "--output" in capsys.readouterr().err


def test_a_cluster_does_not_fail_fast(calls, model, tmp_path, capsys):
    words = ["--output", str(tmp_path / "results"), "--ray", "local", "--fail-fast"]
    assert run(["predict", str(calls), *model, *words]) == 2
    assert "--fail-fast" in capsys.readouterr().err


def test_a_batch_is_not_drawn(calls, model, tmp_path, capsys):
    words = ["--output", str(tmp_path / "results.csv"), "--plot", str(tmp_path / "picture.png")]
    assert run(["predict", str(calls), *model, *words]) == 2
    assert "--plot" in capsys.readouterr().err


def test_a_worker_that_comes_too_late_leaves_without_a_word(tiny_model):
    reader, writer = os.pipe()
    setup = {"model": str(tiny_model), "unsure_threshold": None, "channels": "mix", "options": {}}
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "emotone.batch.worker"],
        input=json.dumps(setup).encode() + b"\n", stdout=writer, stderr=subprocess.PIPE, timeout=120, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_interrupted_batch_says_that_it_can_go_on(calls, model, tmp_path):
    for i in range(400):
        os.link(calls / "0.wav", calls / f"more-{i}.wav")
    output = tmp_path / "results.csv"
    words = [sys.executable, "-c", "from emotone.cli.main import main; main()", "predict", str(calls), *model]
    words += ["--output", str(output), "--workers", "1"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        log = tmp_path / "results.csv.journal-wal"
        end = time.monotonic() + 120
        # The list of recordings takes some ten pages; results follow.
        while not (log.exists() and log.stat().st_size > 40 * 4096) and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert re.search(r"stopped at \d+ of 404 recordings; run the same command again to continue", err)
    assert "Traceback" not in err
    assert not output.exists()
    assert run(words[3:]) == 0
    with output.open(newline="") as file:
        assert len({row["file"] for row in csv.DictReader(file)}) == 404


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "json"], "cannot be chosen for a batch"),
        (["--threads", "2"], "a batch uses processes of one thread each"),
        (["-"], "save standard input to a file first"),
        (["--window", "1e308"], "window_s = 1e+308"),
    ],
)
def test_what_a_batch_cannot_do_is_refused(calls, model, tmp_path, capsys, words, message):
    output = tmp_path / "results.csv"
    assert run(["predict", str(calls), *words, *model, "--output", str(output), "--workers", "1"]) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert list(tmp_path.glob("results.csv*")) == []


def test_a_suffix_of_another_kind_of_file_is_refused(calls, model, tmp_path, capsys):
    assert run(["predict", str(calls / "0.wav"), *model, "--output", str(tmp_path / "results.xlsx")]) == 2
    assert ".xlsx is not a format that emotone writes" in " ".join(capsys.readouterr().err.replace("│", " ").split())
