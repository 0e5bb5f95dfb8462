"""What a model file declares: labels, settings, corpora, scores, licences.

Conventions: the graph takes `waveform (batch, n_samples)` float32 and `lengths (batch,)` int64, and gives
`probabilities (batch, n_classes)`, calibrated, and `embedding (batch, d)`. It may also take `baseline (batch, d)`
float32, the mean of a speaker's embeddings of neutral speech (a row of zeros: no baseline), and give
`unfamiliar (batch,)` in [0, 1]: the quantile of the utterance's distance from the training data. The metadata is JSON
under the single key `emotone`, in one schema for the exporter and for the recognizer. Probabilities and scores such as
UAR are in [0, 1].
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emotone.emotions import EMOTIONS, LONGEST_NAME
from emotone.errors import ModelFileError
from emotone.model_files.fields import build, check_types, require

SCHEMA = 3
"""Latest schema that is read. A file is written in the lowest one that suffices; see `ModelMetadata.schema`."""

INPUTS = ("waveform", "lengths")
OUTPUTS = ("probabilities", "embedding")
BASELINE = "baseline"
"""Optional input of the graph."""
UNFAMILIAR = "unfamiliar"
"""Optional output of the graph."""
PRECISIONS = ("fp32", "fp16", "int8")
"""In which the network's weights may be stored; all is computed in float32, and the front end is stored so as well."""

_SINCE_2 = ("precision",)
_SINCE_3 = ("baseline", "class_sets", "unsure_margin", "unsure_unfamiliar", "encoder", "centre")


@dataclass(frozen=True, slots=True)
class TrainingCorpus:
    """A corpus that was used for the model.

    Attributes:
        name: such as "crema-d".
        licence: of its recordings, as an SPDX identifier where there is one.
        role: what it was used for, such as "training" or "chose the recipe".
        held_out: its speakers that neither trained the model nor chose anything for it; only they may score it.
    """

    name: str
    licence: str
    role: str
    held_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_types(self)


@dataclass(frozen=True, slots=True)
class Score:
    """One measured score, with its protocol and its interval.

    Attributes:
        corpus: whose recordings were scored.
        protocol: who was tested when, such as "5 folds by speaker".
        n: number of utterances.
        uar: unweighted average recall, in [0, 1].
        uar_low: lower end of its 95 % interval.
        uar_high: upper end of its 95 % interval.
        accuracy: in [0, 1].
        fold_hash: of the folds, empty without folds.
        speaker_independent: False where a speaker is in training and in test.
        note: further remarks.
    """

    corpus: str
    protocol: str
    n: int
    uar: float
    uar_low: float
    uar_high: float
    accuracy: float
    fold_hash: str
    speaker_independent: bool
    note: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        require(self.n > 0, f"a score over n = {self.n} utterances; expected at least one")
        for name in ("uar", "uar_low", "uar_high", "accuracy"):
            value = getattr(self, name)
            require(0.0 <= value <= 1.0, f"{name} = {value} in a score on {self.corpus}; expected [0, 1]")


@dataclass(frozen=True, slots=True)
class ClassSet:
    """A subset of a model's labels that was calibrated by itself.

    Probabilities over the subset are softmax(log(p) * temperature of the model / `temperature`) over its labels, where
    p are the model's probabilities. A subset without an entry uses the model's temperature: p, renormalised.

    Attributes:
        labels: at least two of the model's labels.
        temperature: that was fitted for them.
    """

    labels: tuple[str, ...]
    temperature: float

    def __post_init__(self) -> None:
        check_types(self)
        _check_labels(self.labels)
        require(self.temperature > 0.0, f"temperature = {self.temperature}; expected a positive number")


@dataclass(frozen=True, slots=True)
class Encoder:
    """The pretrained encoder that a graph contains.

    Attributes:
        name: such as "whisper-base".
        revision: of the release the weights were taken from.
        blocks: whose outputs are used, from 0.
        licence: of its weights, as an SPDX identifier.
        notice: the copyright notice that the licence asks to keep.
        sha256: of the file of weights, in hex.
    """

    name: str
    revision: str = ""
    blocks: tuple[int, ...] = ()
    licence: str = ""
    notice: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        require(bool(self.name), "the encoder has no name")


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """Description of a model, stored in its file.

    Attributes:
        name: of the model, such as "default".
        labels: any printable names, in the order of the outputs.
        sample_rate: that the graph expects, in Hz.
        window_s: the longest waveform to give it at once, in seconds.
        min_samples: the shortest waveform that it can classify, in samples.
        embedding_dim: size of the second output.
        temperature: that the logits are divided by, inside the graph; 1 if not calibrated.
        unsure_threshold: a prediction is unsure if its highest probability is below this.
        recipe: all settings it was trained with.
        corpora: all that were used for it, with their licences.
        scores: measured; each says whether it is speaker-independent.
        licence: of the model itself.
        weights_sha: SHA-256 of the weights it was exported from, in hex.
        emotone_version: that exported it.
        created: date of the export, ISO 8601.
        precision: in which the network's weights are stored, one of `PRECISIONS`.
        baseline: whether the graph takes the input `baseline`.
        class_sets: subsets of the labels that were calibrated by themselves.
        unsure_margin: a prediction is unsure if the two highest probabilities differ by less than this.
        unsure_unfamiliar: a prediction is unsure if the output `unfamiliar` is above this.
        encoder: the pretrained encoder in the graph; None where there is none.
        centre: reserved for adapted models.
    """

    name: str
    labels: tuple[str, ...]
    sample_rate: int
    window_s: float
    min_samples: int
    embedding_dim: int
    temperature: float
    unsure_threshold: float
    recipe: Mapping[str, Any] = field(default_factory=dict)
    corpora: tuple[TrainingCorpus, ...] = ()
    scores: tuple[Score, ...] = ()
    licence: str = ""
    weights_sha: str = ""
    emotone_version: str = ""
    created: str = ""
    precision: str = PRECISIONS[0]
    baseline: bool = False
    class_sets: tuple[ClassSet, ...] = ()
    unsure_margin: float = 0.0
    unsure_unfamiliar: float = 1.0
    encoder: Encoder | None = None
    centre: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_types(self)
        _check_labels(self.labels)
        require(4_000 <= self.sample_rate <= 192_000, f"sample_rate = {self.sample_rate}; expected 4 kHz to 192 kHz")
        require(self.min_samples >= 1, f"min_samples = {self.min_samples}; expected at least 1")
        require(
            round(self.window_s * self.sample_rate) >= self.min_samples,
            f"window_s = {self.window_s} is shorter than min_samples = {self.min_samples}",
        )
        require(self.embedding_dim >= 1, f"embedding_dim = {self.embedding_dim}; expected at least 1")
        require(self.temperature > 0.0, f"temperature = {self.temperature}; expected a positive number")
        require(0.0 <= self.unsure_threshold <= 1.0, f"unsure_threshold = {self.unsure_threshold}; expected [0, 1]")
        for name in ("unsure_margin", "unsure_unfamiliar"):
            value = getattr(self, name)
            require(0.0 <= value <= 1.0, f"{name} = {value}; expected [0, 1]")
        require(
            self.precision in PRECISIONS, f"precision = {self.precision!r}; expected one of {', '.join(PRECISIONS)}"
        )
        for one in self.class_sets:
            unknown = [label for label in one.labels if label not in self.labels]
            require(not unknown, f"a class set names {unknown}, which the model does not have")

    @property
    def schema(self) -> int:
        """The lowest schema that can describe this model."""
        if self._differs(_SINCE_3) or not set(self.labels) <= set(EMOTIONS):
            return 3
        return 2 if self._differs(_SINCE_2) else 1

    def _differs(self, names: tuple[str, ...]) -> bool:
        defaults = {one.name: one.default for one in dataclasses.fields(self)}
        return any(getattr(self, name) != defaults[name] for name in names)

    @property
    def window_samples(self) -> int:
        """The longest waveform to give the model at once, in samples."""
        return round(self.window_s * self.sample_rate)

    def to_json(self) -> str:
        """The JSON text that is stored in the model file."""
        schema = self.schema
        content = {"schema": schema, **dataclasses.asdict(self)}
        for since, names in ((2, _SINCE_2), (3, _SINCE_3)):
            if schema < since:
                for name in names:
                    del content[name]
        try:
            return json.dumps(content, ensure_ascii=False, allow_nan=False, default=_plain)
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"the metadata cannot be written as JSON: {error}; use plain types") from error

    @classmethod
    def from_json(cls, text: str) -> ModelMetadata:
        """Read what `to_json` wrote.

        Raises:
            ModelFileError: not JSON, not ours, of a newer schema, or with a key missing, unknown or of a wrong type.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"the model's metadata is damaged: it is not JSON ({error})") from error
        if not isinstance(content, dict) or not isinstance(content.get("schema"), int):
            raise ModelFileError("the model's metadata is not ours: it names no schema")
        schema = content.pop("schema")
        if schema > SCHEMA:
            raise ModelFileError(
                f"the model file has schema {schema}, this emotone reads up to {SCHEMA}; upgrade emotone to use it"
            )
        require(schema >= 1, f"schema = {schema}; expected 1 to {SCHEMA}")
        metadata: ModelMetadata = build(cls, content)
        return metadata


def _check_labels(labels: tuple[str, ...]) -> None:
    require(len(labels) >= 2, f"{len(labels)} labels; expected at least two")
    require(len(set(labels)) == len(labels), f"a label is named twice in {', '.join(labels)}")
    for label in labels:
        require(
            0 < len(label) <= LONGEST_NAME and label.isprintable() and label == label.strip(),
            f"{label[: 2 * LONGEST_NAME]!r} in labels; expected 1 to {LONGEST_NAME} printable characters",
        )


def _plain(value: Any) -> Any:
    # Recipes hold tuples, paths and NumPy scalars now and then; all else is an error of the caller's.
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return value.name
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a value of type {type(value).__name__}")
