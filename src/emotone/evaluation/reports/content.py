"""The content of a report: text, tables and figures in order, for Markdown and for HTML.

Conventions: scores are in percent. Nothing is escaped here; the writers do that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emotone.evaluation.results import ConfidenceInterval, Results, percent
from emotone.evaluation.run_folder import FinishedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Table:
    """Columns and rows of text; the first `n_text` columns are words, the others numbers."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_text: int = 1


@dataclass(frozen=True)
class Picture:
    """A figure with its file name and a description for readers who cannot see it."""

    name: str
    description: str
    figure: Figure


@dataclass(frozen=True)
class Code:
    """Preformatted text."""

    text: str


Part = Paragraph | Table | Picture | Code


@dataclass(frozen=True)
class Section:
    """A heading and its parts."""

    title: str
    parts: Sequence[Part]


def title(results: Results) -> str:
    """The title of the report."""
    return f"{results.corpus}: {results.recipe_name}"


def sections(run: FinishedRun, *, figures: bool = True) -> list[Section]:
    """The whole report of a run, in order."""
    results = run.results
    pictures = _pictures(run) if figures else {}
    scores: list[Part] = [_score_table(results)]
    if len(results.seeds) > 1:
        scores.append(_seed_table(results))
    return [
        Section("Scores", scores),
        Section("Classes", [_class_table(results), *pictures.get("recall", [])]),
        Section("Confusion matrix", [*pictures.get("confusion", []), _confusion_table(results)]),
        Section("Folds", [_fold_table(results), *pictures.get("curves", [])]),
        Section("Calibration", [*_calibration_table(results), *pictures.get("reliability", [])]),
        Section("Groups", [_group_table(results)]),
        Section("How to read this", [Paragraph(text) for text in _explanations(results)]),
        Section("How it was made", [_origin_table(results), Code(_recipe(run))]),
    ]


def _interval(interval: ConfidenceInterval | None) -> str:
    return f"[{percent(interval.low)}, {percent(interval.high)}]" if interval else "–"


def _score_table(results: Results) -> Table:
    pooled, folds = results.pooled, results.over_folds
    level = f"{100 * pooled.uar_interval.level:.0f} %" if pooled.uar_interval else "95 %"
    seeds, several = results.over_seeds, len(results.seeds) > 1
    spread = f", mean of {len(results.seeds)} seeds" if several else ""
    return Table(
        f"In percent, over n = {results.n} test utterances of {results.n_speakers} speakers{spread}.",
        [
            "score",
            "pooled",
            f"{level} interval",
            *(["± over seeds"] if several else []),
            "mean of folds",
            "± over folds",
        ],
        [
            ["UAR", percent(pooled.uar), _interval(pooled.uar_interval)]
            + ([percent(seeds.uar_sd)] if several else [])
            + [percent(folds.uar), percent(folds.uar_sd)],
            ["accuracy", percent(pooled.accuracy), _interval(pooled.accuracy_interval)]
            + ([percent(seeds.accuracy_sd)] if several else [])
            + [percent(folds.accuracy), percent(folds.accuracy_sd)],
        ],
    )


def _seed_table(results: Results) -> Table:
    rows = [
        [str(one.seed), percent(one.scores.uar), _interval(one.scores.uar_interval), percent(one.scores.accuracy),
         _interval(one.scores.accuracy_interval)]
        for one in results.per_seed
    ]  # fmt: skip
    return Table("Each seed, all folds pooled.", ["seed", "UAR", "interval", "accuracy", "interval"], rows)


def _class_table(results: Results) -> Table:
    rows = [
        [label, percent(one.recall), percent(one.precision), percent(one.f1), str(one.support)]
        for label, one in results.pooled.per_class.items()
    ]
    return Table("Pooled, in percent.", ["class", "recall", "precision", "F1", "utterances"], rows)


def _confusion_table(results: Results) -> Table:
    summed = f" Counts are summed over {len(results.seeds)} seeds." if len(results.seeds) > 1 else ""
    return Table(
        f"Rows are the true classes, columns the predicted ones.{summed}",
        ["true \\ predicted", *results.labels],
        [[label, *map(str, row)] for label, row in zip(results.labels, results.pooled.confusion_matrix, strict=True)],
    )


def _fold_table(results: Results) -> Table:
    trained = any(one.info.epochs_run is not None for one in results.per_fold)
    columns = (["seed"] if len(results.seeds) > 1 else []) + ["fold", "test speakers", "classes absent"]
    n_text = len(columns)
    columns += ["n", "UAR", "accuracy", *(["validation UAR", "epoch", "temperature"] if trained else []), "minutes"]
    rows = []
    for one in results.per_fold:
        info, scores = one.info, one.scores
        row = [str(info.seed)] if len(results.seeds) > 1 else []
        row += [str(info.fold), " ".join(info.test_speakers), ", ".join(scores.absent_classes) or "none"]
        row += [str(scores.n), percent(scores.uar), percent(scores.accuracy)]
        if trained:
            row += [percent(info.validation_uar), f"{info.best_epoch or '–'} of {info.epochs_run or '–'}"]
            row.append("–" if info.temperature is None else f"{info.temperature:.2f}")
        rows.append([*row, "–" if info.seconds is None else f"{info.seconds / 60:.1f}"])
    chosen = " The epoch and the temperature were chosen on validation speakers." if trained else ""
    return Table(
        f"Each fold alone; its UAR leaves out the classes absent from it.{chosen}", columns, rows, n_text=n_text
    )


def _calibration_table(results: Results) -> list[Part]:
    if results.calibration is None:
        return [Paragraph("Not measured: only labels were kept.")]
    before, after = results.calibration.before, results.calibration.after
    return [
        Table(
            f"Of all three, lower is better. ECE in {results.calibration.n_bins} bins of equal width.",
            ["", "as trained", "calibrated"],
            [
                ["expected calibration error", f"{before.ece:.3f}", f"{after.ece:.3f}"],
                ["negative log-likelihood", f"{before.nll:.3f}", f"{after.nll:.3f}"],
                ["Brier score", f"{before.brier:.3f}", f"{after.brier:.3f}"],
            ],
        )
    ]


def _group_table(results: Results) -> Table:
    named = [*results.per_sex.items(), *((f"speaker {name}", one) for name, one in results.per_speaker.items())]
    rows = [
        [name, ", ".join(one.absent_classes) or "none", str(one.n), percent(one.uar), _interval(one.uar_interval),
         percent(one.accuracy)]
        for name, one in named
    ]  # fmt: skip
    return Table(
        "By sex, where it is known, and by speaker.",
        ["group", "classes absent", "n", "UAR", "interval", "accuracy"],
        rows,
        n_text=2,
    )


def _explanations(results: Results) -> list[str]:
    if results.speaker_independent:
        who = "SI, speaker-independent: no test speaker was used in training or in validation."
    elif results.kind in ("cross-corpus", "untouched"):
        who = "It is not known whether the model was trained on some of these speakers."
    else:
        who = (
            "SD: speakers are shared by training and test. Such a score is too high and says little about new speakers."
        )
    text = (
        "Sentences shared: test speakers say sentences that training speakers said, which makes the task easier than "
        "free speech."
        if results.sentences_shared
        else "Test speakers do not say the sentences of the training speakers."
    )
    return [
        "UAR, unweighted average recall, is the mean of the recalls of the classes, so a rare class counts as much as "
        "a common one. Accuracy is the proportion of utterances that are right. Guessing gives a UAR of "
        f"{percent(1 / max(1, len(results.labels) - len(results.pooled.absent_classes)))}.",
        who,
        text,
        "Intervals come from drawing the test speakers again with replacement. They say how much a score depends on "
        "who was recorded, not how the system does on other kinds of speech; over few speakers they tend to be too "
        "narrow.",
    ]


def _origin_table(results: Results) -> Table:
    counted = "not counted" if results.tests_looked_at is None else str(results.tests_looked_at)
    infos = [one.info for one in results.per_fold]
    parameters = {info.n_parameters for info in infos if info.n_parameters is not None}
    seconds = [info.seconds for info in infos if info.seconds is not None]
    trained = any(info.epochs_run is not None for info in infos)
    rows = [
        ["command", results.command],
        ["recipe", results.recipe_name],
        ["corpus", results.corpus],
        ["protocol", results.protocol],
        ["folds' hash", results.fold_hash],
        ["test evaluations on these folds", counted],
        ["seeds", ", ".join(map(str, results.seeds))],
    ]
    if parameters:
        rows.append(["parameters", ", ".join(f"{count:,}" for count in sorted(parameters))])
    if seconds:
        what = "training time, all folds" if trained else "time to recognise"
        rows.append([what, f"{sum(seconds) / 60:.1f} minutes"])
    rows += [["device", results.device], ["created", results.created]]
    rows += [[name, version] for name, version in results.versions.items()]
    return Table("All that is needed to do it again, and the recipe below.", ["what", "value"], rows, n_text=2)


def _recipe(run: FinishedRun) -> str:
    return json.dumps(run.results.recipe, indent=2, ensure_ascii=False)


def _pictures(run: FinishedRun) -> dict[str, list[Part]]:
    from emotone.evaluation.reports import figures

    results = run.results
    found: dict[str, list[Part]] = {
        "recall": [Picture("recall", "Recall of each class, pooled and by fold", figures.recall_figure(results))],
        "confusion": [
            Picture("confusion", "Confusion matrix; the table below has its counts", figures.confusion_figure(results))
        ],
        "reliability": [
            Picture(
                "reliability",
                "Accuracy against confidence, before and after calibration",
                figures.reliability_figure(results, run.predictions),
            )
        ],
    }
    if run.histories:
        curves = figures.curves_figure(results, run.histories)
        found["curves"] = [Picture("curves", "Loss and validation UAR over the epochs, one line a fold", curves)]
    return found
