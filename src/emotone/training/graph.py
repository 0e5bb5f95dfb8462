"""One ONNX graph from a trained network: waveform in, calibrated probabilities and embedding out.

The graph is the network that was trained, features included, with the temperature and the softmax behind it.
`largest_difference` compares ONNX Runtime's answers with PyTorch's on waveforms of many lengths, alone and padded.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from emotone import __version__
from emotone.errors import ModelFileError
from emotone.features.augmentation import derived_seed
from emotone.features.encoder_frames import EncoderFrames
from emotone.model_files.metadata import INPUTS, OUTPUTS
from emotone.model_files.onnx_runtime import onnx_runtime
from emotone.model_files.precision import CONSTANTS
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.data.batches import pad

OPSET = 18

LONGEST_WINDOW_S = 10.0
"""A network of any length classifies at most so much at once; longer recordings are cut into windows."""


class CalibratedNetwork(nn.Module):
    """The graph of a model file.

    Args:
        network: trained.
        temperature: that the logits are divided by.
    Shape:
        waveform (batch, n_samples), lengths (batch,), and baseline (batch, d) where the graph takes one
        -> probabilities (batch, n_classes), embedding (batch, d)
    """

    def __init__(self, network: RecognitionNetwork, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature
        if isinstance(network.front_end, EncoderFrames):
            # A frozen encoder is not part of the network's state; registered here, its weights keep their names.
            self.encoder = network.front_end.encoder

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the graph's inputs."""
        return (*INPUTS, "baseline") if self.network.network.takes_baseline else INPUTS

    def forward(self, waveform: Tensor, lengths: Tensor, baseline: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Calibrated probabilities and the embedding."""
        logits, embedding = self.network(waveform, lengths, baseline=baseline)
        return torch.softmax(logits / self.temperature, dim=1), embedding


def build_graph(module: CalibratedNetwork) -> bytes:
    """The ONNX graph of a calibrated network in evaluation mode, in one piece and without source paths.

    Raises:
        ModelFileError: the exporter's graph is not valid ONNX.
    """
    network = module.network
    rate = network.front_end.options.sample_rate
    batch, samples = torch.export.Dim("batch", min=1, max=4096), _sample_dimension(network, rate)
    example: tuple[Tensor, ...] = (torch.randn(3, rate), torch.tensor([rate, rate // 2 + 1000, rate * 3 // 4]))
    shapes: dict[str, Any] = {"waveform": {0: batch, 1: samples}, "lengths": {0: batch}}
    if "baseline" in module.inputs:
        example = (*example, torch.randn(3, network.network.embedding_size))
        shapes["baseline"] = {0: batch}
    with _prepared(network), _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module,
            example,
            input_names=list(module.inputs),
            output_names=list(OUTPUTS),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ModelFileError("the exporter gave no graph")
    model = _anonymous(program.model_proto)
    if hasattr(module, "encoder"):
        _name_constants(model)
    buffer = io.BytesIO()
    onnx.save(model, buffer)
    content = buffer.getvalue()
    onnx.checker.check_model(onnx.load_from_string(content))
    return content


@contextmanager
def _prepared(network: RecognitionNetwork) -> Iterator[None]:
    """The front end in the form that ONNX Runtime computes fastest, and no larger than a window needs."""
    front_end = network.front_end
    method = front_end.spectrogram.method
    front_end.spectrogram.prepare_export()
    encoder = front_end.encoder if isinstance(front_end, EncoderFrames) else None
    positions = None if encoder is None else encoder.embed_positions
    if encoder is not None:
        encoder.cut_positions(LONGEST_WINDOW_S)
    try:
        yield
    finally:
        front_end.spectrogram.method = method
        if encoder is not None and positions is not None:
            encoder.embed_positions = positions


def _sample_dimension(network: RecognitionNetwork, rate: int) -> Any:
    if isinstance(network.front_end, EncoderFrames):
        least, most = network.front_end.min_samples, round(LONGEST_WINDOW_S * rate)
        return torch.export.Dim("n_samples", min=least, max=most)
    return torch.export.Dim("n_samples", min=16)


def _name_constants(model: onnx.ModelProto) -> None:
    """Give weights that the exporter transposed and numbered a name that `model_files.precision` recognises."""
    names = {
        one.name: f"{CONSTANTS}{number}"
        for number, one in enumerate(model.graph.initializer)
        if one.name.startswith("val_") and len(one.dims) >= 2
    }
    for one in model.graph.initializer:
        one.name = names.get(one.name, one.name)
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = names.get(name, name)


def largest_difference(content: bytes, module: CalibratedNetwork) -> float:
    """The largest difference of probabilities between ONNX Runtime and PyTorch over many lengths."""
    network = module.network
    session = onnx_runtime().InferenceSession(content, providers=["CPUExecutionProvider"])
    rate, shortest = network.front_end.options.sample_rate, network.front_end.min_samples
    generator = np.random.Generator(np.random.PCG64(derived_seed("export")))
    worst = 0.0
    for sizes in ([shortest], [16_000], [48_000, 31_111], [7_001, 96_000, 96_001, 160_000]):
        waveform, lengths = pad([_speech_like(size, rate, generator) for size in sizes])
        inputs = [waveform, lengths]
        if "baseline" in module.inputs:
            # One speaker without a baseline, the others with one.
            size = (len(sizes), network.network.embedding_size)
            inputs.append(torch.from_numpy(generator.normal(0, 0.25, size).astype(np.float32)))
            inputs[2][0] = 0
        with torch.no_grad():
            expected = module(*inputs)[0]
        feeds = {name: one.numpy() for name, one in zip(module.inputs, inputs, strict=True)}
        got = session.run([OUTPUTS[0]], feeds)[0]
        worst = max(worst, float(np.abs(got - expected.numpy()).max()))
    return worst


def _speech_like(n_samples: int, sample_rate: int, generator: np.random.Generator) -> np.ndarray[Any, Any]:
    time = np.arange(n_samples) / sample_rate
    pitch = 120 * (1 + 0.1 * np.sin(2 * np.pi * 3 * time))
    voice = np.sign(np.sin(2 * np.pi * np.cumsum(pitch) / sample_rate)) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * time))
    return (0.1 * voice + 0.01 * generator.standard_normal(n_samples)).astype(np.float32)


def _anonymous(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph without what the exporter notes of its machine: source lines, stack traces, module names."""
    model.producer_name, model.producer_version = "emotone", __version__
    del model.metadata_props[:]
    graphs = [model.graph, *model.functions]
    for graph in graphs:
        del graph.metadata_props[:]
        graph.doc_string = ""
        for node in graph.node:
            del node.metadata_props[:]
            node.doc_string = ""
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer]:
        del value.metadata_props[:]
        value.doc_string = ""
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and deprecation notes off the user's screen."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
