"""How the shipped model holds up under telephone, codecs, noise and rooms; writes docs/results/conditions.json.

    python benchmarks/conditions.py CORPORA        # the folder that holds `crema-d` and `emodb`

Only the speakers that were held out of its training are judged. Every condition is made from the same recordings, its random
numbers from each utterance's id.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

import emotone
from emotone.audio import load_audio
from emotone.corpora import protocol_folds, read_corpus
from emotone.evaluation.metrics import accuracy, unweighted_average_recall
from emotone.evaluation.significance import bootstrap_over_speakers
from emotone.features.augmentation import add_noise, limit_band, utterance_generator

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "conditions.json"
RATE = 16_000
Sound = NDArray[np.float32]
Change = Callable[[Sound, np.random.Generator], Sound]


def through_codec(container: str, codec: str, rate: int, bit_rate: int | None = None) -> Change:
    """Encode and decode with a real codec, in memory."""

    def change(sound: Sound, generator: np.random.Generator) -> Sound:
        source = io.BytesIO()
        with av.open(source, "w", format=container) as out:
            stream = out.add_stream(codec, rate=rate, layout="mono")
            if bit_rate is not None:
                stream.bit_rate = bit_rate
            samples = np.clip(np.rint(sound * 32767), -32768, 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate = RATE
            resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size)
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                out.mux(stream.encode(piece))
            out.mux(stream.encode(None))
        return load_audio(source.getvalue(), sample_rate=RATE)

    return change


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


CONDITIONS: dict[str, Change] = {
    "clean": lambda sound, generator: sound,
    "telephone band, 300 to 3400 Hz": lambda sound, generator: limit_band(sound, RATE),
    "mu-law at 8 kHz": through_codec("wav", "pcm_mulaw", 8_000),
    "MP3, 32 kbit/s": through_codec("mp3", "libmp3lame", RATE, 32_000),
    "Opus, 12 kbit/s": through_codec("ogg", "libopus", RATE, 12_000),
    "pink noise, 20 dB": noise(20.0),
    "pink noise, 10 dB": noise(10.0),
    "pink noise, 5 dB": noise(5.0),
    "reverberation, 0.5 s": reverberation(0.5),
}


def main() -> None:
    """Judge every held-out utterance under every condition."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    folder = parser.parse_args().corpora
    recognizer = emotone.load()
    corpus = read_corpus("open-four", folder)
    folds = protocol_folds(corpus)
    held_out = {f"{entry.name}/{speaker}" for entry in recognizer.metadata.corpora for speaker in entry.held_out}
    if held_out != set(folds.folds[0].test):
        raise SystemExit("the model file's held-out speakers are not the test speakers of open-four")
    chosen = folds.folds[0].indices(corpus).test
    utterances = [corpus.utterances[index] for index in chosen]
    truth = np.asarray(corpus.targets())[chosen]
    speakers = [utterance.speaker for utterance in utterances]
    sounds = [load_audio(utterance.path, sample_rate=RATE) for utterance in utterances]
    rows = []
    for name, change in CONDITIONS.items():
        changed = [
            change(sound, utterance_generator(0, 0, 0, utterance.id))
            for sound, utterance in zip(sounds, utterances, strict=True)
        ]
        probabilities = recognizer.probabilities(changed)
        prediction = probabilities.argmax(1)
        low, high, _ = bootstrap_over_speakers(truth, prediction, speakers, n_labels=len(corpus.classes))
        rows.append(
            {
                "condition": name,
                "uar": unweighted_average_recall(truth, prediction, len(corpus.classes)),
                "low": low,
                "high": high,
                "accuracy": accuracy(truth, prediction, len(corpus.classes)),
                "confidence": float(probabilities.max(1).mean()),
            }
        )
        print(f"{name}: UAR {100 * rows[-1]['uar']:.1f} [{100 * low:.1f}, {100 * high:.1f}]", flush=True)
    about = {
        "model": recognizer.metadata.name,
        "weights_sha": recognizer.metadata.weights_sha,
        "folds": folds.hash,
        "n": len(utterances),
        "n_speakers": len(set(speakers)),
        "command": "python benchmarks/conditions.py CORPORA",
        "version": emotone.__version__,
        "rows": rows,
    }
    OUTPUT.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
