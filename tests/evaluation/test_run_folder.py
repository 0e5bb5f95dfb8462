"""A run folder is read whole, and refused where its parts do not belong together."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotone.errors import EvaluationError, TrainingError
from emotone.evaluation.predictions import Predictions, concatenate
from emotone.evaluation.results import Results
from emotone.evaluation.run_folder import FoldFolder, RunFolder, read_history, read_run
from emotone.evaluation.summary import summarise


@pytest.mark.parametrize("seeds", [(0,), (3, 5)])
def test_a_finished_run_reads_whole(make_run: Callable[..., Path], seeds: tuple[int, ...]) -> None:
    run = read_run(make_run(seeds))
    assert tuple(run.predictions) == seeds
    assert [len(table) for table in run.predictions.values()] == [120] * len(seeds)
    assert set(run.histories) == {(seed, fold) for seed in seeds for fold in range(4)}


def test_one_seed_may_have_its_own_folder(make_run: Callable[..., Path]) -> None:
    assert len(read_run(make_run((4,), nested=True)).predictions[4]) == 120


def test_histories_may_be_missing(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    (folder / "fold-02" / "history.csv").unlink()
    run = read_run(folder)
    assert (0, 2) not in run.histories


def test_a_run_without_training_has_its_predictions_in_the_run_folder(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    results = Results.read(folder / "results.json")
    tables = [Predictions.read(path) for path in sorted(folder.glob("fold-*/predictions.csv"))]
    whole = replace(concatenate(tables), folds=np.zeros(120, dtype=np.int64))
    info = {"fold": 0, "test_speakers": list(results.per_speaker), "validation_speakers": []}
    alone = folder.parent / "alone"
    FoldFolder(alone).finish(whole, info)
    summarise({0: whole}, [info], results.provenance(), n_resamples=50).write(alone / "results.json")
    assert len(read_run(alone).predictions[0]) == 120
    assert read_run(alone).histories == {}


def test_settings_of_another_run_are_refused_by_name(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.claim({"recipe": {"gamma": 2.0}, "corpus": "emodb"})
    folder.claim({"recipe": {"gamma": 2.0}, "corpus": "emodb"})
    with pytest.raises(TrainingError, match="other recipe; choose"):
        folder.claim({"recipe": {"gamma": 0.0}, "corpus": "emodb"})


def test_a_run_that_has_not_ended_is_refused(make_run: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_run()
    (folder / "results.json").unlink()
    with pytest.raises(EvaluationError, match="its run has not ended"):
        read_run(folder)
    with pytest.raises(EvaluationError, match="is not a folder"):
        read_run(tmp_path / "missing")


def test_a_missing_fold_is_refused(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    shutil.rmtree(folder / "fold-03")
    with pytest.raises(EvaluationError, match=r"cannot read predictions from .*fold-03"):
        read_run(folder)


def test_results_of_other_predictions_are_refused(make_run: Callable[..., Path]) -> None:
    folder = make_run()
    path = folder / "fold-00" / "predictions.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(EvaluationError, match=r"does not follow from the folds' predictions \(119 scored there, 120"):
        read_run(folder)


def test_an_empty_cell_of_a_history_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("epoch,validation_uar\n1,\n2,0.5\n")
    history = read_history(tmp_path / "history.csv")
    np.testing.assert_array_equal(history["epoch"], [1, 2])
    np.testing.assert_array_equal(history["validation_uar"], [np.nan, 0.5])


@pytest.mark.parametrize("content", ["epoch,uar\n1,good\n", "epoch,uar\n1,0.5,7\n", "epoch\n\xff\n"])
def test_a_damaged_history_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "history.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(EvaluationError, match="cannot read the history"):
        read_history(tmp_path / "history.csv")


def test_a_history_cut_short_is_unknown_where_it_ends(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("epoch,validation_uar\n1,0.5\n2")
    np.testing.assert_array_equal(read_history(tmp_path / "history.csv")["validation_uar"], [0.5, np.nan])
