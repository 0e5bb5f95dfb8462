"""What the openly licensed training data cost on unseen corpora; writes docs/results/open-licence.json.

    python benchmarks/open_licence.py RUN EVALUATION [EVALUATION ...]

RUN is the run folder of `emotone reproduce model research`, whose leave-one-corpus-out predictions come from models
that were trained on all corpora but one. EVALUATION is the folder of `emotone evaluate CORPUS --classes four --model
default` on such a corpus. Both are compared on the utterances that they share, in the four classes of the paper.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from emotone.emotions import FOUR_CLASSES
from emotone.evaluation.metrics import unweighted_average_recall
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.run_folder import RunFolder
from emotone.experiments.shipping.across_corpora import PROTOCOL, restrict

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "open-licence.json"


def score(predictions: Predictions) -> float:
    """UAR in percent."""
    return 100 * unweighted_average_recall(predictions.truth, predictions.prediction, len(predictions.labels))


def compare(left_out: Predictions, evaluated: Predictions) -> dict[str, object]:
    """Both scores on the utterances of one corpus that both predict."""
    corpus = left_out.utterances[0].partition("/")[0]
    names = [name.partition("/")[2] for name in left_out.utterances]
    shared = set(names) & set(evaluated.utterances)
    research = left_out.take(np.array([name in shared for name in names]))
    default = evaluated.take(np.array([name in shared for name in evaluated.utterances]))
    return {"corpus": corpus, "n": len(shared), "open": score(default), "research": score(research)}


def main() -> None:
    """Write the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("evaluations", type=Path, nargs="+")
    arguments = parser.parse_args()
    evaluated = [Predictions.read(RunFolder(path).find_fold(0, 0).predictions) for path in arguments.evaluations]
    rows = []
    for fold in RunFolder(arguments.run / PROTOCOL).done_folds():
        left_out = restrict(Predictions.read(fold.predictions), FOUR_CLASSES)
        names = {name.partition("/")[2] for name in left_out.utterances}
        rows += [compare(left_out, one) for one in evaluated if names & set(one.utterances)]
    if not rows:
        parser.error("no evaluation is of a corpus that the run left out")
    OUTPUT.write_text(json.dumps({"n_classes": "four", "corpora": rows}, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
