"""`emotone train`: one model, from one fold of a protocol."""

from __future__ import annotations

from typing import Annotated

import typer

from emotone.cli.learning.options import (
    Classes,
    CorpusFolder,
    CorpusName,
    Device,
    Evaluations,
    Init,
    Output,
    Protocol,
    RecipeName,
    Settings,
    Store,
    Threads,
    Tracker,
)
from emotone.cli.options import MapOption, label_rules


def train(
    corpus: CorpusName,
    directory: CorpusFolder,
    recipe: RecipeName = "encoder",
    protocol: Protocol = None,
    fold: Annotated[
        int, typer.Option("--fold", min=0, help="The fold whose validation and test speakers are held out.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="For weights, order and augmentation.")] = 0,
    set_: Settings = None,
    output: Output = None,
    store: Store = None,
    device: Device = None,
    threads: Threads = 0,
    classes: Classes = None,
    map_: MapOption = None,
    tracker: Tracker = None,
    evaluations: Evaluations = None,
    init: Init = None,
) -> None:
    """Train one model on the training speakers of one fold, and score it on that fold's test speakers.

    The weights are stored in RUN/seed-S/fold-FF/model.safetensors; `emotone export` makes a model file from them.
    """
    from emotone.cli.learning.training_run import start_run

    start_run(
        corpus,
        directory,
        recipe=recipe,
        protocol=protocol,
        seeds=(seed,),
        folds=(fold,),
        settings=set_ or [],
        output=output,
        workers=1,
        store=store,
        device=device,
        threads=threads,
        classes=classes,
        rules=label_rules(map_),
        tracker=tracker,
        evaluations=evaluations,
        init=init,
    )
