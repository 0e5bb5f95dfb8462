"""emotone: emotion in speech.

>>> import emotone
>>> recognizer = emotone.load()                                # doctest: +SKIP
>>> recognizer("clip.wav").emotion                             # doctest: +SKIP
'anger'

Everything public is named in `__all__` and imported when first asked for, so that `import emotone` is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from emotone.audio import load_audio
    from emotone.batch.local import recognise_many
    from emotone.errors import (
        AudioError,
        AudioNotFoundError,
        AudioSamplesError,
        AudioTooShortError,
        AudioTruncatedError,
        BaselineError,
        CheckpointError,
        CorpusError,
        CorpusNotFoundError,
        EmotoneError,
        EvaluationError,
        ManifestError,
        MissingExtraError,
        ModelFileError,
        NoAudioStreamError,
        NotAudioError,
        OptionError,
        OutputError,
        RecipeError,
        SampleRateError,
        SourceTypeError,
        SpeakerLeakError,
        StoreError,
        TrainingError,
        TurnsError,
        UnknownEmotionError,
    )
    from emotone.listening.live import LiveRecognizer
    from emotone.listening.options import TimelineOptions
    from emotone.listening.recognition import Recognition, Timeline
    from emotone.listening.recognizer import Recognizer, load
    from emotone.listening.segments import Segment
    from emotone.output.columns import to_annotation, to_dataframe
    from emotone.output.plots import plot

__all__ = [
    "AudioError",
    "AudioNotFoundError",
    "AudioSamplesError",
    "AudioTooShortError",
    "AudioTruncatedError",
    "BaselineError",
    "CheckpointError",
    "CorpusError",
    "CorpusNotFoundError",
    "EmotoneError",
    "EvaluationError",
    "LiveRecognizer",
    "ManifestError",
    "MissingExtraError",
    "ModelFileError",
    "NoAudioStreamError",
    "NotAudioError",
    "OptionError",
    "OutputError",
    "RecipeError",
    "Recognition",
    "Recognizer",
    "SampleRateError",
    "Segment",
    "SourceTypeError",
    "SpeakerLeakError",
    "StoreError",
    "Timeline",
    "TimelineOptions",
    "TrainingError",
    "TurnsError",
    "UnknownEmotionError",
    "__version__",
    "load",
    "load_audio",
    "plot",
    "recognise_many",
    "to_annotation",
    "to_dataframe",
]

_HOMES = {
    "LiveRecognizer": "emotone.listening.live",
    "Recognition": "emotone.listening.recognition",
    "Recognizer": "emotone.listening.recognizer",
    "Segment": "emotone.listening.segments",
    "Timeline": "emotone.listening.recognition",
    "TimelineOptions": "emotone.listening.options",
    "load": "emotone.listening.recognizer",
    "load_audio": "emotone.audio",
    "plot": "emotone.output.plots",
    "recognise_many": "emotone.batch.local",
    "to_annotation": "emotone.output.columns",
    "to_dataframe": "emotone.output.columns",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'emotone' has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "emotone.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
