"""Folds side by side, each in a process of its own; their progress is reported in the parent process.

Conventions: processes are spawned, not forked: a fork would copy the locks of the threads that PyTorch runs.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.managers import SyncManager
from queue import Empty
from typing import Any

from emotone.errors import TrainingError
from emotone.experiments.plan import Listener, Plan
from emotone.training.job import EpochRecord

EpochListener = Callable[[int, int, EpochRecord, int], None]
"""Seed, fold, the epoch's record, and the number of epochs."""

RunFold = Callable[[Plan, int, int, EpochListener], None]


def run_in_processes(run: RunFold, plan: Plan, todo: Sequence[tuple[int, int]], jobs: int, listener: Listener) -> None:
    """Run so many folds at once; after a failure those under way are waited for, and no other is begun.

    Args:
        run: trains and scores one fold; a function of a module, which a new process can import.
        plan: what to run.
        todo: seed and fold of each.
        jobs: folds at once.
        listener: of the progress.
    Raises:
        TrainingError: a process ended before its fold was done.
        Exception: the first that a fold raised.
    """
    context = multiprocessing.get_context("spawn")
    manager = SyncManager(ctx=context)
    manager.start(_end_with_parent)
    with manager, ProcessPoolExecutor(jobs, mp_context=context, initializer=_end_with_parent) as pool:
        reports = manager.Queue()
        waiting = deque(todo)
        running: dict[Future[None], tuple[int, int]] = {}
        failure: Exception | None = None
        # What is given to the pool beyond its processes could not be taken back.
        while running or (waiting and failure is None):
            while waiting and len(running) < jobs and failure is None:
                seed, fold = waiting.popleft()
                running[pool.submit(_run_in_child, run, plan, seed, fold, reports)] = seed, fold
                # The pool watches its newest process from when it is next woken; asked nothing more, it would not see
                # it die.
                pool.submit(int)
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            _drain(reports, listener)
            for future in done:
                seed, fold = running.pop(future)
                try:
                    future.result()
                    listener.fold_done(seed, fold, plan.fold(seed, fold).read_info(), True)
                except BrokenProcessPool as error:
                    raise TrainingError(
                        "a fold's process ended before the fold was done: it was killed, or memory ran out. Epochs "
                        "that are done are kept: run the same command again, with fewer --workers if memory was short"
                    ) from error
                except Exception as error:  # Whatever it is, it is the run's end; what else runs is waited for first.
                    failure = failure or error
        if failure is not None:
            raise failure


def _run_in_child(run: RunFold, plan: Plan, seed: int, fold: int, reports: Any) -> None:
    run(plan, seed, fold, lambda *report: reports.put(report))


def _drain(reports: Any, listener: Listener) -> None:
    while True:
        try:
            listener.epoch(*reports.get_nowait())
        except Empty:
            return
        except (EOFError, ConnectionError) as error:
            raise TrainingError(
                "the process that passes on how the folds go was killed. Epochs that are done are kept: "
                "run the same command again"
            ) from error


def _end_with_parent() -> None:
    """Let this process end when the one that started it does, however that ended.

    Otherwise it would go on, and a new run would find it working in the same folder. The interrupted epoch is repeated.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_end, args=(parent,), daemon=True).start()


def _wait_and_end(parent: Any) -> None:
    parent.join()
    os._exit(1)
