"""TESS: acted Canadian English, two women, 200 words, seven emotions (Pichora-Fuller & Dupuis 2020).

Layout: `OAF_angry/OAF_back_angry.wav` is speaker (older, younger adult female), word, emotion; `ps` is pleasant
surprise. With two speakers no speaker-independent score of it is possible.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

from emotone.corpora.release import Release, Trap

SPEAKERS = ("OAF", "YAF")

EMOTION_OF_CODE = {
    "neutral": "neutral",
    "happy": "happiness",
    "sad": "sadness",
    "angry": "anger",
    "fear": "fear",
    "disgust": "disgust",
    "ps": "surprise",
}


def ids_by_comparison(found: Collection[str]) -> frozenset[str]:
    """The official names as far as the names found tell them.

    Both speakers say the same words in every emotion. A word that at least half of the speakers and emotions here have
    is one of the corpus, and must be in all of them.
    """
    parts = [name.split("_") for name in found]
    n_sets = len({(speaker, emotion) for speaker, _, emotion in parts})
    uses = Counter(word for _, word, _ in parts)
    words = [word for word, count in uses.items() if 2 * count >= n_sets]
    return frozenset(f"{speaker}_{word}_{code}" for speaker in SPEAKERS for word in words for code in EMOTION_OF_CODE)


RELEASE = Release(
    name="tess",
    licence="CC-BY-NC-ND-4.0",
    classes=tuple(EMOTION_OF_CODE.values()),
    counts=dict.fromkeys(EMOTION_OF_CODE.values(), 400),
    n_speakers=2,
    layout="OAF_angry/OAF_back_angry.wav",
    pattern=re.compile(
        rf"(?:^|/)(?P<id>(?P<speaker>OAF?|YAF)_(?P<text>[a-z]+)_(?P<emotion>{'|'.join(EMOTION_OF_CODE)}))$"
    ),
    emotion_of=EMOTION_OF_CODE,
    sex_of=lambda speaker: "female",
    ids_by_comparison=ids_by_comparison,
    aliases={"OA_bite_neutral": "OAF_bite_neutral"},
    traps=(
        Trap("name", ("OAF_bite_neutral",), (), "its official name is OA_bite_neutral"),
        Trap("format", ("YAF_germ_angry", "YAF_neat_fear"), (), "AIFF inside .wav"),
    ),
)
