"""Made-up predictions that look like a cross-validation's, and a run folder that holds them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotone.evaluation.predictions import Predictions
from emotone.evaluation.provenance import Provenance
from emotone.evaluation.summary import summarise

LABELS = ("anger", "boredom", "neutral")
SPEAKERS = ("03", "08", "09", "10")


def _predictions(seed: int = 0, n: int = 120, skill: float = 2.0) -> Predictions:
    """Four speakers, one fold each; the truth is the same for every seed."""
    truth = np.random.default_rng(7).integers(0, len(LABELS), n)
    rng = np.random.default_rng(seed)
    folds = np.arange(n) % len(SPEAKERS)
    logits = rng.normal(size=(n, len(LABELS))) * 2
    logits[np.arange(n), truth] += skill
    return Predictions(
        labels=LABELS,
        utterances=tuple(f"u{index:03d}" for index in range(n)),
        speakers=tuple(SPEAKERS[fold] for fold in folds),
        sexes=tuple("male" if fold in (0, 3) else "female" for fold in folds),
        folds=folds,
        truth=truth,
        logits=logits,
        temperatures=1.0 + folds / 3,
    )


def _fold_info(seed: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "fold": fold,
            "seed": seed,
            "test_speakers": [speaker],
            "validation_speakers": [SPEAKERS[(fold + 1) % len(SPEAKERS)]],
            "best_epoch": 2,
            "epochs_run": 3,
            "temperature": 1.0 + fold / 3,
            "seconds": 61.0,
            "n_parameters": 912_345,
            "validation_uar": 0.75,
            "a_key_of_a_later_version": True,
        }
        for fold, speaker in enumerate(SPEAKERS)
    ]


_METADATA: dict[str, Any] = {
    "corpus": "EmoDB",
    "protocol": "leave one speaker out",
    "fold_hash": "1a2b3c4d5e6f",
    "speaker_independent": True,
    "sentences_shared": True,
    "recipe_name": "default",
    "recipe": {"model": {"preset": "default"}, "loss": {"gamma": 2.0}},
    "command": "emotone crossval emodb DIR",
    "device": "cpu",
    "created": "2025-01-31",
    "tests_looked_at": 1,
}


@pytest.fixture
def make_predictions() -> Callable[..., Predictions]:
    return _predictions


@pytest.fixture
def make_fold_info() -> Callable[..., list[dict[str, Any]]]:
    return _fold_info


@pytest.fixture
def metadata() -> dict[str, Any]:
    """What a summary must be told beside the predictions."""
    return dict(_METADATA)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """A function that makes a run folder, as a cross-validation leaves it."""

    def make(seeds: tuple[int, ...] = (0,), *, nested: bool = False, **metadata: Any) -> Path:
        run = tmp_path / "run"
        for seed in seeds:
            table = _predictions(seed)
            for info in _fold_info(seed):
                fold = info["fold"]
                folder = (
                    run / f"seed-{seed}" / f"fold-{fold:02d}" if nested or len(seeds) > 1 else run / f"fold-{fold:02d}"
                )
                table.take(table.folds == fold).write(folder / "predictions.csv")
                (folder / "fold.json").write_text(json.dumps(info))
                (folder / "history.csv").write_text(
                    "epoch,train_loss,validation_loss,validation_accuracy,validation_uar,learning_rate,seconds,"
                    "clips_per_second\n1,1.1,1.2,0.5,0.45,0.001,9.5,140\n2,0.8,0.9,0.7,0.65,0.001,9.5,141\n"
                    "3,0.6,1.0,0.68,0.6,0.0005,9.4,142\n"
                )
        summarise(
            {seed: _predictions(seed) for seed in seeds},
            [info for seed in seeds for info in _fold_info(seed)],
            Provenance(**{**_METADATA, **metadata}),
            n_resamples=200,
        ).write(run / "results.json")
        return run

    return make
