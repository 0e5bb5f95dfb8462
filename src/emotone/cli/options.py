"""Options that several commands have, declared once: name, type, help."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from emotone.listening.options import TimelineOptions


class Channels(StrEnum):
    """How several channels are treated."""

    MIX = "mix"
    SPLIT = "split"


ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="A model file made by `emotone export`, OWNER/NAME on the Hugging Face hub, or small for the model "
        "without an encoder that ships as well. [default: the shipped model]",
    ),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=0.0,
        max=1.0,
        help="Call a highest probability below this unsure. [default: the model's own]",
    ),
]
WindowOption = Annotated[
    float | None,
    typer.Option(
        "--window",
        metavar="SECONDS",
        help="Longest speech to classify at once. [default: as long as the model can]",
    ),
]
HopOption = Annotated[
    float | None,
    typer.Option("--hop", metavar="SECONDS", help="Time from one window to the next. [default: half a window]"),
]
VadOption = Annotated[
    bool,
    typer.Option(
        "--vad/--no-vad",
        help="Find speech first and leave out the rest, or classify everything. "
        "A short recording without detected speech, but neither quiet nor steady, is classified and called unsure.",
    ),
]
ChannelsOption = Annotated[
    Channels,
    typer.Option(
        "--channels", help="Mix all channels to one, or classify each separately, as the two sides of a call."
    ),
]

MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="OLD=NEW,...", help="Rename labels first, such as annoyed=anger,joy=happiness. Repeatable."
    ),
]


def label_rules(texts: Sequence[str] | None) -> dict[str, str]:
    """The rules of all `--map` options together; a later one comes first.

    Raises:
        UnknownEmotionError: a part is not of the form old=new.
    """
    from emotone.emotions import parse_rules

    return {old: new for text in texts or () for old, new in parse_rules(text).items()}


TrackOption = Annotated[
    int | None,
    typer.Option(
        "--track",
        min=1,
        metavar="NUMBER",
        help="The audio track of a file that has several, from 1. [default: the main one]",
    ),
]

OverwriteOption = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace an existing file whatever it is. Earlier results are replaced anyway."),
]


def timeline_options(
    *, window: float | None, hop: float | None, vad: bool, track: int | None = None
) -> TimelineOptions:
    """The options of a timeline from those of the command line.

    Raises:
        typer.BadParameter: impossible lengths.
    """
    from emotone.listening.options import TimelineOptions

    try:
        return TimelineOptions(window_s=window, hop_s=hop, vad=vad, track=track)
    except ValueError as error:
        raise window_error(error) from error


def window_error(error: ValueError) -> typer.BadParameter:
    """An impossible window, or one that does not fit the model, as a usage error."""
    return typer.BadParameter(str(error), param_hint="--window / --hop")
