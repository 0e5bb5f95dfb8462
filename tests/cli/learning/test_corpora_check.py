"""`emotone corpora` as a person runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest

from corpora.iemocap_tree import write_wav
from corpora.made_trees import make_tree
from emotone.cli.main import run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make_tree("savee", tmp_path_factory.mktemp("savee"), audible=True)


def test_a_whole_corpus_exits_with_0(whole, capfd):
    assert run(["corpora", "check", "savee", str(whole)]) == 0
    out = capfd.readouterr().out
    assert "savee: 480 of 480 recordings, 4 speakers, hours: 0.01" in out
    assert "in order" in out
    assert "NOT" not in out


def test_a_fault_is_named_and_exits_with_1(whole, tmp_path, capfd):
    root = shutil.copytree(whole, tmp_path / "savee")
    (root / "AudioData/DC/a01.wav").unlink()
    (root / "AudioData/JE/n30.wav").write_bytes(b"")
    assert run(["corpora", "check", "savee", str(root)]) == 1
    out = capfd.readouterr().out
    assert "missing: 1\n  DC_a01" in out
    assert "empty: 1\n  JE_n30" in out
    assert "NOT in order" in out


def test_long_lists_are_cut_unless_all_is_asked_for(whole, tmp_path, capfd):
    root = shutil.copytree(whole, tmp_path / "savee")
    shutil.rmtree(root / "AudioData/DC")
    assert run(["corpora", "check", "savee", str(root), "--quick"]) == 1
    out = capfd.readouterr().out
    assert "… and 100 more (--all prints them)" in out
    assert "DC_su15" not in out
    assert run(["corpora", "check", "savee", str(root), "--quick", "--all"]) == 1
    assert "DC_su15" in capfd.readouterr().out


def test_a_quick_check_says_what_it_did_not_look_at(whole, capfd):
    assert run(["corpora", "check", "savee", str(whole), "--quick"]) == 0
    out = capfd.readouterr().out
    assert "not checked (--quick): silent, duplicated, unreadable" in out
    assert "hours: not measured" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["savee", "nowhere"], "does not exist"),
        (["saveee", "."], "cannot check 'saveee'"),
        (["emodb", "."], "does not hold emodb"),
        (["iemocap", "."], "does not hold iemocap"),
        (["manifest", "mine.csv"], "no such manifest"),
    ],
)
def test_a_wrong_name_or_folder_is_one_line_and_no_traceback(tmp_path, monkeypatch, capfd, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert run(["corpora", "check", *arguments]) == 4
    captured = capfd.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_labels_of_a_manifest_may_be_any_names_and_are_renamed_on_request(tmp_path, capfd):
    rows = []
    for number, emotion in enumerate(("stressed", "angery", "annoyed", "Happy")):
        write_wav(tmp_path / f"{number}.wav", np.random.default_rng(number).normal(0, 0.1, 800))
        rows.append(f"{number}.wav,{emotion},ann")
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(["path,emotion,speaker", *rows]))
    assert run(["corpora", "check", "manifest", str(table), "--map", "annoyed=anger"]) == 0
    out = capfd.readouterr().out
    assert "use --map 'angery=anger'" in out
    for label in ("stressed", "happiness", "anger", "angery"):
        assert label in out
    assert "annoyed" not in out
    assert run(["corpora", "check", "manifest", str(table), "--map", "annoyed"]) == 4
    assert "expected old=new" in capfd.readouterr().err


def test_a_disk_is_not_searched_for_a_corpus(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("emotone.corpora.release.MOST_FOLDERS", 3)
    for number in range(5):
        (tmp_path / str(number)).mkdir()
    assert run(["corpora", "check", "savee", str(tmp_path)]) == 4
    assert "name the corpus's own folder" in capfd.readouterr().err


def test_progress_is_written_where_there_is_no_terminal(whole, capfd, monkeypatch):
    monkeypatch.setattr("emotone.cli.learning.corpora._LINE_EVERY_S", 0.0)
    assert run(["corpora", "check", "savee", str(whole)]) == 0
    assert "decoding: 480 of 480" in capfd.readouterr().err


def test_the_list_names_every_corpus_and_is_not_cut(capfd):
    assert run(["corpora", "list"]) == 0
    out = capfd.readouterr().out
    for name in (
        "iemocap",
        "emodb",
        "crema-d",
        "ravdess",
        "nemo",
        "savee",
        "tess",
        "emovo",
        "urdu",
        "manifest",
        "open-four",
    ):
        assert name in out
    assert "the folders crema-d and emodb side by side" in out


def test_reading_corpora_needs_no_torch_nor_pandas():
    code = "import sys, emotone.corpora.check; sys.exit(bool({'torch', 'pandas', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
