"""The report of the tables: measured figures next to the paper's, as Markdown, LaTeX and one HTML page.

Conventions: scores in percent. In a quick run every figure is stamped QUICK, in a leaky row LEAKY; a row without a
figure says why it has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from emotone.evaluation.reports.content import Paragraph, Part, Section, Table
from emotone.evaluation.reports.latex import document as latex_document
from emotone.evaluation.reports.markdown import document as markdown_document
from emotone.evaluation.reports.page import document as page_document
from emotone.evaluation.results import ConfidenceInterval, percent
from emotone.experiments.paper_tables.comparison import RowComparison, claim, compare, probability, signed
from emotone.experiments.paper_tables.costs import choices, costs, origin
from emotone.experiments.paper_tables.outcome import NONE, QUICK_STAMP, Outcome, TableFacts, stamped
from emotone.experiments.paper_tables.rows import PAIRS, Group, Printed
from emotone.experiments.paper_tables.tuned import settings_table
from emotone.experiments.tuning import Tuning
from emotone.files import write_text


def write_tables(
    folder: Path, table: TableFacts, outcomes: Sequence[Outcome], *, searches: Mapping[str, Tuning] | None = None
) -> list[Path]:
    """Write tables.md, tables.tex and tables.html into a folder.

    Args:
        folder: where to.
        table: the facts about it.
        outcomes: its rows.
        searches: of each row, where the settings are tuned.
    Raises:
        OutputError: a file could not be written.
    """
    title, lead = _title(table), _lead(table)
    parts = sections(table, outcomes)
    if searches is not None:
        title += ", each row tuned on validation speakers"
        parts.insert(1, Section("Settings that were chosen", [settings_table(searches)]))
    paths = [folder / f"tables.{suffix}" for suffix in ("md", "tex", "html")]
    write_text(paths[0], markdown_document(title, lead, parts))
    write_text(paths[1], latex_document(title, lead, parts))
    warning = "Two epochs over a few utterances: these figures say nothing about any system." if table.quick else ""
    write_text(paths[2], page_document(title, lead, parts, warning=warning))
    return paths


def sections(table: TableFacts, outcomes: Sequence[Outcome]) -> list[Section]:
    """The whole report, in order: the two tables, what they cost, the paper's claim, then the rest."""
    return [
        Section("Tables 1 and 2", [_scores(table, outcomes, ("Table 1", "Table 2"), printed=True)]),
        Section("What it costs", costs(table, outcomes)),
        Section("Does focal loss help?", _claims(table, outcomes)),
        Section("Focal loss, or merely the weighting?", _beyond(table, outcomes)),
        Section("Baselines", _baselines(table, outcomes)),
        Section("Rare classes", [_recalls(table, outcomes)]),
        Section("How much is protocol?", _leaks(table, outcomes)),
        Section("Confusion matrices", _confusions(table, outcomes) or [Paragraph("No row is done yet.")]),
        Section("Choices of this project", choices(outcomes)),
        Section("How it was made", origin(table, outcomes)),
    ]


def _title(table: TableFacts) -> str:
    quick = f"{QUICK_STAMP}: " if table.quick else ""
    return f"{quick}Tables 1 and 2 of Tripathi et al. (2019) on {table.corpus}"


def _lead(table: TableFacts) -> list[str]:
    shared = "sentences shared by training and test" if table.sentences_shared else "sentences not shared"
    return [
        f"{table.corpus}, {table.protocol} (folds {table.fold_hash}), SI, "
        f"n = {table.n_utterances}, {table.n_speakers} speakers, {shared}."
        + ("" if table.looks is None else f" Test evaluations on these folds so far: {table.looks}."),
        "The paper's figures are of IEMOCAP's improvised part under a protocol that it does not print. On any other "
        "corpus they are shown for orientation and cannot be compared. Accuracy is the paper's overall accuracy, UAR "
        "its class accuracy.",
    ]


def _interval(interval: ConfidenceInterval | None) -> str:
    return f"[{percent(interval.low)}, {percent(interval.high)}]" if interval else NONE


def _figure(share: float, spread: float | None) -> str:
    return percent(share) + ("" if spread is None else f" ± {percent(spread)}")


def _scores(table: TableFacts, outcomes: Sequence[Outcome], groups: Sequence[Group], *, printed: bool) -> Table:
    columns = ["system", "state", "accuracy", "interval", "UAR", "interval"]
    rows = []
    for outcome in (one for one in outcomes if one.row.group in groups):
        state = outcome.extent
        if outcome.results is None:
            row = [outcome.row.title, state, *[NONE] * 4]
        else:
            found = outcome.results
            figures = [
                _figure(found.pooled.accuracy, found.over_seeds.accuracy_sd),
                _interval(found.pooled.accuracy_interval),
                _figure(found.pooled.uar, found.over_seeds.uar_sd),
                _interval(found.pooled.uar_interval),
            ]
            row = [outcome.row.title, state, *(stamped(figure, table, outcome) for figure in figures)]
        rows.append(row + (_printed(outcome.row.printed) if printed else []))
    return Table(
        "In percent, all folds pooled; 95 % intervals by bootstrap over speakers; ± over several "
        "seeds. A row with some of its folds shows the scores of their speakers alone.",
        columns + (["paper: accuracy", "paper: UAR"] if printed else []),
        rows,
        n_text=2,
    )


def _printed(figures: Printed | None) -> list[str]:
    if figures is None:
        return [NONE, NONE]
    source = "" if figures.source == "printed" else f" ({figures.source})"
    return [f"{figures.accuracy}{source}", NONE if figures.uar is None else f"{figures.uar}{source}"]


def _claims(table: TableFacts, outcomes: Sequence[Outcome]) -> list[Part]:
    by_key = {outcome.row.key: outcome for outcome in outcomes}
    comparisons, parts = [], list[Part]()
    stamp = QUICK_STAMP if table.quick else ""
    for focal, softmax, features in PAIRS:
        comparison = compare(by_key[focal], by_key[softmax])
        if comparison is None:
            parts.append(Paragraph(f"{features}: not complete, so nothing can be said yet."))
        else:
            comparisons.append(comparison)
            parts.append(Paragraph(f"{features}: {claim(comparison, stamp=stamp)}"))
    return [*parts, *([_comparison_table(table, comparisons)] if comparisons else [])]


def _beyond(table: TableFacts, outcomes: Sequence[Outcome]) -> list[Part]:
    plain = next(outcome for outcome in outcomes if outcome.row.key == "mfcc-softmax")
    others = [one for one in outcomes if one.row.group == "beyond the paper" or one.row.key == "mfcc-focal"]
    comparisons = [comparison for one in others if (comparison := compare(one, plain)) is not None]
    parts: list[Part] = [_scores(table, outcomes, ("beyond the paper",), printed=False)]
    if comparisons:
        parts += [
            Paragraph(
                "Each of them against plain softmax, on the same utterances. The p values are not corrected for their "
                "number: of twenty alike, one would be below 0.05 by chance."
            ),
            _comparison_table(table, comparisons),
        ]
    return parts


def _baselines(table: TableFacts, outcomes: Sequence[Outcome]) -> list[Part]:
    parts: list[Part] = [_scores(table, outcomes, ("baseline",), printed=False)]
    for outcome in outcomes:
        if outcome.row.feature_set and outcome.results is not None:
            chosen = ", ".join(f"{fold.info.c:g}" for fold in outcome.results.per_fold if fold.info.c is not None)
            parts.append(Paragraph(f"{outcome.row.title}: C chosen on the validation speakers, by fold: {chosen}."))
    return parts


def _comparison_table(table: TableFacts, comparisons: Sequence[RowComparison]) -> Table:
    rows = []
    for comparison in comparisons:
        uar, accuracy, pairs = comparison.uar, comparison.accuracy, comparison.mcnemar
        figures = [
            signed(uar.effect),
            f"[{signed(uar.interval.low)}, {signed(uar.interval.high)}]",
            probability(uar.p_value),
            signed(accuracy.effect),
            probability(accuracy.p_value),
            f"{pairs.only_a} / {pairs.only_b}",
            probability(pairs.p_value),
        ]
        pair = [f"{comparison.first} − {comparison.second}", str(len(comparison.seeds))]
        rows.append([*pair, *(stamped(figure, table) for figure in figures)])
    return Table(
        "Differences in points, over the seeds that both have. p of UAR and accuracy: permutation that swaps the two "
        "systems speaker by speaker; its interval by bootstrap over speakers. McNemar's exact test, of the first seed, "
        "takes utterances as independent, which those of one speaker are not.",
        ["pair", "seeds", "UAR", "interval", "p", "accuracy", "p", "only one right", "McNemar p"],
        rows,
    )


def _recalls(table: TableFacts, outcomes: Sequence[Outcome]) -> Table:
    rows = []
    for outcome in outcomes:
        if outcome.results is not None:
            recalls = [percent(outcome.results.pooled.per_class[label].recall) for label in table.labels]
            rows.append([outcome.row.title, *(stamped(recall, table, outcome) for recall in recalls)])
    names = [f"{label} (rare)" if label in table.rare else label for label in table.labels]
    return Table(
        "Recall of each class in percent, pooled; rare classes have fewer utterances than an even share.",
        ["system", *names],
        rows,
    )


def _leaks(table: TableFacts, outcomes: Sequence[Outcome]) -> list[Part]:
    words = Paragraph(
        "The same architecture under protocols that leak: test speakers, or their scores, had a part in the training. "
        "Such figures say nothing of new speakers. What a leak adds is the difference from the row of the same name "
        "above, as far as it is larger than what seeds differ by."
    )
    return [words, _scores(table, outcomes, ("leaky",), printed=False)]


def _confusions(table: TableFacts, outcomes: Sequence[Outcome]) -> list[Part]:
    labels = table.labels
    parts: list[Part] = []
    for outcome in (one for one in outcomes if one.results is not None):
        matrix = outcome.results.pooled.confusion_matrix if outcome.results else []
        rows = [
            [label, *(stamped(str(count), table, outcome) for count in row)]
            for label, row in zip(labels, matrix, strict=True)
        ]
        caption = f"{outcome.row.title}: true classes on the rows, predicted ones on the columns, summed over seeds."
        parts.append(Table(caption, ["true \\ predicted", *labels], rows))
    return parts
