"""Singular values to full relative accuracy, and first times of sums of exponentials."""

import mpmath
import numpy as np
import pytest
from scipy.optimize import brentq

from linear_grokking.solvers.bidiagonal import decay_rates, first_times, singular_values


@pytest.mark.parametrize("size", [1, 2, 7, 200])
def test_singular_values_are_those_of_the_dense_matrix(size):
    rng = np.random.default_rng(size)
    diagonal, beside = rng.normal(size=size) ** 2 + 0.1, rng.normal(size=size - 1)
    before = diagonal.copy(), beside.copy()
    dense = np.diag(diagonal) + np.diag(beside, -1)
    (found,) = singular_values(diagonal[np.newaxis], beside[np.newaxis])
    expected = np.linalg.svd(dense, compute_uv=False)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * expected[0])
    np.testing.assert_array_equal(diagonal, before[0])
    np.testing.assert_array_equal(beside, before[1])


def test_small_singular_values_keep_their_digits():
    # The product's smallest eigenvalue is 1e-28 of its largest, below a double's resolution.
    diagonal, beside = np.array([1.0, 1e-5, 1e-6, 1e-3]), np.ones(3)
    with mpmath.workdps(60):
        dense = mpmath.diag([mpmath.mpf(each) for each in diagonal])
        for k, each in enumerate(beside):
            dense[k, k + 1] = mpmath.mpf(each)
        exact = sorted((float(s) for s in mpmath.svd_r(dense, compute_uv=False)), reverse=True)
    assert exact[-1] < 1e-13
    rows = np.tile(diagonal, (3, 1)), np.tile(beside, (3, 1))
    rows[0][0] = 1.0  # other matrices do not matter
    found = singular_values(*rows)
    np.testing.assert_allclose(found[1], exact, rtol=1e-13)
    np.testing.assert_array_equal(found[1], found[2])


@pytest.mark.parametrize("eta", [1e-3, 0.2, 0.4])
def test_rates_are_those_of_literal_steps(eta):
    nu = np.array([1e-14, 0.3, 1.1, 2.4])
    steps = 3
    factor = np.ones_like(nu)
    for _ in range(steps):
        factor *= 1 - 2 * eta * nu
    np.testing.assert_allclose(np.exp(-decay_rates(nu, eta) * steps), factor**2, rtol=1e-12)
    assert decay_rates(nu, eta)[0] == pytest.approx(4 * eta * 1e-14, rel=1e-12)


def test_steps_that_diverge_are_refused():
    with pytest.raises(ValueError, match=r"^eta = 0.5: gradient descent diverges .* = 0.5$"):
        decay_rates(np.array([0.1, 2.0]), 0.5)


def test_first_times_are_roots_over_many_scales():
    rng = np.random.default_rng(2)
    rates = 10.0 ** rng.uniform(-14, 0, (50, 12))
    weights, still = rng.chisquare(1, (50, 12)) / 12, np.zeros(50)
    still[::2] = rng.uniform(0, 2e-3, 25)
    target = 1e-3
    times = first_times(weights, rates, still, target)
    for time, w, r, rest in zip(times, weights, rates, still, strict=True):
        if rest >= target:
            assert time == np.inf
            continue

        def excess(log_t, w=w, r=r, rest=rest):
            return np.sum(w * np.exp(-r * np.exp(log_t))) + rest - target

        assert time == pytest.approx(np.exp(brentq(excess, -10, 45, xtol=1e-13)), rel=1e-10)


def test_what_starts_below_is_there_at_once_and_rows_do_not_touch():
    weights, rates = np.array([[0.1, 0.2], [3.0, 1.0], [0.5, 2.0]]), np.full((3, 2), 0.5)
    rates[1:, 1] = 1e-7
    still = np.zeros(3)
    times = first_times(weights, rates, still, 0.5)
    assert times[0] == 0.0
    for k in range(3):
        alone = first_times(weights[k : k + 1], rates[k : k + 1], still[k : k + 1], 0.5)
        assert alone[0] == times[k]
