"""Margins against SciPy's non-negative least squares and closed forms."""

import numpy as np
import pytest
from scipy.optimize import minimize, nnls

from linear_grokking.solvers.separability import MarginError, assess, hard_margin, margin


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


def rows_of_a_threshold(features):
    """Points of two classes that the first feature decides, with a bias."""
    labels = np.where(features[:, 0] > -1.0, 1.0, -1.0)[:, np.newaxis]
    return lambda given: -labels * np.column_stack([given, np.ones(len(given))])


@pytest.mark.parametrize("size", [1e6, 1e-8, [1.0, 1e6, 1.0], [1e-6, 1.0, 0.0]])
def test_features_of_any_size_have_a_margin(size):
    """With S = S'/size it is that of features of size 1 in another metric."""
    features = np.random.default_rng(0).standard_normal((400, 3))
    points = rows_of_a_threshold(features)(features * size)
    found = hard_margin(points)
    assert (points @ found.direction).max() == pytest.approx(-1.0, abs=1e-9)
    scale = np.append(np.ones(3) * size, 1.0)
    scale[scale == 0] = 1.0

    # A minimizer of this test's own, of ‖S‖² in units of the bias's, on unit features.
    unit = points / scale
    metric = (scale.min() / scale) ** 2
    solved = minimize(
        lambda s: (metric @ s**2, 2.0 * metric * s),
        found.direction * scale * 1.05,
        jac=True,
        method="SLSQP",
        constraints={"type": "ineq", "fun": lambda s: -1.0 - unit @ s, "jac": lambda _: -unit},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    norm = np.sqrt(solved.fun) / scale.min()
    assert found.margin == pytest.approx(1.0 / norm, rel=1e-4)


@pytest.mark.parametrize("offset", [1e3, 1e4])
def test_features_far_from_zero_have_a_margin(offset):
    """There S is fixed but for the bias by the two classes' nearest points: M falls as 1/offset."""
    features = np.random.default_rng(0).standard_normal((400, 3))
    made = rows_of_a_threshold(features)
    found = hard_margin(made(features + offset))
    norms = [1.0 / hard_margin(made(features + far)).margin / far for far in (offset, 3.0 * offset)]
    assert found.margin > 0
    assert norms[0] == pytest.approx(norms[1], rel=3e-3)


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


def test_bounds_that_differ_by_more_than_a_ten_millionth_do_not_meet():
    assert margin._meets(1.0 - 0.9e-7, 1.0) and not margin._meets(1.0 - 1.1e-7, 1.0)
