"""Any recording -> float32 samples at one sample rate.

Conventions: a waveform is float32, nominally in [-1, 1] (floats a little beyond it are kept as they are, those beyond
8 refused), shape (n_samples,) for one channel and (n_channels, n_samples) for several; rates are in Hz, times in
seconds. A file's format is recognised by its content, never by its name. Sound stays where the container's timestamps
put it: a late start and gaps are silence. Audio tracks are counted from 1.
"""

from emotone.audio.decoding import AudioTruncatedWarning
from emotone.audio.information import AudioInfo
from emotone.audio.mixing import cancels
from emotone.audio.opening import AUDIO_SUFFIXES, is_recording, starts_like_recording
from emotone.audio.reading import CANCELLATION_NOTE, TRACKS_NOTE, load_audio, probe_audio, stream_audio
from emotone.audio.resampling import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, Resampler
from emotone.audio.source import AudioSource

__all__ = [
    "AUDIO_SUFFIXES",
    "CANCELLATION_NOTE",
    "MAX_SAMPLE_RATE",
    "MIN_SAMPLE_RATE",
    "TRACKS_NOTE",
    "AudioInfo",
    "AudioSource",
    "AudioTruncatedWarning",
    "Resampler",
    "cancels",
    "is_recording",
    "load_audio",
    "probe_audio",
    "starts_like_recording",
    "stream_audio",
]
