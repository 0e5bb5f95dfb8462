"""One more training on all the data of a cross-validation, for the model that is to be used.

Conventions: the number of epochs and the temperature are the medians over the folds, so nothing is chosen on the data
that the model learns. There is no test part: the model has no score of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emotone.corpora import Corpus, Split, read_corpus
from emotone.errors import TrainingError
from emotone.evaluation.run_folder import RunFolder
from emotone.experiments.folds.training import train_fold
from emotone.experiments.plan import Listener, Plan, SilentListener
from emotone.experiments.recipe import recipe_from
from emotone.training.checkpoint import write_weights
from emotone.training.data.waveform_store import WaveformStore

FOLDER = "all-data"


@dataclass(frozen=True, slots=True)
class _Everyone:
    """A fold without a test part; validation is monitored and chooses nothing."""

    speakers: tuple[str, ...]

    @property
    def validation(self) -> tuple[str, ...]:
        return self.speakers

    @property
    def test(self) -> tuple[str, ...]:
        return ()

    def indices(self, corpus: Corpus) -> Split:
        everyone = np.arange(len(corpus.utterances), dtype=np.int64)
        return Split(everyone, everyone, everyone[:0])


@dataclass(frozen=True, slots=True)
class _AllData:
    folds: tuple[_Everyone, ...]
    hash: str
    protocol: str = "all data, no test part"
    speaker_independent: bool = False


def train_on_all(
    run: Path, *, data: Path | None = None, store: Path, threads: int = 0, listener: Listener | None = None
) -> Path:
    """Train on all utterances of a finished cross-validation, for the median number of epochs of its folds.

    Args:
        run: the folder of the cross-validation.
        data: the corpus's folder or manifest; None where the run read it.
        store: the waveform store's folder.
        threads: of PyTorch; 0 leaves PyTorch's own choice.
        listener: of the progress.
    Returns:
        the weights.
    Raises:
        TrainingError: the run is not finished, or its corpus is not what it was.
    """
    listener = listener or SilentListener()
    folder = RunFolder(run)
    if not folder.results.is_file():
        raise TrainingError(f"{run} holds no finished cross-validation; --all-data takes its folds' epochs")
    asked = json.loads(folder.settings.read_text(encoding="utf-8"))
    recipe = recipe_from(asked["recipe"], source=str(folder.settings))
    corpus = _corpus(folder, asked, data, recipe.labels)
    infos = [fold.read_info() for fold in folder.done_folds()]
    epochs = round(float(np.median([info["best_epoch"] for info in infos])))
    temperature = float(np.median([info["temperature"] for info in infos]))
    options = recipe.training.model_copy(
        update={"epochs": max(1, epochs), "min_steps": 0, "patience": 0, "keep": "last"}
    )
    plan = Plan(
        corpus=corpus,
        folds=_AllData((_Everyone(corpus.speakers),), f"all-{corpus.digest}"),
        recipe=recipe.model_copy(update={"training": options}),
        seeds=(0,),
        folder=run / FOLDER,
        store=store,
        threads=threads,
    )
    weights = plan.fold(0, 0).weights
    WaveformStore(store, sample_rate=recipe.features.sample_rate).open(corpus.utterances, progress=listener.decoded)
    done = train_fold(plan, 0, 0, listener.epoch)
    about: dict[str, Any] = {
        "recipe": plan.recipe.model_dump(mode="json"),
        "labels": list(corpus.classes),
        "temperature": temperature,
        "corpus": corpus.name,
        "licence": corpus.licence,
        "protocol": plan.folds.protocol,
        "fold_hash": asked["fold_hash"],
        "fold": 0,
        "seed": 0,
        "all_data": {"epochs": options.epochs, "folds": len(infos)},
    }
    if done.vocabulary is not None:
        about["phonemes"] = list(done.vocabulary.symbols)
    write_weights(weights, done.trained.network, about)
    plan.fold(0, 0).checkpoint.unlink(missing_ok=True)
    return weights


def _corpus(folder: RunFolder, asked: dict[str, Any], data: Path | None, labels: dict[str, str]) -> Corpus:
    source = folder.read_source()
    if source is None and data is None:
        raise TrainingError(f"{folder.path} does not say where its corpus was read; name its folder with --data")
    name = asked["corpus"] if source is None else source["corpus"]
    place = data if data is not None else Path(source["directory"]) if source is not None else Path()
    corpus = read_corpus(name, place, labels=labels).with_classes(asked["classes"])
    corpus = replace(corpus, name=asked["corpus"])
    if corpus.digest != asked["labels of utterances"]:
        raise TrainingError(
            f"{place} does not hold the utterances and labels that {folder.path} was trained on; name the right "
            "folder with --data, or run the cross-validation again"
        )
    return corpus
