"""RAVDESS, the speech part: acted North American English, 24 speakers, eight emotions (Livingstone & Russo 2018).

Layout: `Actor_12/03-01-06-01-02-01-12.wav` is modality, channel, emotion, intensity, statement, repetition, actor; odd
actors are male. Songs (channel 02) and video are other parts of RAVDESS and are not read.
"""

from __future__ import annotations

import re
from functools import cache

from emotone.corpora.release import Release, Trap

EMOTION_OF_CODE = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}


@cache
def official_ids() -> frozenset[str]:
    """The 1,440 official names: every combination, but that neutral has no strong intensity."""
    return frozenset(
        f"03-01-{emotion}-{intensity}-{statement}-{repetition}-{actor:02}"
        for emotion in EMOTION_OF_CODE
        for intensity in (("01",) if emotion == "01" else ("01", "02"))
        for statement in ("01", "02")
        for repetition in ("01", "02")
        for actor in range(1, 25)
    )


RELEASE = Release(
    name="ravdess",
    licence="CC-BY-NC-SA-4.0",
    classes=tuple(EMOTION_OF_CODE.values()),
    counts={emotion: 96 if emotion == "neutral" else 192 for emotion in EMOTION_OF_CODE.values()},
    n_speakers=24,
    layout="Actor_12/03-01-06-01-02-01-12.wav",
    pattern=re.compile(
        r"(?:^|/)(?P<id>03-01-(?P<emotion>0[1-8])-0[12]-(?P<text>0[12])-0[12]-(?P<speaker>0[1-9]|1\d|2[0-4]))$"
    ),
    emotion_of=EMOTION_OF_CODE,
    sex_of=lambda actor: "male" if int(actor) % 2 else "female",
    official_ids=official_ids,
    # The labels agree, so the recording itself is good; the second repetition is dropped, lest it count twice.
    traps=(
        Trap(
            "duplicated",
            ("03-01-03-01-02-01-07", "03-01-03-01-02-02-07"),
            ("03-01-03-01-02-02-07",),
            "the same recording as the first repetition",
        ),
    ),
)
