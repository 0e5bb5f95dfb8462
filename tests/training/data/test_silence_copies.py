"""Copies with other silence, drawn while a network over waveforms is trained."""

from __future__ import annotations

import numpy as np
import pytest

from emotone.corpora import Corpus
from emotone.features.augmentation import AugmentationOptions
from emotone.features.silence import SilenceOptions, with_other_silence
from emotone.training.data import silence_copies
from emotone.training.data.batches import LabelledWaveforms, training_batches
from emotone.training.data.silence_copies import SilenceCopies
from emotone.training.data.waveform_store import StoredWaveforms, WaveformStore

RATE = 16_000


@pytest.fixture(scope="module")
def waveforms(voices: Corpus, tmp_path_factory: pytest.TempPathFactory) -> StoredWaveforms:
    return WaveformStore(tmp_path_factory.mktemp("store"), sample_rate=RATE).open(voices.utterances)


def test_a_copy_is_one_of_those_that_the_options_describe(
    waveforms: StoredWaveforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = SilenceOptions(copies=3, share=0.5)
    name = waveforms.paths[4].stem
    possible = [with_other_silence(waveforms.read(4), options, number, name, RATE) for number in (1, 2, 3)]
    found = 0
    bounds = silence_copies.speech_bounds
    monkeypatch.setattr(silence_copies, "speech_bounds", lambda *given: (calls.append(given), bounds(*given))[1])
    calls: list[object] = []
    copies, generator = SilenceCopies(waveforms, options), np.random.default_rng(0)
    for _ in range(200):
        copy = copies.draw(4, generator)
        if copy is not None:
            found += 1
            assert any(np.array_equal(copy, one) for one in possible)
    assert 70 < found < 130
    assert len(calls) == 1  # the detector is run once for each recording


def test_batches_hold_copies_cut_to_the_longest_part(voices: Corpus, waveforms: StoredWaveforms) -> None:
    targets = np.asarray(voices.targets(), dtype=np.int64)
    data = LabelledWaveforms(waveforms, targets, [one.id for one in voices.utterances], 3)

    def batches(crop_s: float, share: float) -> list[np.ndarray]:
        silence = SilenceCopies(waveforms, SilenceOptions(copies=2, share=share))
        found = training_batches(
            data, np.arange(12), batch_size=4, crop_s=crop_s, augmentation=AugmentationOptions(),
            seed=0, fold=0, epoch=0, silence=silence,
        )  # fmt: skip
        rows = {int(index): row[:n].numpy() for batch in found for index, row, n in
                zip(batch.members, batch.waveform, batch.lengths, strict=True)}  # fmt: skip
        return [rows[index] for index in range(12)]

    recordings = [waveforms.read(index) for index in range(12)]
    assert all(np.array_equal(*pair) for pair in zip(batches(0, 0), recordings, strict=True))
    # A copy can be the recording itself, where that has no silence and is given none.
    assert sum(not np.array_equal(*pair) for pair in zip(batches(0, 1), recordings, strict=True)) > 6
    short = batches(0.4, 1)
    assert max(map(len, short)) == round(0.4 * RATE)
    assert all(np.array_equal(*pair) for pair in zip(short, batches(0.4, 1), strict=True))
