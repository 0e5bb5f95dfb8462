"""A small tree in IEMOCAP's layout, with made-up speech-like audio and labels of our own.

Nothing of IEMOCAP is in it. Each session has two improvised dialogs and one scripted one; each dialog has one turn of
each label in `CODES` for both speakers. The traps of the real layout are there too: `._*` files, evaluators' lines,
blank lines, turns in transcriptions that have no label.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CODES = ("neu", "hap", "sad", "ang", "exc", "fru", "xxx")
SAMPLE_RATE = 16_000

PHONES = {
    "neu": ("DH", "AH", "T", "AY", "M"),
    "hap": ("Y", "EH", "S", "W", "IY"),
    "sad": ("OW", "N", "OW", "M", "AY"),
    "ang": ("G", "EH", "T", "AW", "T"),
    "exc": ("W", "AA", "W", "IY", "S"),
    "fru": ("HH", "AW", "M", "EH", "N"),
    "xxx": ("AH", "M", "W", "EH", "L"),
}

# Pitch (Hz), loudness and pace of the made-up voices: enough for a classifier to tell labels apart in a test.
VOICES = {
    "neu": (120, 0.3, 3.0),
    "hap": (200, 0.5, 5.0),
    "sad": (100, 0.15, 2.0),
    "ang": (180, 0.9, 6.0),
    "exc": (230, 0.6, 6.0),
    "fru": (150, 0.6, 4.0),
    "xxx": (140, 0.4, 3.5),
}


@dataclass(frozen=True)
class MadeTurn:
    """What the builder wrote for one turn."""

    id: str
    session: int
    speaker: str
    code: str
    improvised: bool
    words: str
    phones: tuple[str, ...]
    duration_s: float


def build_iemocap(root: Path, *, sessions: int = 5, repeats: int = 1, seed: int = 0) -> list[MadeTurn]:
    """Write the tree.

    Args:
        root: becomes the folder `IEMOCAP_full_release`; made if need be.
        sessions: how many of the five.
        repeats: turns of each label, speaker and dialog.
        seed: of durations and voices.
    Returns:
        every turn written, in the order of the files.
    """
    rng = np.random.default_rng(seed)
    made: list[MadeTurn] = []
    for session in range(1, sessions + 1):
        for wearer, part in (("F", "impro01"), ("M", "impro05a"), ("F", "script01_1b")):
            made += _write_dialog(root, session, f"Ses0{session}{wearer}_{part}", repeats, rng)
    return made


def _write_dialog(root: Path, session: int, dialog: str, repeats: int, rng: np.random.Generator) -> list[MadeTurn]:
    folder = root / f"Session{session}"
    evaluation = folder / "dialog" / "EmoEvaluation"
    transcriptions = folder / "dialog" / "transcriptions"
    (evaluation / "Categorical").mkdir(parents=True, exist_ok=True)
    transcriptions.mkdir(parents=True, exist_ok=True)
    labels = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    words = []
    made = []
    clock = 6.2901
    for number, code in enumerate(code for code in CODES for _ in range(repeats)):
        for letter in "FM":
            turn = MadeTurn(
                id=f"{dialog}_{letter}{number:03}",
                session=session,
                speaker=f"Ses0{session}{letter}",
                code=code,
                improvised="_impro" in dialog,
                words=f"Made up words number {number}.",
                phones=("SIL", *PHONES[code], "SIL"),
                duration_s=float(rng.uniform(0.8, 1.4)),
            )
            end = clock + turn.duration_s
            labels += [
                f"[{clock:.4f} - {end:.4f}]\t{turn.id}\t{code}\t[2.5000, 2.5000, 2.5000]",
                "C-E2:\tNeutral;\t()",
                "C-F1:\tNeutral; Anger;\t()",
                "A-E3:\tval 3; act 2; dom  2;\t()",
                "A-E4:\tval 2; act 3; dom  3;\t(mildly aggravated)",
                "",
            ]
            words.append(f"{turn.id} [{clock:08.4f}-{end:08.4f}]: {turn.words}")
            _write_turn(folder / "sentences", dialog, turn, rng)
            made.append(turn)
            clock = end + 0.5
    words.append(f"{dialog}_FXX0 [{clock:08.4f}-{clock + 1:08.4f}]: Nobody labelled this.")
    (evaluation / f"{dialog}.txt").write_text("\n".join(labels) + "\n", encoding="latin-1")
    (evaluation / f"._{dialog}.txt").write_bytes(b"\x00\x05\x16\x07 no labels here")
    (transcriptions / f"{dialog}.txt").write_text("\n".join(words) + "\n", encoding="latin-1")
    return made


def _write_turn(folder: Path, dialog: str, turn: MadeTurn, rng: np.random.Generator) -> None:
    sounds = folder / "wav" / dialog
    alignments = folder / "ForcedAlignment" / dialog
    sounds.mkdir(parents=True, exist_ok=True)
    alignments.mkdir(parents=True, exist_ok=True)
    write_wav(sounds / f"{turn.id}.wav", _voice(turn, rng))
    (sounds / f"._{turn.id}.wav").write_bytes(b"\x00\x05\x16\x07")
    n_frames = int(turn.duration_s * 100)
    edges = np.linspace(0, n_frames, len(turn.phones) + 1).astype(int)
    rows = ["\t SFrm  EFrm   SegAScr Phone"]
    for index, phone in enumerate(turn.phones):
        before = turn.phones[index - 1] if index else "SIL"
        after = turn.phones[index + 1] if index + 1 < len(turn.phones) else "SIL"
        context = "" if phone == "SIL" else f" {before} {after} i"
        rows.append(f"\t{edges[index]:5d} {edges[index + 1] - 1:5d} {-12345 * (index + 1):9d} {phone}{context}")
    rows.append(" Total score:    -1234567")
    (alignments / f"{turn.id}.phseg").write_text("\n".join(rows) + "\n", encoding="latin-1")
    (alignments / f"{turn.id}.wdseg").write_text("\t SFrm  EFrm    SegAScr Word\n", encoding="latin-1")


def _voice(turn: MadeTurn, rng: np.random.Generator) -> np.ndarray:
    pitch, loudness, pace = VOICES[turn.code]
    pitch *= 1.5 if turn.speaker.endswith("F") else 1.0
    pitch *= 1.0 + 0.02 * turn.session
    time = np.arange(int(turn.duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.05 * np.sin(2 * np.pi * pace * time))) / SAMPLE_RATE
    harmonics = sum(np.sin(order * phase) / order for order in range(1, 12))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * pace * time + rng.uniform(0, 6))
    return loudness * 0.4 * syllables * harmonics + rng.normal(0, 0.003, len(time))


def write_wav(path: Path, waveform: np.ndarray) -> None:
    """Write 16-bit mono at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as handle:
        handle.setnchannels(1)
        handle.setsampwidth(2)
        handle.setframerate(SAMPLE_RATE)
        handle.writeframes((np.clip(waveform, -1, 1) * 32767).astype("<i2").tobytes())
