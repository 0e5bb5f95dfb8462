"""EMOVO: acted Italian, six speakers, fourteen sentences, seven emotions (Costantini et al. 2014).

Layout: `f1/dis-f1-b1.wav` is emotion (Italian, three letters), speaker, sentence.
"""

from __future__ import annotations

import re
from functools import cache

from emotone.corpora.release import Release

SPEAKERS = ("f1", "f2", "f3", "m1", "m2", "m3")

SENTENCES = ("b1", "b2", "b3", "d1", "d2", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5")
"""Short, questions, long, nonsense."""

EMOTION_OF_CODE = {
    "neu": "neutral",
    "gio": "happiness",
    "tri": "sadness",
    "rab": "anger",
    "pau": "fear",
    "dis": "disgust",
    "sor": "surprise",
}


@cache
def official_ids() -> frozenset[str]:
    """The 588 official names."""
    return frozenset(
        f"{code}-{speaker}-{sentence}" for code in EMOTION_OF_CODE for speaker in SPEAKERS for sentence in SENTENCES
    )


RELEASE = Release(
    name="emovo",
    licence="LicenseRef-EMOVO-non-commercial",
    classes=tuple(EMOTION_OF_CODE.values()),
    counts=dict.fromkeys(EMOTION_OF_CODE.values(), 84),
    n_speakers=6,
    layout="f1/dis-f1-b1.wav",
    pattern=re.compile(
        rf"(?:^|/)(?P<id>(?P<emotion>{'|'.join(EMOTION_OF_CODE)})-(?P<speaker>[fm][123])-(?P<text>{'|'.join(SENTENCES)}))$"
    ),
    emotion_of=EMOTION_OF_CODE,
    sex_of=lambda speaker: "female" if speaker.startswith("f") else "male",
    official_ids=official_ids,
)
