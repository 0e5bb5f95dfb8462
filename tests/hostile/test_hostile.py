"""Broken, strange and hostile recordings: each gives a result or one of our errors, soon, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import pytest

import emotone
from emotone.audio import AudioTruncatedWarning
from emotone.errors import AudioError, AudioNotFoundError, NotAudioError
from hostile.make_hostile import make

COMMAND = [sys.executable, "-c", "from emotone.cli.main import main; main()"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile")
    make(path)
    return path


@pytest.fixture(scope="module")
def recognizer(tiny_model: Path) -> emotone.Recognizer:
    return emotone.load(tiny_model)


@pytest.fixture(scope="module")
def verdicts(folder: Path, recognizer: emotone.Recognizer) -> dict[str, emotone.Recognition | AudioError]:
    """What each file gave, after checking that it gave it in time."""
    given: dict[str, emotone.Recognition | AudioError] = {}
    late = []
    for path in sorted(folder.iterdir()):
        # Processor time, as other work on the machine is no hang; but where nothing is computed, waiting is one.
        clock = time.monotonic if path.name.startswith("path-") else time.process_time
        started, duration_s = clock(), 0.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioTruncatedWarning)
            try:
                given[path.name] = recognition = recognizer(path)
                duration_s = recognition.duration_s
            except AudioError as error:
                given[path.name] = error
        if clock() - started > 5 + duration_s / 100:
            late.append((path.name, clock() - started))
    assert not late
    return given


def test_every_file_gives_a_result_or_an_error_of_ours_in_time(verdicts):
    assert len(verdicts) > 200
    kinds = Counter(type(verdict).__name__ for verdict in verdicts.values())
    assert kinds["Recognition"] > 50
    assert kinds["NotAudioError"] > 50


def test_every_error_names_its_file_in_one_sentence(verdicts, folder):
    for name, verdict in verdicts.items():
        if isinstance(verdict, AudioError):
            assert str(verdict).startswith(str(folder / name))
            assert len(str(verdict)) < len(str(folder / name)) + 400


def test_every_result_is_a_distribution_or_says_that_nobody_speaks(verdicts):
    for verdict in verdicts.values():
        if isinstance(verdict, emotone.Recognition):
            if verdict.emotion is None:  # nobody speaks
                assert not verdict.probabilities
            else:
                assert sum(verdict.probabilities.values()) == pytest.approx(1.0, abs=1e-4)
            assert verdict.duration_s > 0


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("path-folder.wav", NotAudioError),
        ("path-link-to-nothing.wav", AudioNotFoundError),
        ("path-link-to-itself.wav", AudioError),
        ("path-link-to-zeros.wav", NotAudioError),
        ("path-pipe-without-writer.wav", NotAudioError),
        ("path-socket.wav", AudioError),
        ("not-audio-zip.wav", NotAudioError),
        ("not-audio-concat.wav", NotAudioError),
        ("mp4-silent-video.mp4", emotone.NoAudioStreamError),
        ("wav-at-192001-hz.wav", emotone.SampleRateError),
        ("samples-nan.wav", emotone.AudioSamplesError),
        ("samples-1e30.wav", emotone.AudioSamplesError),
        ("samples-1.wav", emotone.AudioTooShortError),
        ("m4a-index-only.m4a", emotone.AudioTruncatedError),
    ],
)
def test_errors_are_of_the_kind_they_should_be(verdicts, name, kind):
    assert type(verdicts[name]) is kind


@pytest.mark.parametrize(
    "name",
    [
        "wav-24-channels.wav",
        "wav-at-4000-hz.wav",
        "wav-at-192000-hz.wav",
        "samples-silence.wav",
        "samples-dc.wav",
        "samples-square.wav",
        "samples-hour-of-silence.flac",
        "mp3-cover.mp3",
        "mp4-video-with-sound.mp4",
        "name-two\nlines.wav",
        "name-a:b.wav",
        "-name-like-an-option.wav",
    ],
)
def test_strange_but_whole_recordings_are_recognised(verdicts, name):
    assert isinstance(verdicts[name], emotone.Recognition)


def test_an_unreadable_file_is_said_to_be_so(verdicts):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    assert type(verdicts["path-unreadable.wav"]) is AudioError


def test_a_pipe_with_a_writer_is_read(tmp_path, folder, recognizer):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    source = folder / "name-a:b.wav"
    with subprocess.Popen(["sh", "-c", 'sleep 0.3; cat "$0" > "$1"', str(source), str(pipe)]):
        assert recognizer(pipe).probabilities == recognizer(source).probabilities


def test_a_terminal_is_refused_and_not_waited_for(recognizer):
    outer, inner = os.openpty()
    try:
        with pytest.raises(NotAudioError, match="terminal"):
            recognizer(os.ttyname(inner))
    finally:
        os.close(outer)
        os.close(inner)


GROWTH = """
import gc, resource, sys, warnings
from pathlib import Path
import emotone
warnings.simplefilter("ignore")
recognizer = emotone.load(sys.argv[1])
paths = [path for path in sorted(Path(sys.argv[2]).iterdir()) if "pipe" not in path.name and "hour" not in path.name]
def resident_mb():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
sizes = []
for _ in range(4):
    for path in paths:
        try:
            recognizer(path)
        except emotone.AudioError:
            pass
    sizes.append(resident_mb())
print(sizes[-1] - sizes[1])
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_reading_them_again_and_again_takes_no_more_memory(folder, tiny_model):
    words = [sys.executable, "-c", GROWTH, str(tiny_model), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=200)
    assert done.stderr == ""
    assert float(done.stdout) < 10


def test_the_command_line_reads_them_all_and_never_breaks(folder, tiny_model, verdicts):
    # The link stands for the whole folder once more.
    names = sorted(name for name in verdicts if "hour" not in name and name != "path-link-to-a-folder.wav")
    words = ["predict", "--model", str(tiny_model), "--format", "json", "--", *names]
    done = subprocess.run([*COMMAND, *words], cwd=folder, capture_output=True, timeout=200, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 3
    assert "Traceback" not in err
    assert "\x1b" not in err
    n_bad = sum(isinstance(verdicts[name], AudioError) for name in names)
    assert f"{n_bad} of {len(names)} recordings could not be used:" in err
    assert len(json.loads(out)) == len(names) - n_bad


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("wav-cut-at-43.wav", 3),
        ("not-audio-empty.wav", 3),
        ("path-link-to-itself.wav", 3),
        ("path-pipe-without-writer.wav", 3),
        ("samples-all-max.wav", 3),
        ("samples-square.wav", 0),
        ("name-\N{GRINNING FACE}\N{ZERO WIDTH JOINER}.wav", 0),
        (os.fsdecode(b"name-latin1-\xe9\xff.wav"), 0),
    ],
)
def test_one_alone_on_the_command_line_has_its_status(folder, tiny_model, name, status):
    words = ["predict", "--model", str(tiny_model), "--", name]
    done = subprocess.run([*COMMAND, *words], cwd=folder, capture_output=True, timeout=60, check=False)
    assert done.returncode == status
    assert b"Traceback" not in done.stderr
