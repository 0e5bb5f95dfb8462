"""Options for classes, baselines and turns, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from emotone.listening.speakers import SpeakerSettings

ClassesOption = Annotated[
    str | None,
    typer.Option(
        "--classes",
        metavar="NAMES",
        help="Choose between these classes of the model only, such as neutral,anger; `four` for neutral, happiness, "
        "sadness and anger. [default: all]",
    ),
]
BaselineOption = Annotated[
    list[str] | None,
    typer.Option(
        "--baseline",
        metavar="[SPEAKER=]FILE",
        help="A few seconds of the speaker's usual voice, to which answers are relative; with --turns, of one speaker. "
        "Repeatable.",
    ),
]
TurnsOption = Annotated[
    str | None,
    typer.Option(
        "--turns",
        metavar="FILE",
        help="Who speaks when: RTTM, SubRip, WebVTT, TextGrid, audformat, CSV, or JSON of Whisper or whisperX. One row "
        "per turn.",
    ),
]
TierOption = Annotated[
    list[str] | None,
    typer.Option("--tier", metavar="NAME", help="Of a TextGrid with several, the tier with the turns. Repeatable."),
]


def speaker_settings(
    classes: str | None, baseline: Sequence[str] | None, turns: str | None = None, tiers: Sequence[str] | None = None
) -> SpeakerSettings:
    """The settings that the words of the command line ask for.

    Raises:
        typer.BadParameter: speakers without turns, or only some of the baselines with a speaker; tiers without turns.
        UnknownEmotionError: fewer than two classes, or an impossible name.
    """
    from emotone.emotions import parse_classes
    from emotone.listening.speakers import SpeakerSettings

    if tiers and turns is None:
        raise typer.BadParameter("names a tier of a file of turns; give it with --turns", param_hint="--tier")
    if turns == "":
        raise typer.BadParameter("an empty name; expected a file", param_hint="--turns")
    named: dict[str, list[str]] = {}
    plain: list[str] = []
    for word in baseline or ():
        speaker, separator, path = word.partition("=")
        # A file may have `=` in its name.
        if not separator or Path(word).exists():
            plain.append(word)
        elif not speaker or not path:
            raise typer.BadParameter(f"{word!r}; expected FILE or SPEAKER=FILE", param_hint="--baseline")
        else:
            named.setdefault(speaker, []).append(path)
    if named and turns is None:
        raise typer.BadParameter(
            f"{next(iter(named))!r} is a speaker, and speakers are known from --turns; or no such file",
            param_hint="--baseline",
        )
    if named and plain:
        raise typer.BadParameter(
            f"{plain[0]!r} names no speaker, and others do; give each as SPEAKER=FILE", param_hint="--baseline"
        )
    chosen = () if classes is None else parse_classes(classes)
    return SpeakerSettings(chosen, named or tuple(plain), turns, tuple(tiers or ()))
