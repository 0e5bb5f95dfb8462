"""docs/scale.md: a plan for a million hours, reckoned from the measured throughput."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.page import warnings_of

HOURS = 1_000_000
DAYS = 7
DOLLARS_A_CORE_HOUR = 0.045
"""On-demand price of a virtual core of a compute instance at the large clouds, rounded; put in your own."""

SPOT_SHARE = 0.35
CORES_A_MACHINE = 32
KBIT_A_SECOND = {"16-bit WAV at 16 kHz": 256, "FLAC at 16 kHz": 120, "MP3": 64, "Opus": 32}
NETWORK_GBIT_A_SECOND = 10


def scale(results: dict[str, dict[str, Any]]) -> str:
    """The whole page, in Markdown."""
    machine = results["machine"]
    long_files = results.get("file_vad 1 h", {}).get("speed")
    runs = [results[key] for key in results if key.startswith("workers ") and "speed" in results[key]]
    if not long_files or not runs:
        return "# A million hours\n\nNot reckoned: `benchmarks/run.py` has not measured the throughput.\n"
    short_files = max(one["speed"] for one in runs) / machine["cores"]
    worker_mb = max(one["worker_peak_mb"] for one in runs)
    warning = "**From a quick run on minutes of sound: no plan to follow.**\n\n" if machine["quick"] else ""
    used = {key: results[key] for key in results if key in ("machine", "file_vad 1 h") or key.startswith("workers ")}
    warning += "".join(f"{one}\n\n" for one in warnings_of(used) if not one.startswith("**A quick run"))
    rows = "\n".join(
        _row(name, speed) for name, speed in (("long recordings", long_files), ("4-second clips", short_files))
    )
    cores = HOURS / long_files / (24 * DAYS)
    sizes = "\n".join(
        f"| {name} | {HOURS * 3600 * kbit / 8 / 1e9:,.0f} TB | {long_files * kbit / 8 / 1e3:,.1f} MB/s "
        f"| {NETWORK_GBIT_A_SECOND * 1e6 / (long_files * kbit):,.0f} |"
        for name, kbit in KBIT_A_SECOND.items()
    )
    return f"""# A million hours

{warning}Written by `benchmarks/run.py` from [its figures](benchmarks.md) on {machine["cpu"]}; not edited by hand.

## What it takes

Measured on one core: from the bytes of a recording to its segments, speech found first; and files of 4 seconds through
`emotone predict FOLDER`, the reading of each included.

| recordings | times real time, a core | core-hours | at ${DOLLARS_A_CORE_HOUR} a core-hour | as spot machines |
|---|---|---|---|---|
{rows}

In {DAYS} days that is {math.ceil(cores):,} cores, or {cores / CORES_A_MACHINE:,.1f} machines of {CORES_A_MACHINE}, for long
recordings. A worker took {worker_mb:,.0f} MB with 4-second clips; recordings of hours take some 150 MB more
([benchmarks](benchmarks.md)), which hardly grows with their length, so that machines with 1 GB a core are enough. Spot machines are reckoned at {SPOT_SHARE:.0%} of the price; a machine that is taken away costs the
batches that it held.

## What it hangs on

The processor, as long as the storage can feed it:

| recordings as | a million hours | read by one core | cores that fill {NETWORK_GBIT_A_SECOND} Gbit/s |
|---|---|---|---|
{sizes}

A machine of {CORES_A_MACHINE} cores stays under its network with all of these. A store that is read by hundreds of cores is
the next limit: keep it in the region of the machines, and leave recordings compressed. Small files cost more than long
ones, since speech is looked for and classified in each by itself; pack clips of a few seconds into longer recordings where you can.

## How

```
emotone predict s3://bucket/calls --ray auto --output s3://bucket/emotions
```

1. Every node has `pip install "emotone[ray,remote]"` and the rights to read and write the bucket; the model file goes with the
   work.
2. Begin with one machine and a thousand hours, and look at the files a second; multiply.
3. Give each node at least two cores. Workers take one each, and the readers and writers of Ray Data need some as well:
   emotone uses all cores of the cluster but one, and its writers ask for none.
4. Split a million hours into runs of a day's work, by folder or by list. A node or worker that dies is made up for in the
   run; if the machine that steers it dies, that run starts again, and the others stay.
5. The result is Parquet, `outcome=recognised` and `outcome=failed`. Look at the second before you trust the first.

Without Ray, the same lists can go to machines that know nothing of each other, `emotone predict LIST.txt --output
results.parquet` on each: that is resumable after a kill at any moment.
"""


def _row(name: str, speed: float) -> str:
    core_hours = HOURS / speed
    dollars = core_hours * DOLLARS_A_CORE_HOUR
    return f"| {name} | {speed:,.0f} | {core_hours:,.0f} | ${dollars:,.0f} | ${dollars * SPOT_SHARE:,.0f} |"
