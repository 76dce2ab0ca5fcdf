import numpy as np
import pytest

from linear_grokking.theory.wendel import separable_probability, separable_probability_gaussian


def exact(n: int, d: int) -> float:
    """Wendel's count in integers."""
    total, term = 0, 1
    for k in range(min(d, n)):
        total += term
        term = term * (n - 1 - k) // (k + 1)
    return total / 2 ** (n - 1)


def test_agrees_with_the_exact_count():
    sizes = [(n, d) for n in range(1, 40) for d in range(1, n + 3)]
    n, d = np.array(sizes).T
    expected = [exact(*pair) for pair in sizes]
    assert separable_probability(n, d) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(2400, 930), (2400, 1176), (2400, 1230), (9_000, 4_450)])
def test_agrees_with_the_exact_count_for_large_sets(n, d):
    assert separable_probability(n, d) == pytest.approx(exact(n, d), rel=1e-11)


def test_values_at_the_papers_sizes():
    assert separable_probability(2400, [1176, 1191, 1230]) == pytest.approx(
        [0.164, 0.357, 0.890], abs=5e-4
    )
    assert separable_probability(4000, [1920, 1980]) == pytest.approx([0.006, 0.26], abs=5e-3)


def test_critical_set_is_separable_half_the_time_at_any_size():
    n = np.array([2, 10, 1_000, 100_000])
    assert separable_probability(n, n // 2) == pytest.approx(0.5, abs=1e-12)


def test_symmetry_of_the_binomial_count():
    assert separable_probability(100_000, 49_900) + separable_probability(
        100_000, 50_100
    ) == pytest.approx(1.0, abs=1e-12)


def test_low_dimensional_sets_by_brute_force():
    # Points on a circle miss the origin if they leave a gap of more than π between them.
    rng = np.random.default_rng(1)
    draws = 20_000
    angles = np.sort(rng.uniform(0.0, 2.0 * np.pi, (draws, 5)), axis=1)
    gaps = np.diff(angles, axis=1, append=angles[:, :1] + 2.0 * np.pi)
    fraction = np.mean(gaps.max(axis=1) > np.pi)
    expected = float(separable_probability(5, 2))
    # False-alarm rate 6e-5 (four standard deviations).
    assert abs(fraction - expected) < 4.0 * np.sqrt(expected * (1.0 - expected) / draws)


def test_gaussian_form_approaches_the_exact_one():
    errors = []
    for n in (400, 1_600, 6_400):
        d = np.arange(int(0.45 * n), int(0.55 * n))
        exact_values = separable_probability(n, d)
        errors.append(np.max(np.abs(separable_probability_gaussian(n, d / n) - exact_values)))
    assert errors[0] < 4e-4
    assert errors[0] > 3.0 * errors[1] > 9.0 * errors[2]


@pytest.mark.parametrize(("n", "d"), [(0, 1), (10, 0), (10, 2.5), (-3, 1), (np.nan, 1)])
def test_rejects_what_is_no_size(n, d):
    with pytest.raises(ValueError, match=r"n_train|d = "):
        separable_probability(n, d)


def test_gaussian_form_rejects_nonpositive_arguments():
    with pytest.raises(ValueError, match="lambda_"):
        separable_probability_gaussian(100, 0.0)
    with pytest.raises(ValueError, match="n_train"):
        separable_probability_gaussian(0, 0.5)
