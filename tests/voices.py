"""A tiny labelled corpus of made-up voices, so small that a network learns it in seconds."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from emotone.corpora import Corpus, Utterance

RATE = 16_000
PITCHES = {"anger": 320.0, "sadness": 110.0, "neutral": 180.0, "happiness": 250.0, "fear": 410.0}
"""In Hz, before the speaker's own pitch."""


def write_wav(path: Path, waveform: np.ndarray) -> None:
    """A 16-bit mono wav at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.clip(np.rint(waveform * 32767), -32768, 32767).astype(np.int16)
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def voice(emotion: str, speaker: int, take: int) -> np.ndarray:
    """Something voiced: pitch and its movement follow the emotion, the timbre the speaker."""
    generator = np.random.default_rng([speaker, take, len(emotion)])
    time = np.arange(int(RATE * generator.uniform(0.5, 0.9))) / RATE
    base = PITCHES[emotion] * (1 + 0.05 * speaker)
    pitch = base * (1 + (0.25 if emotion == "anger" else 0.02) * np.sin(2 * np.pi * 5 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = sum(np.sin(k * phase) / k ** (1 + 0.1 * speaker) for k in range(1, 8))
    return 0.2 * sound + 0.005 * generator.standard_normal(len(time))


def made_up_voices(folder: Path, name: str, emotions: tuple[str, ...], speakers: tuple[str, ...]) -> Corpus:
    """A corpus of four takes of each emotion by each speaker, written below a folder."""
    utterances = []
    for number, speaker in enumerate(speakers):
        for emotion in emotions:
            for take in range(4):
                path = folder / speaker / f"{emotion}-{take}.wav"
                write_wav(path, voice(emotion, number, take))
                sex = "female" if number % 2 else "male"
                utterances.append(Utterance(f"{speaker}-{emotion}-{take}", path, emotion, speaker, sex=sex))
    return Corpus(name, tuple(utterances), emotions, "CC0-1.0")


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Five speakers, three emotions, four takes each."""
    speakers = tuple(f"s{number}" for number in range(5))
    return made_up_voices(tmp_path_factory.mktemp("voices"), "voices", ("neutral", "sadness", "anger"), speakers)
