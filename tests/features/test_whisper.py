"""The Whisper front end: its values, its masks, and that the recording level does not matter.

Reference values come from transformers' WhisperEncoder (tests/reference/make_whisper_reference.py).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from emotone.audio import load_audio
from emotone.errors import EncoderError
from emotone.features.encoder_frames import EncoderFrames, find_encoder
from emotone.features.front_end import FeatureOptions
from emotone.features.whisper import WhisperEncoder, WhisperShape, average_frames
from emotone.features.whisper_files import encoder_digest, load_encoder

REPO = Path(__file__).resolve().parents[2]
SHAPE = WhisperShape(width=16, heads=2, feed_forward=32, n_blocks=2, n_positions=600)


def write_encoder(folder: Path, dtype: torch.dtype = torch.float16) -> Path:
    """A small encoder with random weights, in the layout that Hugging Face publishes."""
    torch.manual_seed(3)
    encoder = WhisperEncoder(SHAPE, (0, 1, 2))
    weights = {f"model.encoder.{name}": one.half().to(dtype) for name, one in encoder.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(weights, folder / "model.safetensors")
    config = {
        "d_model": SHAPE.width,
        "encoder_attention_heads": SHAPE.heads,
        "encoder_ffn_dim": SHAPE.feed_forward,
        "encoder_layers": SHAPE.n_blocks,
        "max_source_positions": SHAPE.n_positions,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "whisper-made-up")


@pytest.fixture(scope="module")
def published() -> Path:
    folder = REPO.parent / "shared" / "pretrained" / "whisper-tiny.en"
    if not folder.is_dir():
        pytest.skip("the published encoder is not beside the checkout")
    return folder


@pytest.fixture(scope="module")
def clip(clips_dir):
    return torch.from_numpy(load_audio(clips_dir / "emodb" / "03a01Fa.flac", sample_rate=16_000))


def speech(n_samples: int, seed: int = 0) -> torch.Tensor:
    generator = torch.manual_seed(seed)
    time = torch.arange(n_samples) / 16_000
    tone = torch.sign(torch.sin(2 * np.pi * 140 * time)) * (0.6 + 0.4 * torch.sin(2 * np.pi * 3 * time))
    return 0.1 * tone + 0.02 * torch.randn(n_samples, generator=generator)


def test_every_block_equals_the_stored_reference_of_transformers(published, clip):
    encoder = load_encoder(published, (0, 1, 2, 3, 4), keep_level=True)
    reference = np.load(REPO / "tests" / "reference" / "whisper_tiny_en.npz")
    lengths = torch.tensor([len(clip)])
    with torch.no_grad():
        log_mel, _ = encoder.log_mel(clip[None], lengths)
        states, _ = encoder(clip[None], lengths)
    np.testing.assert_allclose(log_mel[0, ::8, ::10].numpy(), reference["log_mel"], atol=1e-4)
    blocks = np.stack([one[0, ::12, ::10].T.numpy() for one in states.chunk(5, dim=1)])
    np.testing.assert_allclose(blocks, reference["states"], atol=1e-4)


def test_log_mel_equals_transformers_feature_extractor(clip):
    extractor = pytest.importorskip("transformers").WhisperFeatureExtractor()
    encoder = WhisperEncoder(SHAPE, (0,), keep_level=True)
    expected = extractor._np_extract_fbank_features(clip[None].numpy(), "cpu")
    got, _ = encoder.log_mel(clip[None], torch.tensor([len(clip)]))
    np.testing.assert_allclose(got.numpy(), np.asarray(expected), atol=1e-4)


@pytest.mark.parametrize("pool", [1, 2])
def test_an_utterance_gets_the_same_frames_alone_and_in_a_batch(encoder_folder, pool):
    front_end = EncoderFrames(FeatureOptions(kind="whisper", source=str(encoder_folder), blocks=(1, 2), pool=pool))
    sounds = [speech(size, size) for size in (1_600, 7_001, 16_000, 15_999)]
    lengths = torch.tensor([len(one) for one in sounds])
    padded = torch.nn.utils.rnn.pad_sequence(sounds, batch_first=True)
    padded[0, 1_600:] = 7.0  # whatever lies past the end must not matter
    together, counts = front_end(padded, lengths)
    for sound, frames, count in zip(sounds, together, counts.tolist(), strict=True):
        alone, own = front_end(sound[None], torch.tensor([len(sound)]))
        assert int(own) == count == alone.shape[2]
        np.testing.assert_allclose(frames[:, :count].numpy(), alone[0].numpy(), atol=2e-5)
        assert not frames[:, count:].any()


def test_a_smaller_range_raises_all_that_is_too_faint_to_the_floor(encoder_folder):
    sound = speech(16_000)
    sound[8_000:] *= 0.001
    lengths = torch.tensor([16_000])
    whole, _ = load_encoder(encoder_folder, (0,)).log_mel(sound[None], lengths)
    short, counts = load_encoder(encoder_folder, (0,), dynamic_range_db=30).log_mel(sound[None], lengths)
    whole, short = 4 * whole[..., : int(counts)], 4 * short[..., : int(counts)]  # in decades
    floor = short.max() - 3
    assert float(whole.min()) < float(floor) - 0.5
    np.testing.assert_allclose(short.numpy(), torch.maximum(whole, floor).numpy(), atol=1e-5)


def test_faint_noise_changes_the_frames_less_with_a_smaller_range(encoder_folder):
    def changed(range_db: float) -> float:
        options = FeatureOptions(
            kind="whisper", source=str(encoder_folder), blocks=(0,), pool=1, dynamic_range_db=range_db
        )
        front_end = EncoderFrames(options)
        sound = speech(16_000)
        sound[6_000:] = 0
        noisy = sound + 1e-4 * torch.randn(16_000, generator=torch.manual_seed(1))
        clean, _ = front_end(sound[None], torch.tensor([16_000]))
        other, _ = front_end(noisy[None], torch.tensor([16_000]))
        return float((clean - other).abs().mean())

    assert changed(40) < 0.2 * changed(80)


def test_a_range_that_is_left_as_it_was_is_not_written_down():
    written = FeatureOptions(kind="whisper", source="x").model_dump()
    assert "dynamic_range_db" not in written
    assert FeatureOptions(kind="whisper", source="x", dynamic_range_db=80) == FeatureOptions(kind="whisper", source="x")
    assert FeatureOptions(kind="whisper", source="x", dynamic_range_db=60).model_dump()["dynamic_range_db"] == 60


@pytest.mark.parametrize("gain_db", [-30, -12, 6])
def test_the_recording_level_does_not_matter(encoder_folder, gain_db):
    front_end = EncoderFrames(FeatureOptions(kind="whisper", source=str(encoder_folder), blocks=(2,)))
    sound, lengths = speech(12_000)[None], torch.tensor([12_000])
    expected, _ = front_end(sound, lengths)
    got, _ = front_end(sound * 10 ** (gain_db / 20), lengths)
    np.testing.assert_allclose(got.numpy(), expected.numpy(), atol=1e-4)


def test_blocks_are_concatenated_in_order(encoder_folder):
    sound, lengths = speech(8_000)[None], torch.tensor([8_000])
    both, _ = load_encoder(encoder_folder, (1, 2))(sound, lengths)
    first, _ = load_encoder(encoder_folder, (1,))(sound, lengths)
    second, _ = load_encoder(encoder_folder, (2,))(sound, lengths)
    assert torch.equal(both, torch.cat([first, second], dim=1))


def test_averages_are_over_valid_frames_only():
    frames, counts = average_frames(torch.tensor([[[1.0, 3.0, 5.0, 0.0]]]), torch.tensor([3]), 2)
    assert frames.tolist() == [[[2.0, 5.0]]]
    assert counts.tolist() == [2]


def test_the_digest_is_of_the_weights_not_of_the_file(encoder_folder, tmp_path):
    single = load_encoder(write_encoder(tmp_path / "float32", torch.float32), (1,))
    assert encoder_digest(single, 1) == encoder_digest(load_encoder(encoder_folder, (2,)), 1)
    assert encoder_digest(single, 1) != encoder_digest(single, 0)


def test_another_encoder_than_the_recipe_names_is_refused(encoder_folder):
    with pytest.raises(EncoderError, match="use the encoder that it names"):
        EncoderFrames(FeatureOptions(kind="whisper", source=str(encoder_folder), sha256="0" * 64))


def test_a_frozen_encoder_is_not_part_of_what_is_saved(encoder_folder):
    frozen = EncoderFrames(FeatureOptions(kind="whisper", source=str(encoder_folder)))
    trained = EncoderFrames(FeatureOptions(kind="whisper", source=str(encoder_folder), trainable=True))
    assert not frozen.state_dict()
    assert not list(frozen.parameters())
    assert len(list(trained.parameters())) == len(trained.state_dict()) > 0


@pytest.mark.parametrize("pool_after", [0, 1, 2])
def test_frames_averaged_before_a_block_are_the_same_alone_and_in_a_batch(encoder_folder, pool_after):
    front_end = EncoderFrames(
        FeatureOptions(kind="whisper", source=str(encoder_folder), blocks=(2,), pool=2, pool_after=pool_after)
    )
    sounds = [speech(16_000), speech(9_111, seed=1)]
    lengths = torch.tensor([len(one) for one in sounds])
    together, counts = front_end(torch.nn.utils.rnn.pad_sequence(sounds, batch_first=True), lengths)
    assert counts.tolist() == [25, 14]  # of 50 and 28 frames of 20 ms
    for row, count, sound in zip(together, counts.tolist(), sounds, strict=True):
        alone, _ = front_end(sound[None], torch.tensor([len(sound)]))
        torch.testing.assert_close(row[:, :count], alone[0])
        assert not row[:, count:].any()


def test_averaging_after_the_last_block_is_the_usual_averaging(encoder_folder):
    options = {"kind": "whisper", "source": str(encoder_folder), "blocks": (2,), "pool": 2}
    sound, lengths = speech(16_000)[None], torch.tensor([16_000])
    usual, early = (EncoderFrames(FeatureOptions(**options, pool_after=after))(sound, lengths)[0] for after in (2, 0))
    torch.testing.assert_close(EncoderFrames(FeatureOptions(**options))(sound, lengths)[0], usual)
    assert FeatureOptions(**options, pool_after=2) == FeatureOptions(**options)  # one key, frames stored once
    assert early.shape == usual.shape
    assert not torch.allclose(early, usual)


@pytest.mark.parametrize(
    ("settings", "most"),
    [({"blocks": [2], "pool_after": 3}, 2), ({"blocks": [3], "pool_after": 2, "fine_tuned": 2}, 1)],
)
def test_averaging_behind_the_frames_that_are_used_is_refused(encoder_folder, settings, most):
    with pytest.raises(ValueError, match=f"expected at most {most}"):
        FeatureOptions.model_validate({"kind": "whisper", "source": str(encoder_folder), **settings})


@pytest.mark.parametrize("fine_tuned", [1, 2])
def test_blocks_that_learn_begin_as_they_were_published(encoder_folder, fine_tuned):
    sound = torch.stack([speech(16_000), speech(16_000, seed=1)])
    lengths = torch.tensor([16_000, 9_000])
    options = {"kind": "whisper", "source": str(encoder_folder), "blocks": (2,), "pool": 2}
    frozen = EncoderFrames(FeatureOptions(**options))
    learning = EncoderFrames(FeatureOptions(**options, fine_tuned=fine_tuned))
    assert learning.digest == frozen.digest
    expected, counts = frozen(sound, lengths)
    found, found_counts = learning(sound, lengths)
    torch.testing.assert_close(found, expected)
    assert torch.equal(found_counts, counts)
    # The same from frames of the block before.
    stored = learning.stored_part()(sound, lengths)
    torch.testing.assert_close(learning.finish(*stored)[0], expected)
    found.square().sum().backward()
    assert all(one.grad is not None for one in learning.parameters())
    assert {name.split(".")[2] for name in learning.state_dict()} == {str(n) for n in range(fine_tuned)}


@pytest.mark.parametrize(
    "settings",
    [{"blocks": [2], "fine_tuned": 3}, {"blocks": [1, 2], "fine_tuned": 1}, {"trainable": True, "fine_tuned": 1}],
)
def test_blocks_that_cannot_learn_are_refused(encoder_folder, settings):
    with pytest.raises(ValueError, match="expected one block"):
        FeatureOptions.model_validate({"kind": "whisper", "source": str(encoder_folder), **settings})


@pytest.mark.parametrize("blocks", [(), (2, 1), (1, 1), (3,), (-1,)])
def test_impossible_blocks_are_refused(encoder_folder, blocks):
    with pytest.raises(EncoderError, match=r"expected different numbers in ascending order, 0 .* to 2"):
        load_encoder(encoder_folder, blocks)


def test_a_pickle_is_never_read(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    torch.save({"model.encoder.conv1.weight": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"model\.safetensors"):
        load_encoder(tmp_path, (1,))


def test_a_damaged_file_is_an_error_that_names_it(tmp_path):
    folder = write_encoder(tmp_path / "damaged")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(EncoderError, match=r"model\.safetensors does not hold the encoder"):
        load_encoder(folder, (1,))


def test_an_encoder_is_found_below_the_folder_that_the_environment_names(encoder_folder, monkeypatch):
    monkeypatch.setenv("EMOTONE_ENCODERS", str(encoder_folder.parent))
    assert find_encoder("openai/whisper-made-up") == encoder_folder
    with pytest.raises(EncoderError, match="EMOTONE_ENCODERS"):
        find_encoder("./nowhere")
