"""`emotone report` from the command line, as a user types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from emotone.cli.learning.report import report
from emotone.errors import EvaluationError
from emotone.evaluation.predictions import Predictions
from emotone.evaluation.provenance import Provenance
from emotone.evaluation.summary import summarise


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command("report")(report)
    return app


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two folds of three utterances each."""
    table = Predictions(
        labels=("anger", "neutral"),
        utterances=tuple("abcdef"),
        speakers=("03",) * 3 + ("08",) * 3,
        sexes=("male",) * 3 + ("female",) * 3,
        folds=np.array([0, 0, 0, 1, 1, 1]),
        truth=np.array([0, 1, 0, 1, 0, 1]),
        logits=np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0], [0.5, 1.0], [1.0, 0.5], [3.0, 0.0]]),
        temperatures=np.full(6, 1.5),
    )
    infos = []
    for fold, speaker, other in ((0, "03", "08"), (1, "08", "03")):
        table.take(table.folds == fold).write(tmp_path / "run" / f"fold-{fold:02d}" / "predictions.csv")
        infos.append(
            {
                "fold": fold, "seed": 0, "test_speakers": [speaker], "validation_speakers": [other], "best_epoch": 1,
                "epochs_run": 2, "temperature": 1.5, "seconds": 3.0, "n_parameters": 10, "validation_uar": 0.5,
            }
        )  # fmt: skip
    provenance = Provenance(
        corpus="tiny", protocol="2 folds", fold_hash="00ff", speaker_independent=True, sentences_shared=False,
        recipe_name="r", recipe={}, command="c", device="cpu",
    )  # fmt: skip
    summarise({0: table}, infos, provenance).write(tmp_path / "run" / "results.json")
    return tmp_path / "run"


def test_it_prints_the_headline_and_says_what_it_wrote(app: typer.Typer, run: Path) -> None:
    result = CliRunner().invoke(app, [str(run)])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("tiny, 2 folds (folds 00ff), SI, n = 6, 2 speakers: UAR 66.7 [")
    assert f"wrote {run / 'report.md'}" in result.output
    assert f"wrote {run / 'report.html'}" in result.output
    assert (run / "report-figures" / "confusion.png").is_file()


def test_one_form_without_figures_goes_where_it_is_wanted(app: typer.Typer, run: Path, tmp_path: Path) -> None:
    arguments = [str(run), "--output", str(tmp_path / "out"), "--format", "html", "--no-figures"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.html"]


def test_a_folder_that_is_no_run_is_our_error(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(tmp_path)])
    assert isinstance(result.exception, EvaluationError)


def test_a_report_needs_no_torch_and_its_help_nothing_heavy() -> None:
    code = (
        "import sys, emotone.cli.learning.report; heavy = {'numpy', 'pydantic', 'matplotlib'} & set(sys.modules); "
        "import emotone.evaluation.reports.report, emotone.evaluation.summary; "
        "late = {'torch', 'matplotlib', 'scipy', 'sklearn'} & set(sys.modules); assert not heavy | late, (heavy, late)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
