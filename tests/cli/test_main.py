"""The command line as a whole: what it lists, and how it leaves."""

from __future__ import annotations

import importlib.util

import pytest

import emotone
from emotone import errors
from emotone.cli import exit_status
from emotone.cli.main import COMMANDS, run


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"emotone {emotone.__version__}\n"


def test_help_lists_every_command_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for name, home in COMMANDS.items():
        there = importlib.util.find_spec(home.partition(":")[0]) is not None
        assert (f"\n  {name}" in out) == there


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_describes_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if importlib.util.find_spec(COMMANDS[name].partition(":")[0]) is None:
        pytest.skip(f"no command {name} yet")
    assert run([name, "--help"]) == 0
    assert f"emotone {name}" in capsys.readouterr().out


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
    ],
)
def test_each_kind_of_failure_has_its_status(
    error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("emotone.cli.main._leave_pipe", lambda: None)
    monkeypatch.setattr("emotone.listening.recognizer.load", fail)
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
