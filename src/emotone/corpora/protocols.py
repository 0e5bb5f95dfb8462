"""Protocols by name: the published splits of speakers into folds, and general ones for any corpus."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence

from emotone.corpora.folds import Fold, Folds, fold_hash, shown
from emotone.corpora.utterance import Corpus
from emotone.errors import CorpusError

LEAVE_ONE_SPEAKER_OUT = "leave-one-speaker-out"

DEFAULT_PROTOCOLS = {
    "iemocap": "iemocap-5",
    "emodb": "emodb-10",
    "ravdess": "ravdess-6",
    "crema-d": "crema-d-5",
    "crema-d-imbalanced": "crema-d-5",
    "nemo": "nemo-9",
    "open-four": "open-four",
    "open-six": "open-six",
    "research-six": "research-six",
}

RAVDESS_FOLDS = (
    ("01", "11", "20", "21"),
    ("04", "10", "12", "14"),
    ("08", "09", "19", "23"),
    ("03", "05", "07", "24"),
    ("02", "15", "16", "18"),
    ("06", "13", "17", "22"),
)
"""The six folds of EmoBox (Ma et al. 2024), so that figures can be compared with theirs."""

NEMO_SPEAKERS = ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")

OPEN_FOUR_EMODB_TEST = ("emodb/03", "emodb/08")
OPEN_FOUR_EMODB_VALIDATION = ("emodb/09",)


def protocol_folds(corpus: Corpus, protocol: str | None = None, *, seed: int = 0, n_folds: int = 5) -> Folds:
    """The folds of a corpus under a protocol.

    Args:
        corpus: as read, or as a task over some of its classes.
        protocol: one of `PROTOCOLS`, or `group-N` for N folds, such as `group-10`; None takes the corpus's own, and
            `group-k` for a corpus that has none.
        seed: of `group-k` and `group-N` alone.
        n_folds: of `group-k` alone; a corpus with fewer speakers gets one fold a speaker.
    Raises:
        CorpusError: unknown protocol, or the corpus's speakers are not those the protocol is about.
    """
    protocol = protocol or DEFAULT_PROTOCOLS.get(corpus.name, "group-k")
    numbered = re.fullmatch(r"group-(\d{1,4})", protocol)
    if protocol not in PROTOCOLS and numbered is None:
        raise CorpusError(
            f"unknown protocol {protocol!r}; expected one of {', '.join(PROTOCOLS)}, or group-10 and such"
        )
    if numbered is not None and int(numbered[1]) > len(corpus.speakers):
        raise CorpusError(
            f"protocol {protocol} needs {numbered[1]} speakers, but corpus {corpus.name} has {len(corpus.speakers)}; "
            f"{LEAVE_ONE_SPEAKER_OUT} gives one fold per speaker"
        )
    if numbered is not None or protocol == "group-k":
        folds = _group_k(corpus, seed, n_folds if numbered is None else int(numbered[1]))
    else:
        folds = _FIXED[protocol](corpus)
    return Folds(protocol, folds, fold_hash(corpus, protocol, folds))


def _fold(index: int, speakers: Sequence[str], validation: Sequence[str], test: Sequence[str]) -> Fold:
    train = set(speakers) - set(validation) - set(test)
    return Fold(index, tuple(sorted(train)), tuple(sorted(validation)), tuple(sorted(test)))


def _cyclic(groups: Sequence[Sequence[str]], *, n_validation: int = 1) -> tuple[Fold, ...]:
    speakers = [speaker for group in groups for speaker in group]
    folds = []
    for index, test in enumerate(groups):
        following = [groups[(index + step) % len(groups)] for step in range(1, n_validation + 1)]
        folds.append(_fold(index, speakers, [speaker for group in following for speaker in group], test))
    return tuple(folds)


def _require_speakers(corpus: Corpus, protocol: str, expected: Sequence[str]) -> None:
    # A figure under a protocol's name must not come from other speakers than the protocol's.
    absent = sorted(set(expected) - set(corpus.speakers))
    foreign = sorted(set(corpus.speakers) - set(expected))
    if absent or foreign:
        said = [f"{word} {shown(names)}" for word, names in (("lacks", absent), ("has also", foreign)) if names]
        raise CorpusError(
            f"protocol {protocol} is about {len(expected)} speakers, but corpus {corpus.name} {' and '.join(said)}; "
            "for a part of a corpus or another corpus use the protocol group-k"
        )


def _emodb(corpus: Corpus) -> tuple[Fold, ...]:
    speakers = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")
    _require_speakers(corpus, "emodb-10", speakers)
    # Two validation speakers, since 08 has no disgust and 03 and 10 one each.
    return _cyclic([(speaker,) for speaker in speakers], n_validation=2)


def _ravdess(corpus: Corpus) -> tuple[Fold, ...]:
    _require_speakers(corpus, "ravdess-6", [speaker for group in RAVDESS_FOLDS for speaker in group])
    return _cyclic(RAVDESS_FOLDS)


def _crema_d(corpus: Corpus) -> tuple[Fold, ...]:
    speakers = [str(number) for number in range(1001, 1092)]
    _require_speakers(corpus, "crema-d-5", speakers)
    return _cyclic([speakers[first::5] for first in range(5)])


def _nemo(corpus: Corpus) -> tuple[Fold, ...]:
    _require_speakers(corpus, "nemo-9", NEMO_SPEAKERS)
    return _cyclic([(speaker,) for speaker in NEMO_SPEAKERS])


def _iemocap_sessions(corpus: Corpus) -> tuple[Fold, ...]:
    sessions = [(f"Ses0{session}F", f"Ses0{session}M") for session in range(1, 6)]
    _require_speakers(corpus, "iemocap-5", [speaker for pair in sessions for speaker in pair])
    return _cyclic(sessions)


def _iemocap_speakers(corpus: Corpus) -> tuple[Fold, ...]:
    speakers = [f"Ses0{session}{sex}" for session in range(1, 6) for sex in "FM"]
    _require_speakers(corpus, "iemocap-10", speakers)
    # The partner of an even position is the next speaker, that of an odd one the speaker before.
    return tuple(_fold(index, speakers, [speakers[index ^ 1]], [speaker]) for index, speaker in enumerate(speakers))


def _open_parts() -> tuple[list[str], list[str], list[str]]:
    """Speakers, validation speakers and test speakers of CREMA-D and EmoDB, as the shipped models divide them."""
    crema_d = [f"crema-d/{number}" for number in range(1001, 1092)]
    emodb = [f"emodb/{number}" for number in ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")]
    # CREMA-D's test speakers are those of its own first fold; half of the next fold's validate, the rest train.
    test = [*crema_d[0::5], *OPEN_FOUR_EMODB_TEST]
    validation = [*crema_d[1::10], *OPEN_FOUR_EMODB_VALIDATION]
    return [*crema_d, *emodb], validation, test


def _open_four(corpus: Corpus) -> tuple[Fold, ...]:
    speakers, validation, test = _open_parts()
    _require_speakers(corpus, "open-four", speakers)
    return (_fold(0, speakers, validation, test),)


def _open_six(corpus: Corpus) -> tuple[Fold, ...]:
    speakers, validation, test = _open_parts()
    # EmoGator's voices only train: bursts without words are not what a recogniser of speech is tested on.
    bursts = [speaker for speaker in corpus.speakers if speaker.startswith("emogator/")]
    _require_speakers(corpus, "open-six", [*speakers, *bursts])
    return (_fold(0, [*speakers, *bursts], validation, test),)


def _research_six(corpus: Corpus) -> tuple[Fold, ...]:
    speakers, validation, test = _open_parts()
    bursts = [speaker for speaker in corpus.speakers if speaker.startswith("emogator/")]
    ravdess = [f"ravdess/{speaker}" for fold in RAVDESS_FOLDS for speaker in fold]
    nemo = [f"nemo/{speaker}" for speaker in NEMO_SPEAKERS]
    everyone = [*speakers, *bursts, *ravdess, *nemo]
    _require_speakers(corpus, "research-six", everyone)
    # Beside those of open-six, RAVDESS's first fold and one speaker of nEMO are tested.
    return (_fold(0, everyone, validation, [*test, *ravdess[: len(RAVDESS_FOLDS[0])], nemo[-1]]),)


def _group_k(corpus: Corpus, seed: int, n_folds: int) -> tuple[Fold, ...]:
    sizes = Counter(utterance.speaker for utterance in corpus.utterances)
    if len(sizes) < 3:
        raise CorpusError(
            f"corpus {corpus.name} has {len(sizes)} speakers; training, validation and test need three different ones, "
            "so no speaker-independent score of it is possible"
        )
    if n_folds < 3:
        raise CorpusError(f"n_folds is {n_folds}; at least 3, so that training, validation and test differ")
    speakers = sorted(sizes)
    random.Random(seed).shuffle(speakers)
    # The largest speakers first, each into the smallest group so far: sizes come out nearly equal.
    speakers.sort(key=lambda speaker: -sizes[speaker])
    groups: list[list[str]] = [[] for _ in range(min(n_folds, len(speakers)))]
    loads = [0] * len(groups)
    for speaker in speakers:
        smallest = loads.index(min(loads))
        groups[smallest].append(speaker)
        loads[smallest] += sizes[speaker]
    return _cyclic(groups)


def _one_out(corpus: Corpus) -> tuple[Fold, ...]:
    if len(corpus.speakers) < 3:
        raise CorpusError(
            f"corpus {corpus.name} has {len(corpus.speakers)} speakers; training, validation and test need three "
            "different ones"
        )
    return _cyclic([(speaker,) for speaker in corpus.speakers])


_FIXED: dict[str, Callable[[Corpus], tuple[Fold, ...]]] = {
    "iemocap-5": _iemocap_sessions,
    "iemocap-10": _iemocap_speakers,
    "emodb-10": _emodb,
    "ravdess-6": _ravdess,
    "crema-d-5": _crema_d,
    "nemo-9": _nemo,
    "open-four": _open_four,
    "open-six": _open_six,
    "research-six": _research_six,
    LEAVE_ONE_SPEAKER_OUT: _one_out,
}

PROTOCOLS = (*_FIXED, "group-k")
"""Every protocol by name."""
