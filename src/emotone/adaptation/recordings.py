"""The user's recordings as the model sees them: probabilities and embeddings, one row per recording.

Conventions: a row is what `Recognizer` answers for the whole recording, so a long one is a mean over its windows with
speech, exactly as in prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotone.audio import load_audio
from emotone.corpora import Utterance
from emotone.corpora.release import audio_files
from emotone.errors import AudioError, CorpusError
from emotone.listening.recognition import Recognition
from emotone.listening.recognizer import Recognizer
from emotone.listening.sound.sources import Source

FEWEST = 20
"""With fewer recordings, chance decides the result."""

NO_SPEECH = "no speech was found"

Floats = NDArray[np.float64]
Progress = Callable[[Sequence[Utterance]], Iterable[Utterance]]


@dataclass(frozen=True, slots=True, eq=False)
class Recordings:
    """The outputs of a model for some recordings.

    Attributes:
        utterances: those that could be used, in the order given.
        probabilities: shape (n, n_classes).
        embeddings: shape (n, embedding_dim).
        failures: the ids of the others, with the reason.
    """

    utterances: tuple[Utterance, ...]
    probabilities: Floats
    embeddings: Floats
    failures: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.utterances)


def find_recordings(paths: Sequence[Path]) -> list[Utterance]:
    """Recordings without labels: files, and all audio files of folders.

    Raises:
        CorpusError: a path does not exist, or a folder has no audio file.
    """
    found: dict[Path, Utterance] = {}
    for path in paths:
        if not path.exists():
            raise CorpusError(f"{path} does not exist; give a folder of recordings, recordings, or a manifest")
        files = list(audio_files(path)) if path.is_dir() else [path]
        if not files:
            raise CorpusError(f"{path} has no audio file; expected recordings such as .wav, .flac or .mp3")
        for file in files:
            found.setdefault(file.resolve(), Utterance(str(file), file, "", ""))
    return list(found.values())


def run_model(recognizer: Recognizer, utterances: Sequence[Utterance], progress: Progress = iter) -> Recordings:
    """Probabilities and embeddings of recordings, at least `FEWEST` of them.

    Args:
        recognizer: with the model to adapt.
        utterances: files, or regions of files.
        progress: wraps the utterances, to show how many are done.
    Raises:
        CorpusError: fewer than `FEWEST` usable recordings.
    """
    require_enough(len(utterances), [])
    used: list[Utterance] = []
    rows: list[tuple[list[float], NDArray[np.float32]]] = []
    failures: list[tuple[str, str]] = []
    for utterance in progress(utterances):
        try:
            source, sample_rate = _source(recognizer, utterance)
            recognition: Recognition = recognizer(source, sample_rate)
        except AudioError as error:
            failures.append((utterance.id, str(error)))
            continue
        if recognition.emotion is None:
            failures.append((utterance.id, NO_SPEECH))
            continue
        used.append(utterance)
        rows.append(([recognition.probabilities[label] for label in recognizer.labels], recognition.embedding))
    require_enough(len(used), failures)
    return Recordings(
        tuple(used),
        np.array([row[0] for row in rows], dtype=np.float64),
        np.array([row[1] for row in rows], dtype=np.float64),
        tuple(failures),
    )


def require_enough(n: int, failures: Sequence[tuple[str, str]]) -> None:
    """Check that there are at least `FEWEST` recordings.

    Raises:
        CorpusError: there are fewer.
    """
    if n < FEWEST:
        reasons = "".join(f"; {name}: {reason}" for name, reason in failures[:3])
        raise CorpusError(f"got {n} usable recordings; adaptation needs at least {FEWEST}{reasons}")


def _source(recognizer: Recognizer, utterance: Utterance) -> tuple[Source, int | None]:
    if utterance.start_s is None and utterance.end_s is None:
        return utterance.path, None
    rate = recognizer.sample_rate
    waveform = load_audio(utterance.path, sample_rate=rate, start_s=utterance.start_s or 0.0, end_s=utterance.end_s)
    return waveform, rate
