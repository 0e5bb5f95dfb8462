"""The card beside a model file, as Markdown, from what the file and the run that made it say."""

from __future__ import annotations

import numpy as np

from emotone.corpora.merged import PART_LICENCES
from emotone.evaluation.calibration import expected_calibration_error, softmax
from emotone.evaluation.metrics import unweighted_average_recall
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.results import Results, percent
from emotone.evaluation.significance import bootstrap_over_speakers
from emotone.model_files.metadata import ModelMetadata

_ACTED_CORPORA = ("crema-d", "emodb", "emovo", "nemo", "ravdess", "savee", "tess")
_ACTED = " All recordings are of actors who play emotions on given sentences."


def card(metadata: ModelMetadata, own: Results | None, predictions: Predictions | None) -> str:
    """The model card as Markdown.

    Args:
        metadata: of the model file.
        own: results on its held-out speakers: of the run that made it, or of `emotone evaluate` with the file.
        predictions: of the same, for the scores by corpus.
    """
    lines = [
        f"# Model card: {metadata.name}",
        "",
        f"Emotion in speech, {len(metadata.labels)} classes: {', '.join(metadata.labels)}. One ONNX file; mono audio "
        f"at {metadata.sample_rate} Hz in, calibrated probabilities and an embedding of {metadata.embedding_dim} out. "
        f"Made on {metadata.created} with emotone {metadata.emotone_version}, recipe "
        f"`{metadata.recipe.get('name', 'unnamed')}`; its weights have the SHA-256 `{metadata.weights_sha}`.",
        "",
        "## Data and licences",
        "",
        "| corpus | licence | role | speakers held out |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {corpus.name} | {corpus.licence} | {corpus.role} | {', '.join(corpus.held_out) or 'none'} |"
        for corpus in metadata.corpora
    ]
    lines += [
        "",
        f"Licence of the model file: {metadata.licence}."
        + (_ACTED if all(corpus.name in _ACTED_CORPORA for corpus in metadata.corpora) else ""),
        *_encoder(metadata),
        "",
        "## Scores",
        "",
        "UAR is the unweighted average recall, with a 95 % interval by bootstrap over speakers. SI: no speaker of the "
        "test was in the training data of the model that was scored, nor chose its epoch. What chose the recipe and "
        "the temperature is said in the notes and below.",
        "",
        "| corpus | protocol | n | UAR | accuracy | speakers | note |",
        "|---|---|---|---|---|---|---|",
    ]
    for score in metadata.scores:
        span = f"[{percent(score.uar_low)}, {percent(score.uar_high)}]"
        independence = "SI" if score.speaker_independent else "SD"
        lines.append(
            f"| {score.corpus} | {score.protocol} | {score.n} | {percent(score.uar)} {span} "
            f"| {percent(score.accuracy)} | {independence} | {score.note} |"
        )
    evaluated = own is not None and bool(own.weights_sha)
    when = "" if evaluated or metadata.precision == "fp32" else f", before the weights were {metadata.precision}"
    if own is not None:
        lines += _by_sex(own, when)
    if predictions is not None:
        lines += _by_corpus(predictions, when)
        lines += _calibration(metadata, own if evaluated else None, predictions, when)
    lines += _uncertainty(metadata)
    lines += ["", "## What it is not for", "", *_NOT_FOR]
    return "\n".join(lines) + "\n"


_NOT_FOR = (
    "- Decisions about people: hiring, schools, work, policing, medicine, insurance. In the European Union emotion "
    "recognition at work and in schools is forbidden by law.",
    "- Knowing what somebody feels. It classifies how acted speech sounds; real feelings are quieter, mixed, and "
    "differ between people and cultures.",
    "- Other languages, children, music or several voices at once, without measuring it there first.",
    "- Classes it does not know: every utterance gets one of the classes above, or is marked unsure.",
)


def _encoder(metadata: ModelMetadata) -> list[str]:
    encoder = metadata.encoder
    if encoder is None:
        return []
    blocks = ", ".join(map(str, encoder.blocks))
    learnt = metadata.recipe.get("features", {}).get("fine_tuned", 0)
    further = f" The last of them ({learnt}) learnt further on the corpora above." if learnt else ""
    revision = f"revision `{encoder.revision}`, " if encoder.revision else ""
    text = (
        f"The file contains blocks of the encoder {encoder.name} ({revision}output of "
        f"block {blocks}, weights with the SHA-256 `{encoder.sha256}`)"
    )
    if not encoder.licence:
        return ["", f"{text}. Its licence is not known to emotone: see where it was published.{further}"]
    return [
        "",
        f"{text}, licence {encoder.licence}.{further} Its notice:",
        "",
        *(f"> {line}".rstrip() for line in encoder.notice.strip().splitlines()),
    ]


def _uncertainty(metadata: ModelMetadata) -> list[str]:
    subsets = "".join(
        f"; {one.temperature:.2f} where only {', '.join(one.labels)} are asked for" for one in metadata.class_sets
    )
    # A model without an encoder takes too long to be trained again without each corpus in turn.
    left_out = metadata.encoder is not None
    reasons = [
        f"where its probability is below {metadata.unsure_threshold:.2f}",
        f"where the runner-up is closer than {metadata.unsure_margin:.2f}",
        *([f"where `unfamiliar` is above {metadata.unsure_unfamiliar:.2f}"] if metadata.unsure_unfamiliar < 1 else []),
    ]
    lines = [
        "",
        "## Confidence",
        "",
        f"Logits are divided by the temperature {metadata.temperature:.2f}{subsets}. A prediction is marked unsure "
        f"{', '.join(reasons[:-1])}, or {reasons[-1]}.",
    ]
    if metadata.class_sets:
        sources = [] if any(one.name == "nemo" for one in metadata.corpora) else ["nEMO, which also chose the recipe"]
        sources.append(
            "corpora left out of training in turn" if left_out else "validation speakers of the training corpora"
        )
        lines.append(
            f"The temperatures come from speakers who were not in the training data: {', and '.join(sources)}. So the "
            "model is less sure than it could be on voices like those it learnt from."
        )
    if metadata.baseline:
        lines += [
            "",
            "It takes a baseline: a few neutral recordings of the speaker. Answers are then relative to it.",
        ]
    return lines


def _by_sex(own: Results, when: str) -> list[str]:
    lines = ["", f"By the speaker's sex, on the held-out speakers{when}:", ""]
    lines += ["| sex | n | UAR | accuracy |", "|---|---|---|---|"]
    for sex, group in own.per_sex.items():
        interval = group.uar_interval
        span = f" [{percent(interval.low)}, {percent(interval.high)}]" if interval else ""
        lines.append(f"| {sex} | {group.n} | {percent(group.uar)}{span} | {percent(group.accuracy)} |")
    return lines


def _calibration(metadata: ModelMetadata, evaluated: Results | None, predictions: Predictions, when: str) -> list[str]:
    if evaluated is not None:
        # A model file gives calibrated probabilities alone.
        found = evaluated.calibration
        return ["", f"Expected calibration error on the held-out speakers: {found.after.ece:.3f}."] if found else []
    after, before = (
        expected_calibration_error(softmax(predictions.logits, temperature), predictions.truth)
        for temperature in (metadata.temperature, 1.0)
    )
    return [
        "",
        f"Expected calibration error on the held-out speakers{when}: {after:.3f} (before the temperature "
        f"{before:.3f}).",
    ]


def _by_corpus(predictions: Predictions, when: str) -> list[str]:
    # Merged corpora prefix every id with the name of the part it came from.
    if not all(utterance.partition("/")[0] in PART_LICENCES for utterance in predictions.utterances):
        return []
    names = np.array([utterance.partition("/")[0] for utterance in predictions.utterances])
    lines = ["", f"By corpus, on the held-out speakers{when}:", ""]
    lines += ["| corpus | n | speakers | UAR |", "|---|---|---|---|"]
    for name in sorted(set(names)):
        part = predictions.take(names == name)
        n_labels = len(part.labels)
        uar = unweighted_average_recall(part.truth, part.prediction, n_labels)
        span = ""
        if len(set(part.speakers)) > 1:
            low, high, _ = bootstrap_over_speakers(part.truth, part.prediction, part.speakers, n_labels=n_labels)
            span = f" [{percent(low)}, {percent(high)}]"
        lines.append(f"| {name} | {len(part)} | {len(set(part.speakers))} | {percent(uar)}{span} |")
    return lines
