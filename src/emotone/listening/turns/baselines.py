"""Which recognizer classifies the turns of which speaker: each speaker may have a baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeVar

from emotone.errors import BaselineError
from emotone.listening.baseline import Baseline, is_speaker_mapping
from emotone.listening.turns.turn import Turn


class TakesBaseline(Protocol):
    """What a recognizer does with baselines."""

    def measure_baseline(self, recordings: Any, *, name: str | None = None) -> Baseline:
        """A baseline from recordings or an embedding."""
        ...

    def with_baseline(self, baseline: Any) -> Self:
        """A recognizer whose answers are relative to it."""
        ...


R = TypeVar("R", bound=TakesBaseline)


def recognizers_of(recognizer: R, turns: Sequence[Turn], baseline: Any) -> Callable[[str], R]:
    """The recognizer for each speaker of some turns, with that speaker's baseline.

    Args:
        recognizer: without a baseline.
        turns: whose speakers may have baselines.
        baseline: for all speakers; or a mapping of speaker to baseline, each as for `Recognizer.with_baseline`; None
            for none.
    Raises:
        BaselineError: a speaker who has no turn, or as `Recognizer.with_baseline`.
    """
    if not is_speaker_mapping(baseline):
        view = recognizer if baseline is None else recognizer.with_baseline(baseline)
        return lambda speaker: view
    speakers = dict.fromkeys(one.speaker for one in turns)
    for name in baseline:
        if name not in speakers:
            known = ", ".join(filter(None, speakers)) or "none"
            raise BaselineError(f"a baseline for {name!r}, who has no turn; speakers of the turns: {known}")
    views = {
        name: recognizer.with_baseline(one if isinstance(one, Baseline) else recognizer.measure_baseline(one).of(name))
        for name, one in baseline.items()
    }
    return lambda speaker: views.get(speaker, recognizer)
