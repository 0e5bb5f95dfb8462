"""The ONNX session of a model file: batches of waveforms in, predictions out.

Conventions: waveforms are mono float32 in [-1, 1] at the model's sample rate; results are in the order of the
waveforms and of the model's labels. A waveform gets the same prediction alone and in a batch: the graph masks padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emotone.errors import AudioTooShortError, ModelFileError, OptionError
from emotone.listening.model.predictions import Predictions
from emotone.listening.sound.sources import Waveform
from emotone.model_files.metadata import BASELINE, INPUTS, OUTPUTS, UNFAMILIAR, ModelMetadata
from emotone.model_files.onnx_runtime import onnx_runtime

BATCH = 16
"""Windows at once: enough to fill the vector units; more only costs memory."""

BATCH_S = 20.0
"""Sound at once, padding included: more falls out of the processor's cache and takes gigabytes with an encoder."""


class Model:
    """A model file in ONNX Runtime. It can be pickled, and threads can share it.

    Args:
        content: the bytes of the model file.
        metadata: those of the model file.
        threads: of ONNX Runtime.
    Raises:
        ModelFileError: ONNX Runtime cannot use the graph, or its inputs or outputs are not those of our models.
        OptionError: fewer than one thread.
    """

    def __init__(self, content: bytes, metadata: ModelMetadata, *, threads: int = 1) -> None:
        self.metadata = metadata
        self._content, self._threads = content, threads
        self._session = _session(content, threads)
        inputs = {one.name for one in self._session.get_inputs()}
        outputs = {one.name for one in self._session.get_outputs()}
        self._measures_unfamiliar = UNFAMILIAR in outputs
        expected = {*INPUTS, BASELINE} if metadata.baseline else {*INPUTS}
        if inputs != expected or not outputs >= set(OUTPUTS):
            raise ModelFileError(
                f"the graph takes {sorted(inputs)} and gives {sorted(outputs)}; "
                f"expected {sorted(expected)} and {sorted(OUTPUTS)}"
            )

    def __getstate__(self) -> dict[str, Any]:
        # A session cannot be pickled; it is opened again with the pickle.
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._session = _session(self._content, self._threads)

    def __call__(
        self, waveforms: Sequence[Waveform], *, baseline: npt.NDArray[np.float32] | None = None
    ) -> Predictions:
        """Classify whole waveforms; one that is longer than the window gets the mean over its windows.

        Args:
            waveforms: each of shape (n_samples,), lengths may differ.
            baseline: of the speaker, shape (d,); None for none.
        Raises:
            AudioTooShortError: one is shorter than the model needs; the message says which.
        """
        windows: list[Waveform] = []
        owners: list[int] = []
        for index, waveform in enumerate(waveforms):
            if len(waveform) < self.metadata.min_samples:
                raise AudioTooShortError(
                    f"waveform {index} has {len(waveform)} samples; "
                    f"the model needs at least {self.metadata.min_samples}"
                )
            cut = windows_of(waveform, self.metadata.window_samples)
            windows += cut
            owners += [index] * len(cut)
        of_windows, of_waveforms = (self._empty(len(one)) for one in (windows, waveforms))
        # Windows of similar length share a batch, so that little of it is padding.
        order = sorted(range(len(windows)), key=lambda position: len(windows[position]))
        most = round(BATCH_S * self.metadata.sample_rate)
        for start, end in batches([len(windows[position]) for position in order], most):
            chosen = order[start:end]
            batch = self._run([windows[position] for position in chosen], baseline)
            for whole, part in zip(of_windows, batch, strict=True):
                whole[chosen] = part
        counts = np.bincount(owners, minlength=len(waveforms)).astype(np.float32)
        for mean, part in zip(of_waveforms, of_windows, strict=True):
            np.add.at(mean, owners, part)
            mean /= counts if mean.ndim == 1 else counts[:, None]
        return of_waveforms

    def _empty(self, n_rows: int) -> Predictions:
        return Predictions(
            np.zeros((n_rows, len(self.metadata.labels)), dtype=np.float32),
            np.zeros((n_rows, self.metadata.embedding_dim), dtype=np.float32),
            np.zeros(n_rows, dtype=np.float32),
        )

    def _run(self, windows: Sequence[Waveform], baseline: npt.NDArray[np.float32] | None) -> Predictions:
        n_windows, n_labels, dim = len(windows), len(self.metadata.labels), self.metadata.embedding_dim
        lengths = np.array([len(window) for window in windows], dtype=np.int64)
        batch = np.zeros((n_windows, int(lengths.max())), dtype=np.float32)
        for row, window in zip(batch, windows, strict=True):
            row[: len(window)] = window
        inputs: dict[str, npt.NDArray[Any]] = {"waveform": batch, "lengths": lengths}
        if self.metadata.baseline:
            inputs[BASELINE] = np.zeros((n_windows, dim), dtype=np.float32)
            if baseline is not None:
                inputs[BASELINE][:] = baseline
        names = [*OUTPUTS, UNFAMILIAR] if self._measures_unfamiliar else [*OUTPUTS]
        probabilities, embeddings, *rest = self._session.run(names, inputs)
        unfamiliar = rest[0].reshape(-1) if rest else np.full(n_windows, np.nan, dtype=np.float32)
        shapes, expected = (probabilities.shape, embeddings.shape), ((n_windows, n_labels), (n_windows, dim))
        if shapes != expected or not np.isfinite(probabilities).all():
            raise ModelFileError(
                f"the graph gave {shapes[0]} and {shapes[1]}; expected {expected[0]} and {expected[1]}, all finite: "
                "the file's metadata and graph do not belong together"
            )
        return Predictions(probabilities, embeddings, unfamiliar)


def batches(lengths: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Where batches of waveforms begin and end.

    Args:
        lengths: of the waveforms in samples, ascending.
        most: samples in a batch, padding included; a longer waveform has a batch of its own.

    >>> batches([2, 2, 2, 5, 9], 6)
    [(0, 3), (3, 4), (4, 5)]
    """
    found, start = [], 0
    for end, longest in enumerate([*lengths, most + 1]):
        # The batch that would also hold this waveform is as wide as it.
        if end > start and ((end + 1 - start) * longest > most or end - start == BATCH):
            found.append((start, end))
            start = end
    return found


def windows_of(waveform: Waveform, window_samples: int) -> list[Waveform]:
    """A waveform cut into windows of one length, the last one moved back so that it ends with the waveform.

    Args:
        waveform: shape (n_samples,).
        window_samples: length of a window.
    Returns:
        views on the waveform; the waveform itself if it is no longer than a window.

    >>> [window.tolist() for window in windows_of(np.arange(5, dtype=np.float32), 2)]
    [[0.0, 1.0], [2.0, 3.0], [3.0, 4.0]]
    """
    n_samples = len(waveform)
    if n_samples <= window_samples:
        return [waveform]
    starts = [*range(0, n_samples - window_samples, window_samples), n_samples - window_samples]
    return [waveform[start : start + window_samples] for start in starts]


def _session(content: bytes, threads: int) -> Any:
    if threads < 1:
        raise OptionError(f"threads = {threads}; expected at least 1")
    runtime = onnx_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen exception classes with no root but Exception.
        raise ModelFileError(f"ONNX Runtime cannot use the model: {error}") from error
