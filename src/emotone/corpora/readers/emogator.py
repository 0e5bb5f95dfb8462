"""EmoGator: vocal bursts without words by 357 people, seven of its thirty categories (Buhl 2023).

Layout: `opus/000001-03-1.opus` is speaker, category, take. One recording of each speaker and class is read: those
listed in `official/emogator.txt`. Happiness is the category elation, surprise one of the two categories of surprise. It
is not a speech corpus: it adds voices and microphones to training, and no score is reported on it.
"""

from __future__ import annotations

import re
from functools import cache

from emotone.corpora.release import Release, official_list

EMOTION_OF_CATEGORY = {
    "18": "neutral",
    "13": "happiness",
    "24": "sadness",
    "03": "anger",
    "15": "fear",
    "10": "disgust",
    "27": "surprise",
    "28": "surprise",
}


@cache
def official_ids() -> frozenset[str]:
    """The 2,499 names that are read."""
    return frozenset(f"{speaker}-{take}" for speaker, *takes in official_list("emogator") for take in takes)


RELEASE = Release(
    name="emogator",
    licence="Apache-2.0",
    classes=tuple(dict.fromkeys(EMOTION_OF_CATEGORY.values())),
    counts=dict.fromkeys(EMOTION_OF_CATEGORY.values(), 357),
    n_speakers=357,
    layout="opus/000001-03-1.opus",
    pattern=re.compile(rf"(?:^|/)(?P<id>(?P<speaker>\d{{6}})-(?P<emotion>{'|'.join(EMOTION_OF_CATEGORY)})-[123])$"),
    emotion_of=EMOTION_OF_CATEGORY,
    official_ids=official_ids,
    part=True,
    sentences_shared=False,
)
