"""Recognising with a tiny real graph, and with the shipped model where there is one."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import emotone
from emotone.errors import (
    AudioNotFoundError,
    AudioSamplesError,
    AudioTooShortError,
    ModelFileError,
    NotAudioError,
    SampleRateError,
)
from emotone.listening.loading import load
from emotone.listening.model.session import windows_of
from emotone.listening.recognizer import Recognizer
from emotone.model_files.metadata import ModelMetadata
from emotone.model_files.model_file import with_metadata


@pytest.fixture(scope="module")
def recognizer(tiny_model: Path) -> Recognizer:
    return load(tiny_model)


def noise(n_samples: int, seed: int = 0, level: float = 0.1) -> np.ndarray:
    """It swells: steady noise would be looked through for speech."""
    swell = np.linspace(0.2, 1.6, n_samples)
    return (level * swell * np.random.default_rng(seed).standard_normal(n_samples)).astype(np.float32)


def expected(waveform: np.ndarray) -> np.ndarray:
    """The tiny graph's answer, in NumPy."""
    log_power = np.log(np.mean(waveform.astype(np.float64) ** 2) + 1e-9)
    logits = log_power * np.array([-0.5, 0.1, -0.2, 0.6]) + np.array([-2.0, 1.0, 0.0, 3.0])
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()


def test_a_clip_gives_one_probability_a_label_in_the_models_order(recognizer: Recognizer, clips_dir: Path) -> None:
    recognition = recognizer(clips_dir / "emodb" / "03a01Wa.flac")
    assert tuple(recognition.probabilities) == recognizer.labels
    assert sum(recognition.probabilities.values()) == pytest.approx(1.0, abs=1e-6)
    assert recognition.emotion == max(recognition.probabilities, key=lambda label: recognition.probabilities[label])
    assert recognition.confidence == max(recognition.probabilities.values())
    assert recognition.source.endswith("03a01Wa.flac")
    assert recognition.embedding.shape == (2,)


def test_path_string_bytes_and_file_object_give_the_same(recognizer: Recognizer, clips_dir: Path) -> None:
    path = clips_dir / "crema-d" / "1001_DFA_ANG_XX.opus"
    by_path = recognizer(path)
    assert recognizer(str(path)) == by_path
    assert recognizer(path.read_bytes()).probabilities == by_path.probabilities
    with path.open("rb") as file:
        assert recognizer(file).probabilities == by_path.probabilities
    assert recognizer(io.BytesIO(path.read_bytes())).source == "<stream>"
    assert recognizer(path.read_bytes()).source == "<bytes>"


def test_probabilities_are_those_of_the_graph(recognizer: Recognizer) -> None:
    waveform = noise(16_000)
    got = recognizer(waveform, sample_rate=16_000)
    np.testing.assert_allclose(list(got.probabilities.values()), expected(waveform), atol=1e-5)
    assert got.source == "<waveform>"
    assert got.duration_s == 1.0


def test_a_pair_and_a_keyword_mean_the_same(recognizer: Recognizer) -> None:
    waveform = noise(16_000)
    assert recognizer((waveform, 16_000)) == recognizer(waveform, sample_rate=16_000)


def test_int16_is_scaled_to_full_scale(recognizer: Recognizer) -> None:
    whole = (noise(16_000) * 32_768).round().astype(np.int16)
    scaled = whole.astype(np.float32) / 32_768
    assert recognizer(whole, 16_000) == recognizer(scaled, 16_000)


def test_channels_are_averaged(recognizer: Recognizer) -> None:
    left, right = noise(16_000, 1), noise(16_000, 2)
    assert recognizer(np.stack([left, right]), 16_000) == recognizer((left + right) / 2, 16_000)


def test_the_axes_are_understood_in_either_order(recognizer: Recognizer) -> None:
    channels = np.stack([noise(16_000, 1), noise(16_000, 2)])
    assert recognizer(channels.T, 16_000) == recognizer(channels, 16_000)


def test_axes_that_could_be_either_are_refused_with_advice(recognizer: Recognizer) -> None:
    with pytest.raises(NotAudioError, match="transpose"):
        recognizer(np.zeros((16_000, 40), dtype=np.float32), 16_000)


def test_another_rate_is_resampled(recognizer: Recognizer) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100) * np.linspace(0.1, 0.4, 44_100)
    tone = tone.astype(np.float32)
    recognition = recognizer(tone, 44_100)
    assert recognition.duration_s == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_allclose(list(recognition.probabilities.values()), expected(tone), atol=1e-2)


@pytest.mark.parametrize(
    ("source", "rate", "error"),
    [
        (np.zeros(16_000, dtype=np.float32), None, SampleRateError),
        (np.zeros(16_000, dtype=np.float32), 1_000, SampleRateError),
        ((np.zeros(16_000, dtype=np.float32), 16_000), 8_000, SampleRateError),
        (b"RIFF", 16_000, SampleRateError),
        (np.full(16_000, np.nan, dtype=np.float32), 16_000, AudioSamplesError),
        (np.full(16_000, 1e300), 16_000, AudioSamplesError),
        (np.full(16_000, 20_000.0, dtype=np.float32), 16_000, AudioSamplesError),
        (np.zeros(16_000, dtype=np.uint8), 16_000, AudioSamplesError),
        (np.zeros((2, 1, 16_000), dtype=np.float32), 16_000, NotAudioError),
        (np.zeros((0, 16_000), dtype=np.float32), 16_000, NotAudioError),
        (np.zeros(399, dtype=np.float32), 16_000, AudioTooShortError),
        (np.zeros(0, dtype=np.float32), 16_000, AudioTooShortError),
        (b"this is no audio", None, NotAudioError),
        ((1, 2, 3), None, NotAudioError),
        (42, None, NotAudioError),
        ("no/such/file.wav", None, AudioNotFoundError),
    ],
)
def test_a_source_that_cannot_be_judged_is_an_error_of_ours(
    recognizer: Recognizer, source: object, rate: int | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        recognizer(source, sample_rate=rate)  # type: ignore[arg-type]


def test_a_batch_scores_each_waveform_as_if_alone(recognizer: Recognizer) -> None:
    waveforms = [noise(length, seed) for seed, length in enumerate([400, 5_000, 16_000, 32_000, 32_001, 100_000] * 7)]
    together = recognizer.probabilities(waveforms)
    alone = np.concatenate([recognizer.probabilities([waveform]) for waveform in waveforms])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_no_waveforms_give_no_rows(recognizer: Recognizer) -> None:
    assert recognizer.probabilities([]).shape == (0, 4)


def test_a_short_waveform_in_a_batch_is_named(recognizer: Recognizer) -> None:
    with pytest.raises(AudioTooShortError, match="waveform 1 "):
        recognizer.probabilities([noise(1_000), noise(10)])


def test_a_long_clip_is_the_mean_over_its_windows(recognizer: Recognizer) -> None:
    waveform = np.concatenate([noise(32_000, 1, 0.01), noise(20_000, 2, 0.3)])
    windows = windows_of(waveform, 32_000)
    assert [len(window) for window in windows] == [32_000, 32_000]
    np.testing.assert_array_equal(windows[1], waveform[20_000:])
    mean = np.mean([expected(window) for window in windows], axis=0)
    np.testing.assert_allclose(recognizer.probabilities([waveform])[0], mean, atol=1e-5)


def test_windows_cover_every_sample() -> None:
    for n_samples in range(1, 30):
        waveform = np.arange(n_samples, dtype=np.float32)
        covered = np.unique(np.concatenate(windows_of(waveform, 7)))
        np.testing.assert_array_equal(covered, waveform)


def test_embed_is_the_second_output(recognizer: Recognizer) -> None:
    waveform = noise(16_000)
    power = np.mean(waveform**2)
    np.testing.assert_allclose(recognizer.embed(waveform, 16_000), [power, np.log(power)], rtol=1e-4)
    np.testing.assert_array_equal(recognizer.embed(waveform, 16_000), recognizer(waveform, 16_000).embedding)


def test_unsure_is_a_highest_probability_under_the_threshold(tiny_model: Path, clips_dir: Path) -> None:
    clip = clips_dir / "emodb" / "03a01Wa.flac"
    confidence = load(tiny_model)(clip).confidence
    assert 0.01 < confidence < 0.99
    assert load(tiny_model, unsure_threshold=confidence + 1e-3)(clip).unsure
    assert not load(tiny_model, unsure_threshold=confidence - 1e-3)(clip).unsure


def test_threads_may_share_a_recognizer(recognizer: Recognizer) -> None:
    waveforms = [noise(16_000, seed) for seed in range(16)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda waveform: recognizer(waveform, 16_000), waveforms))
    assert together == [recognizer(waveform, 16_000) for waveform in waveforms]


def test_a_graph_of_another_shape_is_refused(tiny_metadata: ModelMetadata) -> None:
    helper = onnx.helper
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "other", [value], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ModelFileError, match="waveform"):
        Recognizer(model.SerializeToString(), tiny_metadata)


def test_a_graph_that_onnx_runtime_refuses_is_a_model_file_error(tiny_metadata: ModelMetadata) -> None:
    with pytest.raises(ModelFileError, match="ONNX Runtime"):
        Recognizer(b"", tiny_metadata)


def test_metadata_of_another_model_is_noticed(
    tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata, clips_dir: Path
) -> None:
    wrong = replace(tiny_metadata, embedding_dim=3)
    recognizer = Recognizer(with_metadata(tiny_graph.SerializeToString(), wrong), wrong)
    with pytest.raises(ModelFileError, match="do not belong together"):
        recognizer(clips_dir / "emodb" / "03a01Wa.flac")


def test_a_missing_shipped_model_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("emotone.model_files.hub.resources.files", lambda _: tmp_path)
    with pytest.raises(ModelFileError, match=r"default\.onnx"):
        load()


def test_the_shipped_model_hears_every_bundled_clip(shipped_model: Path, clips_dir: Path) -> None:
    recognizer = emotone.load()
    clips = sorted([*clips_dir.glob("*/*.opus"), *clips_dir.glob("*/*.flac")])
    assert len(clips) == 8
    for clip in clips:
        recognition = recognizer(clip)
        assert sum(recognition.probabilities.values()) == pytest.approx(1.0, abs=1e-5)


def test_the_shipped_model_scores_a_padded_batch_as_if_alone(shipped_model: Path) -> None:
    recognizer = load(shipped_model)
    waveforms = [noise(length, seed) for seed, length in enumerate([8_000, 16_001, 40_000])]
    together = recognizer.probabilities(waveforms)
    alone = np.concatenate([recognizer.probabilities([waveform]) for waveform in waveforms])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_shipped_model_says_what_it_was_trained_on(shipped_model: Path) -> None:
    metadata = load(shipped_model).metadata
    assert {one.licence for one in metadata.corpora if one.role == "training"} <= {"Apache-2.0", "CC0-1.0", "ODbL-1.0"}
    assert metadata.scores
    assert len(metadata.weights_sha) == 64


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (np.zeros(16_000, np.float32), NotAudioError, "got one waveform"),
        ([np.zeros((2, 16_000), np.float32)], NotAudioError, "one channel"),
        ([np.full(16_000, np.nan, np.float32)], AudioSamplesError, "waveform 0 holds NaN"),
        ([np.zeros(16_000, np.float32), np.full(16_000, np.inf)], AudioSamplesError, "waveform 1"),
        ([np.zeros(16_000, np.int16)], AudioSamplesError, "int16"),
    ],
)
def test_probabilities_say_what_they_cannot_use(
    tiny_model: Path, given: object, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        emotone.load(tiny_model).probabilities(given)


def test_probabilities_beyond_the_window_are_the_mean_over_windows(tiny_model: Path) -> None:
    recognizer = emotone.load(tiny_model)
    first, second = (level * np.ones(32_000) for level in (0.01, 0.5))
    apart = recognizer.probabilities([first, second])
    (together,) = recognizer.probabilities([np.concatenate([first, second])])
    assert together == pytest.approx(apart.mean(axis=0), abs=1e-6)


@pytest.mark.parametrize("options", [{"threads": 0}, {"threads": -1}, {"unsure_threshold": 1.5}])
def test_impossible_options_are_errors_of_ours(tiny_model: Path, options: dict[str, float]) -> None:
    with pytest.raises(emotone.OptionError, match="expected"):
        emotone.load(tiny_model, **options)
