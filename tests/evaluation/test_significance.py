"""Intervals and tests against brute force and SciPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from emotone.errors import EvaluationError
from emotone.evaluation import metrics, significance

N_LABELS = 3


def _system(skill: float, seed: int, truth: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(truth)) < skill, truth, rng.integers(0, N_LABELS, len(truth)))


def _corpus(n: int = 120, n_speakers: int = 4) -> tuple[np.ndarray, list[str]]:
    truth = np.random.default_rng(5).integers(0, N_LABELS, n)
    return truth, [f"s{index % n_speakers}" for index in range(n)]


def _uar(truth: np.ndarray, prediction: np.ndarray) -> float:
    return metrics.unweighted_average_recall(truth, prediction, N_LABELS)


def test_confusion_matrices_of_speakers_sum_to_the_pooled_one() -> None:
    truth, speakers = _corpus()
    prediction = _system(0.6, 0, truth)
    by_speaker = significance.confusion_by_speaker(truth, prediction, speakers, N_LABELS)
    assert by_speaker.shape == (4, 3, 3)
    np.testing.assert_array_equal(by_speaker.sum(0), metrics.confusion_matrix(truth, prediction, N_LABELS))
    first = np.array(speakers) == "s0"
    np.testing.assert_array_equal(by_speaker[0], metrics.confusion_matrix(truth[first], prediction[first], N_LABELS))


def test_bootstrap_agrees_with_every_draw_of_three_speakers() -> None:
    truth, speakers = _corpus(n_speakers=3)
    prediction = _system(0.6, 0, truth)
    of_speaker = {name: np.flatnonzero(np.array(speakers) == name) for name in ("s0", "s1", "s2")}
    every = []
    for draw in itertools.product(of_speaker, repeat=3):
        rows = np.concatenate([of_speaker[name] for name in draw])
        every.append(_uar(truth[rows], prediction[rows]))
    low, high = np.quantile(every, [0.1, 0.9])
    found = significance.bootstrap_over_speakers(
        truth, prediction, speakers, n_labels=N_LABELS, n=20_000, level=0.8, seed=1
    )
    # All 27 draws are equally likely, so the random ones converge to their quantiles, up to one step of the 27.
    steps = np.diff(np.sort(every)).max()
    assert found.low == pytest.approx(low, abs=steps)
    assert found.high == pytest.approx(high, abs=steps)
    assert found.level == 0.8


def test_bootstrap_of_many_speakers_agrees_with_the_normal_interval() -> None:
    rng = np.random.default_rng(0)
    n_speakers, each = 80, 20
    truth = rng.integers(0, N_LABELS, n_speakers * each)
    skill = np.repeat(rng.uniform(0.4, 0.9, n_speakers), each)
    prediction = np.where(rng.random(len(truth)) < skill, truth, (truth + 1) % N_LABELS)
    speakers = [str(index // each) for index in range(len(truth))]
    right = (prediction == truth).reshape(n_speakers, each).mean(1)
    half = 1.96 * right.std(ddof=1) / np.sqrt(n_speakers)
    found = significance.bootstrap_over_speakers(truth, prediction, speakers, metrics.accuracy_of, n_labels=N_LABELS)
    assert found.low == pytest.approx(right.mean() - half, abs=0.005)
    assert found.high == pytest.approx(right.mean() + half, abs=0.005)


def test_an_interval_over_speakers_is_wider_than_one_over_utterances_when_voices_differ() -> None:
    truth, _ = _corpus(400)
    speakers = [f"s{index // 40}" for index in range(400)]
    good = np.array([int(name[1:]) % 2 for name in speakers]) == 0
    prediction = np.where(good, truth, (truth + 1) % N_LABELS)
    over_speakers = significance.bootstrap_over_speakers(truth, prediction, speakers, n_labels=N_LABELS)
    alone = [str(index) for index in range(400)]
    over_utterances = significance.bootstrap_over_speakers(truth, prediction, alone, n_labels=N_LABELS)
    assert over_speakers.high - over_speakers.low > 3 * (over_utterances.high - over_utterances.low)


def test_one_seed_gives_one_interval() -> None:
    truth, speakers = _corpus(n_speakers=20)
    prediction = _system(0.6, 0, truth)
    first, again, other = (
        significance.bootstrap_over_speakers(truth, prediction, speakers, n_labels=N_LABELS, n=500, seed=seed)
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


def test_the_mean_of_one_system_with_itself_has_that_system_s_interval() -> None:
    truth, speakers = _corpus()
    prediction = _system(0.6, 0, truth)
    alone = significance.bootstrap_over_speakers(truth, prediction, speakers, n_labels=N_LABELS, n=500)
    twice = significance.bootstrap_over_speakers(truth, [prediction, prediction], speakers, n_labels=N_LABELS, n=500)
    np.testing.assert_allclose(alone, twice)


def test_a_draw_that_misses_a_class_leaves_it_out() -> None:
    truth, prediction, speakers = [0, 0, 1, 1], [0, 0, 1, 0], ["a", "a", "b", "b"]
    found = significance.bootstrap_over_speakers(truth, prediction, speakers, n_labels=2, n=2000)
    assert (found.low, found.high) == (0.5, 1.0)


def test_an_interval_of_one_speaker_is_refused() -> None:
    with pytest.raises(EvaluationError, match="at least 2 of them, got 1"):
        significance.bootstrap_over_speakers([0, 1], [0, 1], ["a", "a"], n_labels=2)


def test_columns_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(EvaluationError, match="2 utterances but 3 speakers"):
        significance.bootstrap_over_speakers([0, 1], [0, 1], ["a", "a", "b"], n_labels=2)
    with pytest.raises(EvaluationError, match="between 0 and 1"):
        significance.bootstrap_over_speakers([0, 1], [0, 1], ["a", "b"], n_labels=2, level=95)
    with pytest.raises(EvaluationError, match="expected \\(n,\\) of each"):
        significance.mcnemar([0, 1], [0, 1, 1], [0, 1])


def test_mcnemar_equals_the_exact_binomial() -> None:
    truth, _ = _corpus()
    a, b = _system(0.8, 0, truth), _system(0.6, 1, truth)
    only_a, only_b = int(((a == truth) & (b != truth)).sum()), int(((a != truth) & (b == truth)).sum())
    found = significance.mcnemar(truth, a, b)
    assert (found.only_a, found.only_b) == (only_a, only_b)
    tail = stats.binom.cdf(min(only_a, only_b), only_a + only_b, 0.5)
    assert found.p_value == pytest.approx(min(1.0, 2 * tail))


def test_mcnemar_of_equal_systems_is_one() -> None:
    assert significance.mcnemar([0, 1], [0, 0], [0, 0]).p_value == 1.0


def test_permutation_equals_brute_force_on_few_speakers() -> None:
    truth, speakers = _corpus(n_speakers=5)
    a, b = _system(0.75, 0, truth), _system(0.6, 1, truth)
    names = np.array(speakers)
    effect = _uar(truth, a) - _uar(truth, b)
    as_extreme = 0
    for swapped in itertools.product([False, True], repeat=5):
        swap = np.isin(names, [f"s{index}" for index in range(5) if swapped[index]])
        difference = _uar(truth, np.where(swap, b, a)) - _uar(truth, np.where(swap, a, b))
        as_extreme += abs(difference) >= abs(effect) - 1e-12
    found = significance.speaker_permutation(truth, a, b, speakers, n_labels=N_LABELS, n=500)
    assert found.exact
    assert found.effect == pytest.approx(effect)
    assert found.p_value == pytest.approx(as_extreme / 32)


def test_permutation_of_accuracy_equals_scipy() -> None:
    truth, speakers = _corpus(n_speakers=8)
    a, b = _system(0.75, 0, truth), _system(0.6, 1, truth)
    gains = np.array([((a == truth) * 1.0 - (b == truth))[np.array(speakers) == name].sum() for name in set(speakers)])
    expected = stats.permutation_test((gains,), np.sum, permutation_type="samples", n_resamples=np.inf)
    found = significance.speaker_permutation(truth, a, b, speakers, metrics.accuracy_of, n_labels=N_LABELS, n=500)
    assert found.p_value == pytest.approx(expected.pvalue)


def test_random_swaps_agree_with_all_swaps(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, speakers = _corpus(n_speakers=10)
    a, b = _system(0.75, 0, truth), _system(0.65, 1, truth)
    exact = significance.speaker_permutation(truth, a, b, speakers, n_labels=N_LABELS, n=10_000)
    monkeypatch.setattr(significance, "MOST_SPEAKERS_ENUMERATED", 2)
    random = significance.speaker_permutation(truth, a, b, speakers, n_labels=N_LABELS, n=10_000)
    assert exact.exact
    assert not random.exact
    assert random.p_value == pytest.approx(exact.p_value, abs=0.02)


def test_a_better_system_differs_and_an_equal_one_does_not() -> None:
    truth, speakers = _corpus(n=600, n_speakers=20)
    good, bad = _system(0.9, 0, truth), _system(0.4, 1, truth)
    differs = significance.speaker_permutation(truth, good, bad, speakers, n_labels=N_LABELS)
    assert differs.p_value < 0.001
    assert 0 < differs.interval.low < differs.effect < differs.interval.high
    same = significance.speaker_permutation(truth, good, good, speakers, n_labels=N_LABELS)
    assert same.p_value == 1.0
    assert tuple(same.interval)[:2] == (0.0, 0.0)


def test_exchanging_the_systems_only_turns_the_sign() -> None:
    truth, speakers = _corpus()
    a, b = _system(0.75, 0, truth), _system(0.6, 1, truth)
    one = significance.speaker_permutation(truth, a, b, speakers, n_labels=N_LABELS, n=500)
    two = significance.speaker_permutation(truth, b, a, speakers, n_labels=N_LABELS, n=500)
    assert one.effect == pytest.approx(-two.effect)
    assert one.p_value == two.p_value
    assert one.interval.low == pytest.approx(-two.interval.high)


def test_systems_with_unequal_numbers_of_seeds_can_be_compared() -> None:
    truth, speakers = _corpus()
    a, b = np.stack([_system(0.75, seed, truth) for seed in range(3)]), _system(0.6, 9, truth)
    found = significance.speaker_permutation(truth, a, b, speakers, n_labels=N_LABELS, n=500)
    assert found.effect == pytest.approx(np.mean([_uar(truth, run) for run in a]) - _uar(truth, b))
