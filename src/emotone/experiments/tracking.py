"""Sending each epoch's record to a tracker of the user's choice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from emotone.errors import MissingExtraError, RecipeError
from emotone.evaluation.run_folder import RunFolder
from emotone.extras import require_library
from emotone.training.job import EpochRecord

TRACKERS = {"tensorboard": "tensorboard", "mlflow": "mlflow"}
"""Name of a tracker -> the package it needs."""


class Tracker(Protocol):
    """Takes the records of epochs."""

    def log(self, seed: int, fold: int, record: EpochRecord) -> None:
        """Keep one epoch's record."""


class NoTracker:
    """Records nothing; every fold has its own history file."""

    def log(self, seed: int, fold: int, record: EpochRecord) -> None:
        """Ignored."""


@contextmanager
def open_tracker(name: str | None, folder: Path) -> Iterator[Tracker]:
    """The tracker of that name, closed at the end.

    Args:
        name: "tensorboard", "mlflow", or None for none.
        folder: the run folder; the tracker's files are below it.
    Raises:
        RecipeError: an unknown name.
        MissingExtraError: the tracker is not installed.
    """
    check_tracker(name)
    if name is None:
        yield NoTracker()
    elif name == "tensorboard":
        with _tensorboard(folder / "tensorboard") as tracker:
            yield tracker
    else:
        with _mlflow(folder) as tracker:
            yield tracker


def check_tracker(name: str | None) -> None:
    """Refuse a tracker that is unknown or not installed, before any work is done.

    Raises:
        RecipeError: an unknown name.
        MissingExtraError: the tracker is not installed.
    """
    if name is None:
        return
    if name not in TRACKERS:
        raise RecipeError(f"got --tracker {name!r}; expected {' or '.join(TRACKERS)}")
    require_library(TRACKERS[name], f"--tracker {name}", "track")


def _values(record: EpochRecord) -> dict[str, float]:
    return {name: float(value) for name, value in asdict(record).items() if name != "epoch"}


@contextmanager
def _tensorboard(folder: Path) -> Iterator[Tracker]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("--tracker tensorboard", "track") from error
    writers: dict[tuple[int, int], SummaryWriter] = {}

    class _TensorBoard:
        def log(self, seed: int, fold: int, record: EpochRecord) -> None:
            writer = writers.get((seed, fold))
            if writer is None:
                writer = writers[seed, fold] = SummaryWriter(str(RunFolder(folder).fold(seed, fold).path))
            for name, value in _values(record).items():
                writer.add_scalar(name, value, record.epoch)

    try:
        yield _TensorBoard()
    finally:
        for writer in writers.values():
            writer.close()


@contextmanager
def _mlflow(folder: Path) -> Iterator[Tracker]:
    # MLflow reports its use to its makers unless this is set.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise MissingExtraError("--tracker mlflow", "track") from error
    folder.mkdir(parents=True, exist_ok=True)
    # MLflow's own variable names a server; without one, a database beside the run (its plain files are deprecated).
    database = f"sqlite:///{folder.resolve() / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=os.environ.get("MLFLOW_TRACKING_URI") or database)
    found = client.get_experiment_by_name("emotone")
    experiment = client.create_experiment("emotone") if found is None else found.experiment_id
    runs: dict[tuple[int, int], str] = {}

    class _MLflow:
        def log(self, seed: int, fold: int, record: EpochRecord) -> None:
            if (seed, fold) not in runs:
                started = client.create_run(experiment, run_name=f"seed {seed} fold {fold}")
                runs[seed, fold] = started.info.run_id
            for name, value in _values(record).items():
                client.log_metric(runs[seed, fold], name, value, step=record.epoch)

    try:
        yield _MLflow()
    finally:
        for run in runs.values():
            client.set_terminated(run)
