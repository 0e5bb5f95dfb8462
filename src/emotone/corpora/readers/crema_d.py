"""CREMA-D: acted English, 91 speakers, twelve sentences, six emotions (Cao et al. 2014); and its imbalanced cut.

Layout: `AudioWAV/1001_IEO_ANG_HI.wav` is speaker, sentence, intended emotion, level; ages and sexes in
`VideoDemographics.csv`. The label is the intended emotion, as usual for audio alone.

`crema-d-imbalanced` replaces IEMOCAP's improvised half where that is not available: the same four classes in the same
proportions and number. Its figures are its own, never IEMOCAP's.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from emotone.corpora.release import Release, Trap, read_release
from emotone.corpora.utterance import Corpus, Sex
from emotone.emotions import FOUR_CLASSES

EMOTION_OF_CODE = {
    "NEU": "neutral",
    "HAP": "happiness",
    "SAD": "sadness",
    "ANG": "anger",
    "FEA": "fear",
    "DIS": "disgust",
}
SENTENCES = ("DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
SPEAKERS = tuple(str(number) for number in range(1001, 1092))

_NEVER_RECORDED = ("1008_WSI", "1009_MTI", "1019_ITH")
_NEVER_RECORDED_NEUTRAL = ("1002_TIE", "1076_ITS")

SILENT = "recording is all zeros"
CONFLICTING = "one recording under two conflicting labels"

IMBALANCED_COUNTS = {"neutral": 1086, "happiness": 281, "sadness": 601, "anger": 286}
"""The proportions of IEMOCAP's improvised half, scaled so that all of CREMA-D's neutral is used."""


@cache
def official_ids() -> frozenset[str]:
    """The 7,442 official names: every speaker and sentence in every emotion, `IEO` in three levels, but for 20."""
    names: set[str] = set()
    for speaker in SPEAKERS:
        for sentence in SENTENCES:
            stem = f"{speaker}_{sentence}"
            if stem in _NEVER_RECORDED:
                continue
            if stem not in _NEVER_RECORDED_NEUTRAL:
                names.add(f"{stem}_NEU_XX")
            levels = ("LO", "MD", "HI") if sentence == "IEO" else ("XX",)
            names.update(f"{stem}_{code}_{level}" for code in EMOTION_OF_CODE if code != "NEU" for level in levels)
    return frozenset(names)


def _conflict(first: str, second: str) -> Trap:
    return Trap("duplicated", (first, second), (first, second), CONFLICTING)


RELEASE = Release(
    name="crema-d",
    licence="ODbL-1.0",
    classes=("neutral", "happiness", "sadness", "anger", "fear", "disgust"),
    counts={"neutral": 1087, "happiness": 1271, "sadness": 1271, "anger": 1271, "fear": 1271, "disgust": 1271},
    n_speakers=91,
    layout="AudioWAV/1001_IEO_ANG_HI.wav",
    pattern=re.compile(
        rf"(?:^|/)(?P<id>(?P<speaker>10\d\d)_(?P<text>{'|'.join(SENTENCES)})_(?P<emotion>{'|'.join(EMOTION_OF_CODE)})"
        r"_(?:LO|MD|HI|XX))$"
    ),
    emotion_of=EMOTION_OF_CODE,
    official_ids=official_ids,
    # Which of the two labels of a pair is right cannot be known, so both go.
    traps=(
        Trap("silent", ("1076_MTI_SAD_XX",), ("1076_MTI_SAD_XX",), SILENT),
        _conflict("1006_TIE_HAP_XX", "1006_TIE_NEU_XX"),
        _conflict("1013_WSI_DIS_XX", "1013_WSI_SAD_XX"),
        _conflict("1017_IWW_ANG_XX", "1017_IWW_FEA_XX"),
    ),
)


def read(directory: str | os.PathLike[str]) -> Corpus:
    """Read CREMA-D.

    Args:
        directory: the folder that holds `AudioWAV`, or that folder itself. Sexes are known where
            `VideoDemographics.csv` lies in it or beside it.
    Raises:
        CorpusNotFoundError: no recordings of CREMA-D there.
    """
    corpus = read_release(RELEASE, directory)
    sexes = _sexes(Path(directory))
    utterances = tuple(replace(utterance, sex=sexes.get(utterance.speaker)) for utterance in corpus.utterances)
    return replace(corpus, utterances=utterances)


def read_imbalanced(directory: str | os.PathLike[str]) -> Corpus:
    """Read CREMA-D cut to IEMOCAP-improvised's four classes, size and imbalance.

    Of each class the recordings with the lowest SHA-256 of their id are kept, so the choice needs no seed.

    Args:
        directory: as for `read`.
    Raises:
        CorpusNotFoundError: no recordings of CREMA-D there.
    """
    whole = read(directory).with_classes(FOUR_CLASSES)
    kept: set[str] = set()
    for emotion, count in IMBALANCED_COUNTS.items():
        names = [utterance.id for utterance in whole.utterances if utterance.emotion == emotion]
        kept.update(sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:count])
    cut = whole.where(lambda utterance: utterance.id in kept, reason="cut to IEMOCAP's proportions")
    return replace(cut, name="crema-d-imbalanced")


def _sexes(folder: Path) -> dict[str, Sex]:
    for table in (folder / "VideoDemographics.csv", folder.parent / "VideoDemographics.csv"):
        if table.is_file():
            with table.open(encoding="utf-8", errors="replace", newline="") as handle:
                rows = [(row.get("ActorID") or "", row.get("Sex") or "") for row in csv.DictReader(handle)]
            return {actor.strip(): "male" if sex.strip() == "Male" else "female" for actor, sex in rows if sex.strip()}
    return {}
