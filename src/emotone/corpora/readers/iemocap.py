"""IEMOCAP: acted dialogues in American English, ten speakers in five sessions (Busso et al. 2008).

Conventions: `Ses01F` in a dialog's name tells who wears the markers, not who speaks: the speaker is the session with
the letter of the turn (`Ses01F_impro01_M003` is spoken by `Ses01M`). A dialog is improvised where the part after its
first underscore begins with `impro`, else scripted. The folders hold, below `Session1` to `Session5`:

    dialog/EmoEvaluation/Ses01F_impro01.txt                           labels
    dialog/transcriptions/Ses01F_impro01.txt                          words
    sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav              one recording a turn
    sentences/ForcedAlignment/Ses01F_impro01/Ses01F_impro01_F000.phseg    phones
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from emotone.corpora.release import ABSENT, EMPTY, audio_files, describe_folder, existing_folder
from emotone.corpora.utterance import Corpus, Utterance
from emotone.emotions import FOUR_CLASSES, in_order
from emotone.errors import CorpusError, CorpusNotFoundError

LICENCE = "LicenseRef-IEMOCAP"
LAYOUT = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"

EMOTION_OF_CODE = {
    "neu": "neutral",
    "hap": "happiness",
    "sad": "sadness",
    "ang": "anger",
    "exc": "excitement",
    "fru": "frustration",
    "fea": "fear",
    "sur": "surprise",
    "dis": "disgust",
    "oth": "other",
    "xxx": "undecided",
}

COUNTS = {
    "neutral": 1708,
    "happiness": 595,
    "sadness": 1084,
    "anger": 1103,
    "excitement": 1041,
    "frustration": 1849,
    "fear": 40,
    "surprise": 107,
    "disgust": 2,
    "other": 3,
    "undecided": 2507,
}
"""Official turns of each label, improvised and scripted."""

IMPROVISED_COUNTS = {
    "Session1": {"neutral": 223, "happiness": 33, "sadness": 104, "anger": 62, "excitement": 99, "all turns": 759},
    "Session2": {"neutral": 217, "happiness": 54, "sadness": 100, "anger": 22, "excitement": 137, "all turns": 788},
    "Session3": {"neutral": 198, "happiness": 60, "sadness": 190, "anger": 90, "excitement": 89, "all turns": 1044},
    "Session4": {"neutral": 174, "happiness": 31, "sadness": 81, "anger": 84, "excitement": 164, "all turns": 1060},
    "Session5": {"neutral": 287, "happiness": 106, "sadness": 133, "anger": 31, "excitement": 174, "all turns": 1133},
}
"""Official improvised turns of each session."""

N_SPEAKERS = 10

Style = Literal["improvised", "scripted", "both"]

_LABEL = re.compile(r"^\[\s*([\d.]+)\s*-\s*([\d.]+)\s*\]\s+(Ses0[1-5][FM]_\w+_([FM])\d+)\s+([a-z]{3})\b")
_WORDS = re.compile(r"^(Ses0[1-5][FM]_\w+_[FM]\d+)\s+\[[^\]]*\]:\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Turn:
    """One labelled turn of a dialog.

    Attributes:
        id: such as `Ses01F_impro01_F000`.
        session: `Session1` to `Session5`.
        dialog: such as `Ses01F_impro01`.
        speaker: `Ses01F` to `Ses05M`.
        emotion: of the vocabulary.
        style: improvised or scripted.
    """

    id: str
    session: str
    dialog: str
    speaker: str
    emotion: str
    style: Literal["improvised", "scripted"]


def read(
    directory: str | os.PathLike[str],
    *,
    style: Style = "improvised",
    four_class: bool = True,
    merge_excitement: bool = False,
    phonemes: bool = False,
) -> Corpus:
    """Read IEMOCAP; by default the improvised turns in four classes, as Tripathi et al. (2019) do.

    Args:
        directory: `IEMOCAP_full_release`, or the folder that holds it.
        style: which dialogs.
        four_class: neutral, happiness, sadness and anger alone; else every label of the vocabulary that occurs.
        merge_excitement: count excitement as happiness.
        phonemes: also read the phones of the forced alignment; turns without a file then have None.
    Raises:
        CorpusNotFoundError: no sessions there.
        CorpusError: an unknown style or label.
    """
    if style not in get_args(Style):
        raise CorpusError(f"unknown style {style!r}; expected one of {', '.join(get_args(Style))}")
    root = find_root(directory)
    recordings = find_recordings(root)
    dropped = {ABSENT: 0, EMPTY: 0}
    utterances = []
    words: dict[str, str] = {}
    for turn in turns(root):
        if style not in ("both", turn.style):
            continue
        path = recordings.get(turn.id)
        if path is None or path.stat().st_size == 0:
            dropped[ABSENT if path is None else EMPTY] += 1
            continue
        if turn.id not in words:
            words.update(_words(root / turn.session / "dialog" / "transcriptions" / f"{turn.dialog}.txt"))
        folder = root / turn.session / "sentences" / "ForcedAlignment" / turn.dialog
        utterances.append(
            Utterance(
                id=turn.id,
                path=path,
                emotion=turn.emotion,
                speaker=turn.speaker,
                session=turn.session,
                sex="female" if turn.speaker.endswith("F") else "male",
                text=words.get(turn.id),
                style=turn.style,
                phonemes=read_phonemes(folder / f"{turn.id}.phseg") if phonemes else None,
            )
        )
    utterances.sort(key=lambda utterance: utterance.id)
    present = {utterance.emotion for utterance in utterances}
    corpus = Corpus(
        name="iemocap",
        utterances=tuple(utterances),
        classes=in_order(present),
        licence=LICENCE,
        # The scripts are shared by the sessions; the improvised dialogs share their scenarios alone.
        sentences_shared=style != "improvised",
        dropped={reason: count for reason, count in dropped.items() if count},
    )
    merge = {"excitement": "happiness"} if merge_excitement else {}
    present = {merge.get(emotion, emotion) for emotion in present}
    classes = FOUR_CLASSES if four_class else in_order(present)
    return corpus.with_classes(classes, merge)


def find_root(directory: str | os.PathLike[str]) -> Path:
    """The folder that holds the sessions.

    Raises:
        CorpusNotFoundError: there is none.
    """
    folder = existing_folder("iemocap", directory, LAYOUT)
    for candidate in (folder, folder / "IEMOCAP_full_release"):
        if any(session.is_dir() for session in candidate.glob("Session[1-5]/dialog/EmoEvaluation")):
            return candidate
    raise CorpusNotFoundError(
        f"{folder} does not hold iemocap: looked for files such as {LAYOUT} in it and in IEMOCAP_full_release, found "
        f"{describe_folder(folder)}"
    )


def turns(root: Path) -> Iterator[Turn]:
    """Every labelled turn below the folder that holds the sessions.

    Raises:
        CorpusError: a label that IEMOCAP does not have.
    """
    for file in sorted(root.glob("Session[1-5]/dialog/EmoEvaluation/Ses*.txt")):
        for line in file.read_text(encoding="latin-1").splitlines():
            match = _LABEL.match(line)
            if match is None:
                continue
            name, letter, code = match[3], match[4], match[5]
            if code not in EMOTION_OF_CODE:
                raise CorpusError(f"{file}: unknown label {code!r} of {name}; expected {' '.join(EMOTION_OF_CODE)}")
            dialog = name.rsplit("_", 1)[0]
            yield Turn(
                id=name,
                session=f"Session{name[4]}",
                dialog=dialog,
                speaker=f"{name[:5]}{letter}",
                emotion=EMOTION_OF_CODE[code],
                style="improvised" if dialog.split("_", 1)[1].startswith("impro") else "scripted",
            )


def find_recordings(root: Path) -> dict[str, Path]:
    """The recordings of single turns, by id, whatever their suffix."""
    folders = sorted(root.glob("Session[1-5]/sentences/wav"))
    return {path.stem: path for folder in folders for path in audio_files(folder)}


def read_phonemes(path: Path) -> tuple[str, ...] | None:
    """The phones of a `.phseg` alignment, in the order of their frames; None where there is no such file.

    A row is start frame, end frame, score, and the phone followed by its context (`EH SIL K b` is the phone EH). Lines
    of any other form (the header, the total) are passed over. Silences and fillers (`SIL`, `++LAUGHTER++`) stay.
    """
    if not path.is_file():
        return None
    phones = []
    for line in path.read_text(encoding="latin-1").splitlines():
        parts = line.split()
        if len(parts) >= 4 and parts[0].isdecimal() and parts[1].isdecimal():
            phones.append(parts[3])
    return tuple(phones)


def _words(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="latin-1").splitlines()
    return {match[1]: match[2].strip() for match in map(_WORDS.match, lines) if match}
