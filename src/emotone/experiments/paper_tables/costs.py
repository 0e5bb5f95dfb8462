"""Costs of the rows, choices where the papers are silent, and the origin of each row."""

from __future__ import annotations

from collections.abc import Sequence

from emotone.evaluation.reports.content import Paragraph, Part, Table
from emotone.evaluation.results import Results
from emotone.experiments.paper_tables.outcome import NONE, Outcome, TableFacts, stamped
from emotone.experiments.paper_tables.run import has_recipe, row_cost, row_recipe


def costs(table: TableFacts, outcomes: Sequence[Outcome]) -> list[Part]:
    """Parameters, multiply-adds and training time of every row, and of all together."""
    rows = []
    for outcome in outcomes:
        cost = row_cost(outcome.row, len(table.labels))
        parameters = f"{cost.parameters:,}" if cost else _peer_parameters(outcome.results)
        spent = outcome.seconds, outcome.core_seconds
        figures = [
            NONE if one is None else f"{one / unit:.{digits}f}"
            for one, unit, digits in zip(spent, (1, 3600), (0, 3), strict=True)
        ]
        if outcome.on_gpu:
            figures[-1] += " on a GPU"
        rows.append(
            [outcome.row.title, outcome.row.key, parameters, f"{cost.multiply_adds / 1e6:,.1f}" if cost else NONE]
            + [stamped(figure, table, outcome) for figure in figures]
        )
    done = [outcome for outcome in outcomes if outcome.results is not None]
    known = [outcome for outcome in done if outcome.core_seconds is not None]
    totals = [
        stamped(f"{sum(outcome.core_seconds or 0 for outcome in part) / 3600:.2f}", table) + f" {words}"
        for on_gpu, words in ((False, "core-hours"), (True, "hours on a GPU"))
        if (part := [outcome for outcome in known if outcome.on_gpu == on_gpu])
    ]
    left_out = f" ({len(done) - len(known)} of them were not counted)" if len(done) > len(known) else ""
    said = (
        f"The {len(done)} rows that are done took {' and '.join(totals)} of training together{left_out}."
        if known
        else "Core-hours were not counted."
    )
    return [
        Paragraph(said),
        Table(
            "Multiply-adds in millions for an utterance of 3 s (6 s where the input has a fixed size), front end left "
            "out. Seconds of training by the clock, validation included (openSMILE: of the classifier alone), over all "
            "folds and seeds; core-hours: of the processor, other work on the machine not counted; on a GPU the "
            "clock's, although folds ran side by side and shared it. --only KEY runs a row alone.",
            ["system", "key", "parameters", "million multiply-adds", "seconds", "core-hours"],
            rows,
        ),
        Paragraph("No network was made smaller than its paper describes it."),
    ]


def _peer_parameters(results: Results | None) -> str:
    count = None if results is None else results.per_fold[0].info.n_parameters
    return NONE if count is None else f"{count:,}"


def choices(outcomes: Sequence[Outcome]) -> list[Part]:
    """What each recipe chose for itself."""
    seen: dict[str, tuple[str, ...]] = {}
    for outcome in outcomes:
        if outcome.row.recipe and has_recipe(outcome.row):
            seen.setdefault(outcome.row.recipe, row_recipe(outcome.row, quick=False).choices)
    rows = [[name, choice] for name, own in seen.items() for choice in own]
    return [Table("What the papers do not print, and what was chosen instead.", ["recipe", "choice"], rows, n_text=2)]


def origin(table: TableFacts, outcomes: Sequence[Outcome]) -> list[Part]:
    """Corpus, folds, versions, and the command of each row."""
    done = [one.results for one in outcomes if one.results is not None]
    counted = NONE if table.looks is None else str(table.looks)
    facts = [
        ["corpus", table.corpus],
        ["protocol", table.protocol],
        ["folds' hash", table.fold_hash],
        ["test evaluations on these folds", counted],
        ["without phonemes", str(table.n_without_phonemes)],
    ]
    # Most rows share their versions; each set is shown once, with a letter.
    sets = list(dict.fromkeys(_versions(results) for results in done))
    letters = {versions: chr(ord("A") + number) for number, versions in enumerate(sets)}
    made = [
        [
            one.row.key,
            results.created,
            results.fold_hash,
            ", ".join(map(str, results.seeds)),
            results.device,
            letters[_versions(results)],
            results.command,
        ]
        for one in outcomes
        if (results := one.results) is not None
    ]
    facts += [[f"versions {letter}", versions] for versions, letter in letters.items()]
    columns = ["key", "date", "folds' hash", "seeds", "device", "versions", "command"]
    return [
        Table(
            "All that is needed to do it again; a row made with --next may have taken several calls.",
            ["what", "value"],
            facts,
            n_text=2,
        ),
        Table("Each row as it was run.", columns, made, n_text=len(columns)),
    ]


def _versions(results: Results) -> str:
    return ", ".join(f"{name} {version}" for name, version in results.versions.items())
