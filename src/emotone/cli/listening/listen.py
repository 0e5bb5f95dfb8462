"""`emotone listen`: emotion in live sound from a microphone or a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from emotone.cli.listening.speakers import BaselineOption, ClassesOption, speaker_settings
from emotone.cli.options import (
    Channels,
    ChannelsOption,
    HopOption,
    ModelOption,
    ThresholdOption,
    TrackOption,
    VadOption,
    WindowOption,
    timeline_options,
    window_error,
)
from emotone.cli.terminal import printing

if TYPE_CHECKING:
    from emotone.listening.live import LiveRecognizer
    from emotone.listening.segments import Segment
    from emotone.listening.sound.sources import Waveform

_SHOWN_SEGMENTS = 8
_BAR = 30


class Format(StrEnum):
    """How results are shown."""

    VIEW = "view"
    JSONL = "jsonl"


class SampleFormat(StrEnum):
    """Encoding of raw samples, little-endian."""

    U8 = "u8"
    S16 = "s16"
    S32 = "s32"
    F32 = "f32"


def listen(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[-]",
            help="`-` for raw samples, or a recording such as WAV, on standard input. [default: the microphone]",
        ),
    ] = None,
    model: ModelOption = None,
    threshold: ThresholdOption = None,
    window: WindowOption = None,
    hop: HopOption = None,
    vad: VadOption = True,
    channels: ChannelsOption = Channels.MIX,
    track: TrackOption = None,
    classes: ClassesOption = None,
    baseline: BaselineOption = None,
    format: Annotated[
        Format, typer.Option(help="A view for people, or one line of JSON per window and per final segment.")
    ] = Format.VIEW,
    sample_rate: Annotated[
        int,
        typer.Option(min=4_000, max=192_000, metavar="HZ", help="Sample rate of the raw samples or the microphone."),
    ] = 16_000,
    sample_format: Annotated[SampleFormat, typer.Option(help="Encoding of the raw samples.")] = SampleFormat.S16,
    n_channels: Annotated[
        int,
        typer.Option(
            "--n-channels",
            min=1,
            max=64,
            help="Number of interleaved channels in the raw samples, or of the microphone.",
        ),
    ] = 1,
    device: Annotated[
        str | None, typer.Option(help="Number or name of the microphone, as `python -m sounddevice` lists them.")
    ] = None,
) -> None:
    """Recognise emotion live, until the input ends or Ctrl-C.

    Other programs can pipe samples in: arecord -t raw -f S16_LE -r 16000 | emotone listen -

    So can a recording (WAV, FLAC, Ogg, WebM and others): its header replaces --sample-rate, --sample-format and
    --n-channels.
    """
    if source not in (None, "-"):
        raise typer.BadParameter(f"{source!r}: expected `-` or nothing; files are for `emotone predict`")
    options = timeline_options(window=window, hop=hop, vad=vad, track=track)
    speakers = speaker_settings(classes, baseline)
    from emotone.audio import starts_like_recording
    from emotone.listening.live import LiveRecognizer
    from emotone.listening.loading import load
    from emotone.listening.sound.live_sources import (
        RawFile,
        StartedFile,
        microphone_blocks,
        pcm_blocks,
        recording_blocks,
    )
    from emotone.listening.speakers import SpeakerRecognizer

    recognizer = SpeakerRecognizer(load(model, unsure_threshold=threshold), speakers).recognizer
    pipe = StartedFile(cast(RawFile, sys.stdin.buffer), "standard input") if source == "-" else None
    is_recording = pipe is not None and starts_like_recording(pipe.start)
    if channels is Channels.SPLIT and n_channels == 1 and not is_recording:
        raise typer.BadParameter("one channel cannot be split; say how many there are", param_hint="--n-channels")
    if is_recording:
        sample_rate = recognizer.sample_rate
    try:
        live = LiveRecognizer(recognizer, sample_rate, channels=channels.value, options=options)
    except ValueError as error:
        raise window_error(error) from error
    blocks: Iterator[Waveform]
    if pipe is not None and is_recording:
        blocks = recording_blocks(
            pipe, sample_rate=sample_rate, channels=channels.value, track=track, noted=_print_note
        )
    elif pipe is not None:
        blocks = pcm_blocks(pipe, sample_rate=sample_rate, sample_format=sample_format.value, n_channels=n_channels)
    else:
        chosen = int(device) if device is not None and device.isdecimal() else device
        blocks = microphone_blocks(sample_rate=sample_rate, n_channels=n_channels, device=chosen)
    if format is Format.JSONL:
        _as_lines(live, blocks)
    elif sys.stdout.isatty():
        _as_view(live, blocks)
    else:
        _as_text(live, blocks)
    shortest_s = recognizer.metadata.min_samples / recognizer.sample_rate
    if pipe is not None and live.duration_s < shortest_s:
        _print_note(f"standard input ended after {live.duration_s:.3f} s; at least {shortest_s:.3f} s are needed")


def _print_note(note: str) -> None:
    print(f"note: {note}", file=sys.stderr)


def _news(live: LiveRecognizer, blocks: Iterator[Waveform]) -> Iterator[tuple[list[Segment], list[Segment]]]:
    """After each block, the new windows and the segments that became final; Ctrl-C ends the input."""
    shown: tuple[Segment | None, ...] = ()

    def new_windows() -> list[Segment]:
        nonlocal shown
        before, shown = shown, live.currents
        return [now for now, then in zip_longest(shown, before) if now is not None and now is not then]

    with suppress(KeyboardInterrupt):
        for block in blocks:
            final = live.feed(block)
            yield new_windows(), final
    final = live.finish()
    yield new_windows(), final


def _as_lines(live: LiveRecognizer, blocks: Iterator[Waveform]) -> None:
    from emotone.output.objects import segment_object

    def write(event: str, segment: Segment) -> None:
        # `type` as in the service's live streams; `event` is the older name.
        kind = "current" if event == "window" else event
        content: dict[str, Any] = {"event": event, "type": kind, **segment_object(segment)}
        with printing():
            print(json.dumps(content, ensure_ascii=False))

    for windows, final in _news(live, blocks):
        for window in windows:
            write("window", window)
        for segment in final:
            write("segment", segment)


def _as_text(live: LiveRecognizer, blocks: Iterator[Waveform]) -> None:
    for _, final in _news(live, blocks):
        for segment in final:
            with printing():
                print(_sentence(segment))


def _sentence(segment: Segment) -> str:
    what = segment.emotion or "no speech"
    if segment.emotion:
        what += f" {segment.confidence:.2f}" + (
            f" (unsure{f': {segment.reason}' if segment.reason else ''})" if segment.unsure else ""
        )
    side = "" if segment.channel is None else f"channel {segment.channel + 1}  "
    return f"{segment.start_s:8.1f} - {segment.end_s:8.1f} s  {side}{what}"


def _as_view(live: LiveRecognizer, blocks: Iterator[Waveform]) -> None:
    from collections import deque

    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    segments: deque[Segment] = deque(maxlen=_SHOWN_SEGMENTS)

    def view_of(now: Segment | None) -> Iterator[Text]:
        head = Text(f"{live.duration_s:7.1f} s  ", style="dim")
        if now is not None and now.channel is not None:
            head.append(f"channel {now.channel + 1}  ")
        if now is None or not now.speech:
            head.append("no speech" if now else "listening …", style="dim")
        else:
            head.append(f"{now.emotion}", style="yellow" if now.unsure else "bold")
            head.append(" (unsure)" if now.unsure else "")
        yield head
        for label, share in (now.probabilities if now else {}).items():
            yield Text(f"{label:>12} {'█' * round(_BAR * share):<{_BAR}} {share:.2f}")

    def view() -> Group:
        heads = (line for now in live.currents for line in view_of(now))
        return Group(*heads, *(Text(_sentence(one), style="dim") for one in segments))

    with Live(view(), refresh_per_second=10) as screen:
        for windows, final in _news(live, blocks):
            segments.extend(final)
            if windows or final:
                screen.update(view())
        screen.update(view())
