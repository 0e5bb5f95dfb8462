"""How much labelled or unlabelled adaptation brings, by number of recordings; writes docs/results/learning-curve.json.

    python benchmarks/learning_curve.py CORPORA              # the folder that holds `ravdess` and `nemo`
    python benchmarks/learning_curve.py CORPORA --model MODEL

Speakers are cut into three groups. Each group is tested once per draw, by a model adapted to recordings of the other
groups' speakers; draws differ in the groups and in the recordings. Over the classes that the model and the corpus share.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import emotone
from emotone.adaptation.linear_head import fit_head
from emotone.adaptation.recentring import SHRINKAGE, balancing_shift
from emotone.adaptation.recordings import Recordings, run_model
from emotone.corpora import Corpus, read_corpus
from emotone.evaluation.metrics import unweighted_average_recall
from emotone.evaluation.significance import bootstrap_over_speakers
from emotone.files import write_text
from emotone.listening.recognizer import Recognizer

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "learning-curve.json"
CORPORA = ("ravdess", "nemo")
PER_CLASS = (5, 10, 20, 50)
UNLABELLED = (20, 50, 100)
N_GROUPS, N_DRAWS = 3, 5
MOST = 1500
TITLES = {
    "unadapted": "unadapted",
    "labelled": "new classifier, {} recordings per class",
    "unlabelled": "recentred on {} recordings without labels",
}


def chosen(corpus: Corpus, labels: tuple[str, ...], most: int) -> Corpus:
    """The recordings of the model's classes, at most so many of them, drawn once."""
    part = corpus.with_classes([label for label in labels if label in corpus.classes])
    drawn = set(np.random.default_rng(0).permutation(len(part.utterances))[:most].tolist())
    ids = {one.id for index, one in enumerate(part.utterances) if index in drawn}
    return part.where(lambda one: one.id in ids, reason="not drawn")


def predictions(
    recordings: Recordings, targets: np.ndarray, columns: list[int], kind: str, size: int, draw: int
) -> np.ndarray:
    """The prediction for each recording by a model adapted without its speaker group, shape (n,)."""
    speakers = np.array([one.speaker for one in recordings.utterances])
    generator = np.random.default_rng([draw, size])
    groups = np.array_split(generator.permutation(np.unique(speakers)), N_GROUPS)
    logarithms = np.log(np.maximum(recordings.probabilities[:, columns], 1e-9))
    found = np.zeros(len(targets), dtype=np.int64)
    for group in groups:
        test = np.isin(speakers, group)
        if kind == "unadapted":
            found[test] = logarithms[test].argmax(1)
            continue
        others = generator.permutation(np.flatnonzero(~test))
        if kind == "unlabelled":
            shift = balancing_shift(logarithms[others[:size]]) * size / (size + SHRINKAGE)
            found[test] = (logarithms[test] + shift).argmax(1)
            continue
        used = np.concatenate([others[targets[others] == label][:size] for label in range(len(columns))])
        head = fit_head(
            recordings.embeddings[used], recordings.probabilities[used], targets[used], len(columns), columns
        )
        found[test] = head.logits(recordings.embeddings[test], recordings.probabilities[test]).argmax(1)
    return found


def curve(name: str, folder: Path, recognizer: Recognizer, most: int, keep: Callable[[dict[str, Any]], None]) -> None:
    """All rows of one corpus; `keep` is called after each, with the rows so far."""
    corpus = chosen(read_corpus(name, folder / name), recognizer.labels, most)
    recordings = run_model(recognizer, corpus.utterances)
    targets = np.array([corpus.classes.index(one.emotion) for one in recordings.utterances])
    speakers = [one.speaker for one in recordings.utterances]
    columns = [recognizer.labels.index(label) for label in corpus.classes]
    trained = [one.role for one in recognizer.metadata.corpora if one.name == name]
    rows: list[dict[str, Any]] = []
    about = {
        "corpus": name,
        "classes": list(corpus.classes),
        "n": len(targets),
        "n_speakers": len(set(speakers)),
        "model_used_it_for": trained,
        "rows": rows,
    }
    asked = [("unadapted", 0), *(("unlabelled", n) for n in UNLABELLED), *(("labelled", n) for n in PER_CLASS)]
    for kind, size in asked:
        draws = [predictions(recordings, targets, columns, kind, size, draw) for draw in range(N_DRAWS)]
        runs = np.stack(draws[:1] if kind == "unadapted" else draws)
        low, high, _ = bootstrap_over_speakers(targets, runs, speakers, n_labels=len(columns))
        uar = float(np.mean([unweighted_average_recall(targets, run, len(columns)) for run in runs]))
        rows.append({"kind": kind, "size": size, "uar": uar, "low": low, "high": high})
        print(
            f"{name}: {TITLES[kind].format(size)}: UAR {100 * uar:.1f} [{100 * low:.1f}, {100 * high:.1f}]", flush=True
        )
        keep(about)


def learning_curve() -> list[str]:
    """The section of docs/results.md, from the result file; nothing where it was not run."""
    if not OUTPUT.is_file():
        return []
    about = json.loads(OUTPUT.read_text(encoding="utf-8"))
    corpora = about["corpora"]
    lines = [
        "\n### Adapting the shipped model (`emotone adapt`)\n",
        "UAR on speakers none of whose recordings were used for the adaptation, over the classes that model and corpus share; "
        f"mean of {about['n_draws']} draws of recordings and speaker groups. SI with respect to the adaptation. The recordings "
        "without labels are drawn at random from the other speakers, so they have the classes about as often as the test "
        "speakers; on recordings of mostly one emotion the gain is smaller. The settings of the new classifier were chosen on "
        "RAVDESS, against the rule for recipes (EXPERIMENTS.md), so its RAVDESS column is a little optimistic.\n",
        "| | " + " | ".join(f"{one['corpus']}, {len(one['classes'])} classes" for one in corpora) + " |",
        "|---|" + "---|" * len(corpora),
    ]
    asked = [(row["kind"], row["size"]) for row in max((one["rows"] for one in corpora), key=len)]
    for kind, size in asked:
        lines.append(f"| {TITLES[kind].format(size)} | {' | '.join(_cell(one, kind, size) for one in corpora)} |")
    lines.append("")
    for one in corpora:
        used = (
            f"; the model used this corpus for: {', '.join(one['model_used_it_for'])}"
            if one["model_used_it_for"]
            else ""
        )
        lines.append(
            f"{one['corpus']}: {', '.join(one['classes'])}; n = {one['n']}, {one['n_speakers']} speakers{used}.  "
        )
    lines += ["", "```", about["command"], "```", ""]
    lines.append(f"Model {about['model']}, weights `{about['weights_sha'][:12]}`, emotone {about['version']}.\n")
    return lines


def _cell(one: dict[str, Any], kind: str, size: int) -> str:
    row = next((row for row in one["rows"] if (row["kind"], row["size"]) == (kind, size)), None)
    return "not run" if row is None else f"{100 * row['uar']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"


def main() -> None:
    """Measure both corpora and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--most", type=int, default=MOST, help="recordings per corpus, drawn at random")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    words = parser.parse_args()
    recognizer = emotone.load(words.model)
    about: dict[str, Any] = {
        "model": recognizer.metadata.name,
        "weights_sha": recognizer.metadata.weights_sha,
        "n_draws": N_DRAWS,
        "command": f"python benchmarks/learning_curve.py CORPORA{'' if words.most == MOST else f' --most {words.most}'}",
        "version": emotone.__version__,
    }
    done: dict[str, dict[str, Any]] = {}

    def keep(found: dict[str, Any]) -> None:
        done[found["corpus"]] = found
        write_text(words.output, json.dumps({**about, "corpora": list(done.values())}, indent=1) + "\n")

    for name in CORPORA:
        curve(name, words.corpora, recognizer, words.most, keep)
    print("\n".join(learning_curve()))


if __name__ == "__main__":
    main()
