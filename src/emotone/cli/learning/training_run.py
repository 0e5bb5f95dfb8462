"""Shared by `train` and `crossval`: read the options, run, print the headline."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from emotone.cli.learning.display import RunDisplay, show_notes
from emotone.cores import available_cores
from emotone.corpora import Corpus, protocol_folds, read_corpus
from emotone.emotions import parse_classes, require_present
from emotone.errors import CorpusError, MissingExtraError, RecipeError, TrainingError

try:
    from emotone.evaluation.provenance import command_line
    from emotone.evaluation.run_folder import RunFolder
    from emotone.experiments.cross_validation import cross_validate
    from emotone.experiments.folds.warm_start import require_unseen
    from emotone.experiments.plan import Plan
    from emotone.experiments.recipe import load_recipe
    from emotone.experiments.tracking import check_tracker, open_tracker
except ModuleNotFoundError as error:
    if error.name and error.name.partition(".")[0] != "emotone":
        raise MissingExtraError("training", "train") from error
    raise


def parse_folds(text: str | None) -> tuple[int, ...] | None:
    """Fold numbers from "0,3".

    Raises:
        CorpusError: not a list of numbers.
    """
    if text is None:
        return None
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as error:
        raise CorpusError(f"got --fold {text!r}; expected numbers such as 0,1,2") from error


def task(name: str, directory: Path, classes: str | None, rules: Mapping[str, str]) -> Corpus:
    """The corpus as a task over the wanted classes, its labels renamed by `rules`."""
    corpus = read_corpus(name, directory, labels=rules)
    if classes is None:
        return corpus
    wanted = parse_classes(classes)
    require_present(wanted, corpus.classes, f"corpus {corpus.name}")
    return corpus.with_classes(wanted)


def start_run(
    corpus: str,
    directory: Path,
    *,
    recipe: str,
    protocol: str | None,
    seeds: tuple[int, ...],
    folds: tuple[int, ...] | None,
    settings: list[str],
    output: Path | None,
    workers: int,
    store: Path | None,
    device: str | None,
    threads: int,
    classes: str | None,
    rules: Mapping[str, str],
    tracker: str | None,
    evaluations: int | None,
    init: Path | None,
) -> None:
    """Train with these options, show progress, and print the headline."""
    check_device(device)
    check_tracker(tracker)
    console = Console(stderr=True)
    chosen = load_recipe(recipe, settings)
    if rules:
        chosen = chosen.model_copy(update={"labels": {**chosen.labels, **rules}})
    asked = task(corpus, directory, classes, chosen.labels)
    split = protocol_folds(asked, protocol)
    name = "-".join([asked.name, split.protocol, Path(recipe).stem, *(s.replace("=", "-") for s in settings)])
    folder = output or Path("runs") / name.replace("/", "-")
    if init is not None:
        init = fold_weights(init)
    plan = Plan(
        corpus=asked,
        folds=split,
        recipe=chosen,
        seeds=seeds,
        folder=folder,
        store=store or default_store(),
        only_folds=folds,
        device=device,
        threads=threads or (max(1, available_cores() // workers) if workers > 1 else 0),
        workers=1 if workers == 1 else 0,  # one batch ahead; with several processes the other cores are busy
        command=command_line(),
        init=init,
        looks=evaluations,
    )
    if init is not None:
        require_unseen(init, asked, [split.folds[fold] for fold in plan.fold_numbers])
    show_notes(console, asked)
    console.print(
        f"{asked.name}: {len(asked.utterances)} utterances, {len(asked.speakers)} speakers, "
        f"{len(asked.classes)} classes; {split.protocol}, folds {split.hash}; recipe {chosen.name}; into {folder}",
        highlight=False,
    )
    with open_tracker(tracker, folder) as tracked, RunDisplay(console, plan, tracked) as display:
        results = cross_validate(plan, jobs=workers, listener=display)
    RunFolder(folder).write_source(corpus, directory)
    print(results.headline())
    console.print(f"emotone report {folder}   # tables, confusion matrix, curves, reliability", style="dim")


def check_device(device: str | None) -> None:
    """Refuse a device that is unknown or not there, before any work is done.

    Raises:
        RecipeError: it is neither cpu nor cuda.
        TrainingError: a GPU was asked for, and PyTorch finds none.
    """
    if device not in (None, "cpu", "cuda"):
        raise RecipeError(f"got --device {device!r}; expected cpu or cuda")
    if device == "cuda":
        from emotone.training.device import require_cuda

        require_cuda()


def fold_weights(run: Path) -> Path:
    """The weights in a run folder that holds one fold, in a fold's folder, or the file itself.

    Raises:
        TrainingError: no weights there, or several.
    """
    found = [run] if run.is_file() else RunFolder(run).weights()
    if len(found) != 1:
        raise TrainingError(f"got {run} with {len(found)} trained folds; expected one: name the fold's folder")
    return found[0]


def default_store() -> Path:
    """The waveform store in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "emotone" / "waveforms"
