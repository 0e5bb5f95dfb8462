"""The rows of the paper's Tables 1 and 2, further rows, and the paper's printed figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from emotone.experiments.leakage import Leak

Group = Literal["Table 1", "Table 2", "beyond the paper", "baseline", "leaky"]


@dataclass(frozen=True, slots=True)
class Printed:
    """A figure of the paper, in percent.

    Attributes:
        accuracy: overall accuracy.
        uar: class accuracy; None where it is not known.
        source: "printed" on the slides or the poster; "second source"; or "inferred".
    """

    accuracy: float
    uar: float | None
    source: Literal["printed", "second source", "inferred"] = "printed"


@dataclass(frozen=True, slots=True)
class Row:
    """One system of the table.

    Attributes:
        key: names its folder, and the row for `--only`.
        title: for the table.
        group: the part of the table it is in.
        recipe: its name; empty for openSMILE.
        settings: changes to the recipe.
        printed: the paper's figures, None where it has none.
        needs_phonemes: whether it can run on a corpus without phonemes.
        feature_set: openSMILE's feature set, for a row of openSMILE.
        leak: which leak, for a leaky row.
    """

    key: str
    title: str
    group: Group
    recipe: str = ""
    settings: tuple[str, ...] = ()
    printed: Printed | None = None
    needs_phonemes: bool = False
    feature_set: str = ""
    leak: Leak | None = None


_BALANCED, _EFFECTIVE = 'loss.class_weights="balanced"', 'loss.class_weights="effective"'
_SPECTROGRAM, _MFCC = "tripathi2019-spectrogram", "tripathi2019-mfcc"


def _beyond(key: str, title: str, *settings: str) -> Row:
    # Over MFCCs, where the paper's own figures are best, and where a row costs a third of one over spectrograms.
    return Row(key, f"MFCC, {title}", "beyond the paper", _MFCC, settings)


def _leaky(leak: Leak, features: str, words: str, recipe: str) -> Row:
    title = f"proposed, {features}, focal: {words}"
    return Row(f"leaky-{leak}-{features.lower()}", title, "leaky", recipe, leak=leak)


ROWS: tuple[Row, ...] = (
    Row("lee2015", "Lee & Tashev 2015", "Table 1", "lee2015", printed=Printed(62.8, 63.9)),
    Row("lee2015-frames", "… without learnt frame labels", "Table 1", "lee2015", ('model.frame_labels="utterance"',)),
    Row("lee2015-blstm", "… plain BLSTM, no learnt labels, no extreme learning machine", "Table 1", "lee2015-blstm"),
    Row(
        "satt2017-conv", "Satt et al. 2017, convolutions", "Table 1", "satt2017-conv",
        printed=Printed(66.0, None, "second source"),
    ),
    Row(
        "satt2017-conv-blstm", "Satt et al. 2017, convolutions + BLSTM", "Table 1", "satt2017-conv-blstm",
        printed=Printed(68.8, 59.4),
    ),
    Row(
        "satt2017-two-step", "… two-step decision", "Table 1", "satt2017-two-step",
        printed=Printed(67.3, 62.0, "second source"),
    ),
    Row(
        "satt2017-harmonic", "… harmonic filtering", "Table 1", "satt2017-conv-blstm",
        ("model.harmonic_filtering=true",),
    ),
    Row(
        "yenigalla2018-spectrogram", "Yenigalla et al. 2018, spectrogram", "Table 1", "yenigalla2018-spectrogram",
        printed=Printed(71.2, 61.9),
    ),
    Row(
        "yenigalla2018-phonemes", "Yenigalla et al. 2018, phonemes", "Table 1", "yenigalla2018-phonemes",
        needs_phonemes=True,
    ),
    Row(
        "yenigalla2018-combined", "Yenigalla et al. 2018, both", "Table 1", "yenigalla2018-combined",
        printed=Printed(73.9, 68.5, "inferred"), needs_phonemes=True,
    ),
    Row(
        "spectrogram-softmax", "proposed, spectrogram, softmax", "Table 2", _SPECTROGRAM, ("loss.gamma=0.0",),
        printed=Printed(70.2, 55.8),
    ),
    Row(
        "spectrogram-focal", "proposed, spectrogram, focal", "Table 2", _SPECTROGRAM,
        printed=Printed(74.2, 64.3),
    ),
    Row(
        "mfcc-softmax", "proposed, MFCC, softmax", "Table 2", _MFCC, ("loss.gamma=0.0",),
        printed=Printed(70.7, 56.9),
    ),
    Row("mfcc-focal", "proposed, MFCC, focal", "Table 2", _MFCC, printed=Printed(74.6, 66.7)),
    Row("encoder-softmax", "pretrained encoder, softmax (not in the paper)", "Table 2", "encoder-softmax"),
    Row("encoder-focal", "pretrained encoder, focal (not in the paper)", "Table 2", "encoder-focal"),
    _beyond("weighted-softmax", "class-weighted softmax", "loss.gamma=0.0", _BALANCED),
    _beyond("class-balanced-focal", "class-balanced focal (gamma 2)", _EFFECTIVE),
    _beyond("logit-adjusted", "logit adjustment (tau 1)", "loss.gamma=0.0", "loss.logit_adjustment=1.0"),
    *(
        _beyond(f"gamma-{gamma}", f"focal, gamma {gamma}", f"loss.gamma={float(gamma)}")
        for gamma in ("0.5", "1", "3", "5")
    ),
    Row("default", "residual network on log-mel, any length", "baseline", "spectrogram"),
    Row("egemaps-svc", "openSMILE eGeMAPSv02 + linear SVC", "baseline", feature_set="egemaps"),
    Row("compare-svc", "openSMILE ComParE 2016 + linear SVC", "baseline", feature_set="compare"),
    _leaky("random", "spectrogram", "random split", _SPECTROGRAM),
    _leaky("random", "MFCC", "random split", _MFCC),
    _leaky("epoch", "spectrogram", "epoch chosen on the test fold", _SPECTROGRAM),
    _leaky("epoch", "MFCC", "epoch chosen on the test fold", _MFCC),
)  # fmt: skip
"""The whole table, in order. gamma 2 is the row mfcc-focal."""

PAIRS = (
    ("spectrogram-focal", "spectrogram-softmax", "spectrogram"),
    ("mfcc-focal", "mfcc-softmax", "MFCC"),
    ("encoder-focal", "encoder-softmax", "pretrained encoder, not in the paper"),
)
"""The paper's claim: of each pair the first is better. The paper has no encoder; the claim is tested on it as well."""

FIRST = (
    "satt2017-conv-blstm",
    "yenigalla2018-spectrogram",
    "encoder-softmax",
    "encoder-focal",
    "satt2017-conv",
    "satt2017-two-step",
    "satt2017-harmonic",
    "yenigalla2018-combined",
)
"""The rows that `--next` runs first, in this order."""


def in_order(rows: Iterable[Row], seeds: Sequence[int]) -> list[tuple[Row, int]]:
    """Rows and seeds in the order in which `--next` runs them.

    First the first seed of the rows of `FIRST`, then of the other rows of Tables 1 and 2; then the further seeds of
    all rows of these tables; then everything else. openSMILE's rows are not random and have one seed.

    >>> [(row.key, seed) for row, seed in in_order(ROWS, (0, 1))][:2]
    [('satt2017-conv-blstm', 0), ('yenigalla2018-spectrogram', 0)]
    """

    def rank(pair: tuple[int, tuple[Row, int]]) -> tuple[int, int, int]:
        place, (row, seed) = pair
        if row.group not in ("Table 1", "Table 2"):
            return 3, seed, place
        if seed != seeds[0]:
            return 2, seed, place
        return (0, FIRST.index(row.key), 0) if row.key in FIRST else (1, place, 0)

    pairs = [(row, seed) for row in rows for seed in (seeds[:1] if row.feature_set else seeds)]
    return [pair for _, pair in sorted(enumerate(pairs), key=rank)]
