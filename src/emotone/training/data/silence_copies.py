"""Copies of recordings with other silence around their speech, made while a network over waveforms is trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotone.features.silence import SilenceOptions, speech_bounds, with_other_silence
from emotone.training.data.waveform_store import StoredWaveforms


class SilenceCopies:
    """Draws a recording, or one of its copies with other silence.

    Where speech begins and ends is found once for each recording, since the detector takes longer than the copy.

    Args:
        waveforms: of the whole corpus.
        options: how copies are made, how many of them, and how often one is drawn.
    """

    def __init__(self, waveforms: StoredWaveforms, options: SilenceOptions) -> None:
        self._waveforms, self._options = waveforms, options
        self._bounds: dict[int, tuple[int, int]] = {}

    def draw(self, index: int, generator: np.random.Generator) -> NDArray[np.float32] | None:
        """A copy of an utterance, shape (n_samples,); None where the recording itself is drawn."""
        if generator.random() >= self._options.share:
            return None
        number = 1 + int(generator.integers(self._options.copies))
        waveform, rate = self._waveforms.read(index), self._waveforms.sample_rate
        if index not in self._bounds:
            self._bounds[index] = speech_bounds(waveform, rate)
        name = self._waveforms.paths[index].stem
        return with_other_silence(waveform, self._options, number, name, rate, self._bounds[index])
