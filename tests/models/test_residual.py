"""The residual network: its size, its cost, its masks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from emotone.audio import load_audio
from emotone.experiments.recipe import load_recipe
from emotone.features.front_end import FeatureOptions
from emotone.models.recognition_network import NormalisationOptions, RecognitionNetwork
from emotone.models.residual import ResidualOptions, Stage, pool_statistics, strided_counts


def built(name: str, n_classes: int = 4) -> RecognitionNetwork:
    recipe = load_recipe(name)
    torch.manual_seed(0)
    return RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=n_classes)


def multiply_adds(network: nn.Module, *inputs: torch.Tensor) -> int:
    total = 0

    def count(module: nn.Module, _: object, out: torch.Tensor) -> None:
        nonlocal total
        total += out[0].numel() * module.weight[0].numel() if out.dim() > 2 else module.weight.numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    network(*inputs)
    for hook in hooks:
        hook.remove()
    return total


def scrambled(network: RecognitionNetwork) -> RecognitionNetwork:
    """Weights and statistics as after training: no block is its shortcut, no normalisation the identity."""
    generator = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            for tensor in (module.weight, module.bias, module.running_mean):
                tensor.data.normal_(0.5, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    network.normaliser.mean.normal_(0, 5, generator=generator)
    network.normaliser.scale.uniform_(0.05, 0.1, generator=generator)
    return network.eval()


def test_the_default_has_under_a_million_parameters_and_twenty_million_multiply_adds_a_second() -> None:
    network = built("spectrogram", n_classes=8)
    assert sum(parameter.numel() for parameter in network.parameters()) <= 1_000_000
    seconds = 10
    n_frames = int(seconds * network.front_end.options.frame_rate)
    features = torch.zeros(1, network.front_end.options.n_bands, n_frames)
    cost = multiply_adds(network.network.eval(), features, torch.tensor([n_frames]))
    assert 1_000_000 < cost / seconds <= 20_000_000


@pytest.mark.parametrize(("name", "n_bands"), [("tripathi2019-spectrogram", 128), ("tripathi2019-mfcc", 40)])
def test_the_papers_network_sees_256_frames_of_six_seconds(name: str, n_bands: int) -> None:
    network = built(name).eval()
    features, counts = network.features(torch.randn(2, 200_000) * 0.1, torch.tensor([50_000, 200_000]))
    assert features.shape == (2, n_bands, 256)
    assert counts.tolist() == [256, 256]


@pytest.mark.parametrize("name", ["spectrogram", "tripathi2019-spectrogram", "tripathi2019-mfcc"])
def test_an_utterance_scores_the_same_alone_and_in_a_batch(name: str, clips_dir: Path) -> None:
    network = scrambled(built(name))
    clips = [torch.from_numpy(load_audio(path)) for path in sorted(clips_dir.glob("*/*a*.flac"))]
    clips.append(clips[0][:7001])
    batch = torch.full((len(clips), max(map(len, clips)) + 12_345), 0.5)  # what stands past the end must not matter
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    with torch.no_grad():
        together, _ = network(batch, torch.tensor([len(clip) for clip in clips]))
        alone = torch.cat([network(clip[None], torch.tensor([len(clip)]))[0] for clip in clips])
    assert torch.softmax(alone, 1).std(0).max() > 3e-4, "a network that says the same of everything proves nothing"
    torch.testing.assert_close(torch.softmax(together, 1), torch.softmax(alone, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("squeeze", [0, 4])
@pytest.mark.parametrize("pooling", ["statistics", "average"])
def test_every_setting_masks_its_padding(squeeze: int, pooling: str) -> None:
    options = ResidualOptions(
        stem_channels=4,
        stages=(Stage(channels=6, blocks=2), Stage(channels=8, stride=(2, 1)), Stage(channels=8, stride=(1, 2))),
        pooling=pooling,
        squeeze=squeeze,
        embedding=8,
    )
    torch.manual_seed(0)
    network = scrambled(RecognitionNetwork(FeatureOptions(n_mels=20), NormalisationOptions(), options, n_classes=3))
    waveform = torch.randn(1, 20_000) * 0.1
    for length in (400, 5_003, 19_999):
        with torch.no_grad():
            padded, _ = network(waveform, torch.tensor([length]))
            alone, _ = network(waveform[:, :length], torch.tensor([length]))
        torch.testing.assert_close(padded, alone, rtol=0, atol=1e-5)


def test_strided_counts_are_those_of_the_convolution() -> None:
    for stride in (1, 2, 3):
        convolution = nn.Conv1d(1, 1, 3, stride, 1)
        for size in range(1, 20):
            assert strided_counts(torch.tensor([size]), stride).item() == convolution(torch.zeros(1, 1, size)).shape[2]


def test_statistics_are_those_of_the_valid_frames() -> None:
    sequence = torch.randn(1, 3, 9)
    mask = (torch.arange(9) < 6)[None, None].float()
    pooled = pool_statistics(sequence * mask, mask)[0]
    torch.testing.assert_close(pooled[:3], sequence[0, :, :6].mean(1))
    torch.testing.assert_close(pooled[3:], sequence[0, :, :6].std(1, correction=0), rtol=1e-3, atol=1e-4)


def test_gradients_of_silence_are_finite() -> None:
    network = built("spectrogram").train()
    logits, _ = network(torch.zeros(4, 16_000), torch.tensor([16_000] * 4))
    logits.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_the_normaliser_takes_its_statistics_from_valid_frames_alone() -> None:
    network = built("tripathi2019-mfcc")
    normaliser = network.normaliser
    features = torch.randn(8, 40, 50) * 3 + 7
    counts = torch.tensor([50, 20] * 4)
    valid = torch.cat([f[:, :c] for f, c in zip(features, counts, strict=True)], dim=1)
    normaliser.fit([(features[:4], counts[:4]), (features[4:], counts[4:])])
    torch.testing.assert_close(normaliser.mean, valid.mean(1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(1 / normaliser.scale, valid.std(1, correction=0), rtol=1e-4, atol=1e-4)
