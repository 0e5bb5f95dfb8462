"""The same model in a smaller file: the network's weights stored as 16-bit floats or as 8-bit integers.

Conventions: nodes of the graph convert the weights to float32, which a runtime does once, when it loads the file. So
every computation is float32, the front end keeps its weights, inputs and outputs are those of any model file, and an
utterance scores the same alone and in a batch.

Arithmetic in 16 or 8 bits is not offered. It was measured (EXPERIMENTS.md, 2026-11-25): activations are rounded in
steps, and the last digit of float32, which the padding of a batch may change, decides to which side a value is rounded.
In 8 bits probabilities changed by hundredths with the other utterances of the batch; 1e-5 is the limit here.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emotone.errors import MissingExtraError, ModelFileError, OptionError
from emotone.model_files.metadata import PRECISIONS
from emotone.model_files.model_file import read_metadata, with_metadata

if TYPE_CHECKING:
    import onnx

NETWORK = "network.network."
"""Prefix of the names of the network's weights in a file of `emotone export`; the front end's have another."""

ENCODER = "encoder."
"""Prefix of the names of a pretrained encoder's weights."""

FINE_TUNED = "network.front_end.last_blocks."
"""Prefix of the names of those of its weights that were learnt further."""

CONSTANTS = "weights."
"""Prefix of the names of the network's and the encoder's weights where the exporter transposed them."""

_IN_FULL = ("spectrogram", "filters", "unfamiliarity")
"""Parts of the names of weights that stay float32: not learnt, or a comparison depends on their last digits.

Files made before 2026-11-28 have the weights of `unfamiliar` among the network's; since then they are named as an edit.
"""

_LARGEST_HALF = float(np.finfo(np.float16).max)


def with_precision(content: bytes, precision: str) -> bytes:
    """A model file with its network's weights stored in fewer bits.

    Args:
        content: the bytes of a model file whose weights are float32.
        precision: "fp16" for 16-bit floats; "int8" for integers with one scale per output channel.
    Returns:
        the bytes of a model file. Its metadata has the precision, and a note that the scores were measured before.
    Raises:
        OptionError: no such precision.
        ModelFileError: not a model file of ours, not of float32, without weights that could be made smaller, or with
            weights that 16 bits cannot hold.
        MissingExtraError: the extra `convert` is not installed.
    """
    if precision not in PRECISIONS[1:]:
        raise OptionError(f"precision = {precision!r}; expected one of {', '.join(PRECISIONS[1:])}")
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(f"a model file of precision {precision}", "convert") from error
    metadata = read_metadata(content)
    if metadata.precision != PRECISIONS[0]:
        raise ModelFileError(
            f"the model {metadata.name} is {metadata.precision} already; convert a {PRECISIONS[0]} file instead"
        )
    model = onnx.load_from_string(content)
    weights = [one for one in model.graph.initializer if _is_weight(one)]
    if not weights:
        raise ModelFileError(
            f"the graph has no float32 weights named {NETWORK}…; expected a file made by `emotone export`"
        )
    widening: list[onnx.NodeProto] = []
    for weight in weights:
        stored, nodes = (_as_half if precision == "fp16" else _as_bytes)(weight)
        model.graph.initializer.remove(weight)
        model.graph.initializer.extend(stored)
        widening += nodes
    used = [*widening, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(used)
    onnx.checker.check_model(model)
    note = f"measured before the weights were stored as {precision}"
    scores = tuple(
        dataclasses.replace(score, note=f"{score.note}; {note}" if score.note else note) for score in metadata.scores
    )
    return with_metadata(
        model.SerializeToString(deterministic=True),
        dataclasses.replace(metadata, precision=precision, scores=scores),
    )


def _is_weight(tensor: onnx.TensorProto) -> bool:
    # Biases and the folded batch normalisation are vectors: a few kilobytes with a large effect.
    if any(part in tensor.name for part in _IN_FULL):
        return False
    return (
        tensor.name.startswith((NETWORK, ENCODER, FINE_TUNED, CONSTANTS))
        and len(tensor.dims) >= 2
        and tensor.data_type == tensor.FLOAT
    )


def _as_half(weight: onnx.TensorProto) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    from onnx import helper, numpy_helper

    values = _finite(weight)
    largest = float(np.abs(values).max())
    if largest > _LARGEST_HALF:
        raise ModelFileError(
            f"the weights {weight.name} reach {largest:.3g}, more than fp16 can hold ({_LARGEST_HALF:.0f}); choose int8"
        )
    half = f"{weight.name}.fp16"
    widen = helper.make_node("Cast", [half], [weight.name], to=weight.FLOAT, name=f"{weight.name}.widened")
    return [numpy_helper.from_array(values.astype(np.float16), half)], [widen]


def _as_bytes(weight: onnx.TensorProto) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    from onnx import helper, numpy_helper

    values = _finite(weight)
    scale = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True) / np.float32(127)
    scale[scale == 0] = 1
    whole, scales, floats = (f"{weight.name}.{part}" for part in ("int8", "scale", "float"))
    # Not DequantizeLinear: ONNX Runtime keeps that node for its integer kernels, runs it on every call and does not use
    # its fast convolutions, so that a clip took longer. A cast and a product are folded into one constant.
    nodes = [
        helper.make_node("Cast", [whole], [floats], to=weight.FLOAT, name=f"{weight.name}.widened"),
        helper.make_node("Mul", [floats, scales], [weight.name], name=f"{weight.name}.scaled"),
    ]
    stored = np.rint(values / scale).astype(np.int8)
    return [numpy_helper.from_array(stored, whole), numpy_helper.from_array(scale, scales)], nodes


def _finite(weight: onnx.TensorProto) -> npt.NDArray[np.float32]:
    from onnx import numpy_helper

    values: npt.NDArray[Any] = numpy_helper.to_array(weight)
    if not np.isfinite(values).all():
        raise ModelFileError(f"the weights {weight.name} are not all finite; the model file is damaged")
    return values
