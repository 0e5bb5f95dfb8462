"""Features kept in memory are those that would be computed, and a run with them learns the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from emotone.experiments.recipe import load_recipe
from emotone.features.augmentation import AugmentationOptions
from emotone.features.silence import SilenceOptions
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.data import feature_cache
from emotone.training.data.batches import LabelledWaveforms, pad
from emotone.training.data.feature_cache import FeatureCache
from emotone.training.data.waveform_store import WaveformStore
from emotone.training.scoring import score


@pytest.fixture(scope="module")
def data(voices, tmp_path_factory):
    store = WaveformStore(tmp_path_factory.mktemp("store"), sample_rate=16_000)
    targets = np.asarray(voices.targets(), dtype=np.int64)
    return LabelledWaveforms(store.open(voices.utterances), targets, [u.id for u in voices.utterances], 3)


def network_of(name):
    recipe = load_recipe(name)
    torch.manual_seed(0)
    network = RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=3)
    network.network.prepare(torch.tensor([20, 20, 20]), None, 0)
    return network.eval()


@pytest.mark.parametrize("name", ["lee2015", "satt2017-conv-blstm", "tripathi2019-mfcc", "spectrogram"])
def test_kept_features_and_their_scores_are_those_computed_anew(data, name):
    network, some = network_of(name), np.array([7, 3, 31, 12])
    cache = FeatureCache.fill(network, data, some)
    features, counts = cache(some)
    waveform, lengths = pad([data.waveforms.read(int(index)) for index in some])
    anew, counts_anew = network.features(waveform, lengths)
    assert counts.tolist() == counts_anew.tolist()
    torch.testing.assert_close(features, anew, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(score(network, data, some, cache), score(network, data, some), rtol=1e-4, atol=1e-4)


def test_a_cache_that_would_not_fit_is_not_made(data, monkeypatch):
    monkeypatch.setattr(feature_cache, "MAX_BYTES", 10_000)
    assert FeatureCache.fill(network_of("spectrogram"), data, np.arange(10)) is None


@pytest.mark.parametrize("changed", [{"speed": 0.1}, {"noise": 0.5}, {"mixup": 0.2}, {"gain_db": 3.0}])
def test_features_that_change_from_epoch_to_epoch_are_not_kept(changed):
    assert FeatureCache.pays(AugmentationOptions(frequency_masks=2), SilenceOptions(), 0.0)
    assert not FeatureCache.pays(AugmentationOptions(**changed), SilenceOptions(), 0.0)
    assert not FeatureCache.pays(AugmentationOptions(), SilenceOptions(), 4.0)
    assert not FeatureCache.pays(AugmentationOptions(), SilenceOptions(copies=1), 0.0)
