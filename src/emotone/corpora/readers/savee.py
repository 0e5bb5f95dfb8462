"""SAVEE: acted British English, four men, seven emotions (Jackson & Haq 2014).

Layout: `AudioData/DC/a01.wav`, or all in one folder as `DC_a01.wav`; the id is `DC_a01`. Of each speaker 15 recordings
an emotion, and 30 neutral.
"""

from __future__ import annotations

import re
from functools import cache

from emotone.corpora.release import Release

SPEAKERS = ("DC", "JE", "JK", "KL")

EMOTION_OF_CODE = {
    "n": "neutral",
    "h": "happiness",
    "sa": "sadness",
    "a": "anger",
    "f": "fear",
    "d": "disgust",
    "su": "surprise",
}


@cache
def official_ids() -> frozenset[str]:
    """The 480 official names."""
    return frozenset(
        f"{speaker}_{code}{number:02}"
        for speaker in SPEAKERS
        for code in EMOTION_OF_CODE
        for number in range(1, 31 if code == "n" else 16)
    )


RELEASE = Release(
    name="savee",
    licence="LicenseRef-SAVEE-research-only",
    classes=tuple(EMOTION_OF_CODE.values()),
    counts={emotion: 120 if emotion == "neutral" else 60 for emotion in EMOTION_OF_CODE.values()},
    n_speakers=4,
    layout="AudioData/DC/a01.wav",
    pattern=re.compile(r"(?:^|/)(?P<id>(?P<speaker>DC|JE|JK|KL)[/_](?P<text>(?P<emotion>sa|su|[nhafd])\d\d))$"),
    emotion_of=EMOTION_OF_CODE,
    sex_of=lambda speaker: "male",
    official_ids=official_ids,
)
