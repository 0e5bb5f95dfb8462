"""The scores of `emotone evaluate` on a model file, written into that file, and its card beside it.

    python -m emotone.experiments.shipping.rescore MODEL OUTPUT EVALUATION [EVALUATION ...]

An EVALUATION is the folder of one evaluation; the first must be of all classes, on the held-out speakers: the card has
its tables by sex and by corpus. A model that ships is scored as it ships, after its weights were stored.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from emotone.errors import EmotoneError, EvaluationError
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.results import Results
from emotone.evaluation.run_folder import RunFolder
from emotone.experiments.shipping.model_card import card
from emotone.experiments.shipping.model_facts import scores_of
from emotone.files import write_bytes, write_text
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import read_model_file, with_metadata


def rescored(content: bytes, metadata: ModelMetadata, evaluations: Sequence[Results]) -> tuple[bytes, ModelMetadata]:
    """A model file with the scores of these evaluations, in place of earlier ones on the same utterances.

    Args:
        content: the bytes of the model file.
        metadata: its metadata.
        evaluations: of this file.
    Returns:
        the bytes of the new file and its metadata.
    Raises:
        EvaluationError: a result is not of a file with these weights in this precision.
    """
    before, found = scores_of([(one, "") for one in evaluations], metadata.weights_sha, metadata.precision)
    if before:
        raise EvaluationError(
            f"the score on {before[0].corpus} ({before[0].protocol}) is not known to be of this file; run `emotone "
            "evaluate` with it again"
        )
    measured = {(one.corpus, one.protocol, one.fold_hash) for one in found}
    kept = [one for one in metadata.scores if (one.corpus, one.protocol, one.fold_hash) not in measured]
    changed = replace(metadata, scores=(*kept, *found))
    return with_metadata(content, changed), changed


def main() -> None:
    """Read the model and the evaluations, write the new file and its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("evaluations", type=Path, nargs="+")
    given = parser.parse_args()
    try:
        runs = [RunFolder(folder) for folder in given.evaluations]
        results = [Results.read(run.results) for run in runs]
        content, metadata = rescored(*read_model_file(given.model), results)
        if tuple(results[0].labels) != metadata.labels:
            raise EvaluationError(
                f"{given.evaluations[0]} is of {', '.join(results[0].labels)}; expected first an evaluation of all "
                f"{len(metadata.labels)} classes of the model"
            )
        text = card(metadata, results[0], Predictions.read(runs[0].find_fold(0, 0).predictions))
        write_bytes(given.output, content)
        write_text(given.output.with_suffix(".md"), text)
    except EmotoneError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
