"""The record of a table: a folder that keeps the folds of many runs together.

The rows of a table cost minutes or days and are run when and where there is a machine for them, fold by fold. A record
takes what each run gave, refuses what was run on other folds, and is all that the report needs.

Conventions: `table.json` holds the `TableFacts`; `rows/KEY.json` a row's results; `pending/KEY.json` the facts about
folds that are not part of them yet, because their seed is not complete; `answers.csv` has one line per utterance and a
column `KEY:SEED` of predicted labels, empty where the utterance's fold is not done.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from emotone.errors import EvaluationError, RecipeError
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.results import FoldInfo, Results
from emotone.experiments.paper_tables.outcome import FoldRun, Outcome, TableFacts, build_outcome
from emotone.experiments.paper_tables.rows import ROWS, Row
from emotone.experiments.recipe import Recipe, recipe_from
from emotone.files import write_text

_WORDS = ("utterance", "speaker", "truth")

Columns = dict[tuple[str, int], dict[str, tuple[str, str, str]]]
"""(row, seed) -> utterance -> speaker, true label, predicted label."""


def check_record(folder: Path, facts: TableFacts) -> bool:
    """Whether there is a record to which rows of this table can be added. Ask before hours of work.

    Raises:
        EvaluationError: the record is of other folds or another corpus, or is damaged.
    """
    if not (folder / "table.json").exists():
        return False
    found = _read_facts(folder)
    if _identity(found) != _identity(facts):
        raise EvaluationError(
            f"{folder} is the record of {found.corpus}, {found.protocol}, folds {found.fold_hash}; got rows of "
            f"{facts.corpus}, {facts.protocol}, folds {facts.fold_hash}. Choose another folder"
        )
    return True


def write_record(folder: Path, facts: TableFacts, outcomes: Sequence[Outcome]) -> list[str]:
    """Add folds to a record.

    A fold that the record has is replaced. Folds of another recipe replace the whole row, but not a complete row by an
    incomplete one.

    Args:
        folder: the record; made where it does not exist.
        facts: of the table.
        outcomes: rows; those without a figure change nothing.
    Returns:
        the keys of the rows that were written.
    Raises:
        EvaluationError: the record is of other folds or another corpus, or is damaged.
        OutputError: a file could not be written.
    """
    rows: dict[str, Outcome] = {}
    if check_record(folder, facts):
        found, old = read_record(folder)
        rows = {one.row.key: one for one in old if one.results is not None}
        counted = [looks for looks in (found.looks, facts.looks) if looks is not None]
        facts = facts.model_copy(update={"looks": max(counted, default=None)})
    written = []
    for new in outcomes:
        if new.results is None:
            continue
        key = new.row.key
        merged = _merged(rows.get(key), new)
        if merged is not rows.get(key):
            rows[key] = merged
            written.append(key)
    table = _as_csv(rows)
    for key in written:
        results, waiting = rows[key].results, [run.info.model_dump() for run in rows[key].pending]
        if results is not None:
            results.write(folder / "rows" / f"{key}.json")
        pending = folder / "pending" / f"{key}.json"
        if waiting:
            write_text(pending, json.dumps(waiting, indent=1) + "\n")
        else:
            pending.unlink(missing_ok=True)
    write_text(folder / "answers.csv", table)
    write_text(folder / "table.json", facts.model_dump_json(indent=1) + "\n")
    return written


def read_record(folder: Path) -> tuple[TableFacts, list[Outcome]]:
    """Read a record: every row of the table, those that were never run among them.

    Raises:
        EvaluationError: no record, or a damaged one.
    """
    facts = _read_facts(folder)
    columns = _from_csv(folder / "answers.csv", facts.labels)
    found = {row.key: Results.read(path) for row in ROWS if (path := folder / "rows" / f"{row.key}.json").exists()}
    if not facts.n_folds:
        folds = [len(results.per_fold) // len(results.seeds) for results in found.values()]
        facts = facts.model_copy(update={"n_folds": max(folds, default=0)})
    outcomes = []
    for row in ROWS:
        results = found.get(row.key)
        if results is None:
            silent = row.needs_phonemes and facts.n_without_phonemes == facts.n_utterances
            outcomes.append(Outcome(row, "needs phonemes" if silent else "not run"))
            continue
        infos = [one.info for one in results.per_fold] + _read_pending(folder / "pending" / f"{row.key}.json")
        runs = _runs(row, infos, columns, facts.labels)
        if len(runs) < len(infos):
            raise EvaluationError(f"{folder / 'answers.csv'} lacks answers of the row {row.key}; the record is damaged")
        outcomes.append(build_outcome(row, facts.n_folds, results.provenance(), runs, kept=results))
    return facts, outcomes


def folds_in_record(folder: Path) -> Callable[[Row, Recipe], frozenset[tuple[int, int]]]:
    """A function that gives the (seed, fold) pairs that a record has of a row with a recipe.

    Raises:
        EvaluationError: the record is damaged.
    """
    rows: dict[str, Outcome] = {}
    if (folder / "table.json").exists():
        rows = {one.row.key: one for one in read_record(folder)[1]}

    def recorded(row: Row, recipe: Recipe) -> frozenset[tuple[int, int]]:
        known = rows.get(row.key)
        if known is None or known.results is None:
            return frozenset()
        same = row.feature_set or same_recipe(known.results.recipe, recipe.model_dump(mode="json"))
        return known.done_folds if same else frozenset()

    return recorded


def same_recipe(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two recipes, as results hold them, have the same settings; words about them do not count."""

    def settings(recipe: dict[str, Any]) -> dict[str, Any]:
        try:
            full = recipe_from(recipe, source="of a record").model_dump(mode="json")
        except RecipeError:  # openSMILE's settings are not a recipe
            full = dict(recipe)
        return {key: value for key, value in full.items() if key not in ("name", "summary", "choices")}

    return settings(one) == settings(other)


def _merged(old: Outcome | None, new: Outcome) -> Outcome:
    if old is None or old.results is None or new.results is None:
        return new
    if not same_recipe(old.results.recipe, new.results.recipe):
        return old if old.state == "done" and new.state != "done" else new
    if new.done_folds >= old.done_folds:
        return new
    if new.row.leak == "random":  # Its folds share speakers, so a record cannot tell whose answers are whose.
        return old
    runs = {run.key: run for run in (*old.runs, *new.runs)}
    return build_outcome(
        new.row, new.n_folds or old.n_folds, new.results.provenance(), list(runs.values()), kept=old.results
    )


def _identity(facts: TableFacts) -> tuple[object, ...]:
    return facts.corpus, facts.protocol, facts.fold_hash, facts.labels, facts.quick


def _read_facts(folder: Path) -> TableFacts:
    path = folder / "table.json"
    try:
        return TableFacts.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise EvaluationError(f"{path} is not a record of a table: {error}") from error


def _read_pending(path: Path) -> list[FoldInfo]:
    if not path.exists():
        return []
    try:
        return [FoldInfo.model_validate(info) for info in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path} is damaged: {error}") from error


def _runs(row: Row, infos: Sequence[FoldInfo], columns: Columns, labels: tuple[str, ...]) -> list[FoldRun]:
    """The folds of a row, rebuilt from its answers."""
    number = {label: position for position, label in enumerate(labels)}
    runs = []
    for info in infos:
        column = columns.get((row.key, info.seed), {})
        mine = {name: cell for name, cell in column.items() if cell[0] in set(info.test_speakers)}
        if row.leak == "random":
            # Speakers are in several folds there; which fold an utterance is of is not kept, and not needed.
            fold = [one.fold for one in infos if one.seed == info.seed].index(info.fold)
            n_folds = sum(one.seed == info.seed for one in infos)
            mine = dict(list(column.items())[fold::n_folds])
        if not mine:
            continue
        chosen = np.array([number[predicted] for _, _, predicted in mine.values()])
        predictions = Predictions(
            labels=labels,
            utterances=tuple(mine),
            speakers=tuple(speaker for speaker, _, _ in mine.values()),
            sexes=("",) * len(mine),
            folds=np.full(len(mine), info.fold, dtype=np.int64),
            truth=np.array([number[truth] for _, truth, _ in mine.values()], dtype=np.int64),
            logits=np.eye(len(labels))[chosen],
            temperatures=np.ones(len(mine)),
        )
        runs.append(FoldRun(info, predictions, labels_only=True))
    return runs


def _as_csv(rows: dict[str, Outcome]) -> str:
    """One line per utterance; the cell of a row that was not scored on an utterance is empty."""
    lines: dict[str, dict[str, str]] = {}
    columns: list[str] = []
    for row in (row for row in ROWS if row.key in rows):
        for run in sorted(rows[row.key].runs, key=lambda run: run.key):
            column, table = f"{row.key}:{run.info.seed}", run.predictions
            if column not in columns:
                columns.append(column)
            for name, speaker, truth, chosen in zip(
                table.utterances, table.speakers, table.truth.tolist(), table.prediction.tolist(), strict=True
            ):
                cells = (name, speaker, table.labels[truth])
                line = lines.setdefault(name, dict(zip(_WORDS, cells, strict=True)))
                if line["truth"] != table.labels[truth]:
                    raise EvaluationError(
                        f"{name} is {table.labels[truth]} in row {row.key} and {line['truth']} in others: they were "
                        "scored on other labels. Run all rows again, or choose another folder for the record"
                    )
                line[column] = table.labels[chosen]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_WORDS, *columns], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines[name] for name in sorted(lines))
    return text.getvalue()


def _from_csv(path: Path, labels: tuple[str, ...]) -> Columns:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            lines = list(csv.DictReader(handle))
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror or error}") from error
    found: Columns = {}
    try:
        for column in (column for column in (lines[0] if lines else {}) if column not in _WORDS):
            key, _, seed = column.rpartition(":")
            found[key, int(seed)] = {
                line["utterance"]: (line["speaker"], line["truth"], line[column]) for line in lines if line[column]
            }
        unknown = {label for cells in found.values() for cell in cells.values() for label in cell[1:]} - set(labels)
        if unknown:
            raise KeyError(", ".join(sorted(unknown)))
    except (KeyError, TypeError, ValueError) as error:
        raise EvaluationError(f"{path} is damaged: {error} is not a column or label of this table") from error
    return found
