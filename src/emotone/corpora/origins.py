"""Where the recordings of a cut or merged corpus come from: a corpus of their own, and the speaker's name there.

A training speaker is the same person under every name that readers give.
"""

from __future__ import annotations

from collections.abc import Collection

CUT_FROM = {"crema-d-imbalanced": "crema-d"}
"""Corpora that are a part of another; their speakers have the same names."""

MERGED_FROM = {
    "open-four": ("crema-d", "emodb"),
    "open-six": ("crema-d", "emodb", "emogator"),
    "research-six": ("crema-d", "emodb", "emogator", "nemo", "ravdess"),
}
"""Corpora made of several; their speakers are prefixed, as `crema-d/1001`."""


def origin(corpus: str, speaker: str, known: Collection[str]) -> tuple[str, str]:
    """The corpus whose recordings a speaker's are, and the speaker's name there.

    Args:
        corpus: as it is called.
        speaker: of it.
        known: names of corpora; a prefix that is none of them belongs to the speaker's name.

    >>> origin("open-four", "crema-d/1001", ["crema-d", "emodb"])
    ('crema-d', '1001')
    >>> origin("crema-d-imbalanced", "1001", ["crema-d", "emodb"])
    ('crema-d', '1001')
    """
    part, _, own = speaker.partition("/")
    if own and part in known:
        return origin(part, own, known)
    return CUT_FROM.get(corpus, corpus), speaker
