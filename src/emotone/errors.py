"""Every error that emotone raises on purpose.

EmotoneError
├── AudioError (ValueError)
│   ├── AudioNotFoundError        no such file
│   ├── NotAudioError             a folder, an empty file, or bytes of no known audio format
│   │   ├── NoAudioStreamError    a container without sound (a silent video, a picture)
│   │   └── SourceTypeError (TypeError)  an object of a type that no recording has
│   ├── AudioTruncatedError       fewer samples than the container declares
│   ├── AudioSamplesError         NaN, infinite or absurdly loud samples
│   ├── AudioTooShortError        shorter than one analysis window
│   └── SampleRateError           outside 4 kHz to 192 kHz
├── CorpusError (ValueError)
│   ├── CorpusNotFoundError       the folder does not hold the corpus it should
│   ├── ManifestError             a manifest that cannot be read or lacks a column
│   ├── UnknownEmotionError       a label outside the vocabulary or the model's classes
│   └── SpeakerLeakError          one speaker on two sides of a split
├── TurnsError (ValueError)       a file of turns that cannot be read, or a turn with impossible times
├── RecipeError (ValueError)      a recipe with an unknown key or an impossible value
├── TrainingError
│   ├── StoreError                the waveform store cannot be used
│   ├── CheckpointError           a checkpoint that belongs to another run, or is damaged
│   └── EncoderError              a pretrained encoder that is missing, damaged or of another kind
├── BaselineError (ValueError)    a baseline that the model, or any model, cannot use
├── ModelFileError (ValueError)   a model file that is not one of ours, or of a newer schema
├── EvaluationError (ValueError)  scores asked of arrays that do not belong together
├── OptionError (ValueError)      an option with an impossible value, or one that does not fit the model
├── OutputError                   a result that could not be written
└── MissingExtraError (ImportError)  an option that needs an extra which is not installed

Value errors also inherit ValueError, so that callers who know nothing of emotone can catch them.
"""

from __future__ import annotations


class EmotoneError(Exception):
    """The root: catch this to catch everything emotone raises on purpose."""


class AudioError(EmotoneError, ValueError):
    """A recording that cannot be used; the message says why and what to do."""


class AudioNotFoundError(AudioError):
    """No file at the given path."""


class NotAudioError(AudioError):
    """The content is not audio of an allowed format. The suffix does not count."""


class NoAudioStreamError(NotAudioError):
    """The container is readable but holds no sound."""


class SourceTypeError(NotAudioError, TypeError):
    """An object of a type that no recording has, such as a number."""


class AudioTruncatedError(AudioError):
    """The container declares more samples than it holds."""


class AudioSamplesError(AudioError):
    """The decoded samples contain NaN or infinity, or floats far beyond full scale."""


class AudioTooShortError(AudioError):
    """The recording is shorter than one analysis window."""


class SampleRateError(AudioError):
    """The recording's sample rate is outside 4 kHz to 192 kHz."""


class CorpusError(EmotoneError, ValueError):
    """A corpus, manifest, label or split that cannot be used."""


class CorpusNotFoundError(CorpusError):
    """The folder does not hold the corpus it was said to hold."""


class ManifestError(CorpusError):
    """A manifest that cannot be read, or lacks a column, or has an impossible value."""


class UnknownEmotionError(CorpusError):
    """A label outside the vocabulary."""


class SpeakerLeakError(CorpusError):
    """A speaker is in two parts of a split. There is no switch to allow it."""


class TurnsError(EmotoneError, ValueError):
    """Turns that cannot be read, or with impossible times."""


class RecipeError(EmotoneError, ValueError):
    """A recipe with an unknown key, a wrong type or an impossible value."""


class TrainingError(EmotoneError):
    """Training cannot start or go on."""


class StoreError(TrainingError):
    """The waveform store cannot be read or written."""


class CheckpointError(TrainingError):
    """A checkpoint that is damaged or belongs to another run."""


class BaselineError(EmotoneError, ValueError):
    """A speaker's baseline that cannot be used, or a model without baselines."""


class EncoderError(TrainingError):
    """A pretrained encoder is missing, damaged or not of a kind that emotone reads."""


class ModelFileError(EmotoneError, ValueError):
    """A model file that is not one of ours, is damaged, or has a newer schema."""


class EvaluationError(EmotoneError, ValueError):
    """Scores were asked of arrays that do not belong together."""


class OptionError(EmotoneError, ValueError):
    """An option with an impossible value, or one that does not fit the model."""


class OutputError(EmotoneError):
    """A result could not be written; what was there before is unchanged."""


class MissingExtraError(EmotoneError, ImportError):
    """An option needs an optional dependency.

    Args:
        what: the option or function that was asked for.
        extra: the name of the extra that brings it.
    """

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs the extra '{extra}'; install it with: pip install 'emotone[{extra}]'")
