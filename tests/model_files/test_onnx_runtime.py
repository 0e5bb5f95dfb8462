"""Nothing is reported to the makers of ONNX Runtime."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import sys
import emotone

print(emotone.load("small")(sys.argv[1]).duration_s)
"""


def test_recognition_leaves_no_telemetry_files_behind(clips_dir: Path, tmp_path: Path) -> None:
    # With telemetry, ONNX Runtime has a database of reports in the cache and a file in the temporary folder.
    clip = clips_dir / "emodb" / "03a01Wa.flac"
    folders = {"HOME": "home", "XDG_CACHE_HOME": "cache", "TMPDIR": "temporary"}
    for name in folders.values():
        (tmp_path / name).mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {variable: str(tmp_path / name) for variable, name in folders.items()}
    ended = subprocess.run(
        [sys.executable, "-c", CODE, str(clip)], env=environment, capture_output=True, text=True, timeout=240
    )
    assert ended.returncode == 0, ended.stderr
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not left
