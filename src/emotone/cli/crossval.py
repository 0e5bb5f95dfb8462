"""`emotone crossval`: train and score every fold of a protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotone.cli.options import MapOption, label_rules

CorpusName = Annotated[str, typer.Argument(help="A corpus by name (see `emotone corpora list`), or `manifest`.")]
CorpusFolder = Annotated[Path, typer.Argument(help="Its folder, or the manifest file.")]
RecipeName = Annotated[str, typer.Option("--recipe", help="A recipe's name or a TOML file.")]
Protocol = Annotated[
    str | None,
    typer.Option("--protocol", help="How the speakers are split into folds. [default: the corpus's own protocol]"),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Change one setting: key=value, such as loss.gamma=0. Repeatable.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Run folder. [default: runs/CORPUS-PROTOCOL-RECIPE]")
]
Store = Annotated[
    Path | None,
    typer.Option(
        "--store", envvar="EMOTONE_STORE", help="Folder of decoded waveforms. [default: a folder in the user's cache]"
    ),
]
Device = Annotated[str | None, typer.Option("--device", help="cpu or cuda. [default: a GPU if there is one]")]
Threads = Annotated[
    int, typer.Option("--threads", min=0, help="PyTorch threads per process; 0 divides the cores among the processes.")
]
Tracker = Annotated[str | None, typer.Option("--tracker", help="tensorboard or mlflow (extra `track`).")]
Classes = Annotated[
    str | None, typer.Option("--classes", help="Only these classes, comma-separated; `four` for the paper's four.")
]
Evaluations = Annotated[
    int | None,
    typer.Option(
        "--evaluations", min=1, help="How often these test folds have been evaluated, this time included; reported."
    ),
]
Init = Annotated[
    Path | None,
    typer.Option(
        "--init",
        metavar="RUN",
        help="Start from the weights of this run, fold or model.safetensors instead of random ones.",
    ),
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Folds at once, each in its own process.")]
Fold = Annotated[str | None, typer.Option("--fold", help="Only these folds, comma-separated, counted from 0.")]


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
    from emotone.cli.training_run import parse_folds, start_run

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
