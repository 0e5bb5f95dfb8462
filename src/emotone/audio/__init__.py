"""Any recording -> float32 samples at one sample rate.

Conventions: a waveform is float32, nominally in [-1, 1] (floats a little beyond it are kept as they are, those beyond
8 refused), shape (n_samples,) for one channel and (n_channels, n_samples) for several; rates are in Hz, times in
seconds. Content decides what a file is, never its name. Samples stand one after the other: gaps in a container's
timestamps are not filled.
"""

from emotone.audio.decoding import AudioTruncatedWarning
from emotone.audio.information import AudioInfo
from emotone.audio.reading import load_audio, probe_audio, stream_audio
from emotone.audio.resampling import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, Resampler
from emotone.audio.source import AudioSource

__all__ = [
    "MAX_SAMPLE_RATE",
    "MIN_SAMPLE_RATE",
    "AudioInfo",
    "AudioSource",
    "AudioTruncatedWarning",
    "Resampler",
    "load_audio",
    "probe_audio",
    "stream_audio",
]
