"""Tables of docs/results.md that stand for one result file each: scores, recalls, conditions, precisions."""

from __future__ import annotations

import json
from pathlib import Path

from emotone.evaluation.results import Results, Scores, percent

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"


class Row:
    """One line of a table: a result file, or the plain statement that it was not run."""

    def __init__(self, name: str, label: str) -> None:
        path = RESULTS / f"{name}.json"
        self.label = label
        self.results = Results.read(path) if path.is_file() else None

    def cells(self) -> list[str]:
        """Label, accuracy, UAR, n, speakers, calibration error, folds, looks."""
        if self.results is None:
            return [self.label, "not run", "not run", "–", "–", "–", "–", "–"]
        r = self.results
        return [
            self.label,
            with_interval(r.pooled, "accuracy"),
            with_interval(r.pooled, "uar"),
            str(r.n),
            str(r.n_speakers),
            _calibration_error(r),
            f"`{r.fold_hash}`",
            "–" if r.tests_looked_at is None else str(r.tests_looked_at),
        ]


def _calibration_error(results: Results) -> str:
    """After the temperature, and before it where that is known: a model file gives its probabilities after it alone."""
    if results.calibration is None:
        return "–"
    after, before = (f"{one.ece:.3f}" for one in (results.calibration.after, results.calibration.before))
    return after if after == before else f"{after} (was {before})"


def with_interval(scores: Scores, kind: str) -> str:
    """A score and its interval, in percent."""
    value = getattr(scores, kind)
    interval = getattr(scores, f"{kind}_interval")
    return f"{percent(value)} [{percent(interval.low)}, {percent(interval.high)}]" if interval else percent(value)


def table(rows: list[Row]) -> str:
    """The rows as Markdown, their commands beneath."""
    head = ["system", "accuracy", "UAR", "n", "speakers", "calibration error", "folds", "looked at"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    made = [row for row in rows if row.results is not None]
    if made:
        lines += ["", "```"] + [str(row.results.command) for row in made if row.results] + ["```"]
        described: dict[str, list[str]] = {}
        for row in made:
            assert row.results is not None
            described.setdefault(_circumstances(row.results), []).append(row.label)
        for words, labels in described.items():
            lines += ["", words if len(described) == 1 else f"{'; '.join(labels)}: {words}"]
    return "\n".join(lines)


def _circumstances(results: Results) -> str:
    """Protocol, seeds, date and versions of a result."""
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    shared = "sentences shared" if results.sentences_shared else "sentences not shared"
    independence = "SI" if results.speaker_independent else "SD"
    seeds = len(results.seeds)
    return f"{independence}, {results.protocol}, {shared}; {seeds} seed{'s' if seeds > 1 else ''}; {results.created}; {versions}."


def recalls(rows: list[Row]) -> str:
    """Recall of each class, in percent."""
    made = [row for row in rows if row.results is not None]
    if not made or made[0].results is None:
        return ""
    labels = made[0].results.labels
    lines = ["", "| recall of | " + " | ".join(labels) + " |", "|---|" + "---|" * len(labels)]
    for row in made:
        assert row.results is not None
        per_class = row.results.pooled.per_class
        lines.append(f"| {row.label} | " + " | ".join(percent(per_class[label].recall) for label in labels) + " |")
    return "\n".join(lines)


def groups(row: Row) -> str:
    """UAR by sex."""
    if row.results is None or not row.results.per_sex:
        return ""
    parts = [f"{sex} {percent(group.uar)} (n = {group.n})" for sex, group in row.results.per_sex.items()]
    return f"\nUAR by the speaker's sex: {', '.join(parts)}."


def conditions() -> str:
    """The shipped model under telephone, codecs, noise, rooms and other silence."""
    path = RESULTS / "conditions.json"
    if not path.is_file():
        return "not run"
    about = json.loads(path.read_text(encoding="utf-8"))
    models = about["models"]
    head = ["condition", *(f"{one['model']}: UAR | accuracy | mean confidence" for one in models)]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---|---|---|" * len(models)]
    for rows in zip(*(one["rows"] for one in models), strict=True):
        cells = [rows[0]["condition"]]
        for row in rows:
            span = f"[{percent(row['low'])}, {percent(row['high'])}]"
            cells += [f"{percent(row['uar'])} {span}", percent(row["accuracy"]), percent(row["confidence"])]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "```", about["command"], "```", ""]
    weights = ", ".join(f"{one['model']} `{one['weights_sha'][:12]}`" for one in models)
    lines.append(
        f"Each recording is classified whole, without looking for speech in it first. SI, open-four (folds `{about['folds']}`), n = {about['n']}, {about['n_speakers']} held-out speakers; "
        f"weights {weights}; emotone {about['version']}."
    )
    return "\n".join(lines)


def unknown_classes() -> str:
    """How often the shipped model is unsure about classes that it was asked for, and about others."""
    path = RESULTS / "unknown-classes.json"
    if not path.is_file():
        return "not run"
    about = json.loads(path.read_text(encoding="utf-8"))
    lines = ["| recordings | n | unsure |", "|---|---|---|"]
    for row in about["rows"]:
        span = f"[{percent(row['low'])}, {percent(row['high'])}]"
        lines.append(f"| {row['recordings']} | {row['n']} | {percent(row['unsure'])} {span} |")
    lines += ["", "```", about["command"], "```", ""]
    lines.append(
        f"The model {about['model']}, asked for {', '.join(about['classes'])} alone. Rates in percent, with 95 % intervals by bootstrap over speakers "
        f"(Wilson's where there are fewer than three); weights `{about['weights_sha'][:12]}`, emotone {about['version']}."
    )
    return "\n".join(lines)
