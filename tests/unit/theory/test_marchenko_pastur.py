from math import comb

import numpy as np
import pytest
from oracles import exponential_average, spectral_mean
from scipy import integrate, special

from linear_grokking.theory import marchenko_pastur as mp

pytestmark = pytest.mark.filterwarnings("error")

LAMBDAS = [1e-12, 1e-4, 0.1, 0.5, 0.9, 1 - 1e-9, 1.0, 1 + 1e-9, 1.5, 20.0, 1e6]


def stieltjes(z, lambda_):
    """E[1/(ν + z)], the root of λz m² + (z + 1 − λ) m − 1 = 0, without cancellation."""
    b = z + 1.0 - lambda_
    root = np.sqrt(b**2 + 4.0 * lambda_ * z)
    return 2.0 / (b + root) if b > 0 else (root - b) / (2.0 * lambda_ * z)


@pytest.mark.parametrize("lambda_", LAMBDAS)
def test_exponential_averages_match_the_bessel_closed_form(lambda_):
    x = np.concatenate([[0.0], np.logspace(-4, 12, 33)])
    nodes, weights = mp.quadrature(lambda_)
    average = np.exp(-4.0 * np.multiply.outer(x, nodes)) @ weights
    exact = exponential_average(x, lambda_)
    np.testing.assert_allclose(average, exact, rtol=1e-10, atol=1e-290)


def test_average_at_the_critical_ratio_matches_its_closed_form():
    x = np.concatenate([[0.0], np.logspace(-4, 20, 33)])
    average = spectral_mean(lambda nu: np.exp(-4.0 * x[:, None] * nu), np.ones(x.size))
    np.testing.assert_allclose(average, special.i0e(8 * x) + special.i1e(8 * x), rtol=1e-10)


@pytest.mark.parametrize("z", [1e-14, 1e-6, 1.0, 1e3])
@pytest.mark.parametrize("lambda_", LAMBDAS)
def test_rational_averages_match_the_stieltjes_transform(lambda_, z):
    average = spectral_mean(lambda nu: 1.0 / (nu + z), lambda_)
    # For |1 − λ| ~ 1e-9 the closed form itself loses digits in 1 − λ.
    assert average == pytest.approx(stieltjes(z, lambda_), rel=1e-10)


@pytest.mark.parametrize("lambda_", LAMBDAS)
def test_moments(lambda_):
    assert spectral_mean(np.ones_like, lambda_) == pytest.approx(1.0, rel=1e-12)
    assert spectral_mean(lambda nu: nu, lambda_) == pytest.approx(1.0, rel=1e-12)
    assert spectral_mean(np.square, lambda_) == pytest.approx(1.0 + lambda_, rel=1e-12)


def test_mean_takes_arrays_of_ratios():
    lambda_ = np.array([[0.5, 1.0], [2.0, 4.0]])
    np.testing.assert_allclose(spectral_mean(np.square, lambda_), 1.0 + lambda_, rtol=1e-12)
    np.testing.assert_allclose(
        spectral_mean(np.cos, lambda_)[1, 0], spectral_mean(np.cos, 2.0), rtol=1e-14
    )


@pytest.mark.parametrize("lambda_", [0.1, 0.9, 1.5, 20.0])
def test_density_gives_the_same_averages(lambda_):
    lower, upper = mp.support(lambda_)

    def average(g):
        # The angle makes the integrand smooth at the edges.
        def integrand(theta):
            nu = 0.5 * (lower + upper) - 0.5 * (upper - lower) * np.cos(theta)
            density = np.sqrt((upper - nu) * (nu - lower)) / (2.0 * np.pi * lambda_ * nu)
            return density * g(nu) * 0.5 * (upper - lower) * np.sin(theta)

        continuous, _ = integrate.quad(integrand, 0.0, np.pi, epsabs=1e-12, epsrel=1e-12)
        return continuous + mp.atom(lambda_) * g(np.array(0.0))

    for g in (np.ones_like, np.exp, np.cos):
        assert spectral_mean(g, lambda_) == pytest.approx(average(g), rel=1e-9)


def test_support_and_atom():
    np.testing.assert_allclose(mp.support([0.25, 4.0]), [[0.25, 1.0], [2.25, 9.0]], rtol=1e-14)
    assert mp.support(1 - 1e-12)[0] == pytest.approx(0.25e-24, rel=1e-4)
    np.testing.assert_allclose(mp.atom([0.5, 1.0, 4.0]), [0.0, 0.0, 0.75])


@pytest.mark.parametrize("lambda_", [0.5, 1.0, 2.0])
def test_average_over_real_spectra(lambda_):
    """Linear statistics of real Wishart spectra, with their known 1/d_in shift.

    Bai and Silverstein (2004): d_in times (sample average − E[g]) has mean
    (g(λ₋) + g(λ₊))/4 − (1/2π)∫₀^π g dθ.  Twenty draws, Student's t with 19 degrees of
    freedom beyond 5: 8e-5 for each of six comparisons.
    """
    d_in = 300
    rng = np.random.default_rng(5)
    n_train = round(d_in / lambda_)
    spectra = np.array(
        [
            np.linalg.eigvalsh(x.T @ x / n_train)
            for x in (rng.standard_normal((n_train, d_in)) for _ in range(20))
        ]
    ).clip(0.0)
    theta = np.linspace(0.0, np.pi, 2001)
    circle = 1.0 + lambda_ - 2.0 * np.sqrt(lambda_) * np.cos(theta)
    for g in (lambda nu: np.exp(-nu), lambda nu: nu / (nu + 0.1) ** 2):
        shift = (g(circle[0]) + g(circle[-1])) / 4 - integrate.simpson(g(circle), theta) / (
            2 * np.pi
        )
        samples = g(spectra).mean(axis=1) - shift / d_in
        error = samples.std(ddof=1) / np.sqrt(samples.size)
        assert abs(samples.mean() - spectral_mean(g, lambda_)) < 5 * error


@pytest.mark.parametrize("function", [mp.support, mp.atom, mp.quadrature])
@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf, [0.5, -0.5]])
def test_impossible_ratios_are_refused(function, wrong):
    with pytest.raises(ValueError, match="lambda_ = "):
        function(wrong)


@pytest.mark.parametrize("lambda_", [0.3, 1.0, 2.5])
def test_gauss_quadrature_has_the_moments_of_the_law(lambda_):
    """E[ν^k] = Σ_r λ^r C(k, r) C(k - 1, r)/(r + 1); with 8 nodes up to ν^16."""
    nodes, weights = mp.gauss_quadrature(lambda_, 8)
    for k in range(1, 17):
        terms = [lambda_**r * comb(k, r) * comb(k - 1, r) / (r + 1) for r in range(k)]
        assert nodes ** (k - 1) @ weights == pytest.approx(sum(terms), rel=1e-12)
    k = 17
    terms = [lambda_**r * comb(k, r) * comb(k - 1, r) / (r + 1) for r in range(k)]
    assert nodes ** (k - 1) @ weights != pytest.approx(sum(terms), rel=1e-12)


@pytest.mark.parametrize("lambda_", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_what_gauss_quadrature_lacks_of_an_inverse_power(lambda_, count):
    """E[(1 - cν)^k] up to k = 2 count, against the rule for exponentials and rationals."""
    nodes, weights = mp.gauss_quadrature(lambda_, count)
    others, measure = mp.quadrature(lambda_)
    lacking = (1 - lambda_) * lambda_**count / (1 - lambda_ ** (count + 1))
    for k in (0, 1, 2 * count):
        found = ((1 - 0.3 * nodes) ** k / nodes) @ weights + lacking
        assert found == pytest.approx(((1 - 0.3 * others) ** k / others) @ measure, rel=1e-9)
