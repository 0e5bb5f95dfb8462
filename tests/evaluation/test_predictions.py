"""The table of predictions reads back to the bit, and refuses what would score wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotone.errors import EvaluationError, OutputError
from emotone.evaluation.predictions import Predictions, concatenate


@pytest.fixture
def table(make_predictions: Callable[..., Predictions]) -> Predictions:
    return make_predictions()


def test_a_table_reads_back_to_the_bit(table: Predictions, tmp_path: Path) -> None:
    table.write(tmp_path / "a" / "predictions.csv")
    assert Predictions.read(tmp_path / "a" / "predictions.csv") == table


@given(
    logits=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2),
    temperature=st.floats(min_value=1e-300, max_value=1e300),
    name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)
def test_any_name_and_any_number_reads_back(
    tmp_path_factory: pytest.TempPathFactory, logits: list[float], temperature: float, name: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "predictions.csv"
    table = Predictions(("a", "b"), (name,), (name,), ("",), np.array([3]), np.array([1]), [logits], [temperature])  # type: ignore[arg-type]
    table.write(path)
    assert Predictions.read(path) == table


def test_the_file_names_classes_and_not_their_numbers(table: Predictions, tmp_path: Path) -> None:
    table.write(tmp_path / "p.csv")
    header, first, *_ = (tmp_path / "p.csv").read_text().splitlines()
    assert header.replace('"', "") == (
        "utterance,speaker,sex,fold,truth,prediction,temperature,logit_anger,logit_boredom,logit_neutral"
    )
    assert first.startswith('"u000","03","male",0,"neutral",')


def test_a_table_without_rows_reads_back(table: Predictions, tmp_path: Path) -> None:
    table.take([]).write(tmp_path / "p.csv")
    assert len(Predictions.read(tmp_path / "p.csv")) == 0


def test_calibrated_probabilities_use_each_row_s_own_temperature(table: Predictions) -> None:
    scaled = np.exp(table.logits / table.temperatures[:, None])
    np.testing.assert_allclose(table.probabilities, scaled / scaled.sum(1, keepdims=True))
    np.testing.assert_allclose(table.uncalibrated.sum(1), 1)
    np.testing.assert_array_equal(table.probabilities.argmax(1), table.prediction)


def test_folds_taken_apart_go_together_again(table: Predictions) -> None:
    parts = [table.take(table.folds == fold) for fold in range(4)]
    together = concatenate(parts)
    assert together.take(np.argsort(together.utterances)) == table


def test_one_utterance_in_two_folds_is_refused(table: Predictions) -> None:
    with pytest.raises(EvaluationError, match="120 utterances appear twice, first 'u000'"):
        concatenate([table, table])


def test_folds_of_other_labels_are_refused(table: Predictions) -> None:
    with pytest.raises(EvaluationError, match="labels differ between folds"):
        concatenate([table, replace(table, labels=("anger", "fear", "neutral"))])
    with pytest.raises(EvaluationError, match="at least one fold"):
        concatenate([])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"speakers": ("03",)}, "120 utterances but 1 speakers"),
        ({"truth": np.zeros(119, dtype=int)}, "120 utterances but 119 truth"),
        ({"truth": np.full(120, 3)}, r"truth ranges from 3 to 3; expected \[0, 3\)"),
        ({"truth": np.zeros(120)}, "truth is of type float64"),
        ({"logits": np.zeros((120, 2))}, r"logits have shape \(120, 2\); expected \(120, 3\)"),
        ({"logits": np.full((120, 3), np.nan)}, "logits of 'u000' are not finite"),
        ({"temperatures": np.zeros(120)}, "temperature must be a finite number above 0"),
        ({"labels": ("anger", "anger", "neutral")}, "all different"),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(
    table: Predictions, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(EvaluationError, match=words):
        replace(table, **change)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"utterance"', '"name"', "is not a table of predictions"),
        ('"male",0', '"male","zero"', "a value that cannot be"),
        ('0,"neutral"', '0,"joy"', "a value that cannot be: 'joy'"),
        ('"u000","03"', '"u000"', "row 2: 9 columns, expected 10"),
        ('"u001"', '"u000"', "1 utterances appear twice"),
        ('"neutral","neutral"', '"neutral","anger"', "does not follow from the logits"),
    ],
)
def test_a_damaged_file_is_refused(table: Predictions, tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "p.csv"
    table.write(path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(EvaluationError, match=words):
        Predictions.read(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\n"])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.csv").write_bytes(content)
    with pytest.raises(EvaluationError, match=r"p\.csv"):
        Predictions.read(tmp_path / "p.csv")
    with pytest.raises(EvaluationError, match="cannot read predictions"):
        Predictions.read(tmp_path / "missing.csv")


def test_a_folder_that_cannot_be_made_is_our_error(table: Predictions, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        table.write(tmp_path / "file" / "p.csv")
