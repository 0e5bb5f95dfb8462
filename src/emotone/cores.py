"""How many processor cores this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def available_cores(root: Path = Path("/")) -> int:
    """The number of cores to plan for: at least 1.

    The affinity mask and the CPU quotas of control groups (versions 1 and 2) count, since a container with a quota of
    two cores on a machine of 64 is slower with 64 workers than with two. A quota of 1.5 cores counts as 2.

    Args:
        root: where /proc and /sys are mounted; tests name another folder.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """The CPU quota of each control group that this process is in, in cores; groups without a quota give nothing."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    mount = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        # In a container the path is often that of the host, which is not mounted: then the mount itself is the group.
        names = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        groups = [Path(*names[:depth]) for depth in range(len(names), -1, -1)]
        if not controllers:
            yield from (quota for group in groups if (quota := _quota(mount / group / "cpu.max")) is not None)
        elif "cpu" in controllers.split(","):
            for folder in (mount / controllers, mount / "cpu"):
                for group in groups:
                    quota = _quota(folder / group / "cpu.cfs_quota_us", folder / group / "cpu.cfs_period_us")
                    if quota is not None:
                        yield quota


def _quota(*files: Path) -> float | None:
    """Quota over period from one file that holds both (version 2), or from one file each (version 1)."""
    try:
        quota, period = (word for file in files for word in file.read_text(encoding="ascii").split())
        share = float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such file, "max", or a line of another form
        return None
    return share if share > 0 else None  # version 1 writes -1 where there is no quota
