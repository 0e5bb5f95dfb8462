"""Options that several of these commands have, declared once: name, type, help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
