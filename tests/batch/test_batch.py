"""Many recordings: all of them, each once, whatever dies on the way."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import emotone
from emotone.batch.journal import Journal
from emotone.batch.local import recognise_many
from emotone.batch.locations import find_recordings, is_many
from emotone.batch.worker_pool import WorkerPool
from emotone.errors import AudioError, AudioNotFoundError, ModelFileError, NotAudioError, OptionError, OutputError
from emotone.listening.speakers import SpeakerSettings
from hostile.make_hostile import TONE, wav


def make_folder(folder: Path, n: int = 12) -> Path:
    for i in range(n):
        path = folder / f"speaker-{i % 3}" / f"{i:04}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(TONE[: 8_000 + 40 * i] * (0.1 + i / n)))
    return folder


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "calls")


def journal_of(output: Path) -> Path:
    return output.with_name(output.name + ".journal")


def n_results(output: Path) -> int:
    """Committed results in a journal that no process uses; 0 where it cannot be read."""
    try:
        with closing(sqlite3.connect(journal_of(output).as_uri() + "?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM results").fetchone()[0])
    except sqlite3.Error:
        return 0


def log_size(output: Path) -> int:
    """Bytes of the journal and its write-ahead log."""
    files = (journal_of(output), journal_of(output).with_name(journal_of(output).name + "-wal"))
    return sum(path.stat().st_size for path in files if path.exists())


def test_a_batch_says_what_one_call_after_another_says(calls, tiny_model, tmp_path):
    output = tmp_path / "results.jsonl"
    report = recognise_many([calls], output, model=tiny_model, workers=2)
    assert (report.n_files, report.n_recognised, report.n_failed) == (12, 12, 0)
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["file"] for row in rows] == list(find_recordings([calls]))
    recognizer = emotone.load(tiny_model)
    for row in rows:
        alone = recognizer(row["file"])
        assert (row["emotion"], row["unsure"]) == (alone.emotion, alone.unsure)
        assert row["probabilities"] == pytest.approx(alone.probabilities, abs=1e-5)
    assert not journal_of(output).exists()


def test_all_tables_hold_the_same(calls, tiny_model, tmp_path):
    from emotone.output.columns import arrow_table

    for suffix in ("parquet", "csv"):
        recognise_many([calls], tmp_path / f"results.{suffix}", model=tiny_model, workers=1)
    table = pq.read_table(tmp_path / "results.parquet")
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == table["file"].to_pylist() == list(find_recordings([calls]))
    assert [float(row["anger"]) for row in rows] == pytest.approx(table["anger"].to_pylist(), abs=1e-6)
    assert table.schema == arrow_table([emotone.load(tiny_model)(rows[0]["file"])]).schema


def test_bad_recordings_are_counted_listed_and_left_out(calls, tiny_model, tmp_path):
    (calls / "bad.wav").write_text("no sound")
    (calls / "empty.wav").touch()
    report = recognise_many([calls], tmp_path / "results.csv", model=tiny_model, workers=2)
    assert (report.n_files, report.n_recognised, report.n_failed) == (14, 12, 2)
    assert [Path(failure.file).name for failure in report.failures] == ["bad.wav", "empty.wav"]
    assert isinstance(report.failures[0].error, NotAudioError)
    assert report.failures_file is not None
    assert len(report.failures_file.read_text().splitlines()) == 2
    (calls / "bad.wav").unlink()
    (calls / "empty.wav").unlink()
    report = recognise_many([calls], tmp_path / "results.csv", model=tiny_model, workers=2)
    assert report.failures_file is None
    assert not (tmp_path / "results.csv.failures.jsonl").exists()


def test_fail_fast_stops_at_the_first_and_goes_on_when_it_is_mended(calls, tiny_model, tmp_path):
    bad = calls / "speaker-1" / "0004.wav"
    good, output = bad.read_bytes(), tmp_path / "results.csv"
    bad.write_text("no sound")
    with pytest.raises(NotAudioError, match=r"0004\.wav: not audio"):
        recognise_many([calls], output, model=tiny_model, workers=1, fail_fast=True)
    assert not output.exists()
    bad.write_bytes(good)
    seen = []
    report = recognise_many([calls], output, model=tiny_model, workers=1, on_progress=seen.append)
    assert (report.n_recognised, report.n_failed) == (12, 0)
    assert seen[0].n_resumed > 0


def test_an_empty_folder_is_an_error(tmp_path, tiny_model):
    (tmp_path / "empty" / "below").mkdir(parents=True)
    (tmp_path / "empty" / "readme.md").touch()
    with pytest.raises(AudioNotFoundError, match="has no recordings"):
        recognise_many([tmp_path / "empty"], tmp_path / "results.csv", model=tiny_model, workers=1)


def test_another_batch_of_the_same_name_is_not_mixed_in(calls, tiny_model, tmp_path):
    (calls / "bad.wav").touch()
    output = tmp_path / "results.csv"
    with pytest.raises(AudioError):
        recognise_many([calls], output, model=tiny_model, workers=1, fail_fast=True)
    with pytest.raises(OutputError, match="recordings have changed"):
        recognise_many([calls / "speaker-1"], output, model=tiny_model, workers=1)
    with pytest.raises(OutputError, match="another model"):
        recognise_many([calls], output, model=tiny_model, workers=1, unsure_threshold=0.9)
    report = recognise_many([calls / "speaker-1"], output, model=tiny_model, workers=1, overwrite=True)
    assert report.n_recognised == 4


def test_a_suffix_or_a_model_that_cannot_be_used_is_said_first(calls, tiny_model, tmp_path):
    with pytest.raises(OutputError, match=r"\.csv, \.jsonl, \.parquet"):
        recognise_many([calls], tmp_path / "results.txt", model=tiny_model)
    with pytest.raises(ModelFileError):
        recognise_many([calls], tmp_path / "results.csv", model=calls / "speaker-0" / "0000.wav")
    with pytest.raises(ValueError, match="workers=0"):
        recognise_many([calls], tmp_path / "results.csv", model=tiny_model, workers=0)


def test_a_worker_that_crashes_costs_one_recording(calls, tiny_model):
    setup = {"model": str(tiny_model), "unsure_threshold": None, "channels": "mix", "options": {}}
    files = list(find_recordings([calls]))
    pipe = calls / "slow.wav"
    os.mkfifo(pipe)
    answers = []
    # A writer that never writes: the worker waits in a read, as in a decoder that hangs.
    with WorkerPool(1, setup) as pool, subprocess.Popen(["sh", "-c", 'exec 3<>"$0"; sleep 60', str(pipe)]) as writer:
        worker = pool._workers[0].process
        killer = subprocess.Popen(["sh", "-c", f"sleep 3; kill -9 {worker.pid}"])
        for answer in pool.answers(iter(enumerate([str(pipe), *files]))):
            answers.append(answer)
        killer.wait()
        writer.kill()
    assert [answer["index"] for answer in answers] == list(range(13))
    assert "SIGKILL" in answers[0]["error"]
    assert all("row" in answer for answer in answers[1:])


BATCH = """
import sys
from emotone.batch.journal import Journal
from emotone.batch.local import recognise_many
recognise_many(sys.argv[1:2], sys.argv[2], model=sys.argv[3], workers=2)
"""


def children_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
        except (OSError, ValueError):
            pass
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_killed_again_and_again_no_recording_is_lost_or_twice(tmp_path, tiny_model):
    calls = make_folder(tmp_path / "calls", n=400)
    output, interrupted, n_written = tmp_path / "results.jsonl", 0, 0
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", BATCH, str(calls), str(output), str(tiny_model)])
        # The journal cannot be read while the process uses it; each result takes about two pages of the log.
        wanted, patience = log_size(output) + 60 * 8192, time.monotonic() + 120
        while log_size(output) < wanted and process.poll() is None and time.monotonic() < patience:
            time.sleep(0.01)
        workers = children_of(process.pid)
        if process.poll() is None:
            interrupted += 1
            process.send_signal(signal.SIGKILL)
        process.wait()
        while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < patience:
            time.sleep(0.05)
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
        before, n_written = n_written, n_results(output)
        assert n_written > before
    assert interrupted == 3
    assert not output.exists()
    seen = []
    report = recognise_many([str(calls)], output, model=tiny_model, workers=2, on_progress=seen.append)
    assert seen[0].n_resumed == n_written
    assert seen[-1].n_done == report.n_recognised == 400
    files = [json.loads(line)["file"] for line in output.read_text().splitlines()]
    assert files == list(find_recordings([str(calls)]))


def test_what_a_batch_killed_while_it_tidied_up_left_is_no_answer_to_another(tmp_path, tiny_model, monkeypatch):
    class KilledError(BaseException):
        pass

    def killed(self, **_):
        raise KilledError

    output = tmp_path / "results.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda self, **_: killed(self) if self == journal_of(output) else None)
        with pytest.raises(KilledError):
            recognise_many([make_folder(tmp_path / "first", 3)], output, model=tiny_model, workers=1)
    assert n_results(output) == 3
    other = make_folder(tmp_path / "second", 2)
    assert recognise_many([other], output, model=tiny_model, workers=1).n_recognised == 2
    assert [json.loads(line)["file"] for line in output.read_text().splitlines()] == list(find_recordings([other]))
    assert not journal_of(output).exists()


def test_a_batch_replaces_earlier_results_and_nothing_else(calls, tiny_model, tmp_path):
    output = tmp_path / "results.csv"
    failures = tmp_path / "results.csv.failures.jsonl"
    batch = {"model": tiny_model, "workers": 1}
    (calls / "bad.wav").touch()
    for _ in range(2):
        assert recognise_many([calls], output, **batch).failures_file == failures
    for path in (output, failures, journal_of(output)):
        before = path.read_bytes() if path.exists() else None
        path.write_text("notes of somebody else\n")
        with pytest.raises(OutputError, match="add --overwrite"):
            recognise_many([calls], output, **batch)
        assert path.read_text() == "notes of somebody else\n"
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)
    with closing(sqlite3.connect(journal_of(output))) as database:
        database.execute("CREATE TABLE mine (content TEXT)")
    with pytest.raises(OutputError, match="is not the journal of a batch"):
        recognise_many([calls], output, **batch)
    output.write_text("notes\n")
    assert recognise_many([calls], output, overwrite=True, **batch).n_recognised == 12
    assert not journal_of(output).exists()
    with pytest.raises(OutputError, match="is an input"):
        recognise_many([calls, output], output, **batch)


def test_a_damaged_journal_is_an_error_and_can_be_replaced(tmp_path):
    output = tmp_path / "results.jsonl"
    with Journal(output, {}) as journal:
        journal.set_files(f"{i}.wav" for i in range(1000))
    content = journal_of(output).read_bytes()
    journal_of(output).write_bytes(content[:4096] + bytes(len(content) - 4096))
    with pytest.raises(OutputError, match=r"malformed.*add --overwrite to start again"), Journal(output, {}) as journal:
        journal.set_files(f"{i}.wav" for i in range(1000))
    with Journal(output, {}, overwrite=True) as journal:
        journal.set_files(["a.wav"])
        assert list(journal.open_tasks()) == [(1, "a.wav")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot"), Journal(tmp_path / "below" / "results.csv", {}):
        pass


def test_names_that_are_not_unicode_are_kept(tmp_path, tiny_model):
    name = os.fsdecode(b"caf\xe9.wav")
    try:
        (tmp_path / name).write_bytes(wav(TONE))
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    report = recognise_many([tmp_path], tmp_path / "results.jsonl", model=tiny_model, workers=1)
    assert report.n_recognised == 1


def test_two_processes_do_not_work_on_one_output(calls, tiny_model, tmp_path):
    with (
        Journal(tmp_path / "results.csv", {}),
        pytest.raises(OutputError, match="another process"),
    ):
        recognise_many([calls], tmp_path / "results.csv", model=tiny_model, workers=1)


def test_lists_patterns_and_folders_are_found_in_order(calls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (calls / ".hidden.wav").touch()
    (calls / "notes.md").touch()
    in_folder = list(find_recordings(["calls"]))
    assert len(in_folder) == 12
    assert list(find_recordings(["calls/**/*.wav"])) == sorted(in_folder)
    Path("list.txt").write_bytes(b"calls/a b.wav\r\n\n" + "calls/\N{GRINNING FACE}.wav\n".encode() + b"calls/\xff.wav")
    assert list(find_recordings(["list.txt"])) == ["calls/a b.wav", "calls/\N{GRINNING FACE}.wav", "calls/\udcff.wav"]
    Path("list.txt").write_bytes(b"two\nlines.wav\0b.wav\0")
    assert list(find_recordings(["list.txt"])) == ["two\nlines.wav", "b.wav"]
    with pytest.raises(AudioNotFoundError, match="matches no file"):
        list(find_recordings(["calls/*.xyz"]))
    Path("empty.txt").touch()
    with pytest.raises(AudioNotFoundError, match="has no recordings"):
        list(find_recordings(["empty.txt"]))
    assert [is_many(word) for word in ("calls", "list.txt", "calls/*.wav", "call.wav", "s3://bucket/calls")] == [
        True, True, True, False, True,
    ]  # fmt: skip


def test_a_list_may_begin_with_a_byte_order_mark(calls, tmp_path):
    names = list(find_recordings([calls]))
    (tmp_path / "list.txt").write_text("\ufeff" + "\r\n".join(names), encoding="utf-8")
    assert list(find_recordings([tmp_path / "list.txt"])) == names


def test_an_address_is_read_through_its_file_system(calls, tiny_model, tmp_path):
    address = (calls / "speaker-0").as_uri()
    report = recognise_many([address, f"{address}/none.wav"], tmp_path / "results.csv", model=tiny_model, workers=1)
    assert (report.n_recognised, report.n_failed) == (4, 1)
    assert report.failures[0].kind == "AudioNotFoundError"


def test_a_recording_that_changed_meanwhile_is_recognised_again(calls, tiny_model, tmp_path, monkeypatch):
    output = tmp_path / "results.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "merge", lambda *_: (_ for _ in ()).throw(OutputError("no space")))
        with pytest.raises(OutputError, match="no space"):
            recognise_many([calls], output, model=tiny_model, workers=1)
    changed = calls / "speaker-1" / "0004.wav"
    changed.write_bytes(wav(TONE[:6_000] * 0.5))
    seen = []
    recognise_many([calls], output, model=tiny_model, workers=1, on_progress=seen.append)
    assert seen[0].n_resumed == 11
    rows = {row["file"]: row for row in map(json.loads, output.read_text().splitlines())}
    assert rows[str(changed)]["duration_s"] == pytest.approx(0.375)


def test_a_batch_of_broken_recordings_leaves_the_earlier_table(calls, tiny_model, tmp_path):
    output = tmp_path / "results.csv"
    recognise_many(calls, output, model=tiny_model, workers=1)  # one source alone
    before = output.read_bytes()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "a.wav").touch()
    report = recognise_many([broken], output, model=tiny_model, workers=1)
    assert (report.n_recognised, report.n_failed) == (0, 1)
    assert output.read_bytes() == before
    assert not journal_of(output).exists()


def test_a_search_that_finds_nothing_leaves_no_journal(tiny_model, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioNotFoundError):
        recognise_many([tmp_path / "empty"], tmp_path / "results.csv", model=tiny_model, workers=1)
    assert not journal_of(tmp_path / "results.csv").exists()


def test_standard_input_is_no_recording_of_a_batch(calls, tiny_model, tmp_path):
    output = tmp_path / "results.csv"
    for words in ({"sources": ["/dev/stdin"]}, {"sources": [calls], "speakers": SpeakerSettings(turns="/dev/fd/0")}):
        with pytest.raises(OptionError, match="cannot be read in a batch"):
            recognise_many(output=output, model=tiny_model, **words)
    (tmp_path / "list.txt").write_text(f"/dev/stdin\n{calls}/speaker-0/0000.wav\n")
    report = recognise_many([tmp_path / "list.txt"], output, model=tiny_model, workers=1)
    assert [(one.file, one.kind) for one in report.failures] == [("/dev/stdin", "NotAudioError")]


def test_channels_are_mixed_or_split(calls, tiny_model, tmp_path):
    with pytest.raises(OptionError, match="channels='left'"):
        recognise_many([calls], tmp_path / "results.csv", model=tiny_model, channels="left")


def test_a_table_in_the_folder_itself_leaves_its_journal_out_without_a_word(calls, tiny_model):
    (calls / "notes.docx").touch()
    report = recognise_many([calls], calls / "results.csv", model=tiny_model, workers=1)
    assert report.left_out.lines == ["1 left out: no suffix of a recording (.docx)", f"  {calls / 'notes.docx'}"]
