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
            f"{r.calibration.after.ece:.3f} (was {r.calibration.before.ece:.3f})" if r.calibration else "–",
            f"`{r.fold_hash}`",
            "–" if r.tests_looked_at is None else str(r.tests_looked_at),
        ]


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
        r = made[0].results
        assert r is not None
        versions = ", ".join(f"{name} {version}" for name, version in r.versions.items())
        shared = "sentences shared" if r.sentences_shared else "sentences not shared"
        independence = "SI" if r.speaker_independent else "SD"
        seeds = len(r.seeds)
        protocols = " · ".join(dict.fromkeys(row.results.protocol for row in made if row.results))
        lines += [
            "",
            f"{independence}, {protocols}, {shared}; {seeds} seed{'s' if seeds > 1 else ''}; {r.created}; {versions}.",
        ]
    return "\n".join(lines)


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
    """The shipped model under telephone, codecs, noise and rooms."""
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
        f"SI, open-four (folds `{about['folds']}`), n = {about['n']}, {about['n_speakers']} held-out speakers; "
        f"weights {weights}; emotone {about['version']}."
    )
    return "\n".join(lines)


def variants() -> str:
    """The shipped model in fewer bits."""
    path = RESULTS / "variants.json"
    if not path.is_file():
        return "not run"
    about = json.loads(path.read_text(encoding="utf-8"))
    lines = ["| weights | size | UAR | UAR lost | judged otherwise | time | changed by company |", "|" + "---|" * 7]
    for row in about["rows"]:
        first = row is about["rows"][0]
        low, high = row["time_ratio_quartiles"]
        company = f"{row['n_moved_by_company']}, by up to {row['moved_by_company']:.0e}"
        cells = [
            row["variant"] if row["offered"] else f"not offered: {row['variant']}",
            f"{row['bytes'] / 1e6:.2f} MB",
            f"{percent(row['uar'])} [{percent(row['low'])}, {percent(row['high'])}]",
            "–" if first else f"{points(-row['change'])} [{points(-row['change_high'])}, {points(-row['change_low'])}]",
            "–" if first else str(row["judged_otherwise"]),
            "1" if first else f"{row['time_ratio']:.2f} ({low:.2f} to {high:.2f})",
            company if row["n_moved_by_company"] else "0",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "```", about["command"], "```", ""]
    lines.append(
        f"SI, open-four (folds `{about['folds']}`), n = {about['n']}, {about['n_speakers']} speakers that the model never heard. The lost UAR is "
        "paired, in points, its interval by bootstrap over speakers. Judged otherwise: utterances that get another emotion than with fp32. Time: "
        f"processor time of {about['n_timed']} clips as a ratio to fp32 in the same run, median and quartiles of {about['rounds']} turns "
        f"({about['cpu']}; ONNX Runtime {about['onnxruntime']}). Changed by company: utterances one of whose probabilities is off by more than 1e-5 "
        f"between alone and in a batch. The static int8 file was calibrated on {about['n_calibration']} utterances of training speakers. "
        f"Weights `{about['weights_sha'][:12]}`, emotone {about['version']}."
    )
    return "\n".join(lines)


def points(difference: float) -> str:
    """A difference of shares, in points; nothing is lost or won by minus nought."""
    return f"{round(100 * difference, 1) + 0.0:.1f}"
