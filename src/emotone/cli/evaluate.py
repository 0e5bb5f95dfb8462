"""`emotone evaluate`: score a model file, untouched, on a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotone.cli.crossval import CorpusFolder, CorpusName


def evaluate(
    corpus: CorpusName,
    directory: CorpusFolder,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="A model file, or OWNER/NAME on the Hugging Face hub. [default: the shipped one]"),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", help="Folder; by default runs/CORPUS-MODEL.")] = None,
    speakers: Annotated[str | None, typer.Option("--speakers", help="Only these speakers, comma-separated.")] = None,
    unheard: Annotated[
        bool,
        typer.Option("--unheard", help="You know that the model has heard none of them; a manifest cannot tell."),
    ] = False,
) -> None:
    """Score a model file on a corpus it has not seen, through the very recognizer that users call.

    Classes that the model does not know are left out, and counted. On a corpus that the model was trained on, only the
    speakers that were held out are scored.
    """
    from rich.console import Console
    from rich.progress import track

    from emotone import load
    from emotone.corpora import read_corpus
    from emotone.experiments.cross_validation import command_line
    from emotone.experiments.untouched import evaluate_untouched

    recognizer = load(model)
    task = read_corpus(corpus, directory).with_classes(recognizer.metadata.labels)
    console = Console(stderr=True)
    for reason, count in task.dropped.items():
        console.print(f"left out: {count} ({reason})", style="dim", highlight=False)
    results = evaluate_untouched(
        recognizer,
        task,
        output or Path("runs") / f"{task.name}-{recognizer.metadata.name}",
        speakers=[] if speakers is None else [speaker.strip() for speaker in speakers.split(",")],
        unheard=unheard,
        command=command_line(),
        progress=lambda items: track(items, "recognising", console=console),
    )
    print(results.headline())
