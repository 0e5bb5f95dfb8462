"""EmoDB, the Berlin database of emotional speech: acted German, ten speakers, seven emotions (Burkhardt et al. 2005).

Layout: `wav/03a01Fa.wav` is speaker 03, sentence a01, emotion F (Freude), version a. Phone labels lie in
`lablaut/03a01Faxx.lablaut` (ESPS/xlabel: end time, colour, label).
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from emotone.corpora.release import Release, official_list, read_release
from emotone.corpora.utterance import Corpus, Sex

EMOTION_OF_LETTER = {
    "N": "neutral",
    "F": "happiness",
    "T": "sadness",
    "W": "anger",
    "A": "fear",
    "E": "disgust",
    "L": "boredom",
}

SEX_OF_SPEAKER: dict[str, Sex] = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}


@cache
def official_ids() -> frozenset[str]:
    """The 535 official names; they follow no rule, for only takes that listeners recognised were kept."""
    return frozenset(speaker + take for speaker, *takes in official_list("emodb") for take in takes)


RELEASE = Release(
    name="emodb",
    licence="CC0-1.0",
    classes=("neutral", "happiness", "sadness", "anger", "fear", "disgust", "boredom"),
    counts={
        "neutral": 79,
        "happiness": 71,
        "sadness": 62,
        "anger": 127,
        "fear": 69,
        "disgust": 46,
        "boredom": 81,
    },
    n_speakers=10,
    layout="wav/03a01Fa.wav",
    pattern=re.compile(r"(?:^|/)(?P<id>(?P<speaker>03|08|09|1[0-6])(?P<text>[ab]\d\d)(?P<emotion>[NFTWAEL])[a-f])$"),
    emotion_of=EMOTION_OF_LETTER,
    sex_of=SEX_OF_SPEAKER.get,
    official_ids=official_ids,
)


def read(directory: str | os.PathLike[str], *, phonemes: bool = False) -> Corpus:
    """Read EmoDB.

    Args:
        directory: the folder that holds `wav` (and `lablaut`), or `wav` itself.
        phonemes: also read the phone labels; utterances without a label file then have None.
    Raises:
        CorpusNotFoundError: no recordings of EmoDB there.
    """
    corpus = read_release(RELEASE, directory)
    if not phonemes:
        return corpus
    labels = _label_files(Path(directory))
    aligned = [
        replace(utterance, phonemes=read_phonemes(labels[utterance.id]) or None)
        if utterance.id in labels
        else utterance
        for utterance in corpus.utterances
    ]
    return replace(corpus, utterances=tuple(aligned))


def read_phonemes(path: Path) -> tuple[str, ...]:
    """The phones of a `.lablaut` file, in the order of their times.

    Labels that begin with `!`, `-` or `+` mark closures, releases and events, and are left out. What comes before the
    line `#` is a header.
    """
    lines = path.read_text(encoding="latin-1").splitlines()
    body = lines[lines.index("#") + 1 :] if "#" in lines else lines
    phones: list[str] = []
    for line in body:
        parts = line.split()
        # A phone may be followed by an event in it (`a +nas`); events between phones have their own lines (`+hoe`).
        if len(parts) >= 3 and not parts[2].startswith(("!", "-", "+")):
            phones.append(parts[2].rstrip(";"))
    return tuple(phones)


def _label_files(folder: Path) -> dict[str, Path]:
    for candidate in (folder / "lablaut", folder.parent / "lablaut"):
        if candidate.is_dir():
            return {path.name[:7]: path for path in sorted(candidate.glob("*.lablaut"))}
    return {}
