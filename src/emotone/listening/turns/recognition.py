"""A recording whose turns are given, from its source to its `Recognition`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from emotone.audio import AudioInfo
from emotone.errors import AudioTooShortError
from emotone.listening.model.certainty import NO_SPEECH, TOO_SHORT
from emotone.listening.model.predictions import Classifier
from emotone.listening.options import TimelineOptions
from emotone.listening.recognition import Recognition
from emotone.listening.segments import Segment, as_shares
from emotone.listening.sound.bandwidth import BandMeter, narrow_band_note
from emotone.listening.sound.inputs import as_source
from emotone.listening.sound.sources import Source, name_of, source_blocks
from emotone.listening.turns.turn import Turn
from emotone.listening.turns.turn_pass import OUTSIDE, TurnPass


def recognise_turns(
    classifier: Classifier,
    source: Source,
    sample_rate: int | None,
    turns: Sequence[Turn],
    *,
    options: TimelineOptions | None = None,
    classifier_of: Callable[[str], Classifier] | None = None,
    opened: Callable[[AudioInfo], None] | None = None,
) -> Recognition:
    """A recording with one segment per turn.

    Args:
        classifier: for the recording.
        source: as for a recognizer.
        sample_rate: of a bare waveform, in Hz.
        turns: at least one.
        options: how to cut.
        classifier_of: the recognizer for a speaker, with that speaker's baseline; None for the same for all.
        opened: called with what the file declares, before its first block.
    Raises:
        AudioError: the source is not sound, too short, or damaged.
        TurnsError: too many turns overlap.
    """
    name = name_of(source)
    source, sample_rate = as_source(source, sample_rate)
    metadata = classifier.metadata
    infos: list[AudioInfo] = []

    def note_info(info: AudioInfo) -> None:
        infos.append(info)
        if opened is not None:
            opened(info)

    meter = BandMeter(metadata.sample_rate)
    going = TurnPass(turns, classifier_of or (lambda speaker: classifier), options)
    track = None if options is None else options.track
    notes: list[str] = []
    blocks = source_blocks(
        source,
        sample_rate,
        wanted_rate=metadata.sample_rate,
        track=track,
        opened=note_info,
        noted=notes.append,
        damaged=notes.append,
    )
    for block in blocks:
        meter.push(block[0])
        going.push(block[0])
    if going.n_samples < metadata.min_samples:
        raise AudioTooShortError(
            f"{name}: {going.n_samples} samples at {metadata.sample_rate} Hz; "
            f"the model needs at least {metadata.min_samples}"
        )
    segments = going.finish()
    probabilities, embedding, unfamiliar = going.means()
    shares = {} if probabilities is None else as_shares(classifier.labels, probabilities)
    reason = classifier.unsure_rule.reason(shares, unfamiliar)
    note = narrow_band_note(infos[0] if infos else None, sample_rate, meter)
    return Recognition(
        source=name,
        emotion=max(shares, key=shares.__getitem__) if shares else None,
        probabilities=shares,
        unsure=bool(reason),
        duration_s=going.n_samples / metadata.sample_rate,
        embedding=embedding,
        segments=tuple(segments),
        timeline=going.timeline(),
        labels=classifier.labels,
        narrow_band=bool(note),
        note="; ".join(part for part in (*notes, note, summary(segments)) if part),
        track=track,
        unfamiliar=unfamiliar,
        reason=reason,
        baseline=_baselines(segments) or classifier.baseline_name,
        model=metadata.name,
        unsure_threshold=classifier.unsure_rule.confidence,
    )


def summary(segments: Sequence[Segment]) -> str:
    """What became of the turns, in a sentence.

    >>> summary([Segment(0.0, 0.1, None, unsure=True, reason=TOO_SHORT), Segment(1.0, 2.0, "anger")])
    '2 turns: 1 too short'
    """
    counts = {
        reason: sum(one.reason == reason and one.emotion is None for one in segments)
        for reason in (TOO_SHORT, NO_SPEECH, OUTSIDE)
    }
    counts["overlapping"] = sum("overlaps another" in one.note for one in segments)
    counts["ending after the recording"] = sum("after the recording" in one.note for one in segments)
    counts["longer than a window"] = sum("mean of" in one.note for one in segments)
    what = ", ".join(f"{count} {reason}" for reason, count in counts.items() if count)
    turns = "1 turn" if len(segments) == 1 else f"{len(segments)} turns"
    return f"{turns}: {what}" if what else turns


def _baselines(segments: Sequence[Segment]) -> str | None:
    used: dict[str, Any] = dict.fromkeys(one.baseline for one in segments if one.baseline)
    return ", ".join(used) or None
