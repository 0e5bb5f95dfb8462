"""nEMO: acted Polish, nine speakers, six emotions (Christop 2024).

Layout: `samples/WR0_surprised_64.wav` and `data.tsv`, which holds the labels. The official table has tabs and spaces
around `speaker_id`; they are taken off.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from emotone.corpora.release import Recording, Release, assemble, describe_folder, official_list, survey
from emotone.corpora.utterance import Corpus, Sex, Utterance
from emotone.emotions import canonical
from emotone.errors import CorpusError, CorpusNotFoundError

SPEAKERS = ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")
_NAMES = ("anger", "fear", "happiness", "neutral", "sadness", "surprised")


@cache
def official_ids() -> frozenset[str]:
    """The 4,481 official names: 90 sentences of each speaker and emotion, but for those listed as absent."""
    absent = {f"{speaker}_{name}_{number}" for speaker, name, *numbers in official_list("nemo") for number in numbers}
    every = {f"{speaker}_{name}_{number}" for speaker in SPEAKERS for name in _NAMES for number in range(1, 91)}
    return frozenset(every - absent)


RELEASE = Release(
    name="nemo",
    licence="CC-BY-NC-SA-4.0",
    classes=("neutral", "happiness", "sadness", "anger", "fear", "surprise"),
    counts={"neutral": 809, "happiness": 749, "sadness": 769, "anger": 749, "fear": 736, "surprise": 669},
    n_speakers=9,
    layout="samples/WR0_surprised_64.wav",
    pattern=re.compile(rf"(?:^|/)(?P<id>[A-Z]{{2}}\d_(?:{'|'.join(_NAMES)})_\d{{1,2}})$"),
    official_ids=official_ids,
)


def read(directory: str | os.PathLike[str]) -> Corpus:
    """Read nEMO.

    Args:
        directory: the folder that holds `data.tsv` and `samples`.
    Raises:
        CorpusNotFoundError: no recordings, or no `data.tsv`.
        CorpusError: `data.tsv` lacks a column or holds an impossible label.
    """
    found = survey(directory, RELEASE)
    rows = _rows(Path(directory))

    def utterance_of(recording: Recording) -> Utterance | None:
        row = rows.get(recording.id)
        if row is None:
            return None
        return Utterance(
            id=recording.id,
            path=recording.path,
            emotion=canonical(row["emotion"]),
            speaker=row["speaker_id"],
            sex=_sex(row["gender"]),
            text=row["raw_text"],
        )

    return assemble(RELEASE, found, utterance_of, unlabelled="no row in data.tsv")


def _rows(folder: Path) -> dict[str, Mapping[str, str]]:
    table = next((path for path in (folder / "data.tsv", folder.parent / "data.tsv") if path.is_file()), None)
    if table is None:
        raise CorpusNotFoundError(
            f"{folder} lacks nEMO's data.tsv, which holds the labels; found {describe_folder(folder)}"
        )
    with table.open(encoding="utf-8", errors="replace", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        wanted = {"file_id", "emotion", "raw_text", "speaker_id", "gender"}
        if lacking := wanted - set(reader.fieldnames or ()):
            raise CorpusError(f"{table} lacks the columns {', '.join(sorted(lacking))}; is it nEMO's own table?")
        return {
            Path(row["file_id"].strip()).stem: {name: (row[name] or "").strip() for name in wanted} for row in reader
        }


def _sex(text: str) -> Sex | None:
    if text == "female":
        return "female"
    return "male" if text == "male" else None
