"""Margins against SciPy's non-negative least squares and closed forms."""

import numpy as np
import pytest
from scipy.optimize import nnls

from linear_grokking.solvers.separability import MarginError, assess, hard_margin


def margin_by_nnls(points):
    """Solve min ‖S‖ s.t. XS ≤ -1 as a least-distance problem (Lawson, Hanson, Ch. 23)."""
    n_points, d = points.shape
    matrix = np.vstack([-points.T, np.ones(n_points)])
    target = np.append(np.zeros(d), 1.0)
    weights, _ = nnls(matrix, target, maxiter=50 * n_points)
    residual = matrix @ weights - target
    return np.linalg.norm(-residual[:-1] / residual[-1]) ** -1


def separable_set(rng, n_points, d):
    while True:
        points = rng.standard_normal((n_points, d))
        if assess(points, margin=False).separable:
            return points


@pytest.mark.parametrize(("n_points", "d"), [(10, 4), (40, 20), (40, 39), (200, 104), (30, 60)])
def test_agrees_with_nnls(n_points, d):
    rng = np.random.default_rng(n_points)
    for _ in range(5):
        points = 5.0 * separable_set(rng, n_points, d)
        found = assess(points, margin=True)
        assert found.margin == pytest.approx(margin_by_nnls(points), rel=1e-7)
        assert (points @ found.direction).max() == pytest.approx(-1.0, abs=1e-12)
        assert np.linalg.norm(found.direction) == pytest.approx(1.0 / found.margin)


@pytest.mark.parametrize("distance", [1e-6, 1e-3, 1.0, 1e6])
def test_closed_form_of_a_ball_at_a_distance(distance):
    # Pairs (distance, ±a_k) around the axis: the nearest plane to the hull is x₁ = distance.
    rng = np.random.default_rng(0)
    across = rng.standard_normal((20, 4))
    points = np.hstack([np.full((40, 1), distance), np.vstack([across, -across])])
    found = hard_margin(points)
    assert found.margin == pytest.approx(distance, rel=1e-7)
    assert found.direction == pytest.approx([-1.0 / distance, 0, 0, 0, 0], abs=1e-5 / distance)


def test_single_point():
    found = hard_margin(np.array([[3.0, 4.0]]))
    assert found.margin == pytest.approx(5.0)
    assert found.direction == pytest.approx([-3.0 / 25, -4.0 / 25])


def test_an_inseparable_set_has_none():
    with pytest.raises(MarginError, match="is the set separable"):
        hard_margin(np.random.default_rng(0).standard_normal((50, 10)))


def test_hardly_separable_sets_have_a_margin():
    rng = np.random.default_rng(5)
    margins = [hard_margin(separable_set(rng, 50, 22)).margin for _ in range(60)]
    assert min(margins) < 0.01 < max(margins)
