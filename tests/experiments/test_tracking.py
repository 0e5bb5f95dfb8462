"""Trackers get every epoch; a run without one needs none."""

from __future__ import annotations

from pathlib import Path

import pytest

from emotone.errors import MissingExtraError, RecipeError
from emotone.experiments.tracking import open_tracker
from emotone.training.job import EpochRecord

RECORDS = [EpochRecord(epoch, 1.0 / epoch, 0.5, 0.6, 0.1 * epoch, 1e-3, 2.0, 100.0) for epoch in (1, 2, 3)]


def test_no_tracker_writes_nothing(tmp_path: Path) -> None:
    with open_tracker(None, tmp_path) as tracker:
        tracker.log(0, 0, RECORDS[0])
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_tracker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="tensorboard or mlflow"), open_tracker("paper", tmp_path):
        pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_back_what_was_logged(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with open_tracker("tensorboard", tmp_path) as tracker:
        for record in RECORDS:
            tracker.log(1, 2, record)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard" / "seed-1" / "fold-02"))
    events.Reload()
    assert [event.step for event in events.Scalars("validation_uar")] == [1, 2, 3]
    assert [event.value for event in events.Scalars("validation_uar")] == pytest.approx([0.1, 0.2, 0.3])


def test_a_tracker_that_is_not_installed_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match=r"emotone\[track\]"), open_tracker("mlflow", tmp_path):
        pass


@pytest.mark.filterwarnings("ignore")
def test_mlflow_reads_back_what_was_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    mlflow = pytest.importorskip("mlflow")
    with open_tracker("mlflow", tmp_path) as tracker:
        for record in RECORDS:
            tracker.log(0, 0, record)
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("emotone").experiment_id])
    assert [metric.value for metric in client.get_metric_history(run.info.run_id, "train_loss")] == pytest.approx(
        [1.0, 0.5, 1 / 3]
    )
    assert run.info.status == "FINISHED"
