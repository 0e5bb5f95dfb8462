"""How often the shipped model is unsure about speech of classes that it is not asked for; writes docs/results/unknown-classes.json.

    python benchmarks/unknown_classes.py CORPORA        # the folder that holds `emodb` and `ravdess`

The model is asked for the four classes of the paper. Of EmoDB only the speakers that were held out of training are taken.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

import emotone
from emotone.corpora import read_corpus
from emotone.emotions import FOUR_CLASSES

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "unknown-classes.json"
UNKNOWN = {"emodb": ("fear", "disgust", "boredom"), "ravdess": ("fear", "disgust", "surprise")}


def interval(unsure: list[bool], speakers: list[str]) -> tuple[float, float]:
    """95 % interval of the rate: bootstrap over speakers, or Wilson's where there are fewer than three."""
    names = sorted(set(speakers))
    if len(names) < 3:
        found = binomtest(sum(unsure), len(unsure)).proportion_ci(method="wilson")
        return float(found.low), float(found.high)
    values = {name: [one for one, speaker in zip(unsure, speakers, strict=True) if speaker == name] for name in names}
    generator = np.random.default_rng(0)
    rates = []
    for _ in range(2000):
        drawn = [one for index in generator.integers(0, len(names), len(names)) for one in values[names[index]]]
        rates.append(np.mean(drawn))
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Recognise the recordings and write the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    folder = parser.parse_args().corpora
    recognizer = emotone.load()
    held_out = {entry.name: set(entry.held_out) for entry in recognizer.metadata.corpora}
    four = recognizer.with_classes(FOUR_CLASSES)
    rows = []
    for name, unknown in UNKNOWN.items():
        corpus = read_corpus(name, folder / name)
        for title, classes in ((", ".join(unknown), unknown), ("the four classes", FOUR_CLASSES)):
            chosen = [
                one
                for one in corpus.utterances
                if one.emotion in classes and one.speaker in held_out.get(name, {one.speaker})
            ]
            unsure = [four(one.path).unsure for one in chosen]
            low, high = interval(unsure, [one.speaker for one in chosen])
            where = f"{name}, held-out speakers" if name in held_out else f"{name}, not in training"
            rows.append(
                {
                    "recordings": f"{where}: {title}",
                    "n": len(chosen),
                    "unsure": float(np.mean(unsure)),
                    "low": low,
                    "high": high,
                }
            )
            print(rows[-1], flush=True)
    about = {
        "model": recognizer.metadata.name,
        "classes": FOUR_CLASSES,
        "rows": rows,
        "weights_sha": recognizer.metadata.weights_sha,
        "version": emotone.__version__,
        "command": "python benchmarks/unknown_classes.py CORPORA",
    }
    OUTPUT.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
