"""All systems behind one interface: recipes name them, and an utterance scores alone as in a batch."""

from __future__ import annotations

import pytest
import torch

from emotone.errors import RecipeError
from emotone.experiments.recipe import load_recipe, recipe_from
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.losses import LossOptions, build_criterion, focal_loss

LIGHT = {
    "lee2015": (),
    "lee2015-blstm": (),
    "satt2017-conv": (),
    "satt2017-conv-blstm": ("model.harmonic_filtering=true",),
    "satt2017-two-step": (),
    "yenigalla2018-spectrogram": ("model.kernels=2",),
    "yenigalla2018-phonemes": (),
    "yenigalla2018-combined": ("model.kernels=2",),
}


def voices():
    """Three harmonic voices of 3.4, 1 and 0.2 s."""
    generator = torch.Generator().manual_seed(0)
    waveforms = []
    for hz, seconds in ((110.0, 3.4), (210.0, 1.0), (300.0, 0.2)):
        time = torch.arange(int(seconds * 16_000)) / 16_000
        tone = sum(torch.sin(2 * torch.pi * hz * order * time) / order for order in range(1, 10))
        waveforms.append(0.1 * tone + 0.01 * torch.randn(len(time), generator=generator))
    return waveforms


@pytest.mark.parametrize("name", LIGHT)
def test_an_utterance_scores_alone_as_in_a_batch_from_the_waveform_on(name):
    recipe = load_recipe(name, LIGHT[name])
    torch.manual_seed(0)
    network = RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=4).eval()
    waveforms = voices()
    lengths = torch.tensor([len(waveform) for waveform in waveforms])
    padded = torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True)
    phonemes = torch.tensor([[2, 3, 4, 5], [4, 3, 0, 0], [1, 0, 0, 0]])
    with torch.no_grad():
        network.normaliser.fit([network.front_end(padded, lengths)])
        together, _ = network(padded, lengths, phonemes=phonemes)
        for row, waveform in enumerate(waveforms):
            own = phonemes[row : row + 1, : int((phonemes[row] != 0).sum())]
            alone, _ = network(waveform[None], lengths[row : row + 1], phonemes=own)
            assert torch.allclose(together[row], alone[0], atol=1e-5)


def test_a_recipe_that_names_no_system_is_of_the_residual_network():
    assert recipe_from({"name": "x", "model": {"stem_channels": 8}}, source="here").model.system == "residual"
    assert recipe_from({"name": "x", "model": {"system": "lee2015"}, "features": {"kind": "mfcc", "n_mfcc": 13}},
                       source="here").model.system == "lee2015"  # fmt: skip


def test_what_came_later_stands_in_no_recipe_that_does_not_use_it():
    written = load_recipe("spectrogram").model_dump(mode="json")
    assert "logit_adjustment" not in written["loss"]
    assert "optimiser" not in written["training"]
    used = load_recipe("spectrogram", ["loss.logit_adjustment=1.0", 'training.optimiser="adadelta"']).model_dump(
        mode="json"
    )
    assert used["loss"]["logit_adjustment"] == 1.0
    assert used["training"]["optimiser"] == "adadelta"
    assert recipe_from(used, source="here").model_dump(mode="json") == used


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": {"system": "lee2016"}}, "lee2016"),
        ({"model": {"system": "lee2015"}}, "n_mfcc 13"),
        ({"model": {"system": "satt2017"}, "features": {"n_mels": 40}}, "only sample_rate"),
        ({"model": {"system": "yenigalla2018"}}, "fixed_frames"),
        ({"model": {"system": "lee2015", "segment_frames": 3}, "features": {"kind": "mfcc"}}, "segment_frames"),
    ],
)
def test_a_recipe_whose_tables_do_not_fit_is_refused(settings, words):
    with pytest.raises(RecipeError, match=words):
        recipe_from({"name": "x", **settings}, source="here")


def test_logit_adjustment_is_cross_entropy_of_logits_moved_by_the_log_shares():
    counts = torch.tensor([6, 3, 1])
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 1, 2, 0, 1])
    found = build_criterion(LossOptions(gamma=0.0, logit_adjustment=2.0), counts, torch.device("cpu"))(logits, targets)
    moved = logits + 2.0 * torch.log(counts / 10)
    assert float(found) == pytest.approx(float(torch.nn.functional.cross_entropy(moved, targets)), abs=1e-6)


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_the_criterion_of_a_recipe_is_its_focal_loss(weights):
    counts = torch.tensor([6, 3, 1])
    logits, targets = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0])
    options = LossOptions(gamma=2.0, class_weights=weights, label_smoothing=0.1)
    found = build_criterion(options, counts, torch.device("cpu"))(logits, targets)
    class_weights = None if weights == "none" else torch.tensor([10 / 18, 10 / 9, 10 / 3])
    expected = focal_loss(logits, targets, gamma=2.0, class_weights=class_weights, label_smoothing=0.1)
    assert float(found) == pytest.approx(float(expected), abs=1e-6)
