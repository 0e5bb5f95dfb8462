"""The arranged speech detector against the published one."""

from __future__ import annotations

from importlib import resources

import numpy as np
import onnx
import onnxruntime
import pytest

from emotone.errors import MissingExtraError, ModelFileError
from emotone.experiments.shipping import speech_detector
from emotone.experiments.shipping.speech_detector import CELLS, SAMPLES, arranged, published_network


def session(content):
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("n_steps", "n_streams"), [(1, 1), (40, 1), (20, 3)])
def test_many_frames_at_once_get_the_answers_of_one_after_the_other(n_steps, n_streams):
    path = published_network()
    published, own = session(path.read_bytes()), session(arranged(path))
    random = np.random.default_rng(0)
    sound = random.normal(0, 0.1, (n_steps, n_streams, SAMPLES)).astype(np.float32)
    begun = random.normal(0, 0.5, (2, n_streams, CELLS)).astype(np.float32)
    expected, state = [], begun
    for frames in sound:
        answers, state = published.run(["output", "stateN"], {"input": frames, "state": state, "sr": np.array(16_000)})
        expected.append(answers[:, 0])
    probabilities, last = own.run(None, {"frames": sound.reshape(-1, SAMPLES), "state": begun})
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(last, state, atol=1e-3)


def test_the_shipped_file_is_the_arranged_one():
    shipped = (resources.files("emotone") / "weights" / "speech_detector.onnx").read_bytes()
    assert onnx.load_from_string(shipped) == onnx.load_from_string(arranged(published_network()))


def test_another_network_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(speech_detector, "_read", lambda path: {})
    with pytest.raises(ModelFileError, match="Silero VAD 5"):
        arranged(tmp_path / "other.onnx")
    monkeypatch.setattr(speech_detector, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="dev"):
        published_network()
