"""A batch on many machines, with Ray Data: emotone provides one function over batches of locations.

Conventions: the table is a folder of Parquet files, partitioned by `outcome`: `recognised` has one row per segment with
the columns of a table made on one machine, `failed` one row per recording with `error` and `kind`. Both have `index`,
the position of the recording in the list, to sort the rows by.

When a node or a worker dies, its batches are recognised again elsewhere, and written under the same names.
"""

from __future__ import annotations

import os
import socket
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from emotone.batch.local import BatchReport, Failure, setup_of
from emotone.batch.locations import LeftOut, find_recordings
from emotone.batch.remote import remote_file_system, require_empty_folder
from emotone.batch.worker import BatchRecognizer
from emotone.errors import EmotoneError, MissingExtraError, OutputError
from emotone.files import is_address
from emotone.listening.options import TimelineOptions
from emotone.listening.speakers import SpeakerSettings
from emotone.model_files.hub import local_model
from emotone.output.rows import parquet_schema, segment_rows

_FILES_A_BATCH = 16
_FILES_A_BLOCK = 32
"""Small blocks lose little when a batch is repeated; large ones cost less bookkeeping."""

_LISTED_FAILURES = 100

_ANSWER_S = 5.0


class RayWorker:
    """One model in one process of the cluster, made once and then called with batches of locations.

    Args:
        setup: as for `BatchRecognizer`, without the model.
        model: a reference to the bytes of a model file; None for the shipped model.
    """

    def __init__(self, setup: dict[str, Any], model: Any) -> None:
        if model is None:
            self._recognise = BatchRecognizer(setup)
            return
        import ray

        # The nodes of a cluster need not share a disk.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(ray.get(model))
            self._recognise = BatchRecognizer(setup | {"model": str(path)})

    def __call__(self, batch: Any) -> Any:
        """Recognise some recordings.

        Args:
            batch: a `pyarrow.Table` of `index` and `file`.
        Returns:
            a `pyarrow.Table` of `result_schema`.
        """
        import pyarrow as pa

        rows = []
        for task in batch.to_pylist():
            answer = self._recognise(task["file"])
            common = {"index": task["index"], "file": task["file"]}
            if "row" in answer:
                found = segment_rows(answer["row"], self._recognise.labels)
                rows += [common | row | {"outcome": "recognised"} for row in found]
            else:
                rows.append(common | {"outcome": "failed", "error": answer["error"], "kind": answer["kind"]})
        return pa.Table.from_pylist(rows, schema=result_schema(self._recognise.labels))


def result_schema(labels: Sequence[str]) -> Any:
    """The Arrow schema of the workers' results."""
    import pyarrow as pa

    ours = [("index", pa.int64()), ("outcome", pa.string()), ("error", pa.string()), ("kind", pa.string())]
    return pa.schema([*parquet_schema(labels), *ours])


def recognise_with_ray(
    sources: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    address: str = "local",
    model: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    unsure_threshold: float | None = None,
    channels: Literal["mix", "split"] = "mix",
    options: TimelineOptions | None = None,
    speakers: SpeakerSettings | None = None,
) -> BatchReport:
    """Recognise many recordings on a Ray cluster.

    Args:
        sources: as for `recognise_many`; every node must be able to read them: addresses, or a disk that all share.
        output: a new folder, or the address of one.
        address: of the cluster, such as `auto` or `ray://head:10001`; "local" starts one on this machine.
        model: a model file on this machine; None for the shipped model.
        workers: the most processes; None for as many as the cluster has CPUs but one.
        unsure_threshold: in place of the model's own.
        channels: "mix" averages them; "split" recognises each separately.
        options: how to cut and join; None for the defaults.
        speakers: classes; None for all. Files of a baseline or of turns must be readable by every node.
    Raises:
        MissingExtraError: Ray is not installed.
        AudioError: no recordings.
        OutputError: the folder exists and is not empty.
        EmotoneError: the model cannot be used, there is no such cluster, or results are missing.
    """
    try:
        import ray
        import ray.data
        from pyarrow.dataset import dataset
    except ImportError:
        raise MissingExtraError("--ray", "ray") from None
    file_system, location = _new_folder(output)
    setup = setup_of(None, unsure_threshold, channels, options, speakers)
    # First on this machine, so that a model or an option that cannot be used is reported at once.
    BatchRecognizer(setup | {"model": None if model is None else os.fspath(model)})
    left_out = LeftOut()
    tables = list(_blocks(find_recordings(sources, left_out)))
    n_files = sum(table.num_rows for table in tables)
    started_here = not ray.is_initialized()
    if started_here:
        _join(address)
    try:
        content = None if model is None else ray.put(local_model(model).read_bytes())
        cpus = int(ray.cluster_resources().get("CPU", 1))
        most = workers if workers is not None else max(1, cpus - 1)
        results = ray.data.from_arrow(tables).map_batches(
            RayWorker,
            fn_constructor_kwargs={"setup": setup, "model": content},
            batch_size=_FILES_A_BATCH,
            batch_format="pyarrow",
            # At least one, so that a cluster that loses nodes continues with the others.
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
            num_cpus=1,
        )
        # Writers request no CPU; they would wait forever where workers use all of them.
        results.write_parquet(
            location, filesystem=file_system, partition_cols=["outcome"], ray_remote_args={"num_cpus": 0}
        )
    finally:
        if started_here:
            ray.shutdown()
    found = dataset(location, format="parquet", partitioning="hive", filesystem=file_system)
    return replace(_report(found, os.fspath(output), n_files), left_out=left_out)


def _blocks(locations: Iterator[str]) -> Iterator[Any]:
    import pyarrow as pa

    numbered = enumerate(locations)
    while some := list(islice(numbered, _FILES_A_BLOCK)):
        names = [os.path.abspath(name) if not is_address(name) else name for _, name in some]  # noqa: PTH100
        yield pa.table({"index": [index for index, _ in some], "file": names})


def _join(address: str) -> None:
    """Join a cluster, or start one.

    Raises:
        EmotoneError: there is no cluster at the address.
    """
    # Ray reports its use to its makers unless this is set.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        # Ray itself waits minutes for an address that does not answer.
        if host and port.isdecimal():
            socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # "local" is Ray's own name too; without an address Ray would join any cluster that it finds.
            ray.init(address=address, log_to_driver=False, logging_level="WARNING")
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise EmotoneError(f"no Ray cluster at {address!r} ({reason}); start one, or use --ray local") from error


def _new_folder(output: str | os.PathLike[str]) -> tuple[Any, str]:
    """The file system of the output (None for this machine's) and the path in it.

    Raises:
        OutputError: it exists and is not empty, or is an address that cannot be reached.
    """
    location = os.fspath(output)
    if is_address(location):
        require_empty_folder(location)
        return remote_file_system(location)
    path = Path(location).absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OutputError(f"{output} exists and is not an empty folder; name a new folder for the Parquet files")
    return None, str(path)


def _report(found: Any, output: str, n_files: int) -> BatchReport:
    import pyarrow.compute as pc

    n_answered = len(pc.unique(found.to_table(columns=["index"])["index"]))
    if n_answered != n_files:
        raise EmotoneError(f"the cluster answered for {n_answered} of {n_files} recordings; see the logs of Ray")
    failed = found.to_table(columns=["file", "error", "kind"], filter=pc.field("outcome") == "failed").to_pylist()
    failures = tuple(Failure(row["file"], row["error"], row["kind"]) for row in failed[:_LISTED_FAILURES])
    return BatchReport(output, n_files, n_files - len(failed), len(failed), failures, None, 0.0)
