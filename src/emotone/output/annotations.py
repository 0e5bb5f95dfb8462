"""Recognitions as annotation tools read them: RTTM, Praat's TextGrid, WebVTT.

Conventions: each function gives the whole text with a final line break. Stretches where nobody speaks are left out,
but in a TextGrid, whose tiers know no gaps, where their label is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from emotone.errors import OutputError
from emotone.listening.recognition import Recognition
from emotone.listening.segments import Segment
from emotone.output.names import as_word, recording_ids


def as_rttm(recognitions: Sequence[Recognition]) -> str:
    """RTTM: one SPEAKER line per segment, with the emotion in the place of the speaker's name and its probability.

    A recording's id is its file's name without the suffix, with underscores for white space; if several recordings
    share it, the suffix and as many folders as needed are added. Channels count from 1.

    References:
        NIST (2009), The 2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan, appendix A.
    """
    lines = []
    ids = recording_ids([one.source for one in recognitions])
    for one in recognitions:
        name = ids[one.source]
        for segment in spoken(one):
            channel = 1 if segment.channel is None else segment.channel + 1
            lines.append(
                f"SPEAKER {name} {channel} {segment.start_s:.3f} {segment.duration_s:.3f} "
                f"<NA> <NA> {as_word(segment.emotion or '')} {segment.confidence:.4f} <NA>\n"
            )
    return "".join(lines) or "\n"


def as_textgrid(recognitions: Sequence[Recognition]) -> str:
    """Praat's TextGrid in its long form: for each channel a tier of emotions and one of their probabilities.

    Raises:
        OutputError: more than one recording.
    """
    one = _only(recognitions, "textgrid")
    if one is None:
        return "\n"
    channels = sorted({segment.channel for segment in one.segments}, key=lambda channel: channel or 0)
    tiers: list[tuple[str, list[tuple[float, float, str]]]] = []
    for channel in channels:
        segments = [segment for segment in one.segments if segment.channel == channel]
        mark = "" if channel is None else f" {channel + 1}"
        tiers.append((f"emotion{mark}", [(s.start_s, s.end_s, s.emotion or "") for s in segments]))
        shares = [(s.start_s, s.end_s, f"{s.confidence:.3f}" if s.emotion else "") for s in segments]
        tiers.append((f"probability{mark}", shares))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {one.duration_s:.6f}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (name, intervals) in enumerate(tiers, 1):
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f'        name = "{name}"',
            "        xmin = 0",
            f"        xmax = {one.duration_s:.6f}",
            f"        intervals: size = {len(intervals)}",
        ]
        for place, (start_s, end_s, text) in enumerate(intervals, 1):
            lines += [
                f"        intervals [{place}]:",
                f"            xmin = {start_s:.6f}",
                f"            xmax = {end_s:.6f}",
                f'            text = "{text.replace(chr(34), 2 * chr(34))}"',
            ]
    return "\n".join(lines) + "\n"


def as_webvtt(recognitions: Sequence[Recognition]) -> str:
    """WebVTT: one cue a segment, such as "anger 83 %"; with split channels, each cue says whose voice it is.

    Raises:
        OutputError: more than one recording.
    """
    one = _only(recognitions, "webvtt")
    cues = ["WEBVTT"]
    for segment in spoken(one) if one else ():
        words = f"{escape(segment.emotion or '', quote=False)} {100 * segment.confidence:.0f} %"
        if segment.unsure:
            words = f"perhaps {words}"
        if segment.channel is not None:
            words = f"<v channel {segment.channel + 1}>{words}</v>"
        cues.append(f"{_timestamp(segment.start_s)} --> {_timestamp(segment.end_s)}\n{words}")
    return "\n\n".join(cues) + "\n"


def spoken(recognition: Recognition) -> list[Segment]:
    """The segments that have an emotion."""
    return [segment for segment in recognition.segments if segment.emotion is not None]


def _timestamp(time_s: float) -> str:
    milliseconds = round(time_s * 1_000)
    seconds, milliseconds = divmod(milliseconds, 1_000)
    return f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"


def _only(recognitions: Sequence[Recognition], kind: str) -> Recognition | None:
    if len(recognitions) > 1:
        raise OutputError(f"{kind} holds one recording, got {len(recognitions)}; write a file for each")
    return recognitions[0] if recognitions else None
