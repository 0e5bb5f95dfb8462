"""How the shipped models hold up under telephone, codecs, noise, rooms and other silence; writes docs/results/conditions.json.

    python benchmarks/conditions.py CORPORA        # the folder that holds `crema-d` and `emodb`

Only the speakers that were held out of their training are scored, in four classes. Every condition is made from the same recordings, its
random numbers from each utterance's id. `--every 3` takes every third recording.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import emotone
from emotone.audio import load_audio
from emotone.corpora import Utterance, protocol_folds, read_corpus
from emotone.emotions import FOUR_CLASSES
from emotone.evaluation.metrics import accuracy, unweighted_average_recall
from emotone.evaluation.significance import bootstrap_over_speakers
from emotone.features.augmentation import add_noise, limit_band, utterance_generator
from emotone.features.conditions import through_codec
from emotone.features.silence import speech_bounds

MODELS = ["default", "small"]
OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "conditions.json"
RATE = 16_000
Sound = NDArray[np.float32]
Targets = NDArray[np.int64]
Change = Callable[[Sound, np.random.Generator], Sound]


def codec(container: str, name: str, rate: int, bit_rate: int | None = None) -> Change:
    """Encode and decode with a real codec, in memory."""
    return lambda sound, generator: through_codec(sound, container, name, rate, bit_rate, RATE)


def noise(snr_db: float) -> Change:
    """Pink noise at a signal-to-noise ratio in dB."""
    return lambda sound, generator: add_noise(sound, snr_db, 1.0, generator)


def reverberation(decay_s: float) -> Change:
    """A made-up room: noise that decays by 60 dB in `decay_s`, behind a direct path that is as strong as all of it."""

    def change(sound: Sound, generator: np.random.Generator) -> Sound:
        time = np.arange(round(decay_s * RATE)) / RATE
        tail = generator.standard_normal(len(time)) * 10 ** (-3 * time / decay_s)
        response = tail / np.sqrt(np.sum(tail**2))
        response[0] += 1.0
        size = len(sound) + len(response) - 1
        wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)
        return wet[: len(sound)].astype(np.float32)

    return change


def surrounded(seconds: float, noise_db: float | None = None) -> Change:
    """Cut at the first and last sound of speech, with digital silence beside it, or white noise below its power."""

    def change(sound: Sound, generator: np.random.Generator) -> Sound:
        start, end = speech_bounds(sound, RATE)
        speech = sound[start:end]
        level = 0.0 if noise_db is None else np.sqrt(np.mean(np.square(speech)) * 10 ** (-noise_db / 10))
        sides = [generator.standard_normal(round(seconds * RATE), dtype=np.float32) * level for _ in range(2)]
        return np.concatenate([sides[0], speech, sides[1]]).astype(np.float32)

    return change


CONDITIONS: dict[str, Change] = {
    "clean": lambda sound, generator: sound,
    "telephone band, 300 to 3400 Hz": lambda sound, generator: limit_band(sound, RATE),
    "mu-law at 8 kHz": codec("wav", "pcm_mulaw", 8_000),
    "MP3, 32 kbit/s": codec("mp3", "libmp3lame", RATE, 32_000),
    "Opus, 12 kbit/s": codec("ogg", "libopus", RATE, 12_000),
    "pink noise, 20 dB": noise(20.0),
    "pink noise, 10 dB": noise(10.0),
    "pink noise, 5 dB": noise(5.0),
    "reverberation, 0.5 s": reverberation(0.5),
    "cut closely around the speech": surrounded(0.0),
    "digital silence around it, 0.5 s": surrounded(0.5),
    "faint noise around it, 0.5 s, 55 dB below": surrounded(0.5, 55.0),
}


def main() -> None:
    """Score the held-out utterances of each shipped model under every condition."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument(
        "--model",
        action="append",
        help="Score this one alone; the other keeps its figures if they are of the shipped weights. Repeatable.",
    )
    parser.add_argument("--every", type=int, default=1, help="Take one of so many recordings.")
    given = parser.parse_args()
    corpus = read_corpus("open-four", given.corpora)
    folds = protocol_folds(corpus)
    chosen = folds.folds[0].indices(corpus).test[:: given.every]
    utterances = [corpus.utterances[index] for index in chosen]
    truth = np.asarray(corpus.targets())[chosen]
    speakers = [utterance.speaker for utterance in utterances]
    sounds = [load_audio(utterance.path, sample_rate=RATE) for utterance in utterances]
    models: list[dict[str, Any]] = []
    for name in given.model or MODELS:
        recognizer = emotone.load(name)
        held_out = {f"{entry.name}/{speaker}" for entry in recognizer.metadata.corpora for speaker in entry.held_out}
        if held_out != set(folds.folds[0].test):
            raise SystemExit(f"the held-out speakers of {name} are not the test speakers of open-four")
        metadata = recognizer.metadata
        rows = scores(recognizer.with_classes(FOUR_CLASSES), sounds, utterances, truth, speakers)
        models.append({"model": name, "weights_sha": metadata.weights_sha, "rows": rows})
    about: dict[str, Any] = {
        "folds": folds.hash,
        "n": len(chosen),
        "every": given.every,
        "n_speakers": len(set(speakers)),
    }
    models += kept(about, [str(one["model"]) for one in models])
    models.sort(key=lambda one: MODELS.index(str(one["model"])))
    about |= {
        "models": models,
        "version": emotone.__version__,
        "command": "python benchmarks/conditions.py CORPORA" + (f" --every {given.every}" if given.every > 1 else ""),
    }
    OUTPUT.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {OUTPUT}")


def kept(about: dict[str, Any], scored: list[str]) -> list[dict[str, Any]]:
    """Figures of the models that were not scored now, where they are of the same recordings and the shipped weights."""
    if not OUTPUT.exists():
        return []
    before = json.loads(OUTPUT.read_text(encoding="utf-8"))
    if any(before[key] != value for key, value in about.items()) or before["version"] != emotone.__version__:
        return []
    return [
        one
        for one in before["models"]
        if one["model"] not in scored
        and [row["condition"] for row in one["rows"]] == list(CONDITIONS)
        and one["weights_sha"] == emotone.load(one["model"]).metadata.weights_sha
    ]


def scores(
    recognizer: emotone.Recognizer,
    sounds: list[Sound],
    utterances: list[Utterance],
    truth: Targets,
    speakers: list[str],
) -> list[dict[str, object]]:
    """One row for each condition."""
    rows: list[dict[str, object]] = []
    for name, change in CONDITIONS.items():
        changed = [
            change(sound, utterance_generator(0, 0, 0, utterance.id))
            for sound, utterance in zip(sounds, utterances, strict=True)
        ]
        probabilities = recognizer.probabilities(changed)
        prediction = probabilities.argmax(1)
        low, high, _ = bootstrap_over_speakers(truth, prediction, speakers, n_labels=len(FOUR_CLASSES))
        rows.append(
            {
                "condition": name,
                "uar": unweighted_average_recall(truth, prediction, len(FOUR_CLASSES)),
                "low": low,
                "high": high,
                "accuracy": accuracy(truth, prediction, len(FOUR_CLASSES)),
                "confidence": float(probabilities.max(1).mean()),
            }
        )
        print(f"{name}: UAR {100 * float(str(rows[-1]['uar'])):.1f}", flush=True)
    return rows


if __name__ == "__main__":
    main()
