"""A model that was trained without a speaker's baseline, given one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import emotone
from emotone.adaptation.baseline import give_baseline
from emotone.errors import ModelFileError, OptionError
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import read_metadata, with_metadata
from voices import voice

RATE = 16_000
WEIGHT = np.array([[0.5, -1.0], [2.0, 0.25], [-0.5, 1.5], [0.0, 0.75]], dtype=np.float32)
"""Of the classifier, (n_classes, embedding_dim)."""


def model_of(tiny_graph: onnx.ModelProto, metadata: ModelMetadata, *, transposed: bool = True) -> bytes:
    """The tiny model with one linear layer on its embedding, as an export has it, and a temperature of 2."""
    model = onnx.ModelProto()
    model.CopyFrom(tiny_graph)
    kept = [node for node in model.graph.node if not {"scaled", "logits", "probabilities"} & set(node.output)]
    del model.graph.node[:]
    model.graph.node.extend(
        [
            *kept,
            helper.make_node("Gemm", ["embedding", "classify", "bias"], ["logits"], transB=int(transposed)),
            helper.make_node("Div", ["logits", "temperature"], ["calibrated"]),
            helper.make_node("Softmax", ["calibrated"], ["probabilities"], axis=1),
        ]
    )
    weight = WEIGHT if transposed else np.ascontiguousarray(WEIGHT.T)
    model.graph.initializer.append(numpy_helper.from_array(weight, "classify"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(2.0, dtype=np.float32), "temperature"))
    return with_metadata(model.SerializeToString(), replace(metadata, embedding_dim=2, temperature=2.0))


@pytest.mark.parametrize("transposed", [True, False])
def test_a_share_of_the_difference_is_taken_from_the_embedding(
    tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata, transposed: bool, tmp_path: Path
) -> None:
    content = model_of(tiny_graph, tiny_metadata, transposed=transposed)
    neutral = np.array([[0.5, -1.0], [0.7, -3.0]], dtype=np.float32)
    changed, metadata = give_baseline(content, read_metadata(content), neutral, 0.25)
    assert metadata.baseline
    assert metadata == read_metadata(changed)
    for name, one in (("before", content), ("after", changed)):
        (tmp_path / f"{name}.onnx").write_bytes(one)
    before, after = (emotone.load(tmp_path / f"{name}.onnx") for name in ("before", "after"))
    sound = voice("anger", 1, 0)
    alone = before(sound, RATE)
    found = after(sound, RATE)
    np.testing.assert_allclose(list(found.probabilities.values()), list(alone.probabilities.values()), atol=1e-6)
    np.testing.assert_array_equal(found.embedding, alone.embedding)

    usual = np.array([-0.5, 1.0], dtype=np.float32)
    bias = next(numpy_helper.to_array(one) for one in tiny_graph.graph.initializer if one.name == "bias")
    logits = (WEIGHT @ (alone.embedding - 0.25 * (usual - neutral.mean(0))) + bias) / 2.0
    relative = after(sound, RATE, baseline=usual)
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(list(relative.probabilities.values()), expected, atol=1e-5)
    np.testing.assert_array_equal(relative.embedding, alone.embedding)


def test_a_speaker_like_those_of_the_training_gets_the_same_answer(
    tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata, tmp_path: Path
) -> None:
    content = model_of(tiny_graph, tiny_metadata)
    neutral = np.array([[0.5, -1.0], [0.7, -3.0]], dtype=np.float32)
    (tmp_path / "m.onnx").write_bytes(give_baseline(content, read_metadata(content), neutral, 0.5)[0])
    recognizer = emotone.load(tmp_path / "m.onnx")
    sound = voice("sadness", 0, 0)
    alone, like = recognizer(sound, RATE), recognizer(sound, RATE, baseline=neutral.mean(0))
    np.testing.assert_allclose(list(like.probabilities.values()), list(alone.probabilities.values()), atol=1e-6)


def test_what_cannot_have_a_baseline_is_refused(
    tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata, tiny_model: Path
) -> None:
    neutral = np.ones((1, 2), dtype=np.float32)
    content = model_of(tiny_graph, tiny_metadata)
    metadata = read_metadata(content)
    with pytest.raises(OptionError, match=r"share of 1\.5 for the baseline; expected more than 0 and at most 1"):
        give_baseline(content, metadata, neutral, 1.5)
    with pytest.raises(OptionError, match="no neutral speech"):
        give_baseline(content, metadata, neutral[:0], 0.5)
    with pytest.raises(ModelFileError, match="not one linear layer on its embedding of 3"):
        give_baseline(content, metadata, np.ones((1, 3), dtype=np.float32), 0.5)
    with pytest.raises(ModelFileError, match="not one linear layer"):
        give_baseline(tiny_model.read_bytes(), read_metadata(tiny_model.read_bytes()), neutral, 0.5)
    twice, again = give_baseline(content, metadata, neutral, 0.5)
    with pytest.raises(ModelFileError, match="an input 'baseline' already"):
        give_baseline(twice, again, neutral, 0.5)


def test_weights_in_fewer_bits_are_refused(tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata) -> None:
    model = onnx.load_from_string(model_of(tiny_graph, tiny_metadata))
    weight = next(one for one in model.graph.initializer if one.name == "classify")
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), "halves"))
    model.graph.node.insert(0, helper.make_node("Cast", ["halves"], ["classify"], to=TensorProto.FLOAT))
    content = model.SerializeToString()
    with pytest.raises(ModelFileError, match="with float32 weights"):
        give_baseline(content, read_metadata(content), np.ones((1, 2), dtype=np.float32), 0.5)
