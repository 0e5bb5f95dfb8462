"""A model file in fewer bits is the same model: smaller, computed in float32, and judged like any other."""

from __future__ import annotations

import collections
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from emotone.audio import load_audio
from emotone.errors import MissingExtraError, ModelFileError
from emotone.listening.recognizer import Recognizer
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import read_metadata, read_model_file, with_metadata
from emotone.model_files.precision import NETWORK, with_precision

LOSS = {"fp16": 1e-3, "int8": 0.03}
"""Largest change of a probability over the bundled clips that is let pass here; 2e-4 and 8e-3 were seen."""


@pytest.fixture(scope="module")
def float_file(small_model: Path) -> bytes:
    return small_model.read_bytes()


@pytest.fixture(scope="module", params=["fp16", "int8"])
def small_file(request: pytest.FixtureRequest, float_file: bytes) -> bytes:
    return with_precision(float_file, request.param)


@pytest.fixture(scope="module")
def clips(clips_dir: Path) -> list[np.ndarray]:
    paths = sorted([*clips_dir.glob("*/*.opus"), *clips_dir.glob("*/*.flac")])
    return [load_audio(path) for path in paths]


def loaded(content: bytes) -> Recognizer:
    return Recognizer(content, read_metadata(content))


def weights(content: bytes) -> dict[str, np.ndarray]:
    model = onnx.load_from_string(content)
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


def test_the_file_is_smaller_valid_and_in_one_piece(small_file: bytes, float_file: bytes) -> None:
    assert len(small_file) < {"fp16": 0.75, "int8": 0.6}[read_metadata(small_file).precision] * len(float_file)
    onnx.checker.check_model(onnx.load_from_string(small_file), full_check=True)


def test_it_judges_as_before_within_a_little(small_file: bytes, float_file: bytes, clips: list[np.ndarray]) -> None:
    before, after = (loaded(content).probabilities(clips) for content in (float_file, small_file))
    np.testing.assert_allclose(after.sum(1), 1, rtol=1e-5)
    change = np.abs(after - before).max()
    assert 0 < change < LOSS[read_metadata(small_file).precision]


def test_an_utterance_scores_the_same_alone_and_in_a_batch(small_file: bytes, clips: list[np.ndarray]) -> None:
    recognizer = loaded(small_file)
    together = recognizer.probabilities([*clips, np.concatenate(clips[:3])])[: len(clips)]
    alone = np.concatenate([recognizer.probabilities([clip]) for clip in clips])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)


def test_only_the_networks_weights_are_stored_small(small_file: bytes, float_file: bytes) -> None:
    before, after = weights(float_file), weights(small_file)
    for name, values in before.items():
        if name.startswith(NETWORK) and values.ndim >= 2:
            assert name not in after
        else:
            np.testing.assert_array_equal(after[name], values)
    front_end = [name for name in before if name.startswith("network.front_end")]
    assert len(front_end) >= 2
    assert all(after[name].dtype == np.float32 for name in front_end)


def test_a_weight_is_off_by_half_a_step_at_most(float_file: bytes) -> None:
    before, after = weights(float_file), weights(with_precision(float_file, "int8"))
    for name in before:
        if name + ".int8" in after:
            stored, scale = after[name + ".int8"], after[name + ".scale"]
            assert stored.dtype == np.int8
            assert np.abs(stored).max() == 127
            assert (np.abs(stored * scale - before[name]) <= 0.5001 * scale).all()


def test_inputs_and_outputs_are_those_of_any_model_file(small_file: bytes, float_file: bytes) -> None:
    for part in ("input", "output"):
        before, after = (getattr(onnx.load_from_string(one).graph, part) for one in (float_file, small_file))
        assert [one.SerializeToString() for one in before] == [one.SerializeToString() for one in after]


def test_once_loaded_it_is_the_same_graph_so_that_it_costs_the_same(
    small_file: bytes, float_file: bytes, tmp_path: Path
) -> None:
    counts = []
    for content in (float_file, small_file):
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
        options.log_severity_level = 3
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        graph = onnx.load(tmp_path / "optimised.onnx").graph
        counts.append(collections.Counter(node.op_type for node in graph.node))
    assert counts[0] == counts[1]


def test_what_it_says_of_itself_is_kept_and_the_precision_said(small_file: bytes, float_file: bytes) -> None:
    before, after = read_metadata(float_file), read_metadata(small_file)
    assert before.precision == "fp32"
    assert after.precision in ("fp16", "int8")
    assert replace(after, precision="fp32", scores=before.scores) == before
    assert len(after.scores) == len(before.scores) > 0
    for one, other in zip(before.scores, after.scores, strict=True):
        assert other.note.endswith(f"measured before the weights were stored as {after.precision}")
        assert replace(other, note=one.note) == one


def test_what_is_small_already_is_not_converted_again(small_file: bytes) -> None:
    with pytest.raises(ModelFileError, match="already"):
        with_precision(small_file, "int8")


def test_a_precision_that_is_none_is_refused(float_file: bytes) -> None:
    for name in ("fp32", "int4", ""):
        with pytest.raises(ValueError, match="fp16, int8"):
            with_precision(float_file, name)


def test_a_graph_without_our_network_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ModelFileError, match="emotone export"):
        with_precision(tiny_model.read_bytes(), "fp16")
    with pytest.raises(ModelFileError, match="not an ONNX file"):
        with_precision(b"not a model", "fp16")


@pytest.mark.parametrize(("value", "says"), [(1e5, "more than fp16 can hold"), (np.nan, "finite")])
def test_weights_that_do_not_fit_are_refused(
    value: float, says: str, tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata
) -> None:
    model = renamed(tiny_graph, np.array([[value, 0, 0, 0]], np.float32))
    with pytest.raises(ModelFileError, match=says):
        with_precision(with_metadata(model.SerializeToString(), tiny_metadata), "fp16")


def test_weights_that_are_all_zero_stay_zero(tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata) -> None:
    content = with_metadata(renamed(tiny_graph, np.zeros((1, 4), np.float32)).SerializeToString(), tiny_metadata)
    sound = [np.ones(1000, np.float32)]
    for precision in LOSS:
        small = with_precision(content, precision)
        np.testing.assert_array_equal(loaded(small).probabilities(sound), loaded(content).probabilities(sound))


def test_without_the_extra_it_is_named(float_file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"emotone\[convert\]"):
        with_precision(float_file, "fp16")


def test_a_small_file_is_written_in_the_newer_schema_and_any_other_in_the_older(
    small_file: bytes, float_file: bytes, tiny_metadata: ModelMetadata
) -> None:
    small = read_metadata(small_file)
    # The shipped small model has class sets, which are of schema 3 in any precision.
    assert small.schema == read_metadata(float_file).schema == 3
    text = replace(tiny_metadata, precision=small.precision).to_json()
    assert '"schema": 2' in text
    assert f'"precision": "{small.precision}"' in text
    text = tiny_metadata.to_json()
    assert '"schema": 1' in text
    assert "precision" not in text
    with pytest.raises(ModelFileError, match="precision = 'int4'"):
        replace(tiny_metadata, precision="int4")


def renamed(graph: onnx.ModelProto, weight: np.ndarray) -> onnx.ModelProto:
    """The tiny graph with a weight that bears a name of the network's."""
    model = onnx.ModelProto()
    model.CopyFrom(graph)
    kept = [one for one in model.graph.initializer if one.name != "weight"]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, numpy_helper.from_array(weight, NETWORK + "weight")])
    for node in model.graph.node:
        node.input[:] = [NETWORK + "weight" if name == "weight" else name for name in node.input]
    return model


def test_the_shipped_file_of_the_older_schema_is_read(small_model: Path) -> None:
    assert read_model_file(small_model)[1].precision == "fp32"
