"""How long a person waits for the first answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def cpu_seconds(words: list[str]) -> float:
    """Processor time of one command, from its start to its end; other work on the machine does not count."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.slow
def test_a_clip_is_recognised_within_a_second_from_shell_to_exit(shipped_model: Path, clips_dir: Path) -> None:
    command = shutil.which("emotone", path=str(Path(sys.executable).parent))
    assert command is not None
    clip = clips_dir / "crema-d" / "1001_DFA_ANG_XX.opus"
    assert min(cpu_seconds([command, "predict", str(clip)]) for _ in range(5)) <= 1.0
