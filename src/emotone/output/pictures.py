"""What all pictures have in common: their colours, their kinds, and how quiet their axes are.

Conventions: colours are of the Okabe-Ito palette, which people with any common colour blindness tell apart, and each
emotion keeps its colour in every picture. Needs the extra `plot` to draw, not to ask.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import PurePath
from typing import Any

from emotone.errors import OutputError
from emotone.extras import require_library
from emotone.files import check_replaceable

SUFFIXES = (".png", ".svg", ".pdf")

COLOURS = {
    "neutral": "#7f7f7f",
    "calm": "#56b4e9",
    "happiness": "#e69f00",
    "sadness": "#0072b2",
    "anger": "#d55e00",
    "fear": "#cc79a7",
    "disgust": "#009e73",
    "surprise": "#f0e442",
    "boredom": "#b8a88a",
    "excitement": "#ffcf70",
    "frustration": "#8c3b00",
}
OTHER = "#bbbbbb"
INK = "#222222"
FAINT = "#8a8a8a"


_BEGINS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def check_picture(path: str | PathLike[str], *, inputs: Iterable[str] = (), overwrite: bool = False) -> None:
    """Refuse a picture that cannot be drawn, before any work is done.

    Raises:
        OutputError: the suffix is none of `SUFFIXES`, or there is a file that is not such a picture.
        MissingExtraError: Matplotlib is not installed.
    """
    if PurePath(path).suffix.lower() not in SUFFIXES:
        raise OutputError(f"cannot draw {PurePath(path).name!r}; expected a name that ends in {', '.join(SUFFIXES)}")
    require_library("matplotlib", "a picture (--plot)", "plot")
    begins = _BEGINS[PurePath(path).suffix.lower()]
    check_replaceable(path, "a picture", lambda content: content.startswith(begins), inputs=inputs, overwrite=overwrite)


def quiet(axes: Any) -> None:
    """Axes without a frame."""
    for spine in axes.spines.values():
        spine.set_visible(False)
