"""The normaliser: what each way of centring takes away, alone and in a batch."""

from __future__ import annotations

import pytest
import torch

from emotone.errors import RecipeError
from emotone.experiments.recipe import recipe_from
from emotone.models.recognition_network import NormalisationOptions, Normaliser

SPEECH = -20 + 10 * torch.rand(1, 8, 50, generator=torch.Generator().manual_seed(0))


def beside_silence(level_db: float, n_frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    silence = torch.full((1, 8, n_frames), level_db)
    return torch.cat([silence, SPEECH, silence], 2), torch.tensor([50 + 2 * n_frames])


def test_loud_centring_gives_speech_the_same_features_beside_any_silence() -> None:
    normaliser = Normaliser(NormalisationOptions(centre="loud"), 8)
    alone = normaliser(SPEECH, torch.tensor([50]))
    for level_db, n_frames in ((-100.0, 40), (-60.0, 40), (-60.0, 5)):
        centred = normaliser(*beside_silence(level_db, n_frames))
        torch.testing.assert_close(centred[:, :, n_frames : n_frames + 50], alone)
        assert centred[0, :, 0].mean() == pytest.approx(level_db + 15, abs=1)


def test_loud_centring_is_the_mean_of_each_band_where_all_is_loud() -> None:
    ways = [Normaliser(NormalisationOptions(centre=centre), 8) for centre in ("loud", "bands")]
    counts = torch.tensor([50])
    torch.testing.assert_close(*(normaliser(SPEECH, counts) for normaliser in ways))
    assert not torch.allclose(*(normaliser(*beside_silence(-60.0, 10)) for normaliser in ways))


@pytest.mark.parametrize("centre", ["none", "level", "bands", "loud"])
def test_an_utterance_is_centred_alone_as_in_a_batch(centre: str) -> None:
    normaliser = Normaliser(NormalisationOptions.model_validate({"centre": centre}), 8)
    padded = torch.nn.functional.pad(SPEECH - 60, (0, 30))  # zero, far above the speech, past its end
    torch.testing.assert_close(
        normaliser(padded, torch.tensor([50]))[:, :, :50], normaliser(SPEECH - 60, torch.tensor([50]))
    )


def test_loud_centring_needs_bands() -> None:
    tables = {"name": "x", "features": {"kind": "mfcc"}, "normalisation": {"centre": "loud"}}
    with pytest.raises(RecipeError, match="log_mel"):
        recipe_from(tables, source="test")
