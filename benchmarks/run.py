"""All benchmarks: python benchmarks/run.py; writes docs/benchmarks.md, docs/scale.md and benchmarks/results.json.

    --quick          minutes of sound instead of hours: to see that it runs, never to publish
    --only NAME      one measurement, again; the others keep their figures
    --docs FOLDER    in place of docs; made if it is not there

Nothing else should run on the machine; what did meanwhile is measured as well, and the page says so. Peers that are not installed (pip install opensmile transformers torch) are left out,
and the page says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from benchmarks.page import page  # noqa: E402
from benchmarks.scale import scale  # noqa: E402
from emotone.cores import available_cores  # noqa: E402

LENGTHS_S = {"1 min": 60, "10 min": 600, "1 h": 3_600, "10 h": 36_000}
PACKAGES = ("emotone", "av", "numpy", "onnxruntime", "opensmile", "torch", "transformers")


def plan(quick: bool) -> dict[str, tuple[str, dict[str, Any]]]:
    """Key -> (measurement, its arguments)."""
    some_s, repeats = (20, 1) if quick else (600, 5)
    baselines_s = 8 if quick else 80
    found: dict[str, tuple[str, dict[str, Any]]] = {
        "cold_start": ("cold_start", {"repeats": 1 if quick else 10}),
        "decode": ("decode", {"duration_s": some_s, "repeats": repeats}),
        "clips": ("clips", {"duration_s": baselines_s, "repeats": repeats}),
        "clips_small": ("clips", {"duration_s": baselines_s, "repeats": repeats, "model": "small"}),
        "opensmile_egemaps": (
            "opensmile",
            {"feature_set": "eGeMAPSv02", "duration_s": baselines_s, "repeats": repeats},
        ),
        "opensmile_compare": (
            "opensmile",
            {"feature_set": "ComParE_2016", "duration_s": baselines_s, "repeats": repeats},
        ),
        "wav2vec2": ("wav2vec2", {"duration_s": baselines_s, "repeats": min(repeats, 2)}),
        "live": ("live", {"duration_s": some_s, "vad": False}),
        "live_vad": ("live", {"duration_s": some_s, "vad": True}),
    }
    for batch in (1, 2, 4, 8, 16):
        found[f"graph {batch}"] = ("graph", {"repeats": 3 if quick else 30, "batch": batch})
    for length, duration_s in LENGTHS_S.items():
        duration_s = duration_s / 60 if quick else duration_s
        found[f"file {length}"] = ("whole_file", {"duration_s": duration_s, "vad": False})
        found[f"file_vad {length}"] = ("whole_file", {"duration_s": duration_s, "vad": True})
        found[f"small_vad {length}"] = ("whole_file", {"duration_s": duration_s, "vad": True, "model": "small"})
    n_cores = available_cores()
    for n_workers in sorted({1, 2, n_cores}):
        found[f"workers {n_workers}"] = ("workers", {"n_workers": n_workers, "n_files": 60 if quick else 2_000})
    found["scaling"] = ("scaling", {"rounds": 1 if quick else 5, "n_files": 60 if quick else 400})
    found["service"] = ("script", {"name": "service"})
    found["training"] = ("script", {"name": "training"})
    return found


def machine() -> dict[str, Any]:
    """What the figures were measured on and with."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "cpu": cpu,
        "cores": available_cores(),
        "memory_gb": round(memory, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load": round(os.getloadavg()[0], 2),
    }


def measured(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """One measurement in a fresh process; `{"missing": reason}` where it cannot be made.

    `others` tells how many cores were busy with anything else meanwhile, on the average.
    """
    words = [sys.executable, str(HERE / "measure.py"), name, json.dumps(arguments)]
    started, busy_s, ours_s = time.monotonic(), processor_s(), children_s()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    others_s = processor_s() - busy_s - (children_s() - ours_s)
    if done.returncode:
        return {"missing": (done.stderr.strip().splitlines() or ["no reason given"])[-1]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result | {"others": round(max(0.0, others_s / (time.monotonic() - started)), 2)}


def processor_s() -> float:
    """Processor seconds that the machine has spent on anything, or that its host took from it."""
    user, nice, system, _, _, interrupts, soft_interrupts, stolen = map(
        int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    )
    return (user + nice + system + interrupts + soft_interrupts + stolen) / os.sysconf("SC_CLK_TCK")


def children_s() -> float:
    """Processor seconds of the processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def kept(store: Path, now: dict[str, Any]) -> dict[str, Any]:
    """The figures of an earlier run, if they were measured on the same machine; figures of two cannot be compared."""
    results: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}
    then = results.get("machine", {})
    if then and any(then.get(name) != now[name] for name in ("cpu", "cores")):
        print(f"{store.name} is of another machine ({then.get('cpu')}): its figures are left out", file=sys.stderr)
        return {}
    return results


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append")
    parser.add_argument("--docs", type=Path, default=HERE.parent / "docs")
    options = parser.parse_args()
    store = HERE / ("results-quick.json" if options.quick else "results.json")
    now = machine() | {"quick": options.quick}
    results = (kept(store, now) if options.only else {}) | {"machine": now}
    wanted_keys = plan(options.quick)
    if unknown := [one for one in options.only or () if not any(key.startswith(one) for key in wanted_keys)]:
        parser.error(f"--only {unknown[0]}: expected the beginning of one of {', '.join(wanted_keys)}")
    for key, (name, arguments) in wanted_keys.items():
        if options.only and not any(key.startswith(wanted) for wanted in options.only):
            continue
        started = time.monotonic()
        results[key] = measured(name, arguments) | {"date": now["date"]}
        print(f"{key:20} {time.monotonic() - started:7.1f} s  {json.dumps(results[key])}", flush=True)
        store.write_text(json.dumps(results, indent=1) + "\n")
    options.docs.mkdir(parents=True, exist_ok=True)
    for name, text in (("benchmarks.md", page(results)), ("scale.md", scale(results))):
        (options.docs / name).write_text(text, encoding="utf-8")
        print(f"wrote {options.docs / name}")


if __name__ == "__main__":
    main()
