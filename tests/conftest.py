"""Fixtures shared by all tests."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper

from emotone.emotions import FOUR_CLASSES
from emotone.model_files.metadata import ModelMetadata, Score, TrainingCorpus
from emotone.model_files.model_file import with_metadata

if TYPE_CHECKING:
    from emotone.listening.recognizer import Recognizer

_RATE = 16_000

# The speed of a machine is not a property of the code; tests that hang end by `timeout` in pyproject.toml.
settings.register_profile("emotone", deadline=None)
settings.load_profile("emotone")

# A shell starts background jobs with Ctrl-C ignored, and children inherit that; the tests of Ctrl-C need it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def corpora_dir() -> Path:
    """The folder of real corpora beside the checkout; tests that need it skip where it is absent."""
    folder = REPO.parent / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip("no corpora folder beside the checkout: tests on whole corpora are skipped")
    return folder


@pytest.fixture(scope="session")
def clips_dir() -> Path:
    """The bundled real clips."""
    return REPO / "src" / "emotone" / "clips"


@pytest.fixture(scope="session")
def tiny_metadata() -> ModelMetadata:
    """What the tiny model says of itself."""
    return ModelMetadata(
        name="tiny",
        labels=FOUR_CLASSES,
        sample_rate=16_000,
        window_s=2.0,
        min_samples=400,
        embedding_dim=2,
        temperature=1.0,
        unsure_threshold=0.4,
        recipe={"train": {"seed": 1}},
        corpora=(TrainingCorpus("made-up", "CC0-1.0", "training"),),
        scores=(Score("made-up", "5 folds by speaker", 10, 0.5, 0.3, 0.7, 0.6, "abc123", True),),
        licence="MIT",
    )


@pytest.fixture(scope="session")
def tiny_graph() -> onnx.ModelProto:
    """A real graph of our shape: the mean power up to each length, its logarithm, four linear logits, softmax."""

    def constant(name: str, value: object, kind: type) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(value, dtype=kind), name)

    nodes = [
        helper.make_node("Shape", ["waveform"], ["n_samples"], start=1, end=2),
        helper.make_node("Squeeze", ["n_samples"], ["width"]),
        helper.make_node("Range", ["zero", "width", "one"], ["positions"]),
        helper.make_node("Unsqueeze", ["lengths", "last"], ["column"]),
        helper.make_node("Less", ["positions", "column"], ["inside"]),
        helper.make_node("Where", ["inside", "waveform", "silence"], ["masked"]),
        helper.make_node("ReduceSumSquare", ["masked"], ["energy"], axes=[1], keepdims=1),
        helper.make_node("Cast", ["column"], ["divisor"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["energy", "divisor"], ["power"]),
        helper.make_node("Add", ["power", "floor"], ["floored"]),
        helper.make_node("Log", ["floored"], ["log_power"]),
        helper.make_node("MatMul", ["log_power", "weight"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("Concat", ["power", "log_power"], ["embedding"], axis=1),
    ]
    initializers = [
        constant("zero", 0, np.int64),
        constant("one", 1, np.int64),
        constant("last", [1], np.int64),
        constant("silence", 0.0, np.float32),
        constant("floor", 1e-9, np.float32),
        constant("weight", [[-0.5, 0.1, -0.2, 0.6]], np.float32),
        constant("bias", [-2.0, 1.0, 0.0, 3.0], np.float32),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "n_samples"]),
            helper.make_tensor_value_info("lengths", TensorProto.INT64, ["batch"]),
        ],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 4]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 2]),
        ],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="session")
def tiny_model(
    tmp_path_factory: pytest.TempPathFactory, tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata
) -> Path:
    """A small model file, so that tests need no shipped one."""
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(with_metadata(tiny_graph.SerializeToString(), tiny_metadata))
    return path


@pytest.fixture(scope="session")
def shipped_model() -> Path:
    """The shipped model file; tests that need it skip while there is none."""
    path = REPO / "src" / "emotone" / "weights" / "default.onnx"
    if not path.is_file():
        pytest.skip("no shipped model yet: src/emotone/weights/default.onnx is absent")
    return path


@pytest.fixture(scope="session")
def small_model() -> Path:
    """The shipped model without an encoder, whose weights are float32."""
    return REPO / "src" / "emotone" / "weights" / "small.onnx"


pytest_plugins = ("voices",)


@pytest.fixture(scope="session")
def tiny_recognizer(tiny_model: Path) -> Recognizer:
    """The tiny model, loaded."""
    from emotone.listening.loading import load

    return load(tiny_model)


@pytest.fixture(scope="session")
def spoken_clips(clips_dir: Path) -> list[np.ndarray]:
    """The bundled clips at 16 kHz."""
    from emotone.audio import load_audio

    return [load_audio(path) for path in sorted([*clips_dir.glob("*/*.opus"), *clips_dir.glob("*/*.flac")])]


@pytest.fixture(scope="session")
def conversation(spoken_clips: list[np.ndarray]) -> np.ndarray:
    """A minute and a half: real voices, loud and soft, with pauses of faint noise, long ones too."""
    generator = np.random.default_rng(0)
    parts = []
    n_samples = 0
    while n_samples < 90 * _RATE:
        clip = spoken_clips[generator.integers(len(spoken_clips))] * generator.uniform(0.2, 1.2)
        pause = 2e-4 * generator.standard_normal(int(generator.uniform(0.1, 6.0) * _RATE))
        parts += [clip, pause]
        n_samples += len(clip) + len(pause)
    return np.concatenate(parts).astype(np.float32)[: 90 * _RATE + 123]
