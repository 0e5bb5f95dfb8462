"""The plan of a run, and the listener of its progress."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from emotone.corpora import Corpus, Split
from emotone.errors import TrainingError
from emotone.evaluation.provenance import Provenance
from emotone.evaluation.run_folder import FoldFolder, RunFolder
from emotone.experiments.recipe import Recipe
from emotone.training.job import EpochRecord


class Partition(Protocol):
    """One fold: who is in which part."""

    @property
    def validation(self) -> tuple[str, ...]:
        """Speakers who choose the epoch and the temperature."""

    @property
    def test(self) -> tuple[str, ...]:
        """Speakers who are scored."""

    def indices(self, corpus: Corpus) -> Split:
        """Positions of each part's utterances."""


class Partitions(Protocol):
    """The folds of a protocol: those of `corpora.folds`, or the leaky ones of `experiments.leakage`."""

    @property
    def protocol(self) -> str:
        """Its name."""

    @property
    def folds(self) -> Sequence[Partition]:
        """In order."""

    @property
    def hash(self) -> str:
        """Changes with who is where."""

    @property
    def speaker_independent(self) -> bool:
        """False where a speaker may be in both training and test."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        corpus: as a task: its classes are the model's outputs.
        folds: of a protocol.
        recipe: all settings.
        seeds: each seed runs every fold.
        folder: the run folder.
        store: the waveform store's folder.
        only_folds: run just these; None for all.
        device: "cpu", or None for what is there.
        workers: threads that prepare batches ahead.
        threads: of PyTorch in each process; 0 leaves PyTorch's own choice.
        command: how the run was started, for the results.
        teacher: weights of a trained network whose probabilities are learnt beside the labels (Hinton et al. 2015);
            None for labels alone.
        init: weights of an earlier run to start from; None for random ones.
        looks: number of test evaluations on these folds so far, None where they are not counted.
    Raises:
        TrainingError: a fold number outside the protocol, or no seed.
    """

    corpus: Corpus
    folds: Partitions
    recipe: Recipe
    seeds: tuple[int, ...]
    folder: Path
    store: Path
    only_folds: tuple[int, ...] | None = None
    device: str | None = None
    workers: int = 0
    threads: int = 0
    command: str = ""
    teacher: Path | None = None
    init: Path | None = None
    looks: int | None = None

    def __post_init__(self) -> None:
        outside = [fold for fold in self.fold_numbers if not 0 <= fold < len(self.folds.folds)]
        if outside or not self.fold_numbers or not self.seeds:
            raise TrainingError(
                f"got folds {list(self.fold_numbers)} and seeds {list(self.seeds)}; "
                f"{self.folds.protocol} has folds 0 to {len(self.folds.folds) - 1}, and one seed is needed"
            )

    @property
    def fold_numbers(self) -> tuple[int, ...]:
        """The folds to run."""
        return tuple(range(len(self.folds.folds))) if self.only_folds is None else self.only_folds

    def fold(self, seed: int, fold: int) -> FoldFolder:
        """The files of a fold."""
        return RunFolder(self.folder).fold(seed, fold)

    def fold_folder(self, seed: int, fold: int) -> Path:
        """The folder of a fold."""
        return self.fold(seed, fold).path

    def is_done(self, seed: int, fold: int) -> bool:
        """Whether a fold is trained and scored.

        Raises:
            TrainingError: its folder holds a fold of another run.
        """
        folder = self.fold(seed, fold)
        if not folder.is_done:
            return False
        if folder.read_info().get("run_key") != self.run_key(seed, fold):
            raise TrainingError(
                f"{folder.path} holds another run (other recipe, folds, corpus or labels); choose another output folder"
            )
        return True

    def provenance(self, **changes: Any) -> Provenance:
        """The provenance of this plan's results."""
        facts = {
            "corpus": self.corpus.name,
            "protocol": self.folds.protocol,
            "fold_hash": self.folds.hash,
            "speaker_independent": self.folds.speaker_independent,
            "sentences_shared": self.corpus.sentences_shared,
            "recipe_name": self.recipe.name,
            "recipe": self.recipe.model_dump(mode="json"),
            "command": self.command,
            "tests_looked_at": self.looks,
        }
        return Provenance(**(facts | changes))

    def run_key(self, seed: int, fold: int) -> str:
        """Changes with anything that changes a fold's result."""
        asked = [
            self.corpus.name,
            self.corpus.classes,
            self.corpus.digest,
            self.folds.hash,
            self.recipe.model_dump(mode="json"),
            seed,
            fold,
        ]
        if self.teacher is not None:
            asked.append(hashlib.sha256(self.teacher.read_bytes()).hexdigest())
        if self.init is not None:
            asked.append(["init", hashlib.sha256(self.init.read_bytes()).hexdigest()])
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


class Listener(Protocol):
    """Receives the progress of a run."""

    def decoded(self, done: int, total: int) -> None:
        """So many utterances are decoded."""

    def epoch(self, seed: int, fold: int, record: EpochRecord, n_epochs: int) -> None:
        """A fold has finished an epoch."""

    def fold_done(self, seed: int, fold: int, info: dict[str, Any], fresh: bool) -> None:
        """A fold is done; `fresh` is False where it was found done."""


class SilentListener:
    """Ignores all progress."""

    def decoded(self, done: int, total: int) -> None:
        """Ignored."""

    def epoch(self, seed: int, fold: int, record: EpochRecord, n_epochs: int) -> None:
        """Ignored."""

    def fold_done(self, seed: int, fold: int, info: dict[str, Any], fresh: bool) -> None:
        """Ignored."""
