"""Run the rows of the paper's Tables 1 and 2, and the further ones, on the same folds and seeds.

Conventions: the table's folder holds one run folder per row under `rows` (under `tuned` for tuned settings). A fold
that is done is never run again, whatever order the rows are asked for in. One seed of all rows comes before the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from emotone.corpora import Corpus, Fold, Folds
from emotone.corpora.folds import fold_hash
from emotone.errors import MissingExtraError, RecipeError
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.results import FoldInfo, Results
from emotone.evaluation.run_folder import RunFolder
from emotone.experiments.cross_validation import cross_validate
from emotone.experiments.leakage import Leak, leaky_folds
from emotone.experiments.opensmile_baseline import cross_validate_opensmile
from emotone.experiments.paper_tables.outcome import FoldRun, Outcome, State, TableFacts, build_outcome
from emotone.experiments.paper_tables.rows import ROWS, Row
from emotone.experiments.plan import Listener, Partitions, Plan
from emotone.experiments.recipe import Recipe, load_recipe, recipe_names
from emotone.features.encoder_frames import find_encoder
from emotone.features.front_end import FeatureOptions
from emotone.features.whisper import FRAMES_PER_SECOND, PUBLISHED_WIDTHS
from emotone.features.whisper_files import read_shape
from emotone.models.cost import Cost, measure_cost, measure_frames_cost
from emotone.models.frames import FramesNetwork, FramesOptions
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
        looks: number of test evaluations on these folds so far.
        tuned: settings by row, as tuning chose them; None for the settings that were chosen first.
    Raises:
        RecipeError: a key that is not of a row.
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
    tuned: Mapping[str, tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        known = [row.key for row in ROWS]
        if unknown := sorted(set(self.only or ()) - set(known)):
            raise RecipeError(f"no row {', '.join(unknown)}; expected some of {', '.join(known)}")

    @property
    def wanted(self) -> tuple[Row, ...]:
        """The rows to run."""
        rows = (row for row in ROWS if self.only is None or row.key in self.only)
        return tuple(row for row in rows if self.tuned is None or row.key in self.tuned)

    def run_folder(self, row: Row) -> RunFolder:
        """The run folder of a row."""
        return RunFolder(self.folder / ("rows" if self.tuned is None else "tuned") / row.key)


class TableListener(Listener, Protocol):
    """Receives the progress of the table; calls of `Listener` are about the row begun last."""

    def planned(self, weights: dict[str, float], total: float) -> None:
        """The cost of one fold of each row to be run (epochs times multiply-adds), and of everything."""

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


def has_recipe(row: Row) -> bool:
    """Whether the recipe of a row comes with emotone."""
    return bool(row.feature_set) or row.recipe in recipe_names()


def row_recipe(row: Row, *, quick: bool, tuned: Sequence[str] = ()) -> Recipe:
    """The recipe of a row; openSMILE's rows have the one of the log-mel network, of which they take the sample rate."""
    settings = [*row.settings, *tuned, *(QUICK_SETTINGS if quick and not row.feature_set else ())]
    return load_recipe(row.recipe or "spectrogram", settings)


def row_cost(row: Row, n_classes: int) -> Cost | None:
    """Parameters and multiply-adds of a row's network; None for openSMILE or no recipe."""
    if row.feature_set or not has_recipe(row):
        return None
    recipe = row_recipe(row, quick=False)
    return _cost_of(recipe.features, recipe.normalisation, recipe.model, n_classes)


@cache
def _cost_of(features: FeatureOptions, normalisation: NormalisationOptions, model: ModelOptions, n: int) -> Cost:
    if isinstance(model, FramesOptions):
        # The published widths are known, so that a report can be written where the encoder is not.
        width = (
            PUBLISHED_WIDTHS.get(features.source) or read_shape(find_encoder(features.source, features.revision)).width
        )
        network = FramesNetwork(model, n_bands=width * len(features.blocks), n_classes=n)
        return measure_frames_cost(network, frames_per_second=FRAMES_PER_SECOND / features.pool)
    return measure_cost(RecognitionNetwork(features, normalisation, model, n_classes=n))


def row_plan(table: TablePlan, row: Row, seeds: Sequence[int]) -> Plan:
    """The cross-validation of a row, as a plan."""
    recipe = row_recipe(row, quick=table.quick, tuned=(table.tuned or {}).get(row.key, ()))
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
        folder=table.run_folder(row).path,
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
        listener: of the progress.
        jobs: folds at once, each in a process of its own.
    Raises:
        EmotoneError: whatever a row raises; what is done stays done.
    """
    can = [row for row in table.wanted if obstacle(table, row) is None]
    for row in table.wanted:
        if row not in can:
            listener.row_skipped(row, obstacle(table, row) or "not run")
    weights = {row.key: fold_weight(table, row) for row in can}
    n_folds = len(table.folds.folds)
    listener.planned(
        weights, sum(weights[row.key] * n_folds * (1 if row.feature_set else len(table.seeds)) for row in can)
    )
    for seed in table.seeds:
        for row in can:
            if row.feature_set and seed != table.seeds[0]:
                continue
            plan = row_plan(table, row, (seed,))
            listener.row_begins(row, plan)
            if row.feature_set:
                try:
                    cross_validate_opensmile(plan, row.feature_set, listener.fold_done)
                except MissingExtraError:
                    listener.row_skipped(row, "needs the extra opensmile")
            else:
                cross_validate(plan, jobs=jobs, listener=listener)
    return [gather(table, row) for row in ROWS]


def gather(table: TablePlan, row: Row) -> Outcome:
    """A row as far as it was ever run into this folder: every fold that is done."""
    if (reason := obstacle(table, row)) is not None:
        return Outcome(row, reason)
    seeds = table.seeds[:1] if row.feature_set else tuple(sorted({*table.run_folder(row).seeds(), *table.seeds}))
    plan = row_plan(table, row, seeds)
    runs: list[FoldRun] = []
    last: dict[str, Any] | None = None
    for seed in seeds:
        for fold in plan.fold_numbers:
            folder = plan.fold(seed, fold)
            if folder.is_done:
                last = folder.read_info()
                runs.append(FoldRun(FoldInfo.model_validate(last), Predictions.read(folder.predictions)))
    if last is None:
        missing = row.feature_set and not _installed("opensmile")
        return Outcome(row, "needs the extra opensmile" if missing else "not run")
    kept = table.run_folder(row).results
    if row.feature_set and not kept.exists():
        return Outcome(row, "not run")
    if kept.exists():
        # The command that ran the row, not the one that gathers it; likewise the count of test evaluations.
        provenance = Results.read(kept).provenance()
    else:
        plan = replace(plan, command=last.get("command", plan.command), looks=last.get("looks", plan.looks))
        provenance = plan.provenance(device=last.get("device", ""))
    return build_outcome(row, len(plan.fold_numbers), provenance, runs)


def table_facts(table: TablePlan) -> TableFacts:
    """The facts about the table, for its report and its record."""
    corpus = table.corpus
    counts = Counter(utterance.emotion for utterance in corpus.utterances)
    return TableFacts(
        corpus=corpus.name,
        protocol=table.folds.protocol,
        fold_hash=table.folds.hash,
        n_folds=len(table.folds.folds),
        labels=corpus.classes,
        class_counts=tuple(counts[label] for label in corpus.classes),
        n_speakers=len(corpus.speakers),
        n_without_phonemes=sum(not utterance.phonemes for utterance in corpus.utterances),
        sentences_shared=corpus.sentences_shared,
        quick=table.quick,
        looks=table.looks,
    )


def obstacle(table: TablePlan, row: Row) -> State | None:
    """Why a row cannot be run on this table; None where it can."""
    if row.needs_phonemes and not any(utterance.phonemes for utterance in table.corpus.utterances):
        return "needs phonemes"
    return None if has_recipe(row) else "not run"


def _leaky(table: TablePlan, leak: Leak) -> Partitions:
    if not table.quick or leak == "epoch":
        return leaky_folds(table.corpus, table.folds, leak)
    # One honest fold has nothing to deal out; a third each, and only the first of them, is as quick.
    thirds = replace(table.folds, folds=table.folds.folds * 3)
    whole = leaky_folds(table.corpus, thirds, leak)
    return replace(whole, folds=whole.folds[:1])


def fold_weight(table: TablePlan, row: Row) -> float:
    """The cost of one fold: epochs times multiply-adds; openSMILE's rows cost next to nothing."""
    cost = row_cost(row, len(table.corpus.classes))
    if cost is None:
        return 1.0
    n_epochs = row_plan(table, row, table.seeds[:1]).recipe.training.n_epochs(max(1, len(table.corpus.utterances)))
    return float(cost.multiply_adds) * n_epochs


def _installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None
