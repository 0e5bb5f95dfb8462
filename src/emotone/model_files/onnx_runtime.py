"""ONNX Runtime, without the reports that it sends to its makers."""

from __future__ import annotations

import os
from typing import Any

_SWITCH = "ORT_DISABLE_TELEMETRY"


def onnx_runtime() -> Any:
    """The module `onnxruntime`, imported when it is first needed.

    Version 1.32 for Linux sends reports of its use to mobile.events.data.microsoft.com, and writes a device id to the
    user's cache, unless this environment variable is set before the import. Set it to 0 to allow them.
    """
    os.environ.setdefault(_SWITCH, "1")
    import onnxruntime

    return onnxruntime
