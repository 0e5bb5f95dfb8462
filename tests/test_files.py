"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from emotone.errors import OutputError
from emotone.files import check_replaceable, check_writable, write_bytes, write_text, written_whole


def test_text_and_bytes_are_written_as_given(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "ä\nb")
    write_bytes(tmp_path / "b.bin", b"\x00\r\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "ä\nb".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\r\n"


def test_an_error_on_the_way_leaves_what_stood_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail_half_way() -> None:
        with written_whole(target) as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="an existing file was not changed"):
        write_text(tmp_path / "file" / "a.txt", "")


def test_a_folder_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(OutputError, match="name a file"):
            write_text(path, "")
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_keeps_pointing_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "folder" / "a.txt")
    write_text(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "folder" / "a.txt").read_text() == "new"


def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_writable(tmp_path / "new" / "folder" / "a.csv")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is not a folder"):
        check_writable(tmp_path / "file" / "a.csv")
    with pytest.raises(OutputError, match="null"):
        check_writable(tmp_path / "a\0.csv")
    # Root may write everywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    for path in (tmp_path / "a.csv", tmp_path / "new" / "a.csv"):
        with pytest.raises(OutputError, match="no permission to write"):
            check_replaceable(path, "csv", lambda _: True)
