"""The hard edge: against Wishart matrices, exact integrals of their densities, and closed forms."""

import mpmath
import numpy as np
import pytest
from scipy import integrate, stats

from linear_grokking.theory.hard_edge import (
    gen_time_quantile,
    gen_time_survival,
    gen_time_tail,
    smallest_eigenvalue_cdf,
    smallest_eigenvalue_tail,
    tail_exponent,
)

pytestmark = pytest.mark.filterwarnings("error")

ETA, LOSS = 0.01, 2.6e-4


def smallest(n_train, d_in, draws, seed=4):
    """Return smallest eigenvalues of Σ, of data matrices."""
    x = np.random.default_rng(seed).standard_normal((draws, n_train, d_in))
    return np.linalg.eigvalsh(np.swapaxes(x, 1, 2) @ x / n_train)[:, 0]


def test_exponent_grows_by_a_half_with_each_sample():
    assert tail_exponent([10, 11, 14], 10).tolist() == [0.5, 1.0, 2.5]


@pytest.mark.parametrize("d_in", [1, 5, 12])
def test_law_of_one_more_sample_is_exact_at_any_size(d_in):
    # Kolmogorov and Smirnov: a false alarm in 1 of 100 seeds; this one is fixed.
    scaled = smallest(d_in + 1, d_in, 4000) * d_in * (d_in + 1)
    found = stats.kstest(scaled, lambda s: smallest_eigenvalue_cdf(np.maximum(s, 0.0), 1))
    assert found.pvalue > 0.01


def test_law_of_square_matrices_is_that_of_large_ones():
    scaled = smallest(40, 40, 4000) * 40**2
    found = stats.kstest(scaled, lambda s: smallest_eigenvalue_cdf(np.maximum(s, 0.0), 0))
    assert found.pvalue > 0.01
    # Edelman (1988): density (1 + √s)/(2√s) e^{-s/2-√s}.
    for s in (0.1, 1.0, 4.0):
        expected, _ = integrate.quad(lambda u: (1 + u) * np.exp(-(u**2) / 2 - u), 0.0, np.sqrt(s))
        assert smallest_eigenvalue_cdf(s, 0) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n_train", [1, 2, 5, 8])
def test_tail_of_one_column_is_that_of_chi_square(n_train):
    # d = 1: Nν is χ²_N.
    nu = 1e-7
    expected = stats.chi2.cdf(n_train * nu, n_train)
    assert smallest_eigenvalue_tail(nu, n_train, 1) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("excess", [0, 1, 2, 3])
def test_tail_of_two_columns_follows_from_their_joint_density(excess):
    # Eigenvalues a < b of a real 2-column Wishart matrix have the density
    # K (ab)^{(N-3)/2} (b - a) e^{-(a+b)/2}: P(a < x) ≈ K x^{k/2}/(k/2) ∫ b^{(N-1)/2} e^{-b/2} db.
    n = 2 + excess
    whole = integrate.dblquad(
        lambda v, u: (  # a = u², b = a + v
            2 * u * (u**2 * (u**2 + v)) ** ((n - 3) / 2) * v * np.exp(-(2 * u**2 + v) / 2)
        ),
        *(0, 9, 1e-12, 100),
    )[0]
    late, _ = integrate.quad(lambda b: b ** ((n - 1) / 2) * np.exp(-b / 2), 0, 200)
    k, nu = n - 1, 1e-6
    expected = (n * nu) ** (k / 2) / (k / 2) * late / whole
    assert smallest_eigenvalue_tail(nu, n, 2) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("excess", "nu"), [(0, 1e-9), (1, 1e-6)])
def test_tail_joins_the_laws(excess, nu):
    d_in = 4000
    n_train = d_in + excess
    s = n_train * d_in * nu / 1e5
    law = smallest_eigenvalue_cdf(s, excess)
    tail = smallest_eigenvalue_tail(nu / 1e5, n_train, d_in)
    assert tail == pytest.approx(law, rel=2e-3)


def test_tail_of_large_sets_has_a_factorial():
    for excess in range(5):
        n_train, d_in, s, k = 20_000 + excess, 20_000, 1e-3, excess + 1
        found = smallest_eigenvalue_tail(s / (n_train * d_in), n_train, d_in)
        expected = s ** (k / 2) / float(mpmath.factorial(k))
        assert found == pytest.approx(expected, rel=1e-3)


def test_tail_of_the_time_is_an_average_over_the_mode(excess=2):
    # By mpmath over g, in place of the substitution that the module makes.
    n_train, d_in, t = 12, 10, 1e9

    def weighed(g):
        log = mpmath.log(g**2 / (d_in * LOSS))
        return 2 * mpmath.npdf(g) * (log / (4 * ETA * t)) ** mpmath.mpf("1.5")

    start = mpmath.sqrt(d_in * LOSS)
    average = float(mpmath.quad(weighed, [start, 0.1, 1, 3, 15]))
    prefactor = smallest_eigenvalue_tail(1.0, n_train, d_in)
    assert gen_time_tail(t, LOSS, n_train, d_in, ETA) == pytest.approx(
        prefactor * average, rel=1e-8
    )


@pytest.mark.parametrize("excess", [0, 1])
def test_survival_of_the_time_is_an_average_over_the_mode(excess):
    d_in, t = 30, np.array([1e4, 1e6])
    g = np.random.default_rng(5).standard_normal(400_000)
    late = np.maximum(np.log(g**2 / (d_in * LOSS)), 0.0)
    s = (d_in + excess) * d_in * late / (4 * ETA * t[:, np.newaxis])
    expected = smallest_eigenvalue_cdf(s, excess).mean(axis=1)
    found = gen_time_survival(t, LOSS, d_in + excess, d_in, ETA)
    np.testing.assert_allclose(found, expected, rtol=5e-3)


def exact_times(n_train, d_in, draws):
    """Return when Σ g²/d e^{-4ηνt} falls to the loss, of data matrices, by bisection."""
    rng = np.random.default_rng(6)
    nu, weights = np.empty((2, draws, d_in))
    for k in range(draws):
        x = rng.standard_normal((n_train, d_in))
        nu[k] = np.linalg.eigvalsh(x.T @ x / n_train)
        weights[k] = rng.standard_normal(d_in) ** 2 / d_in
    low, high = np.zeros(draws), np.full(draws, 60.0)
    for _ in range(60):
        middle = (low + high) / 2
        left = np.exp(-4 * ETA * nu * np.exp(middle)[:, np.newaxis])
        above = np.sum(weights * left, axis=1) > LOSS
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.exp(high)


@pytest.mark.parametrize(("n_train", "d_in"), [(20, 20), (31, 30)])
def test_times_of_data_matrices_have_the_law_of_the_slowest_mode(n_train, d_in):
    times = exact_times(n_train, d_in, 2000)
    for share in (0.5, 0.75, 0.9):
        t = gen_time_quantile(share, LOSS, n_train, d_in, ETA)
        # Four standard errors of a share, and 2 % for d that is no large number.
        error = 4 * np.sqrt(share * (1 - share) / len(times)) + 0.02
        assert np.mean(times < t) == pytest.approx(share, abs=error)
    late = np.quantile(times, 0.97)
    assert gen_time_tail(late, LOSS, n_train, d_in, ETA) == pytest.approx(0.03, rel=0.5)


def test_quantiles_invert_the_survival():
    t = gen_time_quantile([0.3, 0.5, 0.9], LOSS, 40, 40, ETA)
    np.testing.assert_allclose(gen_time_survival(t, LOSS, 40, 40, ETA), [0.7, 0.5, 0.1], rtol=1e-7)
    # Where 1 of 3 slowest modes starts below the loss, no time is 1 % of draws'.
    assert gen_time_quantile(0.01, 0.2 / 40, 40, 40, ETA) == 0.0


def test_the_tail_ends_the_survival():
    for excess in (0, 1):
        given = (LOSS, 50 + excess, 50, ETA)
        found = gen_time_tail(1e16, *given) / gen_time_survival(1e16, *given)
        assert found == pytest.approx(1.0, rel=0.02)


def test_all_arguments_broadcast():
    d_in = np.array([[10], [20]])
    assert tail_exponent(25, d_in).shape == (2, 1)
    for found in (
        smallest_eigenvalue_cdf([0.1, 0.2, 0.3], [[0], [1]]),
        smallest_eigenvalue_tail([0.1, 0.2, 0.3], 25, d_in),
        gen_time_tail([1e5, 1e6, 1e7], LOSS, 25, d_in, ETA),
        gen_time_survival([1e5, 1e6, 1e7], LOSS, d_in, d_in, ETA),
        gen_time_quantile([0.5, 0.6, 0.7], LOSS, d_in, d_in, ETA),
    ):
        assert found.shape == (2, 3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: tail_exponent(9, 10), "n_train = 9: must be at least d_in"),
        (lambda: tail_exponent(9, 0), r"d_in = 0: must lie in \[1, inf\)"),
        (lambda: smallest_eigenvalue_cdf(-1.0, 0), r"s = -1: must lie in \[0, inf\)"),
        (lambda: smallest_eigenvalue_cdf(1.0, 2), r"excess = 2: must lie in \[0, 1\]"),
        (lambda: smallest_eigenvalue_cdf(1.0, 0.5), "excess = 0.5: must be 0 or 1"),
        (lambda: smallest_eigenvalue_tail(-1.0, 9, 9), r"nu = -1: must lie in \[0, inf\)"),
        (lambda: gen_time_tail(0.0, LOSS, 9, 9, ETA), r"t = 0: must lie in \(0, inf\)"),
        (lambda: gen_time_survival(1.0, LOSS, 12, 9, ETA), "excess = 3: "),
        (lambda: gen_time_quantile(1.0, LOSS, 9, 9, ETA), r"probability = 1: must lie in \(0, 1\)"),
        (lambda: gen_time_quantile(0.5, 0.0, 9, 9, ETA), r"loss = 0: must lie in \(0, inf\)"),
    ],
)
def test_what_lies_outside_is_refused_in_one_line(call, says):
    with pytest.raises(ValueError, match=f"^{says}"):
        call()
