"""The limit direction of inputs with a random radius: quadrature, brute force, limits."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import wrightomega
from scipy.stats import norm

from linear_grokking.solvers.separability import assess
from linear_grokking.theory import large_size
from linear_grokking.theory.elliptical import (
    critical_norm,
    largest_eigenvalue,
    limit_loss,
    limit_norm,
    log_time_to_accuracy,
    radii,
    settling_exponent,
    solve,
)

LAWS = [(3.0, 0.5), (10.0, 0.2), (0.2, 0.3)]


def mean_over(function, ratio, share, c, r):
    """Average a function of s, h and w over both, by adaptive quadrature about each bend."""
    near = 1.0 / np.sqrt(1.0 - share + share * ratio**2)
    total = 0.0
    for s, p in ((near, 1.0 - share), (ratio * near, share)):
        bend = -(c + 2 * np.log(s)) / (s * r)
        points = sorted({-12.0, 12.0, *np.clip(bend + np.array([-0.5, -0.1, 0.1, 0.5]), -12, 12)})

        def value(h, s=s):
            return function(s, h, wrightomega(c + 2 * np.log(s) + s * r * h)) * norm.pdf(h)

        for a, b in itertools.pairwise(points):
            total += p * quad(value, a, b, epsabs=1e-13, limit=300)[0]
    return total


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("lambda_", [0.01, 0.3, 0.45, 0.499])
def test_the_equations_hold_by_adaptive_quadrature(lambda_, law):
    r, c = (float(each) for each in solve(lambda_, *law))
    square = mean_over(lambda s, h, w: w**2 / s**2, *law, c, r)
    assert square == pytest.approx(lambda_ * r**2, rel=1e-7)
    assert mean_over(lambda s, h, w: w / (1 + w), *law, c, r) == pytest.approx(lambda_, rel=1e-7)
    # Outputs: mean e^f is C_∞, and stationary along S_∞.
    loss = mean_over(lambda s, h, w: np.exp(s * r * h - w), *law, c, r)
    assert limit_loss(lambda_, *law) == pytest.approx(loss, rel=1e-7)
    slope = mean_over(lambda s, h, w: (s * r * h - w) * np.exp(s * r * h - w), *law, c, r)
    assert slope == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("radius", [(1.0, 0.3), (7.0, 0.0)])
def test_one_radius_is_the_gaussian_law(radius):
    lambda_ = np.array([1e-4, 0.1, 0.4, 0.4999])
    expected = large_size.solve(lambda_)
    assert solve(lambda_, *radius).norm == pytest.approx(expected.norm, rel=1e-9)
    assert solve(lambda_, *radius).offset == pytest.approx(expected.offset, rel=1e-9)
    loss = large_size.limit_loss(lambda_)
    assert limit_loss(lambda_, *radius) == pytest.approx(loss, rel=1e-9)
    time = large_size.log_time_to_accuracy(lambda_, 0.02, 0.9)
    assert log_time_to_accuracy(lambda_, *radius, 0.02, 0.9) == pytest.approx(time, rel=1e-9)
    assert critical_norm(*radius) == pytest.approx(large_size.CRITICAL_NORM, rel=1e-9)
    slowest = large_size.settling_exponent(lambda_)
    assert settling_exponent(lambda_, *radius) == pytest.approx(slowest, rel=1e-9)
    edge = (1.0 + np.sqrt(lambda_)) ** 2
    assert largest_eigenvalue(lambda_, *radius) == pytest.approx(edge, rel=1e-9)


@pytest.mark.parametrize(("n", "draws", "size"), [(150, 40, 0.06), (600, 12, 0.04)])
def test_norm_and_loss_are_those_of_drawn_sets(n, draws, size):
    # A minimizer of this test's own: quasi-Newton descent of the mean of e^{S·x}.
    lambda_, ratio, share = 0.3, 4.0, 0.3
    rng = np.random.default_rng(n)
    norms, losses = [], []
    for _ in range(draws):
        s = np.where(rng.random(n) < share, ratio, 1.0)
        s /= np.sqrt(1.0 - share + share * ratio**2)
        x = s[:, np.newaxis] * rng.standard_normal((n, int(lambda_ * n)))

        def loss(direction, x=x):
            values = np.exp(x @ direction) / len(x)
            return values.sum(), x.T @ values

        found = minimize(loss, np.zeros(x.shape[1]), jac=True, method="BFGS")
        norms.append(np.linalg.norm(found.x))
        losses.append(found.fun)
    for values, expected in (
        (norms, limit_norm(lambda_, ratio, share)),
        (losses, limit_loss(lambda_, ratio, share)),
    ):
        error = np.std(values, ddof=1) / np.sqrt(draws)
        assert np.mean(values) == pytest.approx(expected, abs=4 * error + size * expected)


@pytest.mark.parametrize("law", LAWS)
def test_settling_exponent_is_the_largest_bound_of_its_kind(law):
    lambda_ = 0.2  # where no eigenvalue is below the edge
    r, c = (float(each) for each in solve(lambda_, *law))
    mean = mean_over(lambda s, h, w: w / s**2, *law, c, r)

    def bound(m):
        return mean_over(lambda s, h, w: w / (mean + lambda_ * w * m), *law, c, r) - 1.0 / m

    # It has one maximum: m² times its derivative falls.
    best = minimize_scalar(
        lambda log_m: -bound(np.exp(log_m)), bounds=np.log([2.0, 2000.0]), options={"xatol": 1e-3}
    )
    found = settling_exponent(lambda_, *law)
    assert found >= -best.fun and found == pytest.approx(-best.fun, rel=1e-6)


def test_edges_are_those_of_drawn_sets():
    """The soft one with a drawn set's own weights, across S; the far one of the inputs alone."""
    n, lambda_, ratio, share = 1000, 0.3, 3.0, 0.2
    softest, largest = [], []
    for draw in range(4):
        rng = np.random.default_rng([4, draw])
        s = np.where(rng.random(n) < share, ratio, 1.0) / np.sqrt(1.0 + share * (ratio**2 - 1.0))
        x = s[:, np.newaxis] * rng.standard_normal((n, int(lambda_ * n)))
        p = np.exp(x @ assess(x, margin=False).direction)
        softest.append(np.linalg.eigvalsh((x * (p / p.sum())[:, np.newaxis]).T @ x)[0])
        largest.append(np.linalg.eigvalsh(x.T @ x / n)[-1])
    # A finite spectrum ends inside of its edges, by N^{-2/3} and a number of order one.
    assert np.mean(softest) == pytest.approx(settling_exponent(lambda_, ratio, share), rel=0.12)
    assert np.mean(largest) == pytest.approx(largest_eigenvalue(lambda_, ratio, share), rel=0.04)


@pytest.mark.parametrize("law", LAWS)
def test_critical_norm_is_the_limit(law):
    distance = np.array([4e-4, 2e-4])
    found = limit_norm(0.5 - distance / 2.0, *law) * np.sqrt(distance)
    # The approach is as √(1-2λ): one step of Richardson's extrapolation.
    extrapolated = found[1] + (found[1] - found[0]) / (np.sqrt(2.0) - 1.0)
    assert critical_norm(*law) == pytest.approx(extrapolated, rel=2e-3)


def test_radii_have_the_given_ratio_and_a_mean_square_of_one():
    near, far = radii([3.0, 0.5], [[0.2], [0.6]])
    share = np.array([[0.2], [0.6]])
    assert far / near == pytest.approx(np.array([[3.0, 0.5]] * 2))
    assert (1 - share) * near**2 + share * far**2 == pytest.approx(np.ones((2, 2)))


@pytest.mark.parametrize("law", LAWS)
def test_time_is_that_of_the_mean_accuracy(law):
    lambda_, eta, accuracy = 0.4, 0.05, 0.93
    r, share = float(limit_norm(lambda_, *law)), law[1]
    near, far = (float(each) for each in radii(*law))

    def short(log_t):
        reach = (log_t + np.log(eta * limit_loss(lambda_, *law))) / r
        return (1 - share) * norm.cdf(reach / near) + share * norm.cdf(reach / far) - accuracy

    expected = brentq(short, 0.0, 300.0)
    assert log_time_to_accuracy(lambda_, *law, eta, accuracy) == pytest.approx(expected, rel=1e-8)
    both = log_time_to_accuracy(lambda_, *law, eta, [[accuracy], [0.6]])
    assert both.shape == (2, 1) and both[1, 0] < both[0, 0] == pytest.approx(expected, rel=1e-8)


def test_it_does_not_depend_on_which_radius_is_named_first():
    one, other = solve(0.4, 5.0, 0.2), solve(0.4, 0.2, 0.8)
    assert one.norm == pytest.approx(other.norm) and one.offset == pytest.approx(other.offset)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (solve, (0.5, 3.0, 0.2), "lambda_"),
        (solve, (np.nan, 3.0, 0.2), "lambda_"),
        (limit_norm, (0.3, 0.0, 0.2), "radius_ratio"),
        (limit_loss, (0.3, 3.0, 1.1), "far_share"),
        (critical_norm, (101.0, 0.2), "radius_ratio"),
        (log_time_to_accuracy, (0.3, 3.0, 0.2, 0.0), "eta"),
        (log_time_to_accuracy, (0.3, 3.0, 0.2, 0.1, 0.5), "accuracy"),
        (log_time_to_accuracy, (0.5, 3.0, 0.2, 0.1), "lambda_"),
        (radii, ([1.0, 2.0], [0.1, 0.2, 0.3]), "broadcast"),
    ],
)
def test_rejects_what_lies_outside(function, arguments, name):
    with pytest.raises(ValueError, match=name):
        function(*arguments)
