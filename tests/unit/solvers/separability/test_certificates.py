"""Certificates against exact rational arithmetic: what they prove is true."""

from fractions import Fraction

import exact_arithmetic as exact
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linear_grokking.solvers.separability import assess
from linear_grokking.solvers.separability.certificates import (
    curvature_shift,
    encloses,
    norm,
    separates,
)


@st.composite
def integer_sets(draw):
    d = draw(st.integers(1, 3))
    n = draw(st.integers(1, 7))
    entries = st.integers(-3, 3)
    rows = draw(st.lists(st.lists(entries, min_size=d, max_size=d), min_size=n, max_size=n))
    return np.array(rows, dtype=float)


@settings(max_examples=150, deadline=None)
@given(integer_sets())
def test_verdicts_of_small_integer_sets_are_exactly_right(points):
    result = assess(points, margin=True)
    assert result.separable == (not exact.origin_in_hull(points))
    if result.certificate == "direction":
        assert exact.separates(points, result.direction)
    if result.certificate == "hull" and not (points == 0).all(axis=1).any():
        p = np.exp(points @ result.direction)
        q = exact.hull_weights(points, p / p.sum())
        assert min(q) > 0
        for k in range(points.shape[1]):
            assert sum(w * int(x) for w, x in zip(q, points[:, k], strict=True)) == 0


def test_certificates_prove_most_integer_sets():
    rng = np.random.default_rng(0)
    sets = [rng.integers(-9, 10, size=(8, 3)).astype(float) for _ in range(200)]
    assert sum(assess(x, margin=False).certificate == "lp" for x in sets) <= 2


def step_for(points, weights):
    """Return u, Xu, the residual and the shift, computed plainly."""
    matrix = points.T @ (weights[:, None] * points)
    u = np.linalg.solve(matrix, weights @ points)
    outputs = points @ u
    residual = (weights * (1.0 - outputs)) @ points
    shift = curvature_shift(np.trace(matrix), *points.shape)
    return u, outputs, residual, shift


def test_no_weights_and_no_step_make_the_hull_test_pass_on_a_separable_set():
    rng = np.random.default_rng(1)
    passed_positivity = 0
    for _ in range(60):
        points = rng.standard_normal((12, 3))
        points[:, 0] = np.abs(points[:, 0]) * 1e-6  # separable by -e₁, hardly
        weights = rng.random(12)
        for _ in range(20):
            u, outputs, _, shift = step_for(points, weights)
            for fraction in (0.0, 0.5, 0.9, 1.0):  # of the exact step: all but the last wrong
                part = fraction * outputs
                passed_positivity += part.max() < 1.0
                assert not encloses(
                    weights=weights,
                    step_outputs=part,
                    residual=(weights * (1.0 - part)) @ points,
                    shift=shift,
                    point_norms=norm(points),
                    step_norm=norm(fraction * u),
                    d=3,
                )
            weights = weights * np.exp(-np.clip(outputs, -1.0, 1.0))  # towards balance
            weights /= weights.sum()
    assert passed_positivity > 1000  # the test had something to reject


def test_hull_test_rejects_an_inaccurate_step_and_accepts_an_accurate_one():
    rng = np.random.default_rng(2)
    points = rng.standard_normal((40, 3))
    weights = np.full(40, 1.0 / 40)
    u, outputs, residual, shift = step_for(points, weights)
    known = dict(point_norms=norm(points), d=3, weights=weights, shift=shift)
    assert encloses(step_outputs=outputs, residual=residual, step_norm=norm(u), **known)
    u = u + 1e-3
    outputs = points @ u
    residual = (weights * (1.0 - outputs)) @ points
    assert not encloses(step_outputs=outputs, residual=residual, step_norm=norm(u), **known)


def test_direction_test_is_not_fooled_by_rounding():
    # Exactly, S·x = 2⁻⁷⁰ > 0; computed from left to right it is negative or zero.
    direction = np.array([1.0, 1.0, 1.0])
    points = np.array([[1.0, -1.0, 2.0**-70]])
    exact_output = sum(map(Fraction, points[0].tolist()))
    assert exact_output > 0
    for computed in (0.0, -(2.0**-53)):
        assert not separates(np.array([computed]), norm(points), norm(direction), 3)
    assert separates(np.array([-1e-12]), norm(points), norm(direction), 3)


@pytest.mark.parametrize("n_points", [30, 300])
def test_curvature_shift_is_below_and_proves_the_least_eigenvalue(n_points):
    rng = np.random.default_rng(3)
    points = rng.standard_normal((n_points, 5))
    matrix = points.T @ points / n_points
    shift = curvature_shift(np.trace(matrix), n_points, 5)
    assert 0.0 < shift < 1e-10 * np.linalg.eigvalsh(matrix)[0]
    # A direction narrower than the shift makes the factorization fail.
    points[:, 0] *= 1e-8
    matrix = points.T @ points / n_points
    shift = curvature_shift(np.trace(matrix), n_points, 5)
    assert np.linalg.eigvalsh(matrix)[0] < shift
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.cholesky(matrix - shift * np.eye(5))


@pytest.mark.parametrize("size", [0.0, 100.0])
def test_hull_test_counts_the_rounding_of_the_residual(size):
    """Of unit points, at a step of this size with outputs 0, X'q may be off by (n + 2 + d|u|) u.

    A residual so close to the largest allowed one proves nothing (Higham, Sec. 3.1).
    """
    n, d = 100, 3
    weights = np.full(n, 1.0 / n)
    shift = curvature_shift(np.float64(1.0), n, d)
    known = dict(
        weights=weights,
        step_outputs=np.zeros(n),
        shift=shift,
        point_norms=np.ones(n),
        step_norm=np.float64(size),
        d=d,
    )
    off = (n + 2 + d * size) * 2.0**-53
    assert encloses(residual=np.array([shift / 2 - 3 * off, 0.0, 0.0]), **known)
    assert not encloses(residual=np.array([shift / 2 - 0.9 * off, 0.0, 0.0]), **known)
