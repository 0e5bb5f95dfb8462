"""Every metric against scikit-learn, and what it does where scikit-learn would guess."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from emotone.errors import EvaluationError
from emotone.evaluation import metrics

LABELS = ("anger", "fear", "happiness", "neutral", "sadness")


@pytest.fixture(params=range(5))
def pair(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(request.param)
    truth = rng.choice(5, size=200, p=[0.4, 0.3, 0.2, 0.08, 0.02])
    prediction = np.where(rng.random(200) < 0.6, truth, rng.integers(0, 5, 200))
    return truth, prediction


def test_confusion_matrix_equals_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    expected = sk.confusion_matrix(*pair, labels=range(5))
    np.testing.assert_array_equal(metrics.confusion_matrix(*pair, 5), expected)


def test_accuracy_and_uar_equal_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert metrics.accuracy(*pair, 5) == pytest.approx(sk.accuracy_score(*pair), abs=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # y_pred contains classes not in y_true, which is the case we want
        assert metrics.unweighted_average_recall(*pair, 5) == pytest.approx(
            sk.balanced_accuracy_score(*pair), abs=1e-12
        )


def test_precision_recall_and_f1_equal_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    expected = sk.precision_recall_fscore_support(*pair, labels=range(5), zero_division=np.nan)
    for got, wanted in zip(metrics.precision_recall_f1(*pair, 5), expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-12)


def test_a_class_without_utterances_is_left_out_and_named() -> None:
    truth, prediction = [0, 0, 2, 2], [0, 1, 2, 2]
    assert metrics.unweighted_average_recall(truth, prediction, 5) == 0.75
    assert metrics.absent_classes(truth, LABELS) == ("fear", "neutral", "sadness")
    found = metrics.evaluate(truth, prediction, LABELS)
    assert found["absent_classes"] == ["fear", "neutral", "sadness"]
    assert found["per_class"]["fear"] == {"precision": 0.0, "recall": None, "f1": 0.0, "support": 0}
    assert found["per_class"]["neutral"] == {"precision": None, "recall": None, "f1": None, "support": 0}


def test_macro_f1_counts_the_classes_that_have_utterances(pair: tuple[np.ndarray, np.ndarray]) -> None:
    present = np.unique(pair[0])
    expected = sk.f1_score(*pair, labels=present, average="macro", zero_division=0)
    assert metrics.evaluate(*pair, LABELS)["macro_f1"] == pytest.approx(expected, abs=1e-12)


def test_a_class_never_predicted_keeps_its_column() -> None:
    assert metrics.confusion_matrix([0, 1], [0, 0], 3).tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_statistics_of_many_matrices_equal_those_of_each() -> None:
    many = np.random.default_rng(0).integers(0, 4, size=(6, 2, 3, 3))
    many[0, 0, 1] = 0
    for statistic in (metrics.accuracy_of, metrics.uar_of):
        np.testing.assert_allclose(statistic(many), [[float(statistic(one)) for one in row] for row in many])


def test_the_statistics_of_nothing_are_undefined() -> None:
    assert np.isnan(metrics.accuracy_of(np.zeros((3, 3))))
    assert np.isnan(metrics.uar_of(np.zeros((3, 3))))


@pytest.mark.parametrize(
    ("truth", "prediction", "words"),
    [
        ([0, 1, 2], [0, 1], r"truth has 3 utterances but prediction has 2"),
        ([], [], r"no utterances"),
        ([0, 5], [0, 1], r"truth ranges from 0 to 5; expected class indices in \[0, 5\)"),
        ([0, -1], [0, 1], r"truth ranges from -1"),
        ([0.0, 1.0], [0, 1], r"truth is of type float64"),
        ([[0], [1]], [0, 1], r"truth has shape \(2, 1\)"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(truth: list[int], prediction: list[int], words: str) -> None:
    with pytest.raises(EvaluationError, match=words):
        metrics.accuracy(truth, prediction, 5)


def test_a_matrix_of_other_labels_is_refused() -> None:
    with pytest.raises(EvaluationError, match=r"shape \(2, 2\) but there are 5 labels"):
        metrics.describe(np.eye(2), LABELS)
