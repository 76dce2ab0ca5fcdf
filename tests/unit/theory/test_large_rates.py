"""The largest stable learning rate against Hessians of drawn sets."""

import numpy as np
import pytest

from linear_grokking.data.draws import classification
from linear_grokking.data.laws import Gaussian
from linear_grokking.models.losses import LOSSES
from linear_grokking.theory import large_rates
from linear_grokking.theory.large_rates import critical_rate, stable_rate

TRACY_WIDOM_MEAN, TRACY_WIDOM_DEVIATION = -1.2065, 1.268
"""Of the largest eigenvalue of a real Wishart matrix, in its own scale (Johnstone 2001)."""


def largest_eigenvalue(n, d, sigma, b0, loss, realization):
    """Return that of the Hessian by S and b at S = 0, its ℓ'' by finite differences."""
    sizes = {"n_train": n, "d": d}
    inputs = classification(Gaussian(sigma), seed=3, realization=realization, **sizes).inputs
    step = 1e-3
    value = LOSSES[loss].value
    left, middle, right = (float(value(np, np.array(b0 + k * step))) for k in (-1, 0, 1))
    curvature = (left - 2.0 * middle + right) / step**2
    extended = np.column_stack([inputs, np.ones(n)]).astype(float)
    return curvature * np.linalg.eigvalsh(extended.T @ extended / n)[-1]


@pytest.mark.parametrize(("n", "d", "draws"), [(300, 120, 30), (900, 360, 10)])
@pytest.mark.parametrize(
    ("loss", "b0"), [("cross_entropy", 0.0), ("cross_entropy", -2.0), ("exponential", -1.0)]
)
def test_it_is_two_over_the_largest_eigenvalue(n, d, draws, loss, b0):
    sigma = 3.0
    roots = np.sqrt(n) + np.sqrt(d)
    scale = (n**-0.5 + d**-0.5) ** (1 / 3) / roots
    largest = [largest_eigenvalue(n, d, sigma, b0, loss, k) for k in range(draws)]
    expected = 2.0 * (1.0 + TRACY_WIDOM_MEAN * scale) / critical_rate(d / n, sigma, b0, loss)
    error = TRACY_WIDOM_DEVIATION * scale / np.sqrt(draws)
    assert error < 0.005
    assert np.mean(largest) == pytest.approx(expected, rel=2.5 * error)


def test_it_is_what_the_documentation_says():
    lambda_ = np.array([0.3, 0.48])
    edge = (1 + np.sqrt(lambda_)) ** 2
    np.testing.assert_allclose(critical_rate(lambda_, 5.0), 8 / (25 * edge), rtol=1e-14)
    exponential = critical_rate(lambda_, 5.0, loss="exponential")
    np.testing.assert_allclose(exponential, 2 / (25 * edge), rtol=1e-14)
    # At η = 0.01, λ = 0.48 literal steps are stable up to these σ.
    for loss, sigma in (("cross_entropy", 16.7), ("exponential", 8.35)):
        assert critical_rate(0.48, sigma, loss=loss) == pytest.approx(0.01, rel=3e-3)


def test_the_exponential_loss_knows_only_the_logarithm_of_the_rate_and_the_bias():
    b0 = np.array([-600.0, -3.0, 0.0, 2.0])
    product = critical_rate(0.4, 5.0, b0, "exponential") * np.exp(b0)
    np.testing.assert_allclose(product, product[2], rtol=1e-12)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 0.7])
def test_the_biass_own_direction_lies_above_the_spectrum_of_small_inputs(sigma):
    n, d, rng = 400, 160, np.random.default_rng(0)
    found = []
    for _ in range(20):
        rows = np.column_stack([sigma * rng.standard_normal((n, d)), np.ones(n)])
        found.append(np.linalg.norm(rows, 2) ** 2 / n)
    error = np.std(found) / np.sqrt(len(found))
    expected = large_rates.largest_eigenvalue(d / n, sigma)
    assert expected > 1.05 * sigma**2 * (1.0 + np.sqrt(d / n)) ** 2
    assert np.mean(found) == pytest.approx(expected, abs=3.0 * error, rel=1e-3)


@pytest.mark.parametrize(
    ("sigma", "gamma", "b0", "loss"),
    [
        (0.5, 0.3, 0.0, "cross_entropy"),
        (2.0, 5.0, 3.0, "cross_entropy"),
        (2.0, 0.1, 1.5, "exponential"),
        (2.0, 0.1, -3.0, "exponential"),
    ],
)
def test_a_mode_of_the_largest_curvature_is_stable_up_to_the_stable_rate(sigma, gamma, b0, loss):
    """Steps of θ with curvature ℓ''μ + γ: 1 - η(ℓ''μ + γ) is -1 there."""
    curvature = {"cross_entropy": 0.25, "exponential": np.exp(max(b0, 0.0))}[loss]
    largest = large_rates.largest_eigenvalue(0.4, sigma)
    eta = stable_rate(0.4, sigma, gamma, b0, loss)
    assert 1.0 - eta * (curvature * largest + gamma) == pytest.approx(-1.0)
    if gamma == 5.0:
        assert 1.0 / stable_rate(0.4, sigma, 0.0) == pytest.approx(1.0 / eta - 2.5)
        assert stable_rate(0.4, sigma, 0.0) == pytest.approx(critical_rate(0.4, sigma))


def test_arguments_broadcast():
    found = critical_rate(np.full((2, 1), 0.4), np.full(3, 5.0), np.zeros((4, 1, 1)))
    assert found.shape == (4, 2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0), "lambda_ = 0: must lie in"),
        ((0.4, 0.0), "sigma = 0: must lie in"),
        ((0.4, 1.0, 701.0), "b0 = 701: must lie in"),
        ((0.4, 1.0, 0.0, "hinge"), "loss = hinge: must be one of cross_entropy, exponential"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        critical_rate(*arguments)
