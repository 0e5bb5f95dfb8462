"""URDU: talk-show Urdu, spontaneous, four emotions (Latif et al. 2018).

Layout: `Angry/SM1_F1_A01.wav` is speaker (SM man, SF woman), the speaker's clip, the emotion's letter with a running
number (`A01` … `A099`, `A0100`). The paper speaks of 38 speakers; the names of the released files tell 29 apart.
"""

from __future__ import annotations

import re
from functools import cache

from emotone.corpora.release import Release

EMOTION_OF_LETTER = {"N": "neutral", "H": "happiness", "S": "sadness", "A": "anger"}

CLIPS = {
    "N": {"SF9": 4, "SM20": 10, "SM21": 4, "SM22": 2, "SM3": 8, "SM5": 72},
    "H": {
        **{"SF1": 12, "SF2": 2, "SF3": 2, "SF4": 4, "SF5": 4, "SF6": 14, "SF7": 6, "SF8": 2},
        **{"SM17": 2, "SM18": 2, "SM19": 2, "SM3": 2, "SM5": 8, "SM6": 10, "SM7": 28},
    },
    "S": {"SF10": 2, "SF11": 4, "SM23": 6, "SM24": 38, "SM25": 40, "SM26": 2, "SM27": 4, "SM6": 4},
    "A": {"SM1": 22, "SM2": 28, "SM3": 2, "SM4": 48},
}
"""Clips of each speaker, in the order of the running numbers of the emotion."""


@cache
def official_ids() -> frozenset[str]:
    """The 400 official names."""
    names: set[str] = set()
    for letter, speakers in CLIPS.items():
        clips = [(speaker, clip) for speaker, count in speakers.items() for clip in range(1, count + 1)]
        names.update(f"{speaker}_F{clip}_{letter}0{number}" for number, (speaker, clip) in enumerate(clips, 1))
    return frozenset(names)


RELEASE = Release(
    name="urdu",
    licence="LicenseRef-URDU-unstated",
    classes=tuple(EMOTION_OF_LETTER.values()),
    counts=dict.fromkeys(EMOTION_OF_LETTER.values(), 100),
    n_speakers=29,
    layout="Angry/SM1_F1_A01.wav",
    pattern=re.compile(r"(?:^|/)(?P<id>(?P<speaker>S[MF]\d{1,2})_F\d{1,3}_(?P<emotion>[NHSA])\d{1,4})$"),
    emotion_of=EMOTION_OF_LETTER,
    sex_of=lambda speaker: "female" if speaker.startswith("SF") else "male",
    official_ids=official_ids,
    sentences_shared=False,
)
