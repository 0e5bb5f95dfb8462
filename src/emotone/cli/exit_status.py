"""The exit status of each kind of failure, the same for every command.

| status | meaning |
|---|---|
| 0 | success |
| 1 | another error of emotone, such as scores that cannot be computed |
| 2 | the command line was not understood, or an option has an impossible value |
| 3 | a recording cannot be used |
| 4 | a corpus, a manifest, a label, a split or a file of turns cannot be used |
| 5 | a model file cannot be used, or not with a baseline |
| 6 | a recipe is wrong, or training cannot go on |
| 7 | an option needs an extra that is not installed |
| 8 | a result cannot be written |
| 130 | interrupted from the keyboard |
| 141 | the reader of the output closed it |
"""

from __future__ import annotations

from emotone.errors import (
    AudioError,
    BaselineError,
    CorpusError,
    EmotoneError,
    MissingExtraError,
    ModelFileError,
    OptionError,
    OutputError,
    RecipeError,
    TrainingError,
    TurnsError,
)

OK = 0
USAGE = 2
INTERRUPTED = 130
READER_GONE = 141

_STATUSES: tuple[tuple[type[EmotoneError], int], ...] = (
    (AudioError, 3),
    (CorpusError, 4),
    (TurnsError, 4),
    (ModelFileError, 5),
    (BaselineError, 5),
    (RecipeError, 6),
    (TrainingError, 6),
    (OptionError, 2),
    (MissingExtraError, 7),
    (OutputError, 8),
    (EmotoneError, 1),
)


def status_of(error: EmotoneError) -> int:
    """The exit status for an error.

    >>> status_of(ModelFileError("damaged"))
    5
    """
    return next(status for kind, status in _STATUSES if isinstance(error, kind))
