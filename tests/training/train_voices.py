"""Run by test_loop in a process of its own, to be killed: trains the small recipe on the made-up voices."""

from __future__ import annotations

import sys
from pathlib import Path

from emotone.corpora import Corpus, Utterance
from emotone.experiments.cross_validation import cross_validate
from emotone.experiments.folds.training import run_fold


def main() -> None:
    """Train fold 0 of the voices in the folder given first, into the folder given second; a third: folds at once."""
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    from test_loop import plan_for, small_recipe

    corpus_folder, output = Path(sys.argv[1]), Path(sys.argv[2])
    utterances = []
    for speaker in range(5):
        for emotion in ("neutral", "sadness", "anger"):
            for take in range(4):
                path = corpus_folder / f"s{speaker}" / f"{emotion}-{take}.wav"
                sex = "female" if speaker % 2 else "male"
                utterances.append(Utterance(f"s{speaker}-{emotion}-{take}", path, emotion, f"s{speaker}", sex=sex))
    corpus = Corpus("voices", tuple(utterances), ("neutral", "sadness", "anger"), "CC0-1.0")
    if len(sys.argv) > 3:
        cross_validate(plan_for(corpus, output, small_recipe(epochs=500), only_folds=(0, 1)), jobs=int(sys.argv[3]))
    else:
        run_fold(plan_for(corpus, output, small_recipe(epochs=10)), 0, 0)


if __name__ == "__main__":
    main()
