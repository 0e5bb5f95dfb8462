"""Edits of a model file's graph: a constant added to the logits, a new linear head, a speaker's baseline, `unfamiliar`.

Conventions: the edited graph has the inputs and outputs of any model file. Its nodes are kept under other
names. New nodes use operators that are the same in every opset from 13 on, and process each row by itself, so an
utterance scores the same alone and in a batch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emotone.errors import MissingExtraError, ModelFileError
from emotone.extras import require_library

if TYPE_CHECKING:
    import onnx

FLOOR = 1e-9
"""Lower limit of probabilities before their logarithm is taken."""

Floats = NDArray[np.float64]


def require_onnx() -> None:
    """Check, before any recording is read, that graphs can be edited.

    Raises:
        MissingExtraError: the extra `adapt` is not installed.
    """
    require_library("onnx", "adapting a model", "adapt")


def with_logit_shift(content: bytes, shift: Floats) -> bytes:
    """The graph with a constant added to the logits: probabilities = softmax(log(probabilities before) + shift).

    Where the graph takes a speaker's baseline, the shift applies to rows without one: a baseline already corrects for
    the speaker.

    Args:
        content: the bytes of a model file.
        shift: shape (n_classes,).
    Raises:
        ModelFileError: the graph has no output `probabilities`.
        MissingExtraError: the extra `adapt` is not installed.
    """
    edit = _Edit(content)
    logs = edit.logarithm(edit.detach_output("probabilities"))
    added = edit.constant("shift", shift[None])
    if any(one.name == "baseline" for one in edit.graph.input):
        absent = edit.node("Sub", edit.constant("one", np.ones(1)), edit.has_baseline())
        added = edit.node("MatMul", absent, added)
    edit.node("Softmax", edit.node("Add", logs, added), output="probabilities", axis=-1)
    return edit.finish()


def with_linear_head(content: bytes, from_embedding: Floats, from_logarithms: Floats, bias: Floats) -> bytes:
    """The graph with another classifier: softmax(embedding @ A + log(probabilities before) @ B + bias).

    A graph that takes a speaker's baseline loses that input: the new classifier has not learnt to use one.

    Args:
        content: the bytes of a model file.
        from_embedding: A, shape (embedding_dim, n_new_classes).
        from_logarithms: B, shape (n_classes, n_new_classes).
        bias: shape (n_new_classes,).
    Raises:
        ModelFileError: the graph has no output `probabilities` or `embedding`.
        MissingExtraError: the extra `adapt` is not installed.
    """
    edit = _Edit(content)
    edit.remove_baseline()
    logits = edit.node("MatMul", "embedding", edit.constant("embedding_weight", from_embedding))
    before = edit.detach_output("probabilities", n_classes=len(bias))
    if np.any(from_logarithms):
        weight = edit.constant("logarithm_weight", from_logarithms)
        logits = edit.node("Add", logits, edit.node("MatMul", edit.logarithm(before), weight))
    logits = edit.node("Add", logits, edit.constant("bias", bias[None]))
    edit.node("Softmax", logits, output="probabilities", axis=-1)
    return edit.finish()


def with_baseline(content: bytes, neutral: Floats, share: float, temperature: float) -> bytes:
    """The graph with an input `baseline`: share * (baseline - neutral) is subtracted from the embedding of a row.

    Only the classifier sees the difference; the output `embedding` stays as it was. A row of zeros has no baseline, and
    gets the probabilities of the graph before.

    Args:
        content: the bytes of a model file without one, whose classifier is one linear layer on its embedding.
        neutral: shape (embedding_dim,), the mean embedding of neutral speech of the training speakers.
        share: in [0, 1].
        temperature: that the graph divides its logits by.
    Raises:
        ModelFileError: the graph takes a baseline already, or its classifier is another.
        MissingExtraError: the extra `adapt` is not installed.
    """
    edit = _Edit(content)
    weight = edit.weight_of_classifier(len(neutral))
    edit.add_input("baseline", len(neutral))
    logs = edit.logarithm(edit.detach_output("probabilities"))
    away = edit.node("Sub", "baseline", edit.constant("neutral", neutral[None]))
    moved = edit.node("MatMul", away, edit.constant("shift_weight", weight * (share / temperature)))
    moved = edit.node("Mul", moved, edit.has_baseline())
    edit.node("Softmax", edit.node("Sub", logs, moved), output="probabilities", axis=-1)
    return edit.finish()


def with_unfamiliarity(content: bytes, centre: Floats, projection: Floats, references: Floats) -> bytes:
    """The graph with an output `unfamiliar`: the share of reference distances below that of a row's embedding.

    Args:
        content: the bytes of a model file without it.
        centre: of the training embeddings, shape (embedding_dim,).
        projection: that whitens them, shape (embedding_dim, n_components).
        references: distances of speech that the model was not trained on, shape (n,).
    Raises:
        ModelFileError: the graph has the output already.
        MissingExtraError: the extra `adapt` is not installed.
    """
    edit = _Edit(content)
    away = edit.node("Sub", "embedding", edit.constant("centre", centre[None]))
    components = edit.node("MatMul", away, edit.constant("projection", projection))
    # Sums by a product: ReduceMean takes its axes in another way from opset 18 on.
    shares = edit.constant("component_shares", np.full((projection.shape[1], 1), 1 / projection.shape[1]))
    distance = edit.node("Sqrt", edit.node("MatMul", edit.node("Mul", components, components), shares))
    farther = edit.node("Greater", distance, edit.constant("references", references[None]))
    shares = edit.constant("reference_shares", np.full(len(references), 1 / len(references)))
    edit.add_output("unfamiliar", edit.node("MatMul", edit.node("Cast", farther, to=_FLOAT), shares))
    return edit.finish()


_FLOAT = 1  # TensorProto.FLOAT


class _Edit:
    """A graph being edited; every new name gets a prefix that the graph does not have yet."""

    def __init__(self, content: bytes) -> None:
        try:
            import onnx
        except ImportError as error:
            raise MissingExtraError("adapting a model", "adapt") from error
        self.model: Any = onnx.load_from_string(content)
        self.graph: onnx.GraphProto = self.model.graph
        if min(one.version for one in self.model.opset_import if one.domain in ("", "ai.onnx")) < 13:
            raise ModelFileError("the graph uses an ONNX opset below 13; expected a file made by `emotone export`")
        taken = {name for node in self.graph.node for name in (*node.input, *node.output, node.name)}
        self.prefix = next(p for p in _prefixes() if not any(name.startswith(p) for name in taken))

    def constant(self, name: str, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        full = self.prefix + name
        kind = values.dtype if np.issubdtype(values.dtype, np.integer) else np.dtype(np.float32)
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=kind), full))
        return full

    def node(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        name = f"{self.prefix}{kind.lower()}_{len(self.graph.node)}"
        self.graph.node.append(helper.make_node(kind, list(inputs), [output or name], name=name, **attributes))
        return output or name

    def logarithm(self, tensor: str) -> str:
        return self.node("Log", self.node("Max", tensor, self.constant("floor", np.array(FLOOR))))

    def detach_output(self, name: str, n_classes: int | None = None) -> str:
        """Give the tensor of an output another name, so that a new node can produce the output."""
        from onnx import TensorProto, helper

        if not any(name in node.output for node in self.graph.node):
            raise ModelFileError(f"no node of the graph computes {name!r}; expected a file made by `emotone export`")
        inner = f"{self.prefix}{name}_before"
        for node in self.graph.node:
            for names in (node.input, node.output):
                names[:] = [inner if one == name else one for one in names]
        self._drop(self.graph.value_info, name)
        if n_classes is not None:
            position = [one.name for one in self.graph.output].index(name)
            self.graph.output[position].CopyFrom(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n_classes])
            )
        return inner

    def add_input(self, name: str, width: int) -> None:
        """Another input of the graph, float32 of shape (batch, width).

        Raises:
            ModelFileError: the graph has it already.
        """
        from onnx import TensorProto, helper

        if any(one.name == name for one in self.graph.input):
            raise ModelFileError(f"the graph has an input {name!r} already")
        self.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width]))

    def add_output(self, name: str, tensor: str) -> None:
        """Another output of the graph, float32 of shape (batch,), which a tensor becomes.

        Raises:
            ModelFileError: the graph has it already.
        """
        from onnx import TensorProto, helper

        if any(one.name == name for one in self.graph.output):
            raise ModelFileError(f"the graph has an output {name!r} already")
        self.node("Identity", tensor, output=name)
        self.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"]))

    def has_baseline(self) -> str:
        """1 for rows with a baseline and 0 for those without, shape (batch, 1)."""
        size = self.width("baseline", self.graph.input)
        total = self.node("MatMul", self.node("Abs", "baseline"), self.constant("ones", np.ones((size, 1))))
        return self.node("Cast", self.node("Greater", total, self.constant("zero", np.zeros(1))), to=_FLOAT)

    def weight_of_classifier(self, embedding_dim: int) -> Floats:
        """The weights of the linear layer on the embedding, shape (embedding_dim, n_classes).

        Raises:
            ModelFileError: there is not exactly one, with float32 weights.
        """
        from onnx import helper, numpy_helper

        stored = {one.name: one for one in self.graph.initializer}
        layers = [node for node in self.graph.node if node.op_type == "Gemm" and node.input[0] == "embedding"]
        if len(layers) == 1 and layers[0].input[1] in stored:
            weight = numpy_helper.to_array(stored[layers[0].input[1]])
            turned = any(one.name == "transB" and helper.get_attribute_value(one) for one in layers[0].attribute)
            weight = weight.T if turned else weight
            if weight.shape[0] == embedding_dim and weight.dtype == np.float32:
                return np.asarray(weight, dtype=np.float64)
        raise ModelFileError(
            f"the classifier of this model is not one linear layer on its embedding of {embedding_dim}, with float32 "
            "weights; a baseline can only be added to such a model"
        )

    def remove_baseline(self) -> None:
        """Replace the input `baseline` by zeros, which mean that there is none."""
        if not any(one.name == "baseline" for one in self.graph.input):
            return
        size = self.width("baseline", self.graph.input)
        self._drop(self.graph.input, "baseline")
        before = list(self.graph.node)
        del self.graph.node[:]
        shape = self.node("Shape", "lengths")
        shape = self.node("Concat", shape, self.constant("baseline_width", np.array([size], dtype=np.int64)), axis=0)
        self.node("ConstantOfShape", shape, output="baseline")
        self.graph.node.extend(before)

    def width(self, name: str, values: Any) -> int:
        """The second dimension of a tensor."""
        found = next(one for one in values if one.name == name)
        size = int(found.type.tensor_type.shape.dim[1].dim_value)
        if size < 1:
            raise ModelFileError(f"{name!r} of the graph has no fixed width; expected a file made by `emotone export`")
        return size

    def finish(self) -> bytes:
        import onnx

        try:
            onnx.checker.check_model(self.model)
        except onnx.checker.ValidationError as error:
            raise ModelFileError(f"the edited graph is not valid ONNX: {error}") from error
        content: bytes = self.model.SerializeToString(deterministic=True)
        return content

    @staticmethod
    def _drop(values: Any, name: str) -> None:
        for position, one in enumerate(values):
            if one.name == name:
                del values[position]
                return


def _prefixes() -> Iterator[str]:
    yield "adapted."
    for number in itertools.count(2):
        yield f"adapted{number}."
