"""The model file: one ONNX graph that says of itself what it is.

Conventions: the graph takes `waveform (batch, n_samples)` float32 and `lengths (batch,)` int64, and gives
`probabilities (batch, n_classes)`, calibrated, and `embedding (batch, d)`. What it says of itself is JSON under the
single metadata key `emotone`, of one schema for the exporter and for the recognizer. Shares such as UAR are in [0, 1].

A file is looked through before any runtime sees it, so that one which would make a runtime open other files is refused.
Nothing is ever unpickled.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from emotone.emotions import EMOTIONS
from emotone.errors import ModelFileError
from emotone.model_files.onnx_wire import (
    GRAPH,
    METADATA_PROPS,
    DamagedError,
    chunk,
    has_external_data,
    spans,
    string_entry,
)

SCHEMA = 2
"""Newest that is read. A file is written in the oldest that can say it: 1, or 2 where its `precision` is not fp32."""

METADATA_KEY = "emotone"
INPUTS = ("waveform", "lengths")
OUTPUTS = ("probabilities", "embedding")
PRECISIONS = ("fp32", "fp16", "int8")
"""In which the network's weights may be stored; all is computed in float32, and the front end is stored so as well."""


@dataclass(frozen=True, slots=True)
class TrainingCorpus:
    """A corpus the model has seen.

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
        _check_types(self)


@dataclass(frozen=True, slots=True)
class Score:
    """One measured score, with all that makes it worth something.

    Attributes:
        corpus: whose recordings were scored.
        protocol: who was tested when, such as "5 folds by speaker".
        n: number of utterances.
        uar: unweighted average recall, in [0, 1].
        uar_low: lower end of its 95 % interval.
        uar_high: upper end of its 95 % interval.
        accuracy: share of utterances right, in [0, 1].
        fold_hash: of the folds, empty where there are none.
        speaker_independent: False where a speaker is in training and in test.
        note: what a reader must know besides.
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
        _check_types(self)
        _require(self.n > 0, f"a score over n = {self.n} utterances; expected at least one")
        for name in ("uar", "uar_low", "uar_high", "accuracy"):
            value = getattr(self, name)
            _require(0.0 <= value <= 1.0, f"{name} = {value} in a score on {self.corpus}; expected a share in [0, 1]")


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What a model file says of itself.

    Attributes:
        name: of the model, such as "default".
        labels: of the emotion vocabulary, in the order of the outputs.
        sample_rate: that the graph expects, in Hz.
        window_s: the longest stretch to give it at once, in seconds.
        min_samples: the shortest waveform that it can judge, in samples.
        embedding_dim: size of the second output.
        temperature: that the logits are divided by, inside the graph; 1 if not calibrated.
        unsure_threshold: a highest probability below this is called unsure.
        recipe: all settings it was trained with.
        corpora: all it has seen, with their licences.
        scores: measured, speaker-independent or saying that they are not.
        licence: of the model itself.
        weights_sha: SHA-256 of the weights it was exported from, in hex.
        emotone_version: that exported it.
        created: date of the export, ISO 8601.
        precision: in which the network's weights are stored, one of `PRECISIONS`.
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

    def __post_init__(self) -> None:
        _check_types(self)
        _require(len(self.labels) >= 2, f"{len(self.labels)} labels; expected at least two")
        _require(len(set(self.labels)) == len(self.labels), f"a label stands twice in {', '.join(self.labels)}")
        unknown = [label for label in self.labels if label not in EMOTIONS]
        _require(not unknown, f"labels {unknown} are not of the emotion vocabulary")
        _require(4_000 <= self.sample_rate <= 192_000, f"sample_rate = {self.sample_rate}; expected 4 kHz to 192 kHz")
        _require(self.min_samples >= 1, f"min_samples = {self.min_samples}; expected at least 1")
        _require(
            round(self.window_s * self.sample_rate) >= self.min_samples,
            f"window_s = {self.window_s} is shorter than min_samples = {self.min_samples}",
        )
        _require(self.embedding_dim >= 1, f"embedding_dim = {self.embedding_dim}; expected at least 1")
        _require(self.temperature > 0.0, f"temperature = {self.temperature}; expected a positive number")
        _require(0.0 <= self.unsure_threshold <= 1.0, f"unsure_threshold = {self.unsure_threshold}; expected [0, 1]")
        _require(
            self.precision in PRECISIONS, f"precision = {self.precision!r}; expected one of {', '.join(PRECISIONS)}"
        )

    @property
    def window_samples(self) -> int:
        """The longest stretch to give the model at once, in samples."""
        return round(self.window_s * self.sample_rate)

    def to_json(self) -> str:
        """The JSON text that stands in the model file."""
        content = {"schema": SCHEMA, **dataclasses.asdict(self)}
        if self.precision == PRECISIONS[0]:
            content["schema"] = 1
            del content["precision"]
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
            raise ModelFileError(f"the model's metadata is damaged: it is no JSON ({error})") from error
        if not isinstance(content, dict) or not isinstance(content.get("schema"), int):
            raise ModelFileError("the model's metadata is not ours: it names no schema")
        schema = content.pop("schema")
        if schema > SCHEMA:
            raise ModelFileError(
                f"the model file has schema {schema}, this emotone reads up to {SCHEMA}; upgrade emotone to use it"
            )
        _require(schema >= 1, f"schema = {schema}; expected 1 to {SCHEMA}")
        for name, build in (("corpora", partial(_build, TrainingCorpus)), ("scores", partial(_build, Score))):
            entries = content.get(name, [])
            _require(isinstance(entries, list), f"{name} is no list")
            content[name] = tuple(build(entry) for entry in entries)
        return _build(cls, content)


def read_model_file(path: str | Path) -> tuple[bytes, ModelMetadata]:
    """The bytes of a model file, checked, and what it says of itself.

    Raises:
        ModelFileError: no such file, no model file of ours, damaged, or one that needs other files beside it.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"cannot read the model file {path}: {error.strerror or error}; expected a file made by `emotone export`"
        ) from error
    try:
        return content, read_metadata(content)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def read_metadata(content: bytes) -> ModelMetadata:
    """What a model says of itself, from the bytes of its ONNX file.

    Raises:
        ModelFileError: not one of ours, damaged, of a newer schema, or not in one piece.
    """
    try:
        fields = list(spans(content))
        entries = dict(string_entry(one.value) for one in fields if one.number == METADATA_PROPS)
        has_graph = any(one.number == GRAPH for one in fields)
        outside = has_external_data(content)
    except DamagedError as error:
        raise ModelFileError("no ONNX file, or a damaged one; expected a file made by `emotone export`") from error
    if outside:
        raise ModelFileError("the model keeps weights in other files; a model file of ours is in one piece")
    if not has_graph or METADATA_KEY not in entries:
        raise ModelFileError(
            f"no model file of ours: no metadata under {METADATA_KEY!r}; expected a file made by `emotone export`"
        )
    return ModelMetadata.from_json(entries[METADATA_KEY])


def with_metadata(content: bytes, metadata: ModelMetadata) -> bytes:
    """The ONNX file with `metadata` in it, in the place of any that stood there.

    Args:
        content: the bytes of an ONNX file.
        metadata: what it shall say of itself.
    Raises:
        ModelFileError: `content` is no ONNX file.
    """
    kept = bytearray()
    try:
        for one in spans(content):
            if one.number == METADATA_PROPS and string_entry(one.value)[0] == METADATA_KEY:
                continue
            kept += content[one.start : one.end]
    except DamagedError as error:
        raise ModelFileError("metadata can only be put into an ONNX file; these bytes are none") from error
    entry = chunk(1, METADATA_KEY.encode()) + chunk(2, metadata.to_json().encode())
    return bytes(kept) + chunk(METADATA_PROPS, entry)


_Entry = TypeVar("_Entry", ModelMetadata, TrainingCorpus, Score)


def _build(kind: type[_Entry], content: Any) -> _Entry:
    _require(isinstance(content, dict), f"an entry of {kind.__name__} is no JSON object")
    known = {one.name: one for one in dataclasses.fields(kind)}
    unknown = sorted(set(content) - set(known))
    _require(not unknown, f"unknown keys {unknown} in {kind.__name__}; expected {', '.join(known)}")
    missing = [
        name
        for name, one in known.items()
        if name not in content and one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    ]
    _require(not missing, f"keys {missing} are missing in {kind.__name__}")
    for name in ("labels", "held_out"):
        if isinstance(content.get(name), list):
            content = {**content, name: tuple(content[name])}
    return kind(**content)


_KINDS: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "Mapping[str, Any]": Mapping,
}


def _check_types(entry: Any) -> None:
    for one in dataclasses.fields(entry):
        value = getattr(entry, one.name)
        kind = str(one.type)
        if kind.startswith("tuple["):
            inner = kind.removeprefix("tuple[").removesuffix(", ...]")
            wanted = {"str": str, "TrainingCorpus": TrainingCorpus, "Score": Score}[inner]
            fits = isinstance(value, tuple) and all(isinstance(part, wanted) for part in value)
        else:
            fits = isinstance(value, _KINDS[kind]) and (kind == "bool" or not isinstance(value, bool))
        _require(fits, f"{one.name} = {value!r}; expected {kind}")
        _require(
            not isinstance(value, float) or math.isfinite(value), f"{one.name} = {value}; expected a finite number"
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


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ModelFileError(f"model metadata: {message}")
