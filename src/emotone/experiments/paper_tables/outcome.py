"""What a table is of, and what is known of each of its rows: folds that were run, scores, and how complete they are.

Conventions: a row is built from folds. It shows the seeds of which all folds are done; where no seed is complete, the
folds of the seed that is nearest to it. Further folds are kept as pending.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from emotone.evaluation.predictions import Predictions, concatenate
from emotone.evaluation.provenance import Provenance
from emotone.evaluation.results import FoldInfo, Results
from emotone.evaluation.summary import summarise
from emotone.experiments.leakage import STAMP
from emotone.experiments.paper_tables.rows import Row

QUICK_STAMP = "QUICK"
NONE = "–"
"""Shown where there is no figure."""

State = Literal["done", "partial", "needs phonemes", "needs the extra opensmile", "not run"]


class TableFacts(BaseModel):
    """What a table is of.

    Attributes:
        corpus: its name.
        protocol: the name of the folds.
        fold_hash: changes with who is in which fold; rows of another hash belong to another table.
        n_folds: number of folds; 0 in records of earlier versions, which held complete rows only.
        labels: the classes, in the order of the outputs.
        class_counts: utterances of each.
        n_speakers: of the corpus.
        n_without_phonemes: utterances that have none.
        sentences_shared: whether test speakers say the sentences of training speakers.
        quick: whether every figure is stamped QUICK.
        looks: number of test evaluations on these folds so far; None where they were not counted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: str
    protocol: str
    fold_hash: str
    n_folds: int = 0
    labels: tuple[str, ...]
    class_counts: tuple[int, ...]
    n_speakers: int
    n_without_phonemes: int
    sentences_shared: bool
    quick: bool = False
    looks: int | None = None

    @property
    def n_utterances(self) -> int:
        """Of all classes."""
        return sum(self.class_counts)

    @property
    def rare(self) -> tuple[str, ...]:
        """The classes with fewer utterances than an even distribution would give them."""
        even = self.n_utterances / len(self.labels)
        return tuple(label for label, count in zip(self.labels, self.class_counts, strict=True) if count < even)


@dataclass(frozen=True, eq=False)
class FoldRun:
    """One fold of one seed, trained and scored.

    Attributes:
        info: facts about the training.
        predictions: of the fold's test utterances.
        labels_only: True where the predictions come from a record, which keeps labels and not probabilities.
    """

    info: FoldInfo
    predictions: Predictions
    labels_only: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """Seed and fold."""
        return self.info.seed, self.info.fold


@dataclass(frozen=True, eq=False)
class Answers:
    """The predicted class of each utterance, for paired tests.

    Attributes:
        labels: the classes.
        utterances: their ids, sorted, length n.
        speakers: likewise.
        truth: class numbers, shape (n,).
        predictions: class numbers, shape (n_seeds, n).
        seeds: in the order of `predictions`.
    """

    labels: tuple[str, ...]
    utterances: tuple[str, ...]
    speakers: tuple[str, ...]
    truth: NDArray[np.int64]
    predictions: NDArray[np.int64]
    seeds: tuple[int, ...]

    @classmethod
    def of(cls, by_seed: Mapping[int, Predictions]) -> Answers:
        """Of the pooled test predictions of each seed."""
        ordered = [table.take(np.argsort(np.array(table.utterances, dtype=str))) for table in by_seed.values()]
        first = ordered[0]
        chosen = np.stack([table.prediction for table in ordered])
        return cls(first.labels, first.utterances, first.speakers, first.truth, chosen, tuple(by_seed))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of one row.

    Attributes:
        row: which.
        state: "done" where at least one seed is complete, "partial" where only some of its folds are done, or why
            there is no figure.
        results: of the folds that are shown; None where there is no figure.
        answers: likewise.
        runs: every fold that was run, those that are not shown yet among them.
        n_folds: of the protocol.
    """

    row: Row
    state: State
    results: Results | None = None
    answers: Answers | None = None
    runs: tuple[FoldRun, ...] = ()
    n_folds: int = 0

    @property
    def pending(self) -> tuple[FoldRun, ...]:
        """The folds that are not shown, because their seed is not complete."""
        shown = () if self.results is None else {(one.info.seed, one.info.fold) for one in self.results.per_fold}
        return tuple(run for run in self.runs if run.key not in shown)

    @property
    def done_folds(self) -> frozenset[tuple[int, int]]:
        """Seed and fold of everything that was run."""
        shown = () if self.results is None else ((one.info.seed, one.info.fold) for one in self.results.per_fold)
        return frozenset(shown) | {run.key for run in self.runs}

    @property
    def extent(self) -> str:
        """How much of the row is there, such as "3 of 5 folds" or "3 seeds"."""
        if self.results is None:
            return self.state
        if self.state == "partial":
            return f"{len(self.results.per_fold)} of {self.n_folds} folds"
        n_seeds = len(self.results.seeds)
        begun = Counter(run.info.seed for run in self.pending)
        parts = [f"{n_seeds} seed{'s' if n_seeds > 1 else ''}"]
        parts += [f"{count} of {self.n_folds} folds of seed {seed}" for seed, count in sorted(begun.items())]
        return ", ".join(parts)

    @property
    def seconds(self) -> float | None:
        """Of training, all folds shown; None where there is no figure."""
        return None if self.results is None else _total([fold.info.seconds for fold in self.results.per_fold])

    @property
    def on_gpu(self) -> bool:
        """Whether the row was trained on a GPU."""
        device = "" if self.results is None or self.row.feature_set else self.results.device
        return bool(device) and not device.startswith("cpu")

    @property
    def core_seconds(self) -> float | None:
        """Of the processor (of a GPU: seconds of the whole device); None where they were not counted."""
        return None if self.results is None else _total([fold.info.core_seconds for fold in self.results.per_fold])


def build_outcome(
    row: Row, n_folds: int, provenance: Provenance, runs: Sequence[FoldRun], *, kept: Results | None = None
) -> Outcome:
    """A row from its folds.

    Args:
        row: which.
        n_folds: of the protocol.
        provenance: of the folds; where only some are done, its protocol is extended by their numbers.
        runs: the folds that are done, in any order; one at least.
        kept: results of a record, taken as they are if the folds to be shown are exactly theirs and from that record.
    """
    by_key = {run.key: run for run in runs}
    counts = Counter(seed for seed, _ in by_key)
    complete = sorted(seed for seed, count in counts.items() if count >= n_folds)
    shown = complete or [min(counts, key=lambda seed: (-counts[seed], seed))]
    chosen = [by_key[key] for key in sorted(by_key) if key[0] in shown]
    by_seed = {seed: concatenate([run.predictions for run in chosen if run.info.seed == seed]) for seed in shown}
    shown_before = None if kept is None else {(one.info.seed, one.info.fold) for one in kept.per_fold}
    if kept is not None and all(run.labels_only for run in chosen) and shown_before == {run.key for run in chosen}:
        results = kept
    else:
        base = provenance.protocol.partition(", folds ")[0]
        numbers = ", ".join(str(run.info.fold) for run in chosen)
        protocol = base if complete else f"{base}, folds {numbers} of {n_folds} alone"
        # A record keeps neither probabilities nor the speakers' sexes.
        known = any(run.labels_only for run in chosen)
        tables = {seed: replace(table, sexes=("",) * len(table)) if known else table for seed, table in by_seed.items()}
        infos = [run.info for run in chosen]
        results = summarise(tables, infos, provenance.model_copy(update={"protocol": protocol}))
        if known:
            results = results.model_copy(update={"calibration": None})
    ordered = tuple(by_key[key] for key in sorted(by_key))
    return Outcome(row, "done" if complete else "partial", results, Answers.of(by_seed), ordered, n_folds)


def stamped(text: str, table: TableFacts, outcome: Outcome | None = None) -> str:
    """A figure with the stamps QUICK and LEAKY where they apply; text without a digit is returned as it is."""
    if text == NONE or not any(character.isdigit() for character in text):
        return text
    stamps = [STAMP] if outcome is not None and outcome.row.leak is not None else []
    stamps += [QUICK_STAMP] if table.quick else []
    return " ".join([text, *stamps])


def _total(counted: Sequence[float | None]) -> float | None:
    known = [seconds for seconds in counted if seconds is not None]
    return sum(known) if len(known) == len(counted) else None
