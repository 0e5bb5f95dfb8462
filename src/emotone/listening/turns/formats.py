"""Readers for files of turns, one function per format, and the choice between them by content.

Conventions: each reader takes the text of a file and gives named turns: (name of the recording or "", turn).

References:
    NIST (2009), RT-09 evaluation plan, appendix A (RTTM); W3C (2019), WebVTT; Praat manual, "TextGrid file formats";
    audformat, "Tables"; the writers of openai/whisper, m-bain/whisperX, whisper.cpp and pyannote.audio.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from emotone.errors import TurnsError
from emotone.listening.turns.tables import from_parquet, from_table, has_times
from emotone.listening.turns.times import Named, filled_lines, located, rounded, seconds
from emotone.listening.turns.turn import Turn, clean_text

FORMATS = "RTTM, SubRip, WebVTT, TextGrid, audformat, CSV with start and end, or JSON of Whisper, whisperX or pyannote"

_RTTM_TYPES = frozenset(
    {"SPEAKER", "SPKR-INFO", "SEGMENT", "NOSCORE", "LEXEME", "NON-LEX", "NON-SPEECH", "FILLER", "SU"}
)
_CUE = re.compile(r"^\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})")
_BRACKETED = re.compile(r"^\[([^\]\n]{1,64})\]:?\s+")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")


def parse(content: bytes, tiers: Sequence[str] = ()) -> Iterator[Named]:
    """The turns in the bytes of a file, whose format is recognised by content.

    Args:
        content: of the whole file.
        tiers: of a TextGrid with several, the names of those to use.
    Raises:
        TurnsError: no known format, or damaged.
        MissingExtraError: Parquet, and pyarrow is not installed.
    """
    if content[:4] == b"PAR1":
        return from_parquet(BytesIO(content))
    text = decoded(content)
    if _is_textgrid(text):
        return _from_textgrid(text, tiers)
    if tiers:
        raise TurnsError("tiers are named, but the file is not a TextGrid")
    for recognises, reader in _READERS:
        if recognises(text):
            return reader(text)
    raise TurnsError(f"not a file of turns in a known format; expected {FORMATS}")


def decoded(content: bytes) -> str:
    """Text of a file in UTF-8 or UTF-16, else in the code page of western Windows."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Subtitles are often in the code page of an old Windows.
        return content.decode("cp1252", "replace")


def _is_rttm(text: str) -> bool:
    first = next((line for line in filled_lines(text) if not line.startswith(";")), "")
    return bool(first) and first.split()[0] in _RTTM_TYPES and len(first.split()) >= 5


def _from_rttm(text: str) -> Iterator[Named]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0] != "SPEAKER":
            continue
        if len(words) < 8:
            raise TurnsError(f"line {number} has {len(words)} fields; RTTM has at least 8: {line[:60]!r}")
        with located(f"line {number}"):
            start_s, duration_s = seconds(words[3]), seconds(words[4])
            speaker = "" if words[7] == "<NA>" else words[7]
            yield words[1], Turn(start_s, rounded(start_s + duration_s), speaker)


def _is_webvtt(text: str) -> bool:
    return text.startswith("WEBVTT")


def _is_subrip(text: str) -> bool:
    return any(_CUE.match(line) for line in filled_lines(text)[:8])


def _from_captions(text: str) -> Iterator[Named]:
    """SubRip and WebVTT: blocks with a line of times, then the text."""
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip("\n").split("\n")
        place = next((place for place, line in enumerate(lines[:2]) if _CUE.match(line)), None)
        if place is None:
            # Some writers put the first cue right below the head.
            if not lines[0].startswith("WEBVTT") or len(lines) < 3 or not _CUE.match(lines[1]):
                continue
            place = 1
        cue = _CUE.match(lines[place])
        words = "\n".join(lines[place + 1 :]).strip()
        if cue is None:
            continue
        speaker = ""
        if voice := _VOICE.search(words):
            speaker = html.unescape(voice[1]).strip()
        words = html.unescape(re.sub(r"</?[a-zA-Z0-9][^>\n]*>", "", words))
        if not speaker and (bracketed := _BRACKETED.match(words)):
            speaker, words = bracketed[1], words[bracketed.end() :]
        yield "", Turn(seconds(cue[1]), seconds(cue[2]), clean_text(speaker), clean_text(words))


def _is_textgrid(text: str) -> bool:
    return '"TextGrid"' in text[:200] or "ooTextFile" in text[:200]


def _from_textgrid(text: str, wanted: Sequence[str]) -> Iterator[Named]:
    """Praat's long and short form: what is not a number, a quoted text or a flag is a comment."""
    tokens = re.findall(r'"(?:[^"]|"")*"|<exists>|(?<![\w.\[-])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w\]])', text)
    if "<exists>" not in tokens:
        raise TurnsError("a TextGrid without tiers")
    place = tokens.index("<exists>") + 1
    tiers: dict[str, list[tuple[float, float, str]] | None] = {}
    try:
        n_tiers, place = int(tokens[place]), place + 1
        for _ in range(n_tiers):
            kind, name = _unquoted(tokens[place]), _unquoted(tokens[place + 1])
            n_marks, place = int(tokens[place + 4]), place + 5
            size = 3 if kind == "IntervalTier" else 2
            marks = [tokens[at : at + size] for at in range(place, place + size * n_marks, size)]
            place += size * n_marks
            if kind != "IntervalTier":
                tiers.setdefault(name, None)
            else:
                tiers[name] = [(float(start), float(end), _unquoted(mark)) for start, end, mark in marks]
    except (ValueError, IndexError) as error:
        raise TurnsError("the TextGrid is damaged or not in Praat's text format") from error
    intervals = [name for name, marks in tiers.items() if marks is not None]
    for name in wanted or intervals:
        if tiers.get(name) is None:
            raise TurnsError(f"no interval tier {name!r}; there are {', '.join(map(repr, intervals)) or 'none'}")
    if not wanted and len(intervals) != 1:
        names = ", ".join(map(repr, intervals)) or "none"
        raise TurnsError(f"{len(intervals)} interval tiers ({names}); say which hold the turns (--tier NAME, tiers=)")
    for name in wanted or intervals:
        for start_s, end_s, mark in tiers[name] or ():
            if mark.strip():
                yield "", Turn(start_s, end_s, name, clean_text(mark))


def _unquoted(token: str) -> str:
    if not token.startswith('"'):
        raise ValueError(token)
    return token[1:-1].replace('""', '"')


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[")


def _from_json(text: str) -> Iterator[Named]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TurnsError(f"damaged JSON: {error}") from error
    entries = content
    if isinstance(content, Mapping):
        keys = ("segments", "chunks", "transcription", "diarization", "turns", "output")
        key = next((key for key in keys if isinstance(content.get(key), list | Mapping)), None)
        if key is None:
            raise TurnsError(f"JSON with the keys {', '.join(map(str, list(content)[:6]))}; expected {', '.join(keys)}")
        entries = content[key]
        if isinstance(entries, Mapping):
            # pyannoteAI: {"output": {"diarization": [...]}}.
            entries = next((value for value in entries.values() if isinstance(value, list)), [])
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            raise TurnsError(f"entry {number} is {entry!r:.40}; expected an object with start and end")
        with located(f"entry {number}"):
            start, end = _times_of(entry)
            speaker, words = entry.get("speaker"), entry.get("text")
            yield (
                "",
                Turn(start, end, clean_text("" if speaker is None else str(speaker)), clean_text(str(words or ""))),
            )


def _times_of(entry: Mapping[str, Any]) -> tuple[float, float]:
    if isinstance(pair := entry.get("timestamp"), list) and len(pair) == 2:
        # The transformers pipeline leaves the last end open.
        return seconds(pair[0]), math.inf if pair[1] is None else seconds(pair[1])
    if isinstance(offsets := entry.get("offsets"), Mapping):
        # whisper.cpp, in milliseconds.
        return seconds(offsets.get("from")) / 1e3, seconds(offsets.get("to")) / 1e3
    start, end = (entry.get(name, entry.get(f"{name}_s")) for name in ("start", "end"))
    if start is None or end is None:
        raise TurnsError(f"no start and end among {', '.join(map(str, list(entry)[:6]))}")
    return seconds(start), seconds(end)


_READERS: tuple[tuple[Callable[[str], bool], Callable[[str], Iterator[Named]]], ...] = (
    (_is_webvtt, _from_captions),
    (_is_json, _from_json),
    (_is_rttm, _from_rttm),
    (_is_subrip, _from_captions),
    (has_times, from_table),
)
