"""The store: shared, checked, and never half an entry."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotone.audio import load_audio
from emotone.corpora import Corpus
from emotone.errors import StoreError
from emotone.training.data.waveform_store import WaveformStore


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_an_entry_is_the_decoded_recording(voices: Corpus, tmp_path: Path) -> None:
    stored = WaveformStore(tmp_path).open(voices.utterances)
    for index, utterance in enumerate(voices.utterances[:5]):
        expected = load_audio(utterance.path)
        assert np.abs(stored.read(index) - expected).max() <= 0.5 / 32768
        assert np.array_equal(stored.read(index, 100, 50), stored.read(index)[100:150])


def test_a_second_opening_decodes_nothing(voices: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WaveformStore(tmp_path).open(voices.utterances)
    home = "emotone.training.data.waveform_store"
    monkeypatch.setattr(f"{home}.load_audio", lambda *_, **__: pytest.fail("decoded again"))
    WaveformStore(tmp_path).open(voices.utterances)


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "header"])
def test_a_damaged_entry_is_noticed_and_made_anew(voices: Corpus, tmp_path: Path, damage: str) -> None:
    store = WaveformStore(tmp_path)
    before = store.open(voices.utterances[:3])
    good = [before.read(index) for index in range(3)]
    path = before.paths[1]
    content = path.read_bytes()
    flipped = content[:-7] + bytes([content[-7] ^ 1]) + content[-6:]
    path.write_bytes({"cut": content[:-10], "flipped": flipped, "emptied": b"", "header": b"x" + content[1:]}[damage])
    after = store.open(voices.utterances[:3])
    assert all(np.array_equal(after.read(index), good[index]) for index in range(3))
    assert path.read_bytes() == content


def test_entries_hang_on_content_rate_and_stretch(voices: Corpus, tmp_path: Path) -> None:
    one = voices.utterances[0]
    moved = tmp_path / "elsewhere.wav"
    moved.write_bytes(one.path.read_bytes())
    store = WaveformStore(tmp_path / "store")
    assert store.open([one]).paths == store.open([replace(one, path=moved, id="other")]).paths
    cut = store.open([replace(one, start_s=0.1, end_s=0.3)])
    assert cut.paths != store.open([one]).paths
    assert cut.lengths.tolist() == [3200]
    assert WaveformStore(tmp_path / "store", sample_rate=8000).open([one]).paths != store.open([one]).paths


def test_all_recordings_that_cannot_be_used_are_named(voices: Corpus, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"not audio at all")
    bad = [replace(voices.utterances[0], id=name, path=broken) for name in ("first", "second")]
    with pytest.raises(StoreError, match=r"(?s)2 of 3.*first.*second"):
        WaveformStore(tmp_path / "store").open([voices.utterances[1], *bad])


def _open(folder: Path, corpus: Corpus) -> int:
    return int(WaveformStore(folder).open(corpus.utterances).lengths.sum())


def test_two_processes_at_once_make_one_sound_store(voices: Corpus, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        sizes = pool.starmap(_open, [(tmp_path, voices)] * 4)
    assert len(set(sizes)) == 1
    assert len(entries(tmp_path)) == len(voices.utterances)
    assert all(path.suffix == ".wave" and not path.name.startswith(".") for path in entries(tmp_path))
