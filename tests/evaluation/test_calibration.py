"""Temperature scaling recovers what was put in; the calibration error against its definition and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from emotone.errors import EvaluationError
from emotone.evaluation import calibration


def _honest(n: int = 20_000, n_labels: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the very distribution the targets were drawn from."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, n_labels)) * 2
    shares = calibration.softmax(logits)
    targets = (rng.random((n, 1)) > shares.cumsum(1)).sum(1)
    return logits, np.minimum(targets, n_labels - 1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 8.0])
def test_the_temperature_put_in_is_found(temperature: float) -> None:
    logits, targets = _honest()
    assert calibration.fit_temperature(logits * temperature, targets) == pytest.approx(temperature, rel=0.05)


def test_the_fitted_temperature_has_the_best_brier_score() -> None:
    logits, targets = _honest(500)
    found = calibration.fit_temperature(logits * 3, targets)

    def brier(t: float) -> float:
        return calibration.brier_score(calibration.softmax(logits * 3, t), targets)

    assert brier(found) < min(brier(found * 1.01), brier(found / 1.01), brier(1.0))


def test_one_speaker_who_is_misunderstood_does_not_decide_alone() -> None:
    logits, targets = _honest(900)
    surely_wrong = np.eye(logits.shape[1])[(targets[:60] + 1) % logits.shape[1]] * 12
    with_outlier = calibration.fit_temperature(np.r_[logits, surely_wrong], np.r_[targets, targets[:60]])
    assert with_outlier < 1.4

    def nll(t: float) -> float:
        shares = calibration.softmax(np.r_[logits, surely_wrong], t)
        return calibration.negative_log_likelihood(shares, np.r_[targets, targets[:60]])

    assert min(np.arange(1.0, 5.0, 0.1), key=nll) > 1.6, (
        "the likelihood would have let them, which is why it is not used"
    )


def test_a_fault_free_validation_part_does_not_freeze_the_temperature() -> None:
    assert calibration.fit_temperature(np.eye(3), [0, 1, 2]) == pytest.approx(calibration.COLDEST, rel=1e-3)


def test_a_system_worse_than_chance_is_made_as_unsure_as_allowed() -> None:
    assert calibration.fit_temperature(np.eye(3) * 5, [1, 2, 0]) == pytest.approx(calibration.HOTTEST, rel=1e-3)


def test_temperature_never_changes_a_decision() -> None:
    logits, _ = _honest(1000)
    temperatures = np.random.default_rng(1).uniform(0.1, 10, 1000)
    np.testing.assert_array_equal(calibration.softmax(logits, temperatures).argmax(1), logits.argmax(1))


def test_softmax_is_finite_at_extreme_logits() -> None:
    shares = calibration.softmax([[1e4, -1e4, 0.0]], 0.05)
    np.testing.assert_allclose(shares, [[1, 0, 0]])


def test_honest_probabilities_have_little_calibration_error_and_inflated_ones_much() -> None:
    logits, targets = _honest()
    assert calibration.expected_calibration_error(calibration.softmax(logits), targets) < 0.02
    assert calibration.expected_calibration_error(calibration.softmax(logits * 5), targets) > 0.1


def test_calibration_error_equals_its_definition() -> None:
    logits, targets = _honest(300)
    shares = calibration.softmax(logits)
    confidence, right = shares.max(1), shares.argmax(1) == targets
    expected = 0.0
    for low in np.arange(10) / 10:
        inside = (confidence > low + 1e-15) & (confidence <= low + 0.1 + 1e-15)
        if inside.any():
            expected += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    assert calibration.expected_calibration_error(shares, targets, n_bins=10) == pytest.approx(expected, abs=1e-12)


def test_every_utterance_is_in_one_bin_even_at_certainty() -> None:
    found = calibration.reliability([[1.0, 0.0], [0.5, 0.5]], [0, 1], n_bins=4)
    assert found.counts.tolist() == [0, 1, 0, 1]
    assert found.accuracy[3] == 1.0
    assert np.isnan(found.confidence[0])


def test_likelihood_and_brier_score_equal_scikit_learn() -> None:
    logits, targets = _honest(300)
    shares = calibration.softmax(logits)
    assert calibration.negative_log_likelihood(shares, targets) == pytest.approx(log_loss(targets, shares))
    two = calibration.softmax(logits[:, :2])
    hits = (targets > 0).astype(int)
    assert calibration.brier_score(two, hits) == pytest.approx(2 * brier_score_loss(hits, two[:, 1]))


@pytest.mark.parametrize(
    ("logits", "targets", "words"),
    [
        (np.zeros((3, 2)), [0, 1], "logits has 3 utterances but targets 2"),
        (np.zeros((0, 2)), [], "no utterances"),
        (np.array([[np.nan, 0.0]]), [0], "NaN"),
        (np.zeros((1, 2)), [2], r"integers in \[0, 2\)"),
        (np.zeros(3), [0, 1, 2], r"expected \(n, n_labels\)"),
    ],
)
def test_arrays_that_cannot_be_calibrated_are_refused(logits: np.ndarray, targets: list[int], words: str) -> None:
    with pytest.raises(EvaluationError, match=words):
        calibration.fit_temperature(logits, targets)
