"""Yenigalla et al. (2018): spectrogram, phonemes, both."""

from __future__ import annotations

import pytest
import torch

from emotone.models.earlier.yenigalla2018 import PhonemeChannel, SpectrogramChannel, YenigallaNetwork, YenigallaOptions

SMALL = {"kernels": 2, "dense": (6, 5), "embedding": 4, "phoneme_kernels": 3, "phoneme_dense": 5, "channel_dense": 4}


def small_network(inputs):
    torch.manual_seed(0)
    return YenigallaNetwork(YenigallaOptions(inputs=inputs, **SMALL), n_classes=3)


def inputs(n=4):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(n, 64, 96, generator=generator)
    phonemes = torch.randint(2, 20, (n, 15), generator=generator)
    for row, length in enumerate((15, 9, 4, 1)):
        phonemes[row, length:] = 0
    return features, torch.full((n,), 96), phonemes


@pytest.mark.parametrize("kind", ["spectrogram", "phonemes", "both"])
def test_an_utterance_scores_alone_as_in_a_batch(kind):
    network = small_network(kind).eval()
    features, counts, phonemes = inputs()
    with torch.no_grad():
        together, embedding = network(features, counts, phonemes)
        alone = []
        for row in range(4):
            own = phonemes[row : row + 1, : int((phonemes[row] != 0).sum())]
            alone.append(network(features[row : row + 1], counts[row : row + 1], own)[0])
    assert together.shape == (4, 3)
    assert embedding.shape == (4, network.embedding_size)
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_each_kernel_of_the_spectrogram_gives_four_values():
    channel = SpectrogramChannel(200)
    assert channel.size == 3200
    small = SpectrogramChannel(1).eval()
    assert small(torch.randn(2, 64, 96)).shape == (2, small.size)


def test_the_convolutions_cost_twelve_giga_multiply_adds():
    cost = sum(
        200 * band * frame * (128 - band + 1) * (256 - frame + 1)
        for band, frame in ((12, 16), (18, 24), (24, 32), (30, 40))
    )
    shapes = [tuple(branch[0].weight.shape) for branch in SpectrogramChannel(200).branches]
    assert shapes == [(200, 1, 12, 16), (200, 1, 18, 24), (200, 1, 24, 32), (200, 1, 30, 40)]
    assert 12e9 < cost < 12.2e9


def test_the_embedding_is_learnt_from_the_training_speakers_alone():
    network = small_network("phonemes")
    phonemes = inputs()[2][:2].clamp(max=9)
    network.prepare(torch.tensor([1, 1, 1]), phonemes, 0)
    vectors = network.phonemes.embedding.weight
    said = set(phonemes.unique().tolist()) - {0}
    assert {row for row in range(len(vectors)) if vectors[row].any()} == said


def test_padding_never_wins_the_maximum():
    torch.manual_seed(0)
    channel = PhonemeChannel(YenigallaOptions(**SMALL)).eval()
    for convolution in channel.convolutions:
        torch.nn.init.constant_(convolution.bias, -1.0)
    sequence = torch.tensor([[3, 4]])
    padded = torch.nn.functional.pad(sequence, (0, 30))
    assert torch.allclose(channel(sequence), channel(padded), atol=1e-6)


def test_a_network_over_phonemes_refuses_to_do_without():
    network = small_network("both")
    with pytest.raises(ValueError, match="needs"):
        network(*inputs()[:2])
    with pytest.raises(ValueError, match="training speakers"):
        network.prepare(torch.tensor([1, 1, 1]), None, 0)
