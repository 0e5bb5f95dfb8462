"""What a table holds once its rows are run, and its record: a folder that keeps the rows of many runs together.

Rows of one table cost minutes or days, and are run when and where there is a machine for them. A record takes what each
run gave, refuses what was run on other folds, and is all that the report needs.

Conventions: `table.json` says what the table is of; `rows/KEY.json` holds a row's results; `answers.csv` has a line an
utterance and a column `KEY:SEED` of predicted labels, for paired tests.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from emotone.errors import EvaluationError
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.results import Results
from emotone.experiments.leakage import STAMP
from emotone.experiments.paper_tables.rows import ROWS, Row
from emotone.files import write_text
from emotone.models.cost import Cost

QUICK_STAMP = "QUICK"
NONE = "–"
"""Shown where there is no figure."""

State = Literal["done", "needs phonemes", "needs the extra peers", "not run"]

_WORDS = ("utterance", "speaker", "truth")


class TableFacts(BaseModel):
    """What a table is of.

    Attributes:
        corpus: its name.
        protocol: the folds' name.
        fold_hash: of who is where; rows of another hash belong to another table.
        labels: the classes, in the order of the outputs.
        class_counts: utterances of each.
        n_speakers: of the corpus.
        n_without_phonemes: utterances that have none.
        sentences_shared: whether test speakers say the sentences of training speakers.
        quick: whether every figure is to be stamped QUICK.
        looks: how often these test folds have been looked at; None where nobody counted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: str
    protocol: str
    fold_hash: str
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
        """The classes with fewer utterances than an even share."""
        even = self.n_utterances / len(self.labels)
        return tuple(label for label, count in zip(self.labels, self.class_counts, strict=True) if count < even)


@dataclass(frozen=True, eq=False)
class Answers:
    """What a row said of each utterance.

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
    def of(cls, by_seed: dict[int, Predictions]) -> Answers:
        """Of the pooled test predictions of each seed."""
        ordered = [table.take(np.argsort(np.array(table.utterances, dtype=str))) for table in by_seed.values()]
        first = ordered[0]
        chosen = np.stack([table.prediction for table in ordered])
        return cls(first.labels, first.utterances, first.speakers, first.truth, chosen, tuple(by_seed))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row.

    Attributes:
        row: which.
        state: "done", or why there is no figure.
        results: None where there is no figure.
        answers: likewise.
        cost: None for a peer, and where the row cannot be built.
    """

    row: Row
    state: State
    results: Results | None = None
    answers: Answers | None = None
    cost: Cost | None = None

    @property
    def seconds(self) -> float | None:
        """Of training, all folds and seeds; None where there is no figure."""
        if self.results is None:
            return None
        return _total([fold.info.seconds for fold in self.results.per_fold])

    @property
    def core_seconds(self) -> float | None:
        """Of the processor (of a GPU: seconds of the whole device); None where they were not counted."""
        if self.results is None:
            return None
        return _total([fold.info.core_seconds for fold in self.results.per_fold])


def _total(counted: Sequence[float | None]) -> float | None:
    known = [seconds for seconds in counted if seconds is not None]
    return sum(known) if len(known) == len(counted) else None


def stamped(text: str, table: TableFacts, outcome: Outcome | None = None) -> str:
    """A figure with the stamps QUICK and LEAKY where they apply; text without a digit is returned as it is."""
    if text == NONE or not any(character.isdigit() for character in text):
        return text
    stamps = [STAMP] if outcome is not None and outcome.row.leak is not None else []
    stamps += [QUICK_STAMP] if table.quick else []
    return " ".join([text, *stamps])


def check_record(folder: Path, facts: TableFacts) -> bool:
    """Whether a record is there, to which rows of this table can be added; hours of work should not end in a refusal.

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
    """Put the rows that are done into a record, beside or in place of those that are there.

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
    answers: dict[str, Answers] = {}
    if check_record(folder, facts):
        found = _read_facts(folder)
        answers = {one.row.key: one.answers for one in read_record(folder)[1] if one.answers is not None}
        counted = [looks for looks in (found.looks, facts.looks) if looks is not None]
        # A row scored again is one more look at the folds, whichever row comes last.
        facts = facts.model_copy(update={"looks": max(counted, default=None)})
    done = {one.row.key: one for one in outcomes if one.results is not None and one.answers is not None}
    table = _as_csv(answers | {key: one.answers for key, one in done.items() if one.answers is not None})
    for key, one in done.items():
        if one.results is not None:
            one.results.write(folder / "rows" / f"{key}.json")
    write_text(folder / "answers.csv", table)
    write_text(folder / "table.json", facts.model_dump_json(indent=1) + "\n")
    return list(done)


def read_record(folder: Path) -> tuple[TableFacts, list[Outcome]]:
    """What a record holds: every row of the table, those that were never run among them; costs are left out.

    Raises:
        EvaluationError: no record, or a damaged one.
    """
    facts = _read_facts(folder)
    answers = _from_csv(folder / "answers.csv", facts.labels)
    outcomes = []
    for row in ROWS:
        path = folder / "rows" / f"{row.key}.json"
        if path.exists():
            outcomes.append(Outcome(row, "done", Results.read(path), answers.get(row.key)))
        else:
            mute = row.needs_phonemes and facts.n_without_phonemes == facts.n_utterances
            outcomes.append(Outcome(row, "needs phonemes" if mute else "not run"))
    return facts, outcomes


def _identity(facts: TableFacts) -> tuple[object, ...]:
    return facts.corpus, facts.protocol, facts.fold_hash, facts.labels, facts.quick


def _read_facts(folder: Path) -> TableFacts:
    path = folder / "table.json"
    try:
        return TableFacts.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise EvaluationError(f"{path} is no record of a table: {error}") from error


def _as_csv(answers: dict[str, Answers]) -> str:
    """A line an utterance; a row that was not scored on an utterance (leaky folds drop none) leaves its cell empty."""
    rows: dict[str, dict[str, str]] = {}
    columns: list[str] = []
    for key in (row.key for row in ROWS if row.key in answers):
        one = answers[key]
        for seed, predictions in zip(one.seeds, one.predictions, strict=True):
            columns.append(f"{key}:{seed}")
            for name, speaker, truth, chosen in zip(
                one.utterances, one.speakers, one.truth.tolist(), predictions.tolist(), strict=True
            ):
                line = rows.setdefault(name, dict(zip(_WORDS, (name, speaker, one.labels[truth]), strict=True)))
                if line["truth"] != one.labels[truth]:
                    raise EvaluationError(
                        f"{name} is {one.labels[truth]} in row {key} and {line['truth']} in others: they were scored "
                        "on other labels. Run all rows again, or choose another folder for the record"
                    )
                line[columns[-1]] = one.labels[chosen]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*_WORDS, *columns], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[name] for name in sorted(rows))
    return text.getvalue()


def _from_csv(path: Path, labels: tuple[str, ...]) -> dict[str, Answers]:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            lines = list(csv.DictReader(handle))
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror or error}") from error
    number = {label: position for position, label in enumerate(labels)}
    found: dict[str, Answers] = {}
    columns = [column for column in (lines[0] if lines else {}) if column not in _WORDS]
    try:
        for key in dict.fromkeys(column.rpartition(":")[0] for column in columns):
            own = [column for column in columns if column.rpartition(":")[0] == key]
            scored = [line for line in lines if line[own[0]]]
            found[key] = Answers(
                labels,
                tuple(line["utterance"] for line in scored),
                tuple(line["speaker"] for line in scored),
                np.array([number[line["truth"]] for line in scored], dtype=np.int64),
                np.array([[number[line[column]] for line in scored] for column in own], dtype=np.int64),
                tuple(int(column.rpartition(":")[2]) for column in own),
            )
    except (KeyError, ValueError) as error:
        raise EvaluationError(f"{path} is damaged: {error} is no column or label of this table") from error
    return found
