"""The scores of a run, as they are stored.

Conventions: scores are shares in [0, 1], None where undefined; `pooled` scores all test utterances together, `per_fold`
each fold alone. With several seeds `pooled` is the mean over the seeds, its confusion matrix the sum of theirs. A score
is never shown without its protocol, its n, its interval and SI or SD (speaker-independent or not): see `headline`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emotone.errors import EvaluationError
from emotone.evaluation.provenance import Provenance
from emotone.files import write_text

SCHEMA = 1

Share = Annotated[float, Field(ge=0, le=1)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConfidenceInterval(_Record):
    """An interval by bootstrap over speakers."""

    low: Share
    high: Share
    level: Share


class ClassScores(_Record):
    """One class; None where undefined (no utterances of it, or never predicted)."""

    precision: Share | None
    recall: Share | None
    f1: Share | None
    support: int


class Scores(_Record):
    """The scores of one set of utterances.

    Attributes:
        n: utterances.
        accuracy: the share of them that is right.
        uar: unweighted average recall over the classes that have utterances.
        macro_f1: the mean F1 over the same classes.
        absent_classes: the classes left out of both means.
        accuracy_interval: None where fewer than two speakers speak, or none was asked for.
        uar_interval: likewise.
        per_class: by label.
        confusion_matrix: truth on the rows, prediction on the columns, in the order of the labels.
    """

    n: int
    accuracy: Share
    uar: Share
    macro_f1: Share
    absent_classes: list[str]
    accuracy_interval: ConfidenceInterval | None = None
    uar_interval: ConfidenceInterval | None = None
    per_class: dict[str, ClassScores]
    confusion_matrix: list[list[int]]


class FoldInfo(BaseModel):
    """Facts about one fold; keys beyond these are ignored. What was not measured, or does not apply, is None.

    Attributes:
        fold: its number.
        seed: of the run.
        test_speakers: who is scored.
        validation_speakers: who chose the epoch and the temperature; none where nothing was trained.
        best_epoch: the epoch whose weights were kept, counted from 1.
        epochs_run: number of epochs.
        temperature: fitted on validation speakers.
        seconds: of training (of recognition where nothing was trained), by the clock.
        n_parameters: of the network.
        validation_uar: of the best epoch.
        core_seconds: of the processor (of a GPU: of the whole device).
        c: of a support vector machine, as the validation speakers chose it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    fold: int
    seed: int = 0
    test_speakers: list[str]
    validation_speakers: list[str]
    best_epoch: int | None = None
    epochs_run: int | None = None
    temperature: float | None = None
    seconds: float | None = None
    n_parameters: int | None = None
    validation_uar: float | None = None
    core_seconds: float | None = None
    c: float | None = None


class FoldScores(_Record):
    """One fold of one seed: its scores, and how it was trained."""

    info: FoldInfo
    scores: Scores


class SeedScores(_Record):
    """One seed: its pooled scores."""

    seed: int
    scores: Scores


class Spread(_Record):
    """Mean and sample standard deviation over seeds or folds (None with fewer than two)."""

    n: int
    accuracy: Share
    uar: Share
    accuracy_sd: float | None
    uar_sd: float | None


class CalibrationScores(_Record):
    """How honest the probabilities are; of all three lower is better."""

    ece: Share
    nll: float
    brier: float


class Calibration(_Record):
    """Before and after temperature scaling on validation speakers."""

    before: CalibrationScores
    after: CalibrationScores
    n_bins: int


class GroupScores(_Record):
    """A group of utterances: one sex, or one speaker."""

    n: int
    n_speakers: int
    accuracy: Share
    uar: Share
    absent_classes: list[str]
    uar_interval: ConfidenceInterval | None = None


class Results(Provenance):
    """All scores of a run, with the provenance that must be shown with them.

    Attributes:
        schema_version: of this file.
        n: test utterances.
        n_speakers: test speakers.
        labels: in the order of the model's outputs.
        seeds: in the order of `per_seed`.
        calibration: None where only labels were kept, not probabilities.
    """

    schema_version: Literal[1] = 1
    n: int
    n_speakers: int
    labels: list[str]
    seeds: list[int]
    pooled: Scores
    per_seed: list[SeedScores]
    over_seeds: Spread
    per_fold: list[FoldScores]
    over_folds: Spread
    calibration: Calibration | None = None
    per_sex: dict[str, GroupScores]
    per_speaker: dict[str, GroupScores]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write as JSON, whole or not at all.

        Raises:
            OutputError: it could not be written.
        """
        write_text(path, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Results:
        """Read what `write` wrote.

        Raises:
            EvaluationError: no such file, or it holds no results.
        """
        try:
            return cls.model_validate_json(Path(path).read_bytes())
        except OSError as error:
            raise EvaluationError(f"cannot read results from {path}: {error.strerror or error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise EvaluationError(
                f"{path} holds no results of schema {SCHEMA}: {where}: {first['msg']} ({error.error_count()} faults)"
            ) from error

    def provenance(self) -> Provenance:
        """The provenance alone."""
        return Provenance(**self.model_dump(include=set(Provenance.model_fields)))

    def headline(self) -> str:
        """The score in one line, with everything that must be shown with it."""
        crossed = self.kind in ("cross-corpus", "untouched")
        shared = "not known to be SI" if crossed else "SD (speakers shared by training and test)"
        independence = "SI" if self.speaker_independent else shared
        seeds = f", mean of {len(self.seeds)} seeds" if len(self.seeds) > 1 else ""
        uar = _with_interval(self.pooled.uar, self.pooled.uar_interval, self.over_seeds.uar_sd)
        accuracy = _with_interval(self.pooled.accuracy, self.pooled.accuracy_interval, self.over_seeds.accuracy_sd)
        parts = [
            f"{self.corpus}, {self.protocol} (folds {self.fold_hash}), {independence}, n = {self.n}, "
            f"{self.n_speakers} speaker{'s' if self.n_speakers != 1 else ''}{seeds}: UAR {uar}",
            f"accuracy {accuracy}",
        ]
        if self.calibration is not None:
            ece, before = self.calibration.after.ece, self.calibration.before.ece
            parts.append(f"ECE {ece:.3f}" + ("" if crossed else f" (was {before:.3f})"))
        parts.append("sentences shared" if self.sentences_shared else "sentences not shared")
        if self.pooled.absent_classes:
            parts.append(f"no utterances of {', '.join(self.pooled.absent_classes)}")
        if self.tests_looked_at is not None:
            parts.append(f"test evaluations so far: {self.tests_looked_at}")
        return ", ".join(parts)


def percent(share: float | None) -> str:
    """A share as it is shown: in percent, one decimal.

    >>> percent(0.8512)
    '85.1'
    """
    return "–" if share is None else f"{100 * share:.1f}"


def _with_interval(share: float, interval: ConfidenceInterval | None, sd: float | None) -> str:
    spread = f" ± {percent(sd)}" if sd is not None else ""
    if interval is None:
        return f"{percent(share)}{spread} [no interval: fewer than two speakers]"
    return f"{percent(share)}{spread} [{percent(interval.low)}, {percent(interval.high)}]"
