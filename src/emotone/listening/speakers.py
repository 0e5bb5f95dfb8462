"""Classes, baselines and turns that hold for many recordings, as files and plain words.

Conventions: everything is a plain type, so that a batch can hand it to its workers and keep it in its journal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from emotone.errors import BaselineError, TurnsError
from emotone.listening.baseline import Baseline
from emotone.listening.options import TimelineOptions
from emotone.listening.recognition import Recognition
from emotone.listening.turns.files import MAX_BYTES, as_turns
from emotone.listening.turns.formats import parse

if TYPE_CHECKING:
    from emotone.listening.recognizer import Recognizer


@dataclass(frozen=True, slots=True)
class SpeakerSettings:
    """What is asked for beyond the model and the options of a timeline.

    Attributes:
        classes: of the model; empty for all.
        baseline: neutral recordings of the one speaker; or, with turns, of each speaker; empty for none.
        turns: a file for `read_turns`; None for none.
        tiers: of a TextGrid with several.
    Raises:
        BaselineError: baselines by speaker without turns.
    """

    classes: Sequence[str] = ()
    baseline: Sequence[str] | Mapping[str, Sequence[str]] = ()
    turns: str | None = None
    tiers: Sequence[str] = ()

    def __post_init__(self) -> None:
        # Settings that went through JSON are the same settings.
        for name in ("classes", "tiers"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if isinstance(self.baseline, Mapping):
            object.__setattr__(self, "baseline", {name: tuple(some) for name, some in self.baseline.items()})
        else:
            object.__setattr__(self, "baseline", tuple(self.baseline))
        if isinstance(self.baseline, Mapping) and self.turns is None:
            raise BaselineError("baselines by speaker go with turns; say who speaks when, or give the recordings alone")

    @property
    def files(self) -> tuple[str, ...]:
        """All files that are named."""
        named = self.baseline.values() if isinstance(self.baseline, Mapping) else [self.baseline]
        return (*(one for some in named for one in some), *([self.turns] if self.turns else []))

    def digest(self) -> str:
        """Of all that decides about the results, the content of the files included."""
        found = sha256(repr((sorted(self.classes), self.baseline, self.turns, self.tiers)).encode())
        for path in self.files:
            if Path(path).is_file():
                found.update(Path(path).read_bytes())
        return found.hexdigest()


def _check_speakers(settings: SpeakerSettings) -> None:
    """Refuse a baseline of a speaker who has no turn in any recording: a typing error that would go unnoticed."""
    if settings.turns is None or not Path(settings.turns).is_file():
        return
    try:
        if Path(settings.turns).stat().st_size > MAX_BYTES:
            return
        found = {turn.speaker for _, turn in parse(Path(settings.turns).read_bytes(), settings.tiers)}
    except (OSError, TurnsError):
        return  # Each recording reports it.
    for name in settings.baseline:
        if name not in found:
            raise BaselineError(
                f"a baseline for {name!r}, who has no turn in {settings.turns}; it has turns of "
                f"{', '.join(sorted(found)[:8]) or 'speakers without names'}"
            )


class SpeakerRecognizer:
    """A recognizer with settings: baselines are measured once.

    Args:
        recognizer: made by `load`.
        settings: classes, baselines and turns.
    Raises:
        AudioError: a recording for a baseline cannot be used.
        BaselineError: the model takes no baseline, one of them has no speech, or a speaker has no turn in any
            recording.
        UnknownEmotionError: a class that the model does not have.

    Attributes:
        recognizer: for the classes; relative to the baseline, if it is one for all speakers.
    """

    def __init__(self, recognizer: Recognizer, settings: SpeakerSettings) -> None:
        view = recognizer.with_classes(settings.classes or None)
        self._settings = settings
        self._by_speaker: dict[str, Baseline] = {}
        if isinstance(settings.baseline, Mapping):
            _check_speakers(settings)
            self._by_speaker = {
                name: view.measure_baseline(list(paths)).of(name) for name, paths in settings.baseline.items()
            }
        elif settings.baseline:
            view = view.with_baseline(list(settings.baseline))
        self.recognizer = view

    def __call__(
        self,
        source: Any,
        location: str | os.PathLike[str],
        *,
        channels: Literal["mix", "split"] = "mix",
        options: TimelineOptions | None = None,
        only_recording: bool = False,
    ) -> Recognition:
        """Recognise one recording.

        Args:
            source: as for a recognizer.
            location: its name, by which a file of turns may know it.
            channels: as for a recognizer.
            options: as for a recognizer.
            only_recording: that there is: turns of another name are taken for its own, and a baseline of a speaker who
                has no turn in it is refused.
        Raises:
            AudioError: the source is not sound, too short, or damaged.
            TurnsError: the turns cannot be used.
            BaselineError: with `only_recording`.
        """
        if self._settings.turns is None:
            recognition: Recognition = self.recognizer(source, channels=channels, options=options)
            return recognition
        turns = as_turns(
            self._settings.turns,
            recording=os.fsdecode(location),
            tiers=self._settings.tiers,
            only_recording=only_recording,
        )
        speakers = {one.speaker for one in turns}
        mine = {name: one for name, one in self._by_speaker.items() if only_recording or name in speakers}
        return self.recognizer(source, channels=channels, options=options, turns=turns, baseline=mine or None)
