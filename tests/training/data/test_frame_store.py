"""The names under which frames are stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.features.test_whisper import write_encoder

from emotone.corpora import Corpus
from emotone.features.encoder_frames import EncoderFrames
from emotone.features.front_end import FeatureOptions
from emotone.features.silence import SilenceOptions
from emotone.training.data import frame_store
from emotone.training.data.frame_store import FrameStore
from emotone.training.data.waveform_store import WaveformStore


def test_frames_of_another_range_are_other_entries(tmp_path):
    source = str(write_encoder(tmp_path / "whisper-made-up"))

    def entry(**settings: float) -> Path:
        options = FeatureOptions(kind="whisper", source=source, blocks=(1,), **settings)
        return FrameStore(tmp_path / "store", EncoderFrames(options)).entry(Path("recording"), 1, 0)

    assert entry() == entry(dynamic_range_db=80)
    assert len({entry(), entry(dynamic_range_db=60), entry(dynamic_range_db=50)}) == 3
    assert entry() == entry(pool_after=1)  # the last block
    assert entry() != entry(pool_after=0)


def test_a_store_that_was_stopped_is_filled_with_the_same_batches(tmp_path, voices: Corpus, monkeypatch):
    monkeypatch.setattr(frame_store, "BATCH_SAMPLES", 16_000 * 4)
    options = FeatureOptions(kind="whisper", source=str(write_encoder(tmp_path / "whisper-made-up")), blocks=(1,))
    waveforms = WaveformStore(tmp_path / "waves").open(voices.utterances[:12])
    sizes: dict[str, list[int]] = {}

    def fill(name: str, stop_after: int | None = None) -> FrameStore:
        store = FrameStore(tmp_path / name, EncoderFrames(options), silence=SilenceOptions(copies=1))
        write = store._write

        def watched(waveforms, members, batch):
            sizes.setdefault(name, []).append(len(members))
            write(waveforms, members, batch)

        def progress(done: int, everything: int) -> None:
            if stop_after is not None and done >= stop_after:
                raise KeyboardInterrupt

        monkeypatch.setattr(store, "_write", watched)
        store.fill(waveforms, range(12), [0, -1], progress)
        return store

    whole = fill("whole")
    with pytest.raises(KeyboardInterrupt):
        fill("stopped", stop_after=5)
    n_batches = len(sizes["stopped"])
    first = next((tmp_path / "stopped").rglob("*.frames"))
    first.unlink()
    stopped = fill("stopped")
    assert 0 < n_batches < len(sizes["whole"])
    assert len(sizes["stopped"]) == len(sizes["whole"]) + 1
    assert sorted(set(sizes["stopped"])) == sorted(set(sizes["whole"]))
    for path in waveforms.paths:
        for copy in (0, -1):
            entries = [store.entry(path, 1, copy).read_bytes() for store in (whole, stopped)]
            assert entries[0] == entries[1]
