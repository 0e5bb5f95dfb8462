"""The cards in the repository say of each model's confidence what is true of its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from emotone.experiments.shipping.model_card import card
from emotone.model_files.model_file import read_model_file

REPO = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("model", ["src/emotone/weights/default", "src/emotone/weights/small", "models/research"])
def test_a_card_says_where_its_temperatures_come_from(model: str) -> None:
    _, metadata = read_model_file(REPO / f"{model}.onnx")
    expected = card(metadata, None, None).partition("## Confidence")[2].partition("\n## ")[0]
    text = (REPO / f"{model}.md").read_text(encoding="utf-8")
    assert text.partition("## Confidence")[2].partition("\n## ")[0] == expected
    assert ("nEMO" in expected) == (not any(one.name == "nemo" for one in metadata.corpora))
    assert ("left out of training" in expected) == (metadata.name != "small")


@pytest.mark.parametrize("model", ["src/emotone/weights/default", "src/emotone/weights/small", "models/research"])
def test_a_card_has_the_data_licences_and_scores_of_its_file(model: str) -> None:
    _, metadata = read_model_file(REPO / f"{model}.onnx")
    text = (REPO / f"{model}.md").read_text(encoding="utf-8")
    assert text.startswith(card(metadata, None, None).partition("\n## Confidence")[0].rstrip("\n"))
    assert "before the weights were" not in text.partition("By the speaker's sex")[2]
