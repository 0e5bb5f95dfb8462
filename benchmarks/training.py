"""How fast the recipes train, and what three shortcuts are worth; `benchmarks/run.py --only training` puts it on the page.

python benchmarks/training.py [--threads N]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from emotone.experiments.recipe import Recipe, load_recipe
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.losses import focal_loss

SECONDS, BATCH, STEPS = 3.0, 24, 8
LARGE_KERNELS = "satt2017-conv-blstm"


def best_of(action: Callable[[], object], n: int = STEPS) -> float:
    """The fastest of n runs, in seconds, after one that warms up."""
    action()
    times = []
    for _ in range(n):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def step_of(recipe: Recipe, *, channels_last: bool, cached: bool = False) -> Callable[[], object]:
    """One training step on made-up clips of three seconds."""
    torch.manual_seed(0)
    network = RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=4)
    if channels_last:
        nn.Module.to(network, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters())
    waveform = torch.randn(BATCH, int(SECONDS * recipe.features.sample_rate)) * 0.1
    lengths = torch.full((BATCH,), waveform.shape[1])
    targets = torch.arange(BATCH) % 4
    features, counts = network.features(waveform, lengths)

    def step() -> Tensor:
        logits, _ = network(None, counts, None, features) if cached else network(waveform, lengths)
        loss = focal_loss(logits, targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


def with_plain_convolutions(network: nn.Module) -> None:
    """Replace forms of a convolution that were written for speed by PyTorch's own, with the same weights."""
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.Conv2d) and type(layer) is not nn.Conv2d:
                plain = nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, padding=layer.padding)
                plain.load_state_dict(layer.state_dict())
                setattr(parent, name, plain)


def gain_of_own_convolutions(name: str) -> float:
    """How many times faster a training step in float32 is than with PyTorch's own convolutions."""
    recipe = load_recipe(name)
    torch.manual_seed(0)
    network = RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=4)
    waveform = torch.randn(recipe.training.batch_size, int(SECONDS * network.front_end.options.sample_rate)) * 0.1
    lengths = torch.full((len(waveform),), waveform.shape[1])
    features, counts = network.features(waveform, lengths)
    targets = nn.functional.one_hot(torch.arange(len(waveform)) % 4, 4).float()

    def step() -> None:
        network.zero_grad()
        output = network(None, counts, None, features)
        network.network.training_loss(output, targets, nn.CrossEntropyLoss()).backward()

    own = best_of(step)
    with_plain_convolutions(network)
    return best_of(step) / own


def measure(threads: int) -> dict[str, float]:
    """Clips a second of the recipes, and what the shortcuts are worth."""
    torch.set_num_threads(threads)
    found: dict[str, float] = {"threads": threads}
    for name in ("spectrogram", "tripathi2019-spectrogram"):
        recipe = load_recipe(name)
        plain, last, cached = (
            best_of(step_of(recipe, channels_last=channels_last, cached=cached))
            for channels_last, cached in ((False, False), (True, False), (True, True))
        )
        found |= {
            f"{name} clips_per_s": BATCH / last,
            f"{name} channels_last": plain / last,
            f"{name} cached": last / cached,
        }
    found[f"{LARGE_KERNELS} own_convolutions"] = gain_of_own_convolutions(LARGE_KERNELS)
    return found


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    print(json.dumps(measure(parser.parse_args().threads)))


if __name__ == "__main__":
    main()
