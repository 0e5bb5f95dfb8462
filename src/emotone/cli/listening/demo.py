"""`emotone demo`: recognise the bundled recordings, whose emotions are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TRUE_EMOTION = {
    "ANG": "anger",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
    "F": "happiness",
    "N": "neutral",
    "T": "sadness",
    "W": "anger",
}
"""By the codes of CREMA-D's and EmoDB's file names."""


def true_emotion(stem: str) -> str:
    """The emotion that an actor was asked for, from the name of a bundled recording.

    >>> true_emotion("1001_DFA_ANG_XX"), true_emotion("03a01Nc")
    ('anger', 'neutral')
    """
    return TRUE_EMOTION[stem.split("_")[2] if "_" in stem else stem[5]]


def demo(
    model: Annotated[
        str | None, typer.Option("--model", help="A model file, `small`, or OWNER/NAME. [default: the shipped one]")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw one of them into this PNG, SVG or PDF (extra `plot`).")
    ] = None,
) -> None:
    """Recognise eight bundled recordings of two actors, and print the true emotion next to the predicted one.

    The actors were not in the training data. Of each, the first recording of each of four emotions is taken.
    """
    from importlib import resources

    from rich.console import Console
    from rich.table import Table

    from emotone import load
    from emotone.emotions import FOUR_CLASSES

    recognizer = load(model).with_classes(FOUR_CLASSES)
    folder = resources.files("emotone") / "clips"
    table = Table("recording", "true", "predicted", "confidence", "")
    right = unsure = 0
    with resources.as_file(folder) as clips:
        recordings = sorted([*clips.glob("*/*.opus"), *clips.glob("*/*.flac")])
        for path in recordings:
            found = recognizer(path)
            truth = true_emotion(path.stem)
            answer = "unsure" if found.unsure else "right" if found.emotion == truth else "wrong"
            right, unsure = right + (answer == "right"), unsure + (answer == "unsure")
            table.add_row(path.name, truth, str(found.emotion), f"{found.confidence:.0%}", answer)
        if plot is not None:
            recognizer(recordings[0]).plot(plot)
    Console().print(table)
    print(f"{right} of {len(recordings)} right, {unsure} unsure, {len(recordings) - right - unsure} wrong")
