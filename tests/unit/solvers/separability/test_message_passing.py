"""The start by message passing against Newton's steps from zero, on laws it is not made for."""

import numpy as np
import pytest
from scipy.special import wrightomega

from linear_grokking.solvers.separability import assess
from linear_grokking.solvers.separability import limit_direction as search
from linear_grokking.solvers.separability.limit_direction import Status, limit_direction, newton
from linear_grokking.solvers.separability.message_passing import message_passing, wright_omega
from linear_grokking.solvers.separability.softmax import log_sum_exp
from linear_grokking.theory.large_size import limit_norm

LAWS = {
    "independent": lambda x, rng: x,
    "anisotropic": lambda x, rng: x * np.geomspace(1.0, 30.0, x.shape[1]),
    "elliptical": lambda x, rng: x * np.exp(rng.standard_normal((len(x), 1))),
    "sparse": lambda x, rng: x * (rng.random(x.shape) < 0.05),
    "shifted": lambda x, rng: x + 0.05,
    "far away": lambda x, rng: x + 100.0,
    "tiny": lambda x, rng: 1e-50 * x,
}


def drawn(law, n_points, d, seed):
    """Return points and their norms."""
    rng = np.random.default_rng([n_points, d, seed])
    points = LAWS[law](rng.standard_normal((n_points, d)), rng)
    return points, np.linalg.norm(points, axis=1)


def from_zero(points, norms):
    return newton(points, norms, np.zeros(points.shape[1]), np.float32)


def assert_same(found, expected, points):
    assert found.status is expected.status
    if found.status is Status.ENCLOSED:
        np.testing.assert_allclose(
            points @ found.direction, points @ expected.direction, rtol=1e-9, atol=1e-9
        )


def test_wright_omega():
    y = np.concatenate([np.linspace(-60.0, 60.0, 4001), np.geomspace(60.0, 1e6)])
    found = wright_omega(y.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wrightomega(y), rtol=1e-3)


def test_it_comes_to_the_limit_direction():
    points, norms = drawn("independent", 1200, 400, 0)
    limit = from_zero(points, norms).direction
    directions, settled = message_passing(points.astype(np.float32))
    assert settled
    errors = np.linalg.norm(directions - limit, axis=1) / np.linalg.norm(limit)
    assert errors[-1] < 0.02
    # At a constant rate, as approximate message passing does.
    assert np.all(errors[1:] < 0.75 * errors[:-1])


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("d", [256, 290, 310])
def test_start_changes_no_result(law, d):
    points, norms = drawn(law, 600, d, 1)
    assert_same(limit_direction(points, norms), from_zero(points, norms), points)


@pytest.mark.parametrize("law", LAWS)
def test_start_is_no_worse_than_zero(law):
    points, norms = drawn(law, 600, 280, 2)
    start, _ = search._start(points, norms)
    assert log_sum_exp(points @ start) <= np.log(600) + 1e-6


def test_start_leaves_one_newton_step_below_the_transition():
    for seed in range(5):
        points, norms = drawn("independent", 800, 320, seed)
        found, expected = limit_direction(points, norms), from_zero(points, norms)
        assert (found.status, found.iterations) == (Status.ENCLOSED, 1)
        assert expected.iterations >= 4


def test_start_alone_separates_above_the_transition():
    for seed in range(5):
        points, norms = drawn("independent", 800, 520, seed)
        found = limit_direction(points, norms)
        assert (found.status, found.iterations) == (Status.SEPARATING, 0)
        assert (points @ found.direction).max() < 0.0


@pytest.mark.parametrize("draws", [60, pytest.param(2000, marks=pytest.mark.long)])
def test_near_critical_sets_are_decided_as_from_zero(draws, monkeypatch):
    monkeypatch.setattr(search, "LEAST_DIMENSION", 24)
    rng = np.random.default_rng(8)
    statuses = set()
    for _ in range(draws):
        n_points = int(rng.integers(60, 200))
        d = round(0.5 * n_points + 0.5 * np.sqrt(n_points) * rng.uniform(-1.5, 1.5))
        points = rng.standard_normal((n_points, d))
        norms = np.linalg.norm(points, axis=1)
        found = limit_direction(points, norms)
        assert_same(found, from_zero(points, norms), points)
        statuses.add(found.status)
    assert statuses == {Status.SEPARATING, Status.ENCLOSED}


@pytest.mark.parametrize("size", [0.1, 10.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [25, 40])
def test_no_start_makes_a_result_wrong(size, dtype, d):
    points, norms = drawn("independent", 60, d, 0)
    start = size * np.random.default_rng(0).standard_normal(d)
    assert_same(newton(points, norms, start, dtype), from_zero(points, norms), points)


def test_divergence_leaves_finite_directions():
    points, _ = drawn("far away", 600, 300, 0)
    points[0] *= 1e6
    directions, _ = message_passing(points.astype(np.float32))
    assert np.isfinite(directions).all()


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((600, 300)),
        np.repeat(np.eye(1, 300), 600, axis=0),
        np.vstack([np.eye(300), -np.eye(300)]),  # every w stays the same
    ],
)
def test_degenerate_large_sets(points):
    norms = np.linalg.norm(points, axis=1)
    assert_same(limit_direction(points, norms), from_zero(points, norms), points)
    assert assess(points, margin=False).separable == (points[:, 0].min() > 0.0)


@pytest.mark.long
def test_large_sets_settle_as_small_ones_do():
    """The sum of 768 million squares, of which float32 would lose 2 %, sets the step."""
    points = np.empty((40_000, 19_200), np.float32)
    rng = np.random.default_rng(0)
    for rows in np.split(points, 80):
        rows[:] = rng.standard_normal(rows.shape)
    directions, settled = message_passing(points)
    assert settled
    assert np.linalg.norm(directions[-1]) == pytest.approx(limit_norm(0.48), rel=0.1)
