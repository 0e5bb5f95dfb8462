"""A small graph of the whole contract: it takes a baseline and says how unfamiliar a waveform is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from emotone.model_files.metadata import ClassSet, ModelMetadata
from emotone.model_files.model_file import with_metadata

LABELS = ("neutral", "happiness", "sadness", "anger")
FITTED = ("neutral", "anger")


def relative_graph(tiny_graph: onnx.ModelProto) -> onnx.ModelProto:
    """The tiny graph; with a baseline, its logits depend on the log power less the baseline's.

    `unfamiliar` is the clipped log power / -10: quiet sound is unfamiliar.
    """
    graph = onnx.ModelProto()
    graph.CopyFrom(tiny_graph)
    body = graph.graph
    position = next(i for i, node in enumerate(body.node) if list(node.output) == ["scaled"])
    body.node[position].input[0] = "relative"
    extra = [
        helper.make_node("Gather", ["baseline", "second"], ["own"], axis=1),
        helper.make_node("Sub", ["log_power", "own"], ["relative"]),
    ]
    for node in reversed(extra):
        body.node.insert(position, node)
    body.node.extend(
        [
            helper.make_node("Div", ["log_power", "tenth"], ["scaled_power"]),
            helper.make_node("Clip", ["scaled_power", "nought", "unit"], ["clipped"]),
            helper.make_node("Squeeze", ["clipped", "column_axis"], ["unfamiliar"]),
        ]
    )
    body.initializer.extend(
        [
            numpy_helper.from_array(np.array([1], np.int64), "second"),
            numpy_helper.from_array(np.array(-10.0, np.float32), "tenth"),
            numpy_helper.from_array(np.array(0.0, np.float32), "nought"),
            numpy_helper.from_array(np.array(1.0, np.float32), "unit"),
            numpy_helper.from_array(np.array([1], np.int64), "column_axis"),
        ]
    )
    body.input.append(helper.make_tensor_value_info("baseline", TensorProto.FLOAT, ["batch", 2]))
    body.output.append(helper.make_tensor_value_info("unfamiliar", TensorProto.FLOAT, ["batch"]))
    return graph


def relative_model(tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata, **changes: object) -> bytes:
    """The bytes of a model file with a baseline, an `unfamiliar` and a class set of its own temperature."""
    metadata = replace(
        tiny_metadata, name="relative", temperature=2.0, baseline=True, class_sets=(ClassSet(FITTED, 4.0),), **changes
    )
    return with_metadata(relative_graph(tiny_graph).SerializeToString(), metadata)
