"""Many machines give what one gives, row for row, though one of them dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from emotone.batch.local import recognise_many
from emotone.cli.main import run
from emotone.errors import OutputError
from hostile.make_hostile import TONE, wav

pytest.importorskip("ray", reason="the extra `ray` is not installed")

ON_A_CLUSTER = """
import json, sys, threading, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster

calls, output, model, kill = sys.argv[1:]
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
other = cluster.add_node(num_cpus=2)
ray.init(address=cluster.address, log_to_driver=False)
killed = threading.Event()

def kill_half_way():
    # The first files on the disk say that work is under way, and there is far more to come.
    while not list(Path(output).rglob("*.parquet")):
        time.sleep(0.05)
    cluster.remove_node(other, allow_graceful=False)
    killed.set()

if kill == "kill":
    threading.Thread(target=kill_half_way, daemon=True).start()
from emotone.batch.cluster import recognise_with_ray
report = recognise_with_ray([calls], output, model=model)
print("counts", json.dumps([report.n_files, report.n_recognised, report.n_failed, killed.is_set()]))
ray.shutdown()
cluster.shutdown()
"""


def on_a_cluster(calls: Path, output: Path, model: Path, kill: bool) -> list:
    words = [sys.executable, "-c", ON_A_CLUSTER, str(calls), str(output), str(model), "kill" if kill else "no"]
    # Ray's workers are nice to all other work; on a busy machine the test would never end.
    environment = os.environ | {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=1_100, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3_000:]
    # Ray tells of the dead node on standard output, before and after.
    (counts,) = (line for line in done.stdout.splitlines() if line.startswith("counts "))
    return json.loads(counts.removeprefix("counts "))


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_cluster_that_loses_a_node_half_way_gives_what_one_machine_gives(tmp_path, tiny_model):
    calls = tmp_path / "calls"
    calls.mkdir()
    n = 480
    for i in range(n):
        (calls / f"{i:05}.wav").write_bytes(wav(TONE[: 6_400 + i] * (0.01 + i / n)))
    (calls / "bad.wav").write_text("no sound")
    counts = on_a_cluster(calls, tmp_path / "ray", tiny_model, kill=True)
    assert counts == [n + 1, n, 1, True]
    recognise_many([calls], tmp_path / "local.parquet", model=tiny_model)
    local = ds.dataset(tmp_path / "local.parquet").to_table()
    together = ds.dataset(tmp_path / "ray", partitioning="hive").to_table(filter=ds.field("outcome") == "recognised")
    together = together.sort_by([("index", "ascending"), ("start_s", "ascending")])
    assert together.select(local.column_names).to_pylist() == local.to_pylist()


def test_a_folder_that_is_there_is_not_written_over(tmp_path, tiny_model):
    from emotone.batch.cluster import recognise_with_ray

    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "thesis.txt").touch()
    with pytest.raises(OutputError, match="name a new folder"):
        recognise_with_ray([tmp_path], tmp_path / "ray", model=tiny_model)


@pytest.mark.parametrize("address", ["", "nonsense", "127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999"])
def test_an_address_without_a_cluster_is_said_at_once(tmp_path, tiny_model, address, capsys):
    words = ["predict", __file__, "--model", str(tiny_model), "--output", str(tmp_path / "ray"), "--ray", address]
    assert run(words) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: no Ray cluster at {address!r} (")
    assert "--ray local" in err


def test_local_starts_a_cluster_and_joins_nobodys(monkeypatch):
    import ray

    from emotone.batch.cluster import _join

    asked = []
    monkeypatch.setattr(ray, "init", lambda **words: asked.append(words["address"]))
    _join("local")
    assert asked == ["local"]
