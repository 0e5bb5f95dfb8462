"""The loop: it learns, it resumes to the same bits after a kill -9, and it refuses what it cannot do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import failing_folds
from emotone.corpora import Corpus, protocol_folds
from emotone.errors import CheckpointError, TrainingError
from emotone.experiments.cross_validation import cross_validate
from emotone.experiments.folds.processes import run_in_processes
from emotone.experiments.folds.training import run_fold
from emotone.experiments.plan import Plan, SilentListener
from emotone.experiments.recipe import Recipe, recipe_from
from emotone.training.checkpoint import Checkpoint
from emotone.training.data.batches import LabelledWaveforms, scoring_batches, training_batches
from emotone.training.data.waveform_store import WaveformStore
from emotone.training.options import TrainingOptions, learning_rate_at


def small_recipe(**training: object) -> Recipe:
    return recipe_from(
        {
            "name": "small",
            "features": {"n_mels": 24, "hop_length": 256},
            "normalisation": {"centre": "none"},
            "augmentation": {"speed": 0.05, "noise": 0.3, "frequency_masks": 1, "time_masks": 1},
            "model": {"stem_channels": 4, "stages": [{"channels": 8}, {"channels": 12}], "embedding": 16},
            "loss": {"gamma": 2.0},
            "training": {"epochs": 6, "batch_size": 8, "learning_rate": 0.01, "average": 0.9, **training},
        },
        source="test",
    )


def plan_for(corpus: Corpus, folder: Path, recipe: Recipe, **settings: object) -> Plan:
    folds = protocol_folds(corpus, "group-k", n_folds=5)
    values = {"seeds": (0,), "store": folder / "store", "only_folds": (0,), "device": "cpu", "threads": 1, **settings}
    return Plan(corpus=corpus, folds=folds, recipe=recipe, folder=folder / "run", **values)


def test_it_learns_what_can_be_learnt(voices: Corpus, tmp_path: Path) -> None:
    results = cross_validate(plan_for(voices, tmp_path, small_recipe(epochs=25)))
    assert results.pooled.uar > 0.9
    assert results.n == 12
    assert results.speaker_independent


def test_a_run_killed_at_any_moment_ends_with_the_same_bits(voices: Corpus, tmp_path: Path) -> None:
    recipe = small_recipe(epochs=10)
    undisturbed = plan_for(voices, tmp_path / "a", recipe)
    run_fold(undisturbed, 0, 0)
    killed = plan_for(voices, tmp_path / "b", recipe)
    folder = killed.fold_folder(0, 0)
    corpus_folder = voices.utterances[0].path.parents[1]
    command = [
        sys.executable,
        str(Path(__file__).with_name("train_voices.py")),
        str(corpus_folder),
        str(tmp_path / "b"),
    ]
    kills = 0
    for epochs_first in (1, 4, 6):
        child = subprocess.Popen(command, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 120
        while child.poll() is None and time.monotonic() < deadline:
            history = folder / "history.csv"
            if history.exists() and len(history.read_text().splitlines()) > epochs_first:
                time.sleep(0.02 * epochs_first)  # another moment of the epoch each time
                os.kill(child.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        child.wait()
        assert child.stderr is not None
        child.stderr.close()
    assert kills >= 2, "the child was never killed in mid-run; the test proves nothing"
    assert not (folder / "fold.json").exists()
    run_fold(killed, 0, 0)
    for name in ("model.safetensors",):
        one = safetensors.torch.load_file(undisturbed.fold_folder(0, 0) / name)
        other = safetensors.torch.load_file(folder / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert (folder / "predictions.csv").read_bytes() == (undisturbed.fold_folder(0, 0) / "predictions.csv").read_bytes()


def children_of(parent: int) -> list[int]:
    """The living processes that a process started, oldest first."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append((int(fields[19]), int(status.parent.name)))
    return [pid for _, pid in sorted(found)]


def spawned_by(child: subprocess.Popen[Any]) -> list[int]:
    """The processes of a run once two folds have begun: first the one that passes reports on, then those of folds.

    How many there are, and when, depends on the speed of the machine; that there are some does not.
    """
    while True:
        assert child.poll() is None, "the run ended before its folds began"
        found = []
        for pid in children_of(child.pid):
            with suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        if len(found) >= 2:
            return found
        time.sleep(0.05)


def wait_for_two_folds(child: subprocess.Popen[Any], folder: Path) -> None:
    """Wait until two folds have written an epoch; the timeout of the test is the only limit."""
    while len(list(folder.glob("run/seed-0/*/history.csv"))) < 2:
        assert child.poll() is None, "the run ended before its folds began"
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")
def test_folds_in_processes_of_their_own_end_with_the_run_that_is_killed(voices: Corpus, tmp_path: Path) -> None:
    corpus_folder = voices.utterances[0].path.parents[1]
    command = [sys.executable, str(Path(__file__).with_name("train_voices.py")), str(corpus_folder), str(tmp_path), "2"]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    workers = []
    try:
        wait_for_two_folds(child, tmp_path)
        workers = spawned_by(child)
        child.kill()
        child.wait()
        while any(Path(f"/proc/{pid}").exists() for pid in workers):  # or the timeout of the test
            time.sleep(0.1)
    finally:
        for pid in (child.pid, *workers):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")
@pytest.mark.parametrize(
    ("which", "message"), [pytest.param(-1, "ended before the fold was done", id="a fold's"), (0, "passes on")]
)
def test_a_process_that_is_killed_is_named_and_ends_the_run(
    voices: Corpus, tmp_path: Path, which: int, message: str
) -> None:
    corpus_folder = voices.utterances[0].path.parents[1]
    command = [sys.executable, str(Path(__file__).with_name("train_voices.py")), str(corpus_folder), str(tmp_path), "2"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        wait_for_two_folds(child, tmp_path)
        os.kill(spawned_by(child)[which], signal.SIGKILL)
        _, said = child.communicate()
    finally:
        child.kill()
    assert child.returncode == 1
    assert f"TrainingError: {'the process that' if which == 0 else 'a fold'}" in said
    assert message in said


def test_after_a_failure_of_any_kind_no_other_fold_is_begun(voices: Corpus, tmp_path: Path) -> None:
    plan = plan_for(voices, tmp_path, small_recipe(), only_folds=None)
    todo = [(0, fold) for fold in range(5)]
    with pytest.raises(failing_folds.OutOfRoomError, match="no room"):
        run_in_processes(failing_folds.run, plan, todo, 2, SilentListener())
    assert sorted(path.parent.name for path in tmp_path.glob("run/seed-0/*/begun")) == ["fold-00", "fold-01"]
    assert (plan.fold_folder(0, 1) / "fold.json").exists()


def test_folds_that_are_done_are_not_done_again(voices: Corpus, tmp_path: Path) -> None:
    plan = plan_for(voices, tmp_path, small_recipe(epochs=2), only_folds=(0, 1))
    first = cross_validate(plan)
    stamps = [(plan.fold_folder(0, f) / "model.safetensors").stat().st_mtime_ns for f in (0, 1)]
    assert cross_validate(plan) == first
    assert stamps == [(plan.fold_folder(0, f) / "model.safetensors").stat().st_mtime_ns for f in (0, 1)]


def test_processes_side_by_side_give_what_one_gives(voices: Corpus, tmp_path: Path) -> None:
    recipe = small_recipe(epochs=2)
    alone = cross_validate(plan_for(voices, tmp_path / "a", recipe, only_folds=(0, 1)))
    beside = cross_validate(plan_for(voices, tmp_path / "b", recipe, only_folds=(0, 1)), jobs=2)
    assert alone.pooled == beside.pooled


def test_another_recipe_is_refused_in_the_same_folder(voices: Corpus, tmp_path: Path) -> None:
    cross_validate(plan_for(voices, tmp_path, small_recipe(epochs=1)))
    with pytest.raises(TrainingError, match="other recipe"):
        cross_validate(plan_for(voices, tmp_path, small_recipe(epochs=2)))


def test_corrected_labels_are_another_run(voices: Corpus, tmp_path: Path) -> None:
    recipe = small_recipe(epochs=1)
    plan = plan_for(voices, tmp_path, recipe)
    cross_validate(plan)
    first, *others = voices.utterances
    other = next(label for label in voices.classes if label != first.emotion)
    corrected = replace(voices, utterances=(replace(first, emotion=other), *others))
    again = plan_for(corrected, tmp_path, recipe)
    assert again.run_key(0, 0) != plan.run_key(0, 0)
    with pytest.raises(TrainingError, match="other labels of utterances"):
        cross_validate(again)


def test_a_damaged_checkpoint_is_named(voices: Corpus, tmp_path: Path) -> None:
    plan = plan_for(voices, tmp_path, small_recipe())
    path = plan.fold_folder(0, 0) / "checkpoint.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x05")
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors cannot be read"):
        run_fold(plan, 0, 0)


def test_a_checkpoint_of_another_run_is_refused(voices: Corpus, tmp_path: Path) -> None:
    plan = plan_for(voices, tmp_path, small_recipe())
    Checkpoint({"model": {"x": torch.zeros(1)}}, {"run_key": "other"}).write(
        plan.fold_folder(0, 0) / "checkpoint.safetensors"
    )
    with pytest.raises(CheckpointError, match="another run"):
        run_fold(plan, 0, 0)


@pytest.mark.parametrize("folds", [(5,), (-1,), ()])
def test_folds_outside_the_protocol_are_refused(voices: Corpus, tmp_path: Path, folds: tuple[int, ...]) -> None:
    with pytest.raises(TrainingError, match="folds 0 to 4"):
        cross_validate(plan_for(voices, tmp_path, small_recipe(), only_folds=folds))


def test_a_loss_that_runs_away_is_an_error(voices: Corpus, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"lower training\.learning_rate"):
        run_fold(plan_for(voices, tmp_path, small_recipe(learning_rate=1e30, clip_norm=0.0)), 0, 0)


def labelled(voices: Corpus, folder: Path) -> LabelledWaveforms:
    return LabelledWaveforms(
        WaveformStore(folder).open(voices.utterances),
        np.asarray(voices.targets()),
        [utterance.id for utterance in voices.utterances],
        3,
    )


def test_threads_change_the_speed_and_never_the_batches(voices: Corpus, tmp_path: Path) -> None:
    data, recipe = labelled(voices, tmp_path), small_recipe()
    settings = {"batch_size": 8, "crop_s": 0.6, "augmentation": recipe.augmentation, "seed": 1, "fold": 0, "epoch": 3}
    one = list(training_batches(data, np.arange(60), **settings))
    other = list(training_batches(data, np.arange(60), workers=3, **settings))
    assert len(one) == len(other) == 8
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a.waveform, b.waveform)
        assert torch.equal(a.targets, b.targets)
        assert np.array_equal(a.masks.bands, b.masks.bands)


def test_an_epoch_has_every_utterance_once_over_all_processes(voices: Corpus, tmp_path: Path) -> None:
    data, recipe = labelled(voices, tmp_path), small_recipe()
    settings = {"batch_size": 10, "crop_s": 0.0, "augmentation": recipe.augmentation, "seed": 1, "fold": 0, "epoch": 0}
    members = [
        index
        for rank in range(2)
        for batch in training_batches(data, np.arange(60), rank=rank, world=2, **settings)
        for index in batch.members
    ]
    assert sorted(members) == list(range(60))


def test_scoring_sees_every_utterance_once_and_whole(voices: Corpus, tmp_path: Path) -> None:
    data = labelled(voices, tmp_path)
    chosen = np.arange(3, 50)
    seen = [
        (int(position), int(length))
        for positions, _, lengths in scoring_batches(data, chosen)
        for position, length in zip(positions, lengths, strict=True)
    ]
    assert sorted(position for position, _ in seen) == list(range(47))
    assert all(length == data.waveforms.lengths[chosen[position]] for position, length in seen)


def test_the_learning_rate_rises_and_falls() -> None:
    options = TrainingOptions(learning_rate=0.1, warm_up=0.2)
    rates = [learning_rate_at(step, 100, options) for step in range(100)]
    assert max(rates) == rates[20] == pytest.approx(0.1)
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[-1] < 1e-3
