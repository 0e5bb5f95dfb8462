"""Every row of the paper's Tables 1 and 2, what lies beyond them, and the leaky protocols, on the same folds and seeds.

Conventions: the table's folder holds one run folder a row under `rows`, each as cross-validation makes it; a fold that
is done is never done again, whatever order the rows are asked for in. One seed of all rows comes before the next seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol

from emotone.corpora import Corpus, Fold, Folds
from emotone.corpora.folds import fold_hash
from emotone.errors import MissingExtraError, RecipeError
from emotone.evaluation.predictions import Predictions, concatenate
from emotone.evaluation.results import Results
from emotone.evaluation.run_folder import RunFolder
from emotone.experiments.cross_validation import collect, cross_validate
from emotone.experiments.leakage import Leak, leaky_folds
from emotone.experiments.paper_tables.record import Answers, Outcome, State, TableFacts
from emotone.experiments.paper_tables.rows import ROWS, Row
from emotone.experiments.peers import cross_validate_peer
from emotone.experiments.plan import Listener, Partitions, Plan
from emotone.experiments.recipe import Recipe, load_recipe
from emotone.features.front_end import FeatureOptions
from emotone.models.cost import Cost, measure_cost
from emotone.models.recognition_network import NormalisationOptions, RecognitionNetwork
from emotone.models.systems import ModelOptions

QUICK_PER_CLASS = 8
QUICK_SETTINGS = ("training.epochs=2", "training.min_steps=0", "training.batch_size=8")


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What to run.

    Attributes:
        corpus: the task.
        folds: its protocol.
        seeds: the first is run for all rows before the next.
        folder: of the table.
        store: the waveform store's folder.
        quick: two epochs of the first fold with a few utterances; every figure is then stamped QUICK.
        only: keys of the rows to run; None for all. Rows that were run before are reported all the same.
        device: "cpu", or None for what is there.
        threads: of PyTorch in each process; 0 leaves PyTorch's own choice.
        command: how it was started.
        looks: how often these test folds have been looked at.
    Raises:
        RecipeError: a key that is no row.
    """

    corpus: Corpus
    folds: Folds
    seeds: tuple[int, ...]
    folder: Path
    store: Path
    quick: bool = False
    only: tuple[str, ...] | None = None
    device: str | None = None
    threads: int = 0
    command: str = ""
    looks: int | None = None

    def __post_init__(self) -> None:
        known = [row.key for row in ROWS]
        if unknown := sorted(set(self.only or ()) - set(known)):
            raise RecipeError(f"no row {', '.join(unknown)}; expected some of {', '.join(known)}")

    @property
    def wanted(self) -> tuple[Row, ...]:
        """The rows to run."""
        return tuple(row for row in ROWS if self.only is None or row.key in self.only)


class TableListener(Listener, Protocol):
    """Hears how the table goes; what `Listener` hears is of the row last begun."""

    def planned(self, weights: dict[str, float]) -> None:
        """What each row to be run weighs, in all its seeds and folds: epochs times multiply-adds."""

    def row_begins(self, row: Row, plan: Plan) -> None:
        """A row begins one of its seeds."""

    def row_skipped(self, row: Row, state: State) -> None:
        """A row cannot be run here."""


def quick_task(corpus: Corpus, folds: Folds) -> tuple[Corpus, Folds]:
    """The first fold with at most `QUICK_PER_CLASS` utterances of each class and part, and a protocol named so."""
    first = folds.folds[0]
    split = first.indices(corpus)
    kept: set[str] = set()
    for part in (split.train, split.validation, split.test):
        taken: Counter[str] = Counter()
        for index in part.tolist():
            utterance = corpus.utterances[index]
            if taken[utterance.emotion] < QUICK_PER_CLASS:
                taken[utterance.emotion] += 1
                kept.add(utterance.id)
    cut = corpus.where(lambda utterance: utterance.id in kept, reason="left out by --quick")
    protocol = f"QUICK {folds.protocol}"
    fold = Fold(0, first.train, first.validation, first.test)
    return cut, Folds(protocol, (fold,), fold_hash(cut, protocol, (fold,)))


def row_recipe(row: Row, *, quick: bool) -> Recipe:
    """The recipe of a row; a peer has the default one, of which it takes the sample rate."""
    settings = [*row.settings, *(QUICK_SETTINGS if quick and not row.peer else ())]
    return load_recipe(row.recipe or "default", settings)


def row_cost(row: Row, n_classes: int) -> Cost | None:
    """Parameters and multiply-adds of a row's network; None for a peer, which has none."""
    if row.peer:
        return None
    recipe = row_recipe(row, quick=False)
    return _cost_of(recipe.features, recipe.normalisation, recipe.model, n_classes)


@cache
def _cost_of(features: FeatureOptions, normalisation: NormalisationOptions, model: ModelOptions, n: int) -> Cost:
    return measure_cost(RecognitionNetwork(features, normalisation, model, n_classes=n))


def row_plan(table: TablePlan, row: Row, seeds: Sequence[int]) -> Plan:
    """The cross-validation of a row, as a plan."""
    recipe = row_recipe(row, quick=table.quick)
    folds: Partitions = table.folds
    if row.leak is not None:
        folds = _leaky(table, row.leak)
    if recipe.model.system == "satt2017" and recipe.model.decision == "two_step":
        if "neutral" not in table.corpus.classes:
            raise RecipeError(f"{row.key} needs a neutral class; {table.corpus.name} has {table.corpus.classes}")
        place = table.corpus.classes.index("neutral")
        recipe = recipe.model_copy(update={"model": recipe.model.model_copy(update={"neutral": place})})
    return Plan(
        corpus=table.corpus,
        folds=folds,
        recipe=recipe,
        seeds=tuple(seeds),
        folder=table.folder / "rows" / row.key,
        store=table.store,
        device=table.device,
        threads=table.threads,
        command=table.command,
        looks=table.looks,
    )


def run_table(table: TablePlan, listener: TableListener, *, jobs: int = 1) -> list[Outcome]:
    """Run every wanted row that is not done yet, one seed of all rows before the next, and gather all rows.

    Args:
        table: what to run; for a quick one its corpus and folds are those of `quick_task`.
        listener: hears how it goes.
        jobs: folds at once, each in a process of its own.
    Raises:
        EmotoneError: whatever a row raises; what is done stays done.
    """
    can = [row for row in table.wanted if _obstacle(table, row) is None]
    for row in table.wanted:
        if row not in can:
            listener.row_skipped(row, _obstacle(table, row) or "not run")
    listener.planned({row.key: _weight(table, row) for row in can})
    for seed in table.seeds:
        for row in can:
            if row.peer and seed != table.seeds[0]:
                continue
            plan = row_plan(table, row, (seed,))
            listener.row_begins(row, plan)
            if row.peer:
                try:
                    cross_validate_peer(plan, row.peer, listener.fold_done)
                except MissingExtraError:
                    listener.row_skipped(row, "needs the extra peers")
            else:
                cross_validate(plan, jobs=jobs, listener=listener)
    return [gather(table, row) for row in ROWS]


def gather(table: TablePlan, row: Row) -> Outcome:
    """A row as far as it was ever run into this folder: the seeds all of whose folds are done."""
    obstacle = _obstacle(table, row)
    if obstacle is not None:
        return Outcome(row, obstacle)
    plan = row_plan(table, row, table.seeds[:1] if row.peer else _seeds_begun(table, row))
    done = [seed for seed in plan.seeds if all(plan.fold(seed, fold).is_done for fold in plan.fold_numbers)]
    if not done:
        missing = row.peer and not _installed("opensmile")
        return Outcome(row, "needs the extra peers" if missing else "not run")
    plan = replace(plan, seeds=tuple(done))
    kept = RunFolder(plan.folder).results
    if kept.exists():
        # The command that ran the row stands beside it, not the one that gathers it; and so its look at the folds.
        ran = Results.read(kept)
        plan = replace(plan, command=ran.command, looks=ran.tests_looked_at)
    results = Results.read(kept) if row.peer else collect(plan)
    by_seed = {
        seed: concatenate([Predictions.read(plan.fold(seed, fold).predictions) for fold in plan.fold_numbers])
        for seed in done
    }
    return Outcome(row, "done", results, Answers.of(by_seed))


def table_facts(table: TablePlan) -> TableFacts:
    """What the table is of, for its report and its record."""
    corpus = table.corpus
    counts = Counter(utterance.emotion for utterance in corpus.utterances)
    return TableFacts(
        corpus=corpus.name,
        protocol=table.folds.protocol,
        fold_hash=table.folds.hash,
        labels=corpus.classes,
        class_counts=tuple(counts[label] for label in corpus.classes),
        n_speakers=len(corpus.speakers),
        n_without_phonemes=sum(not utterance.phonemes for utterance in corpus.utterances),
        sentences_shared=corpus.sentences_shared,
        quick=table.quick,
        looks=table.looks,
    )


def _seeds_begun(table: TablePlan, row: Row) -> tuple[int, ...]:
    """Those asked for, and those of earlier runs: a run of fewer seeds must not take from a row what it had."""
    return tuple(sorted({*RunFolder(table.folder / "rows" / row.key).seeds(), *table.seeds}))


def _obstacle(table: TablePlan, row: Row) -> State | None:
    lacks = row.needs_phonemes and not any(utterance.phonemes for utterance in table.corpus.utterances)
    return "needs phonemes" if lacks else None


def _leaky(table: TablePlan, leak: Leak) -> Partitions:
    if not table.quick or leak == "epoch":
        return leaky_folds(table.corpus, table.folds, leak)
    # One honest fold has nothing to deal out; a third each, and only the first of them, is as quick.
    thirds = replace(table.folds, folds=table.folds.folds * 3)
    whole = leaky_folds(table.corpus, thirds, leak)
    return replace(whole, folds=whole.folds[:1])


def _weight(table: TablePlan, row: Row) -> float:
    cost = row_cost(row, len(table.corpus.classes))
    if cost is None:
        return float(len(table.folds.folds))
    plan = row_plan(table, row, table.seeds)
    n_epochs = plan.recipe.training.n_epochs(max(1, len(table.corpus.utterances)))
    return float(cost.multiply_adds) * n_epochs * len(plan.fold_numbers) * len(table.seeds)


def _installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None
