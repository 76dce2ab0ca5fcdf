import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import linprog, minimize_scalar
from scipy.stats import norm

from linear_grokking.solvers.separability import hard_margin
from linear_grokking.theory.label_fraction import (
    assigned_accuracy,
    limit_negative_fraction,
    separability_threshold,
)
from linear_grokking.theory.margin import limit_gen_accuracy


def test_values_of_the_papers_label_fractions():
    assert separability_threshold([0.99, 0.95]) == pytest.approx([0.052, 0.164], abs=5e-4)


@pytest.mark.parametrize("fraction", [0.999, 0.97, 0.8, 0.3])
def test_minimum_found_by_quadrature(fraction):
    def violation(bias: float) -> float:
        def density(h: float) -> float:
            wrong = fraction * max(h + bias, 0.0) ** 2 + (1 - fraction) * max(h - bias, 0.0) ** 2
            return wrong * norm.pdf(h)

        return quad(density, -10.0, 10.0, points=[-bias, bias], limit=200)[0]

    found = minimize_scalar(violation, bounds=(-5.0, 5.0), method="bounded")
    assert separability_threshold(fraction) == pytest.approx(found.fun, rel=1e-6)


@pytest.mark.parametrize("negative", [0.0, 0.3, 1.0])
def test_accuracy_against_assigned_labels_by_counting(negative):
    n = 1000
    outputs = np.where(np.arange(n) < negative * n, -1, 1)
    # Labels are assigned whatever the outputs: each pair of the two counts once.
    labels = np.where(np.arange(n) < 0.95 * n, -1, 1)
    right = np.mean(outputs[:, np.newaxis] == labels)
    assert assigned_accuracy(negative, 0.95) == pytest.approx(right, rel=1e-12)


def test_ends_and_symmetry():
    assert np.all(separability_threshold([0.0, 1.0]) == 0.0)
    assert separability_threshold(0.5) == pytest.approx(0.5, abs=1e-12)  # Cover's N = 2d
    r = np.linspace(0.02, 0.48, 7)
    assert separability_threshold(r) == pytest.approx(separability_threshold(1.0 - r), rel=1e-9)


@pytest.mark.parametrize(("lambda_", "expected"), [(0.06, False), (0.3, True)])
def test_small_sets_by_linear_programming(lambda_, expected):
    # r = 0.95, λ_c = 0.164; at N = 200 either λ is more than five widths away.
    rng = np.random.default_rng(5)
    n, d = 200, int(200 * lambda_)
    for _ in range(6):
        inputs = np.hstack([rng.standard_normal((n, d)), np.ones((n, 1))])
        labels = np.where(rng.random(n) < 0.95, -1.0, 1.0)
        rows = -labels[:, np.newaxis] * inputs
        found = linprog(np.zeros(d + 1), rows, -np.ones(n), bounds=(None, None))
        assert (found.status == 0) == expected


@pytest.mark.parametrize("fraction", [-0.1, 1.1, np.nan])
def test_rejects_what_is_no_fraction(fraction):
    with pytest.raises(ValueError, match="label_fraction"):
        separability_threshold(fraction)


@pytest.mark.parametrize(("fraction", "lambda_", "sigma"), [(0.95, 0.48, 5.0), (0.7, 0.7, 1.0)])
def test_limit_direction_of_random_labels_by_hard_margins_with_bias(fraction, lambda_, sigma):
    # The hard margin of points (-y x, -y) is that of (S, b).  Φ(-b/(σ‖S‖)) scatters by
    # 0.036 from set to set: 0.06 is four standard errors of the mean of six.
    rng = np.random.default_rng(8)
    n, d = 500, int(500 * lambda_)
    found = []
    for _ in range(6):
        labels = np.where(np.arange(n) < fraction * n, -1.0, 1.0)
        points = np.hstack([sigma * rng.standard_normal((n, d)), np.ones((n, 1))])
        direction = hard_margin(-labels[:, np.newaxis] * points).direction
        found.append(norm.cdf(-direction[-1] / (sigma * np.linalg.norm(direction[:-1]))))
    expected = limit_negative_fraction(lambda_, fraction, sigma)
    assert np.mean(found) == pytest.approx(expected, abs=0.06)


def test_limit_direction_where_labels_are_nearly_one():
    for lambda_ in (0.55, 0.7):
        limit = limit_negative_fraction(lambda_, 1.0 - 1e-7, 5.0)
        assert limit == pytest.approx(float(limit_gen_accuracy(lambda_, 5.0)), abs=1e-4)
    assert limit_negative_fraction(0.8, 0.5, 2.0) == pytest.approx(0.5, abs=1e-6)
    mirrored = limit_negative_fraction(0.6, 0.1, 2.0) + limit_negative_fraction(0.6, 0.9, 2.0)
    assert mirrored == pytest.approx(1.0, abs=1e-6)


def test_limit_direction_needs_separable_sets():
    with pytest.raises(ValueError, match="lambda_ = "):
        limit_negative_fraction(0.1, 0.95, 5.0)
