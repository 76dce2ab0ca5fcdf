"""Support vectors against the conditions of optimality, closed forms and PIQP.

`hard_margin` leaves small sets to PIQP: here these go to both.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linear_grokking.solvers.separability import MarginError, assess, hard_margin, margin
from linear_grokking.solvers.separability.margin import by_interior_points, by_support
from linear_grokking.solvers.separability.support import support_weights


def separable_set(seed, n_points, d):
    rng = np.random.default_rng(seed)
    while True:
        points = rng.standard_normal((n_points, d))
        if assess(points, margin=False).separable:
            return points


def assert_optimal(points, weights, accuracy):
    """Assert z ≥ 0, S·x_i ≤ -1, and z_i (1 + S·x_i) = 0, with S = -Xᵀz scaled."""
    outputs = points @ -(weights @ points)
    outputs /= -outputs.max()
    assert outputs.max() < 0.0
    assert weights.min() >= 0.0
    assert outputs[weights > 0.0] == pytest.approx(-1.0, abs=accuracy)


@pytest.mark.parametrize(
    ("n_points", "d"), [(30, 18), (40, 60), (60, 15), (100, 54), (400, 205), (400, 240)]
)
@pytest.mark.parametrize("seed", range(3))
def test_conditions_of_optimality(n_points, d, seed):
    if n_points > 2 * d:
        points = np.random.default_rng(seed).standard_normal((n_points, d))
        points[:, 0] = -1.0 - np.abs(points[:, 0])
    else:
        points = separable_set(seed, n_points, d)
    assert_optimal(points, support_weights(points), 1e-8)


@pytest.mark.parametrize("lambda_", [0.5, 0.5125, 0.55, 0.6, 0.65])
def test_agrees_with_interior_points(lambda_):
    for seed in range(5):
        points = separable_set(seed, 300, round(300 * lambda_))
        found, other = by_support(points), by_interior_points(points)
        assert found.margin == pytest.approx(other.margin, rel=1e-7)
        accuracy = 1e-4 * np.linalg.norm(other.direction)  # the root of the bracket's width
        assert found.direction == pytest.approx(other.direction, abs=accuracy)


def test_tiny_margins():
    margins = []
    for seed in range(40):
        points = separable_set(seed, 100, 46)
        found = by_support(points)
        assert found.margin == pytest.approx(by_interior_points(points).margin, rel=1e-7)
        margins.append(found.margin)
    assert min(margins) < 0.01


def test_closed_form_of_two_points():
    # The hull is a segment, whose nearest point to the origin is at the foot (1, 0) or an end.
    assert by_support(np.array([[1.0, 2.0], [1.0, -3.0]])).margin == pytest.approx(1.0)
    assert by_support(np.array([[3.0, 4.0], [6.0, 9.0]])).margin == pytest.approx(5.0)


@pytest.mark.parametrize("d", [1, 2, 7, 50])
def test_closed_form_of_a_simplex(d):
    # With orthogonal a_k e_k all points are supports: S = -Σ e_k/a_k, 1/M² = Σ 1/a_k².
    sizes = np.linspace(1.0, 3.0, d)
    found = by_support(np.diag(sizes))
    assert found.direction == pytest.approx(-1.0 / sizes)
    assert found.margin == pytest.approx(np.sum(sizes**-2.0) ** -0.5)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(lambda x: x[:1], id="one point"),
        pytest.param(lambda x: x[:1, :1] * np.array([[1.0], [2.0], [5.0]]), id="one dimension"),
        pytest.param(lambda x: np.tile(x[0], (20, 1)), id="a point many times"),
        pytest.param(lambda x: np.vstack([x, x[:10]]), id="some points twice"),
        pytest.param(lambda x: np.vstack([x, x]), id="all points twice"),
        pytest.param(lambda x: np.pad(x, ((0, 0), (0, 30))), id="points of a subspace"),
        pytest.param(lambda x: x + 100.0 * np.eye(40)[0], id="points far away"),
        pytest.param(lambda x: x * np.geomspace(0.1, 10.0, 60)[:, np.newaxis], id="norms"),
        pytest.param(lambda x: 1e-90 * x, id="tiny norms"),
        pytest.param(lambda x: 1e90 * x, id="huge norms"),
        pytest.param(lambda x: np.round(x), id="integers"),
    ],
)
def test_degenerate_sets(points):
    points = points(separable_set(0, 60, 40))
    assert by_support(points).margin == pytest.approx(by_interior_points(points).margin, rel=1e-8)


def test_more_support_vectors_than_dimensions():
    # All 64 corners of a face of the cube are equally far.
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 6)).reshape(6, -1).T
    points = np.hstack([np.ones((64, 1)), corners])
    assert by_support(points).margin == pytest.approx(1.0)
    assert support_weights(points) @ corners == pytest.approx(0.0, abs=1e-9)


@given(
    seed=st.integers(0, 10_000),
    n_points=st.integers(1, 30),
    d=st.integers(1, 20),
    spread=st.floats(0.0, 2.0),
    digits=st.sampled_from([0, 1, 12]),
)
def test_a_margin_is_bracketed_or_not_given(seed, n_points, d, spread, digits):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n_points, d)) * 10.0 ** rng.uniform(0, spread, (n_points, 1))
    points = np.round(points, digits)
    found = by_support(points)
    if found is None:
        return
    assert points @ found.direction == pytest.approx(-1.0, abs=1e-12) or (
        (points @ found.direction).max() <= -1.0 + 1e-12
    )
    assert np.linalg.norm(found.direction) == pytest.approx(1.0 / found.margin)
    assert by_interior_points(points).margin == pytest.approx(found.margin, rel=1e-6)


@pytest.mark.parametrize("size", [(50, 10), (30, 15), (400, 200)])
def test_sets_that_are_not_separable_have_none(size):
    rng = np.random.default_rng(0)
    while assess(points := rng.standard_normal(size), margin=False).separable:
        pass
    assert by_support(points) is None


def test_a_point_at_the_origin_excludes_a_margin():
    assert support_weights(np.array([[1.0, 0.0], [0.0, 0.0]])) is None


def test_large_sets_are_solved_by_support_vectors(monkeypatch):
    points = separable_set(0, 540, 300)
    expected = by_interior_points(points).margin
    monkeypatch.setattr(margin, "by_interior_points", lambda points: pytest.fail("not needed"))
    assert hard_margin(points).margin == pytest.approx(expected, rel=1e-8)


def test_interior_points_take_over(monkeypatch):
    points = separable_set(0, 540, 300)
    expected = hard_margin(points).margin
    monkeypatch.setattr(margin, "support_weights", lambda points: np.ones(len(points)))
    assert hard_margin(points).margin == pytest.approx(expected, rel=1e-7)
    monkeypatch.setattr(margin, "support_weights", lambda points: None)
    assert hard_margin(points).margin == pytest.approx(expected, rel=1e-7)
    with pytest.raises(MarginError):
        hard_margin(np.vstack([points, -points]))
