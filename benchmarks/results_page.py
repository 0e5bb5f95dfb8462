"""Write docs/results.md, and the scores in README.md, from the result files in docs/results/: no figure on that page is typed by hand.

python benchmarks/results_page.py                 # the page, from docs/results/*.json
python benchmarks/results_page.py RUN [RUN ...]   # first copy each run's results.json into docs/results/
python benchmarks/results_page.py --table RECORD  # first take the rows of a table's record (emotone reproduce tables --record)
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from emotone.errors import EmotoneError
from emotone.evaluation.reports import markdown
from emotone.evaluation.reports.content import Section
from emotone.evaluation.results import Results
from emotone.evaluation.run_folder import RunFolder
from emotone.evaluation.significance import Comparison
from emotone.experiments.paper_tables.comparison import compare, is_gain, signed
from emotone.experiments.paper_tables.outcome import Outcome, TableFacts
from emotone.experiments.paper_tables.record import read_record, write_record
from emotone.experiments.paper_tables.report import sections
from emotone.experiments.paper_tables.rows import PAIRS
from emotone.experiments.paper_tables.tuned import read_settings, settings_table
from emotone.files import write_text

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

from benchmarks.learning_curve import learning_curve  # noqa: E402
from benchmarks.results_tables import (  # noqa: E402
    RESULTS,
    Row,
    conditions,
    groups,
    recalls,
    table,
    unknown_classes,
    with_interval,
)

PAGE = REPO / "docs" / "results.md"
README = REPO / "README.md"
NOT_ON_EMODB = (
    "Does focal loss help?",
    "Focal loss, or merely the weighting?",
    "How much is protocol?",
    "What it costs",
)
FIRST_SECTIONS = ("Tables 1 and 2", "What it costs", "Does focal loss help?")
"""What the page starts with."""


HEAD = """# Results

Every figure is unweighted average recall (UAR) or accuracy in percent, with a 95 % interval by bootstrap over speakers. Each comes from a
file in `docs/results/` that says its recipe, versions, folds and command;
this page is written from those files by `python benchmarks/results_page.py`, and a test holds the two together.

**SI** (speaker-independent): no test speaker was in the training data of the model that is scored, nor chose its epoch or its normalisation. Where test speakers had a part in
the choice of a recipe or a temperature, for instance as validation speakers of another fold, that is said beside the figures. **Sentences shared**: the
corpus is acted, and training and test speakers say the same sentences; scores on spontaneous speech are lower. "Looked at" is the number of test evaluations of these
folds, where it was counted; it was not counted after 2026-11-25.
"""


def paper_tables(name: str, *, only: Sequence[str] = (), left_out: Sequence[str] = (), tuned: bool = False) -> str:
    """The paper's tables on one corpus, as `emotone reproduce tables` reports them, from their record.

    Args:
        name: of the corpus.
        only: the sections to show; none for all.
        left_out: sections that are not shown.
        tuned: the rows whose settings were tuned, not those that were chosen first.
    """
    folder = RESULTS / "tables" / name / ("tuned" if tuned else "")
    if not (folder / "table.json").is_file():
        return "not run\n"
    found = _sections(folder)
    if tuned:
        found = [*found[:1], Section("Settings that were chosen", [settings_table(read_settings(folder))]), *found[1:]]
    # The recipes themselves hold the choices.
    left_out = ("Choices of this project", *left_out)
    shown = [one for one in found if one.title not in left_out and (not only or one.title in only)]
    return markdown.body(shown, level=3)


@cache
def _record(folder: Path) -> tuple[TableFacts, list[Outcome]]:
    return read_record(folder)


@cache
def _sections(folder: Path) -> list[Section]:
    return sections(*_record(folder))


def baselines(name: str) -> str:
    """What openSMILE's features with a linear machine reach on one corpus, from the record of its table."""
    _, outcomes = _record(RESULTS / "tables" / name)
    return ", ".join(
        f"{one.row.title} {with_interval(one.results.pooled, 'uar')}"
        for one in outcomes
        if one.row.group == "baseline" and one.results is not None
    )


def take_record(record: Path) -> None:
    """Put the rows of a record beside those that are there."""
    if (record / "tuned" / "table.json").is_file():
        take_record(record / "tuned")
    facts, outcomes = read_record(record)
    target = RESULTS / "tables" / facts.corpus / ("tuned" if record.name == "tuned" else "")
    for search in (record / "settings").glob("*.json"):
        write_text(target / "settings" / search.name, search.read_text(encoding="utf-8"))
    public = [
        replace(one, results=one.results.model_copy(update={"command": public_command(one.results.command)}))
        for one in outcomes
        if one.results is not None
    ]
    print("took", ", ".join(write_record(target, facts, public)))


def public_command(command: str) -> str:
    """Where the corpora and the runs lay is nobody's business; the rest of the command is what made the figure."""
    command = re.sub(r"\S*/corpora\b", "CORPORA", command)
    return re.sub(r" --(store|record) \S+", "", re.sub(r" --output \S*/", " --output runs/", command))


def whole_title(outcome: Outcome, table: Sequence[Outcome]) -> str:
    """A row's title; one that begins with "…" goes on from the last row above it that does not."""
    title = ""
    for one in table:
        above, title = title, one.row.title
        if title.startswith("… "):
            continuation, title = title.removeprefix("… "), above
            if one.row.key == outcome.row.key:
                return f"{above}, {continuation}"
        elif one.row.key == outcome.row.key:
            return title
    return outcome.row.title


@cache
def the_claim() -> str:
    """Whether the paper's claim holds where it could be run, for each input, in a few sentences."""
    folder = RESULTS / "tables" / "crema-d-imbalanced"
    facts, first = _record(folder)
    outcomes = first
    effects, on_accuracy, gains, settings = [], [], [], "settings as first chosen"
    if (folder / "tuned" / "table.json").is_file():
        tuned = {one.row.key: one for one in _record(folder / "tuned")[1]}
        if all(tuned[key].state == "done" for pair in PAIRS for key in pair[:2]):
            outcomes, settings = list(tuned.values()), "each tuned on validation speakers"
    by_key = {one.row.key: one for one in outcomes}
    for focal, softmax, features in PAIRS:
        comparison = compare(by_key[focal], by_key[softmax])
        if comparison is None:
            effects.append(f"not run ({features})")
            continue
        seeds = f"{len(comparison.seeds)} seed{'s' if len(comparison.seeds) > 1 else ''}"
        effects.append(f"{_effect(comparison.uar)} ({features}, {seeds})")
        on_accuracy.append(_effect(comparison.accuracy))
        gains += [features] if is_gain(comparison.uar) else []
    # Not every row is in the table of tuned ones.
    networks = [
        one
        for one in {id(one): one for one in (*outcomes, *first)}.values()
        if one.state == "done" and one.row.group in ("Table 1", "Table 2") and "encoder" not in one.row.key
    ]
    best = max(networks, key=_uar)
    reached = [
        f"the best network trained from scratch ({whole_title(best, first)}{'' if any(best is one for one in outcomes) else ', not tuned'}) {with_interval(best.results.pooled, 'uar')}",
        *(
            f"{one.row.title.partition(' (')[0]}{'' if outcomes is first else ' as first chosen' if one in first else ' tuned'} {with_interval(one.results.pooled, 'uar')}"
            for key in ("encoder-softmax", "encoder-focal")
            for one in {id(one): one for table in (first, outcomes) for one in table if one.row.key == key}.values()
            if one.state == "done"
        ),
    ]
    baseline = next((one for one in first if one.row.key == "compare-svc" and one.results), None)
    if baseline is not None:
        reached.append(
            f"openSMILE's ComParE features with a linear SVC {with_interval(baseline.results.pooled, 'uar')}"
        )
    said = f"A higher UAR, as the paper claims, is shown for {', '.join(gains) if gains else 'none of them'}"
    return (
        f"The paper's claim, on a substitute for its corpus ({facts.corpus}, {facts.protocol}, SI, n = {facts.n_utterances}; {settings}): focal loss against "
        f"softmax changes UAR by {', '.join(effects)} and accuracy by {', '.join(on_accuracy)}. {said}. UAR reached: {', '.join(reached)}."
    )


def _effect(test: Comparison) -> str:
    """A difference in points with its interval."""
    return f"{signed(test.effect)} [{signed(test.interval.low)}, {signed(test.interval.high)}]"


def _uar(outcome: Outcome) -> float:
    return outcome.results.pooled.uar if outcome.results else 0.0


def open_licence() -> str:
    """What the two corpora under research licences are worth on corpora that neither model was trained on."""
    path = RESULTS / "open-licence.json"
    if not path.is_file():
        return "What the open licence costs on unseen corpora was not measured."
    found = json.loads(path.read_text(encoding="utf-8"))
    parts = [
        f"{one['corpus']} {one['open']:.1f} and {one['research']:.1f} (n = {one['n']})" for one in found["corpora"]
    ]
    return (
        "What the open licence costs: with one corpus left out of its training, the recipe trained on the open corpora and on all others reaches, in the "
        f"{found['n_classes']} classes, UAR on {'; '.join(parts)}; SI, cross-corpus, no intervals (`python benchmarks/open_licence.py RUN EVALUATION …`)."
    )


def readme() -> str:
    """README.md with the scores of today between its marks."""
    rows = [
        Row("default-held-out-six", "the shipped model, 6 classes: 21 held-out speakers of CREMA-D and EmoDB"),
        Row("default-held-out-four", "the shipped model, 4 classes: the same speakers"),
        Row("default-ravdess-four", "the shipped model on RAVDESS, 4 classes, a corpus it was not trained on"),
        Row("default-ravdess-four-3", "… relative to three neutral clips of each speaker"),
        Row("default-nemo-four", "the shipped model on nEMO (Polish), 4 classes; nEMO chose the recipe"),
        Row("emodb-encoder", "EmoDB, 7 classes, leave one speaker out: a model trained for each fold"),
        Row("ravdess-encoder", "RAVDESS, 8 classes, 6 folds: a model trained for each fold"),
        Row("crema-d-encoder", "CREMA-D, 6 classes, 5 folds: a model trained for each fold"),
    ]
    rows = [row for row in rows if row.results is not None]
    lines = ["| corpus and protocol (all SI) | n | UAR | accuracy |", "|---|---|---|---|"]
    for row in rows:
        label, accuracy, uar, n, *_ = row.cells()
        lines.append(f"| {label} | {n} | {uar} | {accuracy} |")
    lines += ["", the_claim()]
    text = between_marks(README.read_text(encoding="utf-8"), "scores", "\n".join(lines))
    return between_marks(text, "small", small_below_default())


def between_marks(text: str, name: str, content: str) -> str:
    """The text with other content between `<!-- name -->` and `<!-- end of name -->`."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}{content}\n{end}{after}"


def small_below_default() -> str:
    """How far `small` is below `default` in four classes, in a sentence."""

    def below(name: str) -> str:
        default, small = (Row(f"{model}-{name}", "").results for model in ("default", "small"))
        return "not run" if default is None or small is None else f"{100 * (default.pooled.uar - small.pooled.uar):.0f}"

    return (
        f'`emotone.load("small")` is a smaller model without an encoder: in four classes {below("held-out-four")} points of UAR below `default` on held-out speakers, '
        f"{below('ravdess-four')} on RAVDESS and {below('nemo-four')} on nEMO; where both models are given three neutral clips of the speaker, {below('ravdess-four-3')} on RAVDESS and "
        f"{below('nemo-four-3')} on nEMO."
    )


def page() -> str:
    """The whole page."""
    emodb = [
        Row("emodb-encoder", "encoder frames (recipe encoder)"),
        Row("emodb-default", "log-mel (recipe spectrogram, called default then)"),
    ]
    ravdess, crema_d, nemo = (Row(f"{name}-encoder", "recipe encoder") for name in ("ravdess", "crema-d", "nemo"))
    held_out = [
        Row("default-held-out-six", "default, 6 classes"),
        Row("default-held-out-four", "default, 4 of its classes"),
        Row("small-held-out-six", "small, 6 classes"),
        Row("small-held-out-four", "small, 4 of its classes"),
        Row("research-held-out-six", "research, 6 classes"),
    ]
    cross = [
        Row("default-ravdess-four", "default on RAVDESS"),
        Row("default-ravdess-four-3", "default on RAVDESS, relative to 3 neutral clips of the speaker"),
        Row("small-ravdess-four", "small on RAVDESS"),
        Row("small-ravdess-four-3", "small on RAVDESS, relative to 3 neutral clips of the speaker"),
        Row("default-nemo-four", "default on nEMO, which chose the recipe"),
        Row("default-nemo-four-3", "default on nEMO, relative to 3 neutral clips of the speaker"),
        Row("small-nemo-four", "small on nEMO"),
        Row("small-nemo-four-3", "small on nEMO, relative to 3 neutral clips of the speaker"),
    ]
    return "\n".join(
        [
            HEAD,
            "## Tables 1 and 2 of the paper, on crema-d-imbalanced, 5 folds, 4 classes\n",
            "IEMOCAP is licensed to each of its users and is not here. `crema-d-imbalanced` is CREMA-D cut to the size and imbalance of IEMOCAP's improvised "
            "part. **These are not IEMOCAP's figures**: the paper's are shown for orientation. A row that is not complete says so. Settings are as first "
            "chosen by this project, since the paper prints none.\n",
            paper_tables("crema-d-imbalanced", only=FIRST_SECTIONS),
            the_claim() + "\n",
            "## The same tables, each row tuned on validation speakers\n",
            "Each row that was run had the same budget of eight trials, scored on the validation speakers of the first fold, which are test speakers of another fold. The command of each "
            "row is that of the first table with `--tuned`. What is best on one fold's validation speakers need not be better elsewhere: the encoder's test UAR fell by it.\n",
            paper_tables("crema-d-imbalanced", only=(*FIRST_SECTIONS, "Settings that were chosen"), tuned=True),
            "## The shipped models\n",
            "`default` and `small` were trained on CREMA-D, EmoDB and EmoGator without CREMA-D's fold 0 and EmoDB's speakers 03 and 08, who are scored here. Their "
            "recipes were chosen on validation speakers of CREMA-D and on transfer to nEMO (EXPERIMENTS.md, 2026-11-26); the 19 held-out speakers of CREMA-D were among "
            "the validation speakers on whom the encoder's block was chosen. Scored through the installed package, with the weights as they are shipped.\n",
            table(held_out),
            recalls(held_out[:1]),
            recalls(held_out[1:2]),
            groups(held_out[0]),
            "\n`research` (models/research.onnx, CC BY-NC-SA 4.0) has the same recipe and was trained on RAVDESS and nEMO as well; it is scored on the held-out speakers "
            "of all four corpora, so its row is not comparable with those of `default`. " + open_licence() + "\n",
            "\n## Corpora that the shipped models were not trained on, 4 classes\n",
            "RAVDESS chose nothing, but one test evaluation on it had shown before that blocks 2 and 3 of a smaller Whisper encoder carry emotion. nEMO chose the recipe and, with EmoDB "
            "left out of training, the temperature. A baseline uses the labels of three other neutral clips of the speaker.\n",
            table(cross),
            recalls(cross),
            groups(cross[0]),
            "\n### Speech of classes that are not asked for\n",
            unknown_classes(),
            "\n### Under telephone, codecs, noise, rooms and other silence\n",
            conditions(),
            "\n".join(learning_curve()),
            "\n## Within one corpus: a model trained for each fold\n",
            "### EmoDB, leave one speaker out, 7 classes\n",
            table(emodb),
            recalls(emodb),
            groups(emodb[0]),
            f"\nOn the same files and folds (UAR): {baselines('emodb')}. Published, speaker-independent: wav2vec2-large-robust + SVC, UAR 93.4. The recipe chose "
            "nothing on EmoDB, but one evaluation of its test folds had shown before that these blocks carry emotion.\n",
            "### RAVDESS, the 6 folds of EmoBox, 8 classes\n",
            table([ravdess]),
            recalls([ravdess]),
            "\nPublished on the same folds, frozen with a trained head: wav2vec2-base 54.3, WavLM-large 72.0, Whisper-large-v3 75.3 (UAR).\n",
            "### CREMA-D, 5 folds, 6 classes\n",
            table([crema_d]),
            recalls([crema_d]),
            "\nThe recipe was chosen on validation speakers of the same corpus, who are test speakers of other folds. Published with speakers shared by training and "
            "test (SD, easier than ours): wav2vec2-base 62.0, WavLM-large 74.5, Whisper-large-v3 76.8 (UAR).\n",
            "### nEMO, leave one speaker out, 6 classes\n",
            table([nemo]),
            recalls([nemo]),
            "\nThe recipe was chosen on validation speakers of the same corpus.\n",
            "## More on crema-d-imbalanced: other losses, baselines, leaks, confusion matrices\n",
            paper_tables("crema-d-imbalanced", left_out=FIRST_SECTIONS),
            "## The rows that need phonemes, on EmoDB, leave one speaker out, 7 classes\n",
            "EmoDB has phonemes, so two rows more can run here; all speakers say the same ten sentences, so that phonemes alone tell little. "
            "The other rows were not run on this corpus. The paper's figures are of IEMOCAP, for orientation.\n",
            paper_tables("emodb", left_out=NOT_ON_EMODB),
        ]
    )


def main(arguments: list[str]) -> None:
    """Copy what the runs measured, then write the page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("runs", nargs="*", type=Path, help="folders of runs, whose results are taken")
    parser.add_argument("--table", nargs="+", type=Path, default=[], help="records of tables, taken as well")
    given = parser.parse_args(arguments)
    RESULTS.mkdir(parents=True, exist_ok=True)
    try:
        for record in given.table:
            take_record(record)
        for run in given.runs:
            results = Results.read(RunFolder(run).results)
            results.model_copy(update={"command": public_command(results.command)}).write(RESULTS / f"{run.name}.json")
    except EmotoneError as error:
        parser.error(str(error))
    _record.cache_clear()
    PAGE.write_text(page(), encoding="utf-8")
    README.write_text(readme(), encoding="utf-8")
    print(PAGE.relative_to(REPO), README.relative_to(REPO))


if __name__ == "__main__":
    main(sys.argv[1:])
