"""Recognitions as annotation tools read them: RTTM, Praat's TextGrid, WebVTT, SubRip.

Conventions: each function gives the whole text with a final line break. Segments without speech are left out, but in a
TextGrid, whose tiers know no gaps, where their label is empty. Turns that were given are never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from emotone.errors import OutputError
from emotone.listening.model.certainty import LOW_CONFIDENCE
from emotone.listening.recognition import Recognition
from emotone.listening.segments import Segment
from emotone.output.names import as_word, recording_ids

_Intervals = list[tuple[float, float, str]]


def as_rttm(recognitions: Sequence[Recognition]) -> str:
    """RTTM: one SPEAKER line per segment, with the emotion in the place of the speaker's name and its probability.

    A recording's id is its file's name without the suffix, with underscores for white space; if several recordings
    share it, the suffix and as many folders as needed are added. Channels count from 1. If turns were given, the name
    is that of the turn's speaker, the emotion is in the field for the subtype, and the text, with underscores for white
    space, in that for the orthography.

    References:
        NIST (2009), The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan, appendix A.
    """
    lines = []
    ids = recording_ids([one.source for one in recognitions])
    for one in recognitions:
        name = ids[one.source]
        for segment in spoken(one):
            channel = 1 if segment.channel is None else segment.channel + 1
            emotion = as_word(segment.emotion or segment.reason or "<NA>")
            fields = f"<NA> <NA> {emotion}"
            if segment.turn is not None:
                fields = f"{as_word(segment.text or '<NA>')} {emotion} {as_word(segment.speaker or '<NA>')}"
            lines.append(
                f"SPEAKER {name} {channel} {segment.start_s:.3f} {segment.duration_s:.3f} "
                f"{fields} {segment.confidence:.4f} <NA>\n"
            )
    return "".join(lines) or "\n"


def as_textgrid(recognitions: Sequence[Recognition]) -> str:
    """Praat's TextGrid in its long form: for each channel a tier of emotions and one of their probabilities.

    If turns were given, there are such tiers, and one of texts, for each speaker; turns of one speaker that overlap go
    to further tiers.

    Raises:
        OutputError: more than one recording.
    """
    one = _only(recognitions, "textgrid")
    if one is None:
        return "\n"
    tiers = _turn_tiers(one) if one.segments[0].turn is not None else _channel_tiers(one)
    end_s = max(one.duration_s, *(segment.end_s for segment in one.segments))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end_s:.6f}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (name, intervals) in enumerate(tiers, 1):
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f'        name = "{name.replace(chr(34), 2 * chr(34))}"',
            "        xmin = 0",
            f"        xmax = {end_s:.6f}",
            f"        intervals: size = {len(intervals)}",
        ]
        for place, (start_s, stop_s, text) in enumerate(intervals, 1):
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {start_s:.6f}",
                f"            xmax = {stop_s:.6f}",
                f'            text = "{text.replace(chr(34), 2 * chr(34))}"',
            ]
    return "\n".join(lines) + "\n"


def as_webvtt(recognitions: Sequence[Recognition]) -> str:
    """WebVTT: one cue per segment, such as "anger 83 %"; with split channels, each cue says whose voice it is.

    If turns were given, cues keep speaker and text, such as "<v Ann>[anger 83 %] Hello.".

    Raises:
        OutputError: more than one recording.
    """
    one = _only(recognitions, "webvtt")
    cues = ["WEBVTT"]
    for segment in _by_time(one):
        words = escape(_caption(segment), quote=False)
        voice = f"channel {segment.channel + 1}" if segment.channel is not None else segment.speaker
        if voice:
            words = f"<v {escape(voice, quote=False)}>{words}</v>"
        cues.append(f"{_timestamp(segment.start_s)} --> {_timestamp(segment.end_s)}\n{words}")
    return "\n\n".join(cues) + "\n"


def as_subrip(recognitions: Sequence[Recognition]) -> str:
    """SubRip: one caption per segment, such as "anger 83 %", after "[channel 1]: " or the turn's speaker.

    Raises:
        OutputError: more than one recording.
    """
    one = _only(recognitions, "srt")
    captions = []
    for number, segment in enumerate(_by_time(one), 1):
        voice = f"channel {segment.channel + 1}" if segment.channel is not None else segment.speaker
        start, end = (_timestamp(time_s).replace(".", ",") for time_s in (segment.start_s, segment.end_s))
        captions.append(f"{number}\n{start} --> {end}\n{f'[{voice}]: ' if voice else ''}{_caption(segment)}\n")
    return "\n".join(captions) or "\n"


def _caption(segment: Segment) -> str:
    """The emotion in words, and what is said."""
    words = f"{segment.emotion} {100 * segment.confidence:.0f} %" if segment.emotion else segment.reason
    if segment.unsure and segment.emotion:
        words = f"perhaps {words}"
        # A low confidence shows in the figure.
        if segment.reason and segment.reason != LOW_CONFIDENCE:
            words = f"{words}, {segment.reason}"
    return words if segment.turn is None else f"[{words}] {segment.text or ''}".rstrip()


def _by_time(recognition: Recognition | None) -> list[Segment]:
    return sorted(spoken(recognition), key=lambda one: one.start_s) if recognition else []


def _channel_tiers(recognition: Recognition) -> list[tuple[str, _Intervals]]:
    channels = sorted({segment.channel for segment in recognition.segments}, key=lambda channel: channel or 0)
    tiers: list[tuple[str, _Intervals]] = []
    for channel in channels:
        segments = [segment for segment in recognition.segments if segment.channel == channel]
        mark = "" if channel is None else f" {channel + 1}"
        tiers.append((f"emotion{mark}", [(s.start_s, s.end_s, s.emotion or "") for s in segments]))
        shares = [(s.start_s, s.end_s, f"{s.confidence:.3f}" if s.emotion else "") for s in segments]
        tiers.append((f"probability{mark}", shares))
        if any(one.unfamiliar is not None for one in segments):
            tiers.append((f"unfamiliar{mark}", [(s.start_s, s.end_s, _figure(s.unfamiliar)) for s in segments]))
    return tiers


def _turn_tiers(recognition: Recognition) -> list[tuple[str, _Intervals]]:
    by_speaker: dict[str, list[list[Segment]]] = {}
    for segment in sorted(recognition.segments, key=lambda one: one.start_s):
        lanes = by_speaker.setdefault(segment.speaker or "", [])
        free = next((lane for lane in lanes if lane[-1].end_s <= segment.start_s), None)
        if free is None:
            lanes.append([segment])
        else:
            free.append(segment)
    end_s = max(recognition.duration_s, *(segment.end_s for segment in recognition.segments))
    tiers: list[tuple[str, _Intervals]] = []
    for speaker, lanes in by_speaker.items():
        for number, lane in enumerate(lanes, 1):
            name = " ".join(filter(None, (speaker, f"({number})" if number > 1 else ""))) or "turns"
            tiers.append((name, _filled([(s.start_s, s.end_s, s.text or "") for s in lane], end_s)))
            emotions = [(s.start_s, s.end_s, s.emotion or s.reason) for s in lane]
            tiers.append((f"{name}: emotion", _filled(emotions, end_s)))
            shares = [(s.start_s, s.end_s, f"{s.confidence:.3f}" if s.emotion else "") for s in lane]
            tiers.append((f"{name}: probability", _filled(shares, end_s)))
            if any(one.unfamiliar is not None for one in lane):
                distances = [(s.start_s, s.end_s, _figure(s.unfamiliar)) for s in lane]
                tiers.append((f"{name}: unfamiliar", _filled(distances, end_s)))
    return tiers


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _filled(intervals: _Intervals, end_s: float) -> _Intervals:
    """With empty intervals in the gaps, as Praat wants them; intervals that last no time are given a millisecond."""
    filled: _Intervals = []
    at = 0.0
    for start_s, stop_s, text in intervals:
        start_s, stop_s = max(start_s, at), max(stop_s, start_s + 0.001, at + 0.001)
        if start_s > at:
            filled.append((at, start_s, ""))
        filled.append((start_s, stop_s, text))
        at = stop_s
    return [*filled, (at, end_s, "")] if at < end_s else filled


def spoken(recognition: Recognition) -> list[Segment]:
    """The segments that have an emotion, and every turn that was given."""
    return [segment for segment in recognition.segments if segment.emotion is not None or segment.turn is not None]


def _timestamp(time_s: float) -> str:
    milliseconds = round(time_s * 1_000)
    seconds, milliseconds = divmod(milliseconds, 1_000)
    return f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"


def _only(recognitions: Sequence[Recognition], kind: str) -> Recognition | None:
    if len(recognitions) > 1:
        raise OutputError(f"{kind} holds one recording, got {len(recognitions)}; write a file for each")
    return recognitions[0] if recognitions else None
