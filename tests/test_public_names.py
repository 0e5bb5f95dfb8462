"""What `import emotone` gives, and what it must not load."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import emotone
from emotone import errors
from emotone.cli.main import COMMANDS

HEAVY = ("torch", "scipy", "pyarrow", "matplotlib", "sklearn", "librosa", "accelerate", "pandas", "onnx")


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running `code`."""
    script = f"import json, sys\n{code}\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=240)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_import_emotone_loads_no_package_at_all() -> None:
    loaded = modules_after("import emotone")
    assert not loaded & {*HEAVY, "numpy", "av", "onnxruntime", "pydantic", "typer", "rich"}


@pytest.mark.parametrize("kind", ["table", "json", "csv"])
def test_predict_loads_nothing_of_the_learning_half(tiny_model: Path, clips_dir: Path, kind: str) -> None:
    clip = clips_dir / "emodb" / "03a01Wa.flac"
    arguments = ["predict", os.fspath(clip), "--model", os.fspath(tiny_model), "--format", kind]
    loaded = modules_after(f"from emotone.cli.main import run\nassert run({arguments!r}) == 0")
    assert "onnxruntime" in loaded
    assert not loaded & set(HEAVY)


def test_predict_imports_no_other_command(tiny_model: Path, clips_dir: Path) -> None:
    arguments = ["predict", os.fspath(clips_dir / "emodb" / "03a01Wa.flac"), "--model", os.fspath(tiny_model)]
    others = {home.partition(":")[0] for name, home in COMMANDS.items() if name != "predict"}
    code = f"import sys\nfrom emotone.cli.main import run\nrun({arguments!r})\nassert not set(sys.modules) & {others!r}"
    modules_after(code)


def test_every_public_name_is_there() -> None:
    for name in emotone.__all__:
        assert getattr(emotone, name) is not None
    assert set(emotone.__all__) <= set(dir(emotone))


def test_every_error_is_public() -> None:
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert kinds <= set(emotone.__all__)
    assert emotone.AudioError is errors.AudioError


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = emotone.nonsense


def test_the_version_is_that_of_the_distribution() -> None:
    assert importlib.metadata.version("emotone") == emotone.__version__


def test_the_plain_install_asks_for_nothing_heavy() -> None:
    required = importlib.metadata.requires("emotone") or []
    plain = {re.split(r"[^\w.-]", line)[0].lower() for line in required if "extra ==" not in line}
    assert plain == {"av", "numpy", "onnxruntime", "pydantic", "rich", "typer"}


def test_the_package_says_that_it_is_typed(clips_dir: Path) -> None:
    assert (clips_dir.parent / "py.typed").is_file()
