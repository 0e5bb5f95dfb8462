"""`emotone crossval`: train and score every fold of a protocol."""

from __future__ import annotations

from typing import Annotated

import typer

from emotone.cli.learning.options import (
    Classes,
    CorpusFolder,
    CorpusName,
    Device,
    Evaluations,
    Fold,
    Init,
    Output,
    Protocol,
    RecipeName,
    Settings,
    Store,
    Threads,
    Tracker,
    Workers,
)
from emotone.cli.options import MapOption, label_rules


def crossval(
    corpus: CorpusName,
    directory: CorpusFolder,
    recipe: RecipeName = "encoder",
    protocol: Protocol = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Run with seeds 0 to N - 1.")] = 1,
    fold: Fold = None,
    set_: Settings = None,
    output: Output = None,
    workers: Workers = 1,
    store: Store = None,
    device: Device = None,
    threads: Threads = 0,
    classes: Classes = None,
    map_: MapOption = None,
    tracker: Tracker = None,
    evaluations: Evaluations = None,
    init: Init = None,
) -> None:
    """Train and score every fold of a protocol; finished folds are kept.

    The epoch and the temperature of each fold are chosen on its validation speakers, never on its test speakers.
    """
    from emotone.cli.learning.training_run import parse_folds, start_run

    start_run(
        corpus,
        directory,
        recipe=recipe,
        protocol=protocol,
        seeds=tuple(range(seeds)),
        folds=parse_folds(fold),
        settings=set_ or [],
        output=output,
        workers=workers,
        store=store,
        device=device,
        threads=threads,
        classes=classes,
        rules=label_rules(map_),
        tracker=tracker,
        evaluations=evaluations,
        init=init,
    )
