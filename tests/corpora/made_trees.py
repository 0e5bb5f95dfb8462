"""Trees that hold every official name of a corpus, with made-up content."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from corpora.iemocap_tree import write_wav
from emotone.corpora.readers import crema_d, emodb, emogator, emovo, nemo, ravdess, savee, tess, urdu
from emotone.corpora.release import Release

TESS_WORDS = tuple(first + middle + last for first in "bcdfghjklm" for middle in "aeiou" for last in "nrst")


def tess_ids() -> frozenset[str]:
    """Made-up words stand in for the 200 of TESS; the layout and the numbers are its own."""
    return frozenset(
        f"{speaker}_{word}_{code}" for speaker in tess.SPEAKERS for word in TESS_WORDS for code in tess.EMOTION_OF_CODE
    )


RELEASES: dict[str, Release] = {
    "crema-d": crema_d.RELEASE,
    "emodb": emodb.RELEASE,
    "emogator": emogator.RELEASE,
    "emovo": emovo.RELEASE,
    "nemo": nemo.RELEASE,
    "ravdess": ravdess.RELEASE,
    "savee": savee.RELEASE,
    "tess": tess.RELEASE,
    "urdu": urdu.RELEASE,
}


def official_ids(name: str) -> list[str]:
    release = RELEASES[name]
    return sorted(tess_ids() if release.official_ids is None else release.official_ids())


def place(name: str, recording: str) -> str:
    """Where the official release keeps a recording."""
    parts = recording.split("_")
    folder = {
        "crema-d": "AudioWAV/",
        "emodb": "wav/",
        "emogator": "opus/",
        "nemo": "samples/",
        "emovo": f"{recording[4:6]}/",
        "ravdess": f"Audio_Speech_Actors_01-24/Actor_{recording[-2:]}/",
        "savee": f"AudioData/{parts[0]}/",
        "tess": f"{parts[0]}_{parts[-1]}/",
        "urdu": f"{ {'A': 'Angry', 'H': 'Happy', 'N': 'Neutral', 'S': 'Sad'}.get(parts[-1][0], '') }/",
    }[name]
    return folder + (parts[1] if name == "savee" else recording)


def make_tree(name: str, root: Path, *, suffix: str = ".wav", audible: bool = False) -> Path:
    """Write every official recording; a few bytes each, or a short sound of its own."""
    rng = np.random.default_rng(0)
    for recording in official_ids(name):
        path = root / f"{place(name, recording)}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if audible:
            write_wav(path, rng.normal(0, 0.1, 800))
        else:
            path.write_bytes(b"some bytes")
    if name == "nemo":
        write_nemo_table(root)
    if name == "crema-d":
        rows = [f'{1001 + number},30,"{"Female" if number % 2 else "Male"}","-","-"' for number in range(91)]
        (root / "VideoDemographics.csv").write_text("\n".join(['"ActorID","Age","Sex","Race","Ethnicity"', *rows, ""]))
    return root


def write_nemo_table(root: Path) -> None:
    """nEMO's table with the white space of the official one."""
    rows = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for recording in official_ids("nemo"):
        speaker, emotion, number = recording.split("_")
        rows.append(f"{recording}.wav\t{emotion}\tZdanie {number}.\tzdanie {number}\t        {speaker}\tfemale\t25")
    (root / "data.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
