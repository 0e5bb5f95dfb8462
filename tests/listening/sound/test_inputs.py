"""Recordings as other libraries hand them over, given to a recognizer."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from emotone.audio import load_audio
from emotone.errors import NotAudioError, SampleRateError
from emotone.listening.loading import load
from emotone.listening.recognizer import Recognizer

RATE = 16_000


@pytest.fixture(scope="module")
def recognizer(tiny_model: Path) -> Recognizer:
    return load(tiny_model)


@pytest.fixture(scope="module")
def clip(clips_dir: Path) -> Path:
    return clips_dir / "emodb" / "03a01Wa.flac"


@pytest.fixture(scope="module")
def waveform(clip: Path) -> np.ndarray:
    return load_audio(clip, sample_rate=RATE)


def same(one: Any, other: Any) -> bool:
    return one.probabilities == other.probabilities and one.duration_s == other.duration_s


def test_torch_tensors_of_any_kind(recognizer: Recognizer, waveform: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    expected = recognizer(waveform, RATE)
    tensor = torch.from_numpy(waveform)
    for one in (tensor, tensor[None], tensor[None, None], tensor.clone().requires_grad_(), tensor[:, None]):
        assert same(recognizer(one, RATE), expected)
        assert same(recognizer((one, RATE)), expected)
    # As torchaudio.load gives it, and a rate as a DataLoader makes one.
    assert same(recognizer((tensor[None], torch.tensor(RATE))), expected)
    half = recognizer(tensor.bfloat16(), RATE)
    np.testing.assert_allclose(list(half.probabilities.values()), list(expected.probabilities.values()), atol=0.01)


def test_anything_with_an_array_inside(recognizer: Recognizer, waveform: np.ndarray) -> None:
    pandas = pytest.importorskip("pandas")
    assert same(recognizer(pandas.Series(waveform), RATE), recognizer(waveform, RATE))


def test_pairs_of_other_libraries(recognizer: Recognizer, waveform: np.ndarray) -> None:
    """soundfile gives (n_samples, n_channels); SciPy and Gradio put the rate first."""
    stereo = np.stack([waveform, 0.5 * waveform])
    expected = recognizer((stereo, RATE))
    for pair in (
        (stereo.T.astype(np.float64), RATE),
        (RATE, stereo.T),
        (stereo, np.int64(RATE)),
        (stereo, float(RATE)),
    ):
        assert same(recognizer(pair), expected)


def test_dictionaries_of_hugging_face_datasets(recognizer: Recognizer, clip: Path, waveform: np.ndarray) -> None:
    expected = recognizer(waveform, RATE)
    decoded = {"path": "a/clip.wav", "array": waveform, "sampling_rate": RATE}
    for source in (decoded, {"audio": decoded, "label": 3}, {"raw": waveform, "sampling_rate": RATE}):
        assert same(recognizer(source), expected)
    assert recognizer({"audio": decoded}).source == "a/clip.wav"
    # Audio(decode=False), and rows that were not told to be NumPy.
    assert same(recognizer({"bytes": clip.read_bytes(), "path": "clip.flac"}), expected)
    assert same(recognizer({"bytes": None, "path": str(clip)}), expected)
    assert same(recognizer({"array": waveform.tolist(), "sampling_rate": RATE}), expected)


def test_decoders_of_torchcodec(recognizer: Recognizer, waveform: np.ndarray) -> None:
    """Hugging Face datasets 4 gives a decoder in place of the dictionary."""
    torch = pytest.importorskip("torch")
    samples = SimpleNamespace(data=torch.from_numpy(waveform)[None], sample_rate=RATE)
    decoder = SimpleNamespace(get_all_samples=lambda: samples)
    assert same(recognizer(decoder), recognizer(waveform, RATE))
    assert same(recognizer({"audio": decoder, "label": 1}), recognizer(waveform, RATE))


def test_dictionaries_of_pyannote(recognizer: Recognizer, clip: Path, waveform: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    expected = recognizer(waveform, RATE)
    two = torch.from_numpy(np.stack([waveform, 0 * waveform]))
    assert same(recognizer({"waveform": two[:1], "sample_rate": RATE, "uri": "call"}), expected)
    assert same(recognizer({"waveform": two, "sample_rate": RATE, "channel": 0}), expected)
    assert same(recognizer({"audio": str(clip), "uri": "call"}), expected)


def test_bytes_of_any_kind(recognizer: Recognizer, clip: Path) -> None:
    content = clip.read_bytes()
    expected = recognizer(content)
    for source in (bytearray(content), memoryview(content)):
        assert recognizer(source) == expected


def test_a_list_of_clips_gives_a_list(recognizer: Recognizer, clip: Path, waveform: np.ndarray) -> None:
    one, other = recognizer([clip, (waveform, RATE)])
    assert same(one, other)
    assert same(one, recognizer(clip))
    assert [found.source for found in recognizer([waveform, waveform], RATE)] == ["<waveform>"] * 2
    assert recognizer([]) == []


@pytest.mark.parametrize(
    ("source", "rate", "error", "message"),
    [
        ({}, None, NotAudioError, "a dictionary with no keys"),
        ({"text": "a"}, None, NotAudioError, "a dictionary with text; expected a waveform"),
        ({"array": np.zeros(RATE)}, None, SampleRateError, "no rate"),
        ({"array": np.zeros(RATE), "sampling_rate": RATE}, 8_000, SampleRateError, "two sample rates"),
        ({"audio": "a.wav", "channel": 1}, None, NotAudioError, "channels='split'"),
        ({"waveform": np.zeros(RATE), "sample_rate": RATE, "channel": 1}, None, NotAudioError, "channel 1 of"),
        ((np.zeros(RATE), 16_000.5), None, SampleRateError, "a whole number"),
        (("a.wav", "b.wav"), None, NotAudioError, "or a list of recordings"),
        ((RATE, RATE), None, NotAudioError, "expected \\(waveform, sample_rate\\)"),
        ([0.0, 0.1], RATE, NotAudioError, "a list of numbers"),
        (np.zeros((2, 2, RATE)), RATE, NotAudioError, "shape \\(2, 2, 16000\\)"),
        (np.array(["a"]), RATE, ValueError, "a waveform of <U1"),
        (3, None, NotAudioError, "a source of type int"),
    ],
)
def test_what_is_no_recording_is_refused_with_advice(
    recognizer: Recognizer, source: Any, rate: int | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        recognizer(source, rate)


def test_a_recognizer_can_be_pickled_and_copied(tiny_model: Path, clip: Path) -> None:
    recognizer = load(tiny_model, unsure_threshold=0.9)
    expected = recognizer(clip)
    for other in (pickle.loads(pickle.dumps(recognizer)), copy.copy(recognizer), copy.deepcopy(recognizer)):
        assert other(clip) == expected
        assert other.unsure_threshold == 0.9
    copied = copy.copy(recognizer)
    copied.unsure_threshold = 0.1
    assert recognizer.unsure_threshold == 0.9


def test_its_repr_says_what_it_recognises(recognizer: Recognizer) -> None:
    assert repr(recognizer) == (
        "Recognizer('tiny': neutral, happiness, sadness, anger; 16000 Hz, windows up to 2 s, unsure below 0.4)"
    )
