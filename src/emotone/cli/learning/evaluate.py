"""`emotone evaluate`: score a model file on a corpus."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from emotone.cli.learning.options import CorpusFolder, CorpusName
from emotone.cli.options import MapOption, OverwriteOption, label_rules


def evaluate(
    corpus: CorpusName,
    directory: CorpusFolder,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="A model file, or OWNER/NAME on the Hugging Face hub. [default: the shipped one]"),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", help="Score these of the model's classes alone, comma-separated, or `four`."),
    ] = None,
    map_: MapOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder. [default: runs/CORPUS-MODEL-…]")
    ] = None,
    speakers: Annotated[str | None, typer.Option("--speakers", help="Only these speakers, comma-separated.")] = None,
    neutral_clips: Annotated[
        int,
        typer.Option(
            "--neutral-clips", min=0, help="Score relative to so many other neutral clips of each speaker; 0 for none."
        ),
    ] = 0,
    overwrite: OverwriteOption = False,
    unseen: Annotated[
        bool,
        typer.Option("--unseen", help="Declare that the model was trained on none of these speakers (for manifests)."),
    ] = False,
) -> None:
    """Score a model file on a corpus that it was not trained on, with the recognizer that `predict` uses.

    Labels are renamed by the rules of the model's recipe and of `--map`, and by known synonyms. Classes that the model
    does not have are left out and counted. On a corpus that the model was trained on, only its held-out speakers are
    scored.
    """
    from rich.console import Console
    from rich.progress import track

    from emotone import load
    from emotone.cli.learning.display import show_notes
    from emotone.corpora import read_corpus
    from emotone.emotions import parse_classes, require_present
    from emotone.evaluation.provenance import command_line
    from emotone.experiments.cross_corpus import check_folder, evaluate_model

    recognizer = load(model)
    labels = recognizer.metadata.labels
    wanted = labels if classes is None else parse_classes(classes)
    require_present(wanted, labels, f"the model {recognizer.metadata.name}")
    own = recognizer.metadata.recipe.get("labels")
    rules = {**({str(old): str(new) for old, new in own.items()} if isinstance(own, dict) else {}), **label_rules(map_)}
    task = read_corpus(corpus, directory, labels=rules).with_classes(wanted)
    console = Console(stderr=True)
    show_notes(console, task)
    chosen = {"classes": classes, "speakers": speakers, "neutral-clips": neutral_clips or None}
    parts = [
        f"{re.sub(r'[^A-Za-z0-9]+', '-', str(value))}-{name}" for name, value in chosen.items() if value is not None
    ]
    folder = output or Path("runs") / "-".join([task.name, recognizer.metadata.name, *parts])[:200]
    check_folder(folder, overwrite=overwrite)
    results = evaluate_model(
        recognizer,
        task,
        folder,
        speakers=[] if speakers is None else [speaker.strip() for speaker in speakers.split(",")],
        unseen=unseen,
        neutral_clips=neutral_clips,
        overwrite=overwrite,
        command=command_line(),
        progress=lambda items: track(items, "recognising", console=console),
    )
    print(results.headline())
