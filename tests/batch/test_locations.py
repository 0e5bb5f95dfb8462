"""Content decides what a .txt is, and what a search passes over is counted and named."""

from __future__ import annotations

import os
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from emotone.audio import AUDIO_SUFFIXES
from emotone.batch.locations import LINKED, UNREADABLE, LeftOut, find_recordings, is_many
from emotone.corpora import release
from emotone.errors import AudioError, AudioNotFoundError


def write_wav(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((np.arange(16_000) % 999).astype(np.int16).tobytes())
    return path


def test_a_recording_named_txt_is_a_recording(tmp_path, encoded):
    for name, content in encoded.items():
        path = tmp_path / f"{name}.txt"
        path.write_bytes(content)
        assert not is_many(str(path)), name
        assert list(find_recordings([path])) == [str(path)]


def test_a_damaged_recording_named_txt_is_not_a_list(tmp_path):
    path = tmp_path / "call.TXT"
    path.write_bytes(write_wav(tmp_path / "a.wav").read_bytes()[:30])
    assert not is_many(str(path))


@pytest.mark.parametrize("text", ["a.wav\nb.wav\n", "\ufeffa.wav\r\n", "ID3 tags.wav\n", "RIFF.wav\n", "", "ÿû.wav\n"])
def test_a_list_is_a_list_whatever_its_names(tmp_path, text):
    for encoding in ("utf-8", "latin-1"):
        path = tmp_path / "list.txt"
        path.write_bytes(text.encode(encoding, errors="ignore"))
        assert is_many(str(path))


@pytest.fixture(scope="module")
def encoded() -> dict[str, bytes]:
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from hostile.make_hostile import TONE, encoded, wav

    return {
        "wav": wav(TONE),
        "flac": encoded("flac", "flac"),
        "mp3": encoded("mp3", "libmp3lame"),
        "aac": encoded("adts", "aac"),
        "m4a": encoded("ipod", "aac"),
        "ts": encoded("mpegts", "aac"),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    for name in ("a.wav", "sub/b.WAV", "sub/c.ts"):
        write_wav(folder / name)
    for name in ("notes.docx", "sub/old.voc", "sub/new.voc", "README", ".hidden.docx"):
        (folder / name).touch()
    write_wav(tmp_path / "elsewhere" / "d.wav")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    return folder


def test_what_is_passed_over_is_counted_and_named(folder):
    left_out = LeftOut()
    found = list(find_recordings([folder], left_out))
    assert found == [f"{folder}/a.wav", f"{folder}/sub/b.WAV", f"{folder}/sub/c.ts"]
    assert left_out.counts == {
        LINKED: 1,
        "no suffix of a recording (.docx)": 1,
        "no suffix of a recording (.voc)": 2,
        "no suffix of a recording (none)": 1,
    }
    assert left_out.lines[2:] == [
        "1 left out: no suffix of a recording (.docx)",
        f"  {folder}/notes.docx",
        "2 left out: no suffix of a recording (.voc)",
        f"  {folder}/sub/new.voc",
        f"  {folder}/sub/old.voc",
        "1 left out: no suffix of a recording (none)",
        f"  {folder}/README",
    ]


def test_thousands_that_are_passed_over_are_not_all_named():
    left_out = LeftOut()
    for i in range(1_000):
        left_out.add(f"{i}.jpg", "no suffix of a recording (.jpg)")
    assert len(left_out.lines) == 22
    assert left_out.lines[-1] == "  … and 980 more"


def test_a_folder_that_cannot_be_read_is_left_out_and_the_rest_is_found(folder, monkeypatch):
    real = os.scandir

    def scandir(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    left_out = LeftOut()
    assert list(find_recordings([folder], left_out)) == [f"{folder}/a.wav"]
    assert left_out.counts[UNREADABLE] == 1
    with pytest.raises(AudioError, match="cannot be searched: Permission denied"):
        list(find_recordings([folder / "sub"]))


def test_a_folder_without_recordings_says_what_it_has(folder):
    (folder / "a.wav").unlink()
    for path in (folder / "sub").iterdir():
        path.unlink()
    with pytest.raises(AudioNotFoundError, match=r"has no recordings.*1 left out: linked folder"):
        list(find_recordings([folder]))


def test_batches_and_corpora_look_for_the_same_suffixes():
    assert release.AUDIO_SUFFIXES is AUDIO_SUFFIXES
    assert {".wav", ".mp3", ".opus", ".amr", ".ts", ".mkv", ".3gp", ".wma", ".avi", ".au"} <= AUDIO_SUFFIXES


def test_predict_lists_what_it_left_out(folder, tiny_model, capsys, monkeypatch):
    from emotone.cli.main import main

    (folder / "sub" / "c.ts").unlink()
    monkeypatch.setattr(sys, "argv", ["emotone", "predict", "--model", str(tiny_model), str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    assert "2 left out: no suffix of a recording (.voc)" in capsys.readouterr().err
