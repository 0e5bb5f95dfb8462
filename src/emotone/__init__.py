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
    from emotone.adaptation.adapt import Adaptation, adapt
    from emotone.adaptation.new_head import NewHead
    from emotone.adaptation.recentring import Recentred
    from emotone.audio import AudioInfo, AudioTruncatedWarning, load_audio, probe_audio, stream_audio
    from emotone.batch.cluster import recognise_with_ray
    from emotone.batch.local import BatchReport, Failure, Progress, recognise_many
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
        EncoderError,
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
    from emotone.listening.baseline import Baseline
    from emotone.listening.live import LiveRecognizer
    from emotone.listening.loading import load
    from emotone.listening.options import TimelineOptions
    from emotone.listening.recognition import Recognition, Timeline
    from emotone.listening.recognizer import Recognizer
    from emotone.listening.segments import Segment
    from emotone.listening.speakers import SpeakerSettings
    from emotone.listening.turns.files import read_turns
    from emotone.listening.turns.turn import Turn
    from emotone.model_files.metadata import ModelMetadata
    from emotone.output.columns import to_annotation, to_dataframe
    from emotone.output.plots import plot

__all__ = [
    "Adaptation",
    "AudioError",
    "AudioInfo",
    "AudioNotFoundError",
    "AudioSamplesError",
    "AudioTooShortError",
    "AudioTruncatedError",
    "AudioTruncatedWarning",
    "Baseline",
    "BaselineError",
    "BatchReport",
    "CheckpointError",
    "CorpusError",
    "CorpusNotFoundError",
    "EmotoneError",
    "EncoderError",
    "EvaluationError",
    "Failure",
    "LiveRecognizer",
    "ManifestError",
    "MissingExtraError",
    "ModelFileError",
    "ModelMetadata",
    "NewHead",
    "NoAudioStreamError",
    "NotAudioError",
    "OptionError",
    "OutputError",
    "Progress",
    "Recentred",
    "RecipeError",
    "Recognition",
    "Recognizer",
    "SampleRateError",
    "Segment",
    "SourceTypeError",
    "SpeakerLeakError",
    "SpeakerSettings",
    "StoreError",
    "Timeline",
    "TimelineOptions",
    "TrainingError",
    "Turn",
    "TurnsError",
    "UnknownEmotionError",
    "__version__",
    "adapt",
    "load",
    "load_audio",
    "plot",
    "probe_audio",
    "read_turns",
    "recognise_many",
    "recognise_with_ray",
    "stream_audio",
    "to_annotation",
    "to_dataframe",
]

_HOMES = {
    "Adaptation": "emotone.adaptation.adapt",
    "AudioInfo": "emotone.audio",
    "AudioTruncatedWarning": "emotone.audio",
    "Baseline": "emotone.listening.baseline",
    "BatchReport": "emotone.batch.local",
    "Failure": "emotone.batch.local",
    "LiveRecognizer": "emotone.listening.live",
    "ModelMetadata": "emotone.model_files.metadata",
    "NewHead": "emotone.adaptation.new_head",
    "Progress": "emotone.batch.local",
    "Recentred": "emotone.adaptation.recentring",
    "Recognition": "emotone.listening.recognition",
    "Recognizer": "emotone.listening.recognizer",
    "Segment": "emotone.listening.segments",
    "Timeline": "emotone.listening.recognition",
    "SpeakerSettings": "emotone.listening.speakers",
    "TimelineOptions": "emotone.listening.options",
    "Turn": "emotone.listening.turns.turn",
    "adapt": "emotone.adaptation.adapt",
    "load": "emotone.listening.loading",
    "load_audio": "emotone.audio",
    "plot": "emotone.output.plots",
    "probe_audio": "emotone.audio",
    "read_turns": "emotone.listening.turns.files",
    "recognise_many": "emotone.batch.local",
    "recognise_with_ray": "emotone.batch.cluster",
    "stream_audio": "emotone.audio",
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
