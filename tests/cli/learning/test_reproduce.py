"""`emotone reproduce tables` as a person types it, on a made-up tree in IEMOCAP's layout."""

from __future__ import annotations

import json
import shutil

import pytest

from corpora.iemocap_tree import build_iemocap
from emotone.cli.main import run


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("iemocap")
    build_iemocap(root)
    return root


@pytest.fixture
def reproduce(tree, tmp_path):
    """Runs the command, quickly, into `tmp_path / "table"`; gives the exit status."""

    def call(*options):
        where = ["--output", str(tmp_path / "table"), "--store", str(tmp_path / "store")]
        common = ["--corpus", "iemocap", str(tree), *where, "--quick", "--device", "cpu", "--threads", "1"]
        return run(["reproduce", "tables", *common, *options])

    return call


def test_a_row_is_run_reported_and_recorded_and_every_figure_says_quick(reproduce, tmp_path, capsys):
    record = tmp_path / "record"
    assert reproduce("--only", "mfcc-focal", "--record", str(record)) == 0
    printed = capsys.readouterr().out.splitlines()
    done = next(line for line in printed if line.startswith("mfcc-focal: "))
    assert done.count("QUICK") == 2
    assert "lee2015: not run" in printed
    for suffix in ("md", "tex", "html"):
        assert f"wrote {tmp_path / 'table' / f'tables.{suffix}'}" in printed
    assert [path.name for path in (record / "rows").iterdir()] == ["mfcc-focal.json"]

    assert reproduce("--only", "mfcc-focal", "--record", str(record)) == 0
    assert "was done before" in capsys.readouterr().err


def test_a_record_of_other_folds_is_refused_before_anything_is_trained(reproduce, tmp_path, capsys):
    record = tmp_path / "record"
    assert reproduce("--only", "mfcc-focal", "--record", str(record)) == 0
    facts = json.loads((record / "table.json").read_text())
    (record / "table.json").write_text(json.dumps(facts | {"fold_hash": "0" * 12}))
    shutil.rmtree(tmp_path / "table")
    capsys.readouterr()
    assert reproduce("--only", "mfcc-focal", "--record", str(record)) == 1
    said = capsys.readouterr()
    assert f"error: {record} is the record of" in said.err
    assert "Choose another folder" in said.err
    assert not (tmp_path / "table").exists()


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        pytest.param(("--only", "mfcc"), 6, "no row mfcc; expected some of lee2015", id="unknown row"),
        pytest.param(("--device", "gpu"), 6, "expected cpu or cuda", id="unknown device"),
        pytest.param(("--protocol", "nobody"), 4, "nobody", id="unknown protocol"),
        pytest.param(("--seeds", "0"), 2, "--seeds", id="no seed"),
    ],
)
def test_misuse_is_named(reproduce, capsys, options, status, message):
    assert reproduce(*options) == status
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
