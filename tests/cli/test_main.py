"""The command line as a whole: what it lists, and how it leaves."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys

import pytest

import emotone
from emotone import errors
from emotone.cli import exit_status
from emotone.cli.main import run


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"emotone {emotone.__version__}\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["crossval", "no-such", ".", "--folds", "0", "--jobs", "2", "--looks", "1"],
         ["crossval", "no-such", ".", "--fold", "0", "--workers", "2", "--evaluations", "1"]),
        (["evaluate", "no-such", ".", "--unheard"], ["evaluate", "no-such", ".", "--unseen"]),
        (["export", "no-such", "--unsure", "0.4"], ["export", "no-such", "--threshold", "0.4"]),
    ],
)  # fmt: skip
def test_earlier_names_of_options_still_work(
    old: list[str], new: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = run(old)
    said = capsys.readouterr().err
    assert status not in (0, exit_status.USAGE)
    assert (run(new), capsys.readouterr().err) == (status, said)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["predict"],
        ["predict", "--nonsense"],
        ["predict", "a.wav", "--threads", "100000"],
        ["serve", "--cors-origin", "example.org"],
        ["serve", "--cors-origin", "https://example.org/"],
        ["--nonsense"],
        [],
    ],
)
def test_what_is_not_understood_is_status_2(arguments: list[str]) -> None:
    assert run(arguments) == exit_status.USAGE


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.EvaluationError("x"), 1),
        (errors.AudioTooShortError("x"), 3),
        (errors.SpeakerLeakError("x"), 4),
        (errors.ModelFileError("x"), 5),
        (errors.RecipeError("x"), 6),
        (errors.CheckpointError("x"), 6),
        (errors.MissingExtraError("x", "plot"), 7),
        (errors.OutputError("x"), 8),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 141),
        (PermissionError(errno.EACCES, "Permission denied", "results.csv"), 8),
        (OSError(errno.EROFS, "Read-only file system", "results.csv"), 8),
        (OSError(errno.ENOSPC, "No space left on device"), 8),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 7),
    ],
)
def test_each_kind_of_failure_has_its_status(
    error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("emotone.cli.main.abandon_stdout", lambda: None)
    monkeypatch.setattr("emotone.listening.loading.load", fail)
    assert run(["predict", "clip.wav"]) == status
    out, err = capfd.readouterr()
    assert out == ""
    assert "Traceback" not in err


def test_every_error_of_ours_has_a_status() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert all(any(issubclass(kind, listed) for listed, _ in exit_status._STATUSES) for kind in kinds)


def test_the_table_in_the_documentation_holds_every_status() -> None:
    assert exit_status.__doc__ is not None
    for _, status in exit_status._STATUSES:
        assert f"| {status} |" in exit_status.__doc__


INTERRUPTED_AT_IMPORT = """
import os, signal, sys, time

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "emotone.cli.main":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)

sys.meta_path.insert(0, Finder())
from emotone.cli.start import main
main()
"""


def test_ctrl_c_while_modules_are_imported_shows_no_traceback() -> None:
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED_AT_IMPORT], capture_output=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, b"")
