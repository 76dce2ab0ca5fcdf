"""Verdicts against linear programming and Wendel's theorem; degenerate sets."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.stats import binom, binomtest

from linear_grokking.solvers.separability import UndecidedError, assess, verdict
from linear_grokking.solvers.separability import limit_direction as search
from linear_grokking.solvers.separability.limit_direction import Status


def separable_by_programming(points):
    """Maximize t subject to S·x_i ≤ -t, |S_k| ≤ 1, with HiGHS."""
    n_points, d = points.shape
    result = linprog(
        np.append(np.zeros(d), -1.0),
        A_ub=np.hstack([points, np.ones((n_points, 1))]),
        b_ub=np.zeros(n_points),
        bounds=[(-1.0, 1.0)] * d + [(0.0, None)],
        method="highs",
    )
    assert result.status == 0
    return result.x[-1] > 1e-7


@pytest.mark.parametrize(
    ("n_points", "d", "draws"),
    [(8, 4, 100), (20, 9, 100), (60, 29, 60), (60, 33, 40), (120, 60, 30)],
)
def test_agrees_with_linear_programming(n_points, d, draws):
    rng = np.random.default_rng(d)
    outcomes = set()
    for _ in range(draws):
        points = rng.standard_normal((n_points, d))
        found = assess(points, margin=False)
        assert found.certificate == ("direction" if found.separable else "hull")
        assert found.separable == separable_by_programming(points)
        outcomes.add(found.separable)
    assert outcomes == {True, False}


@pytest.mark.parametrize(
    ("n_points", "d", "draws"),
    [(400, 196, 40), pytest.param(1000, 497, 200, marks=pytest.mark.long)],
)
def test_near_critical_sets_are_decided_by_certificates_alone(n_points, d, draws):
    # Where separable, weights fall to e^{-10000} and B is singular but for a few hundred points.
    rng = np.random.default_rng(5)
    found = [assess(rng.standard_normal((n_points, d)), margin=False) for _ in range(draws)]
    assert {f.certificate for f in found} == {"direction", "hull"}
    assert max(f.iterations for f in found) <= 30


@pytest.mark.parametrize(("n_points", "d"), [(10, 3), (10, 5), (30, 13), (50, 24), (51, 30)])
def test_wendel(n_points, d):
    # Each of the five two-sided exact tests fails with probability below 1e-4 under Wendel.
    rng = np.random.default_rng(100 * n_points + d)
    draws = 1000
    separable = sum(
        assess(rng.standard_normal((n_points, d)), margin=False).separable for _ in range(draws)
    )
    probability = binom.cdf(d - 1, n_points - 1, 0.5)
    assert binomtest(separable, draws, probability).pvalue > 1e-4


def test_definition_where_separable():
    points = np.random.default_rng(0).standard_normal((20, 15))
    found = assess(points, margin=False)
    assert (points @ found.direction).max() < 0
    assert found.separable
    assert found.margin is None
    assert found.s_inf_norm is None
    assert found.positive_fraction is None
    assert found.positive_mean is None


SQUARE = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])


@pytest.mark.parametrize(
    ("points", "separable"),
    [
        ([[2.0]], True),
        ([[-2.0]], True),
        ([[1.0], [-1e-9]], False),
        ([[1.0], [1e-9]], True),
        ([[1.0, 2.0, 3.0]], True),  # N = 1
        (np.eye(3)[:2], True),  # N < d
        (np.ones((6, 3)), True),  # one point, repeated
        (np.hstack([SQUARE, SQUARE]), False),  # rank 2 in 4 dimensions
        (np.repeat(SQUARE, 3, axis=0), False),  # repeated points
        (np.vstack([SQUARE, np.zeros((2, 2))]), False),  # with the origin
        (np.hstack([np.eye(4), -np.ones((4, 1))]), True),
    ],
)
def test_degenerate_sets(points, separable):
    points = np.asarray(points)
    found = assess(points, margin=True)
    assert found.separable == separable
    if separable:
        assert (points @ found.direction).max() == pytest.approx(-1.0)
    else:
        assert np.isfinite(found.s_inf_norm)
        assert np.abs(np.exp(points @ found.direction) @ points).max() < 1e-9


def test_rank_deficient_limit_is_the_one_of_least_norm():
    rng = np.random.default_rng(3)
    flat = rng.standard_normal((30, 5))
    embedding = np.linalg.qr(rng.standard_normal((9, 5)))[0].T
    inside, outside = assess(flat, margin=False), assess(flat @ embedding, margin=False)
    assert (inside.certificate, outside.certificate) == ("hull", "lp")
    assert outside.direction == pytest.approx(inside.direction @ embedding, abs=1e-8)
    assert outside.positive_fraction == inside.positive_fraction


@pytest.mark.parametrize(
    "points",
    [
        [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]],  # origin on an edge
        [[0.0, 0.0], [1.0, 1.0], [1.0, 2.0]],  # origin a corner
        [[0.0], [1.0]],
        [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 1.0, 2.0]],
    ],
)
def test_origin_on_the_boundary_is_inseparable_without_a_finite_limit(points):
    found = assess(np.array(points), margin=True)
    assert not found.separable
    assert found.s_inf_norm == np.inf
    assert found.direction is None
    assert found.positive_fraction is None
    assert found.positive_mean is None
    assert found.margin is None


@pytest.mark.parametrize("scale", [1.0, 3.0, 7.0, 1e-3, 1e5])
def test_a_point_at_the_origin_beside_separable_ones_leaves_no_finite_limit(scale):
    """Its coordinates in the span are rounding, which was taken for a direction."""
    points = scale * np.array([[0.0, 0.0], [1.0, 2.0], [0.0, 1.0], [-2.0, -2.0]])
    found = assess(points, margin=False)
    assert (found.separable, found.certificate, found.s_inf_norm) == (False, "hull", np.inf)


def test_integer_points_have_a_limit_where_programming_finds_positive_weights():
    """A finite S_∞ needs weights q > 0 with Xᵀq = 0, origins among the points or not."""
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(150):
        points = rng.integers(-2, 3, (int(rng.integers(2, 8)), 2)).astype(float)
        weights = linprog(
            np.zeros(len(points)), A_eq=points.T, b_eq=np.zeros(2), bounds=(1, None), method="highs"
        )
        found = assess(points, margin=True)
        assert found.separable == separable_by_programming(points)
        if not found.separable:
            assert np.isfinite(found.s_inf_norm) == (weights.status == 0)
            seen.add((found.certificate, bool(np.isfinite(found.s_inf_norm))))
    assert {("hull", True), ("lp", True), ("lp", False), ("hull", False)} <= seen


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("offset", [0.0, 1e6, 1e8, 1e10])
def test_features_far_from_zero_change_no_verdict(offset, noise):
    rng = np.random.default_rng(2)
    features = rng.standard_normal((300, 5))
    labels = np.sign(features.sum(axis=1) + 3.0 + noise * rng.standard_normal(300))
    rows = -labels[:, np.newaxis] * np.column_stack([features + offset, np.ones(300)])
    assert assess(rows, margin=False).separable is (noise == 0.0)


def test_all_points_at_the_origin():
    found = assess(np.zeros((3, 2)), margin=True)
    assert (found.separable, found.certificate) == (False, "hull")
    assert (found.s_inf_norm, found.positive_fraction, found.positive_mean) == (0.0, 0.0, None)


def test_float32_inputs_are_taken_as_they_are():
    points = np.random.default_rng(0).standard_normal((60, 20)).astype(np.float32)
    first, second = assess(points, margin=False), assess(points.astype(float), margin=False)
    assert first.s_inf_norm == second.s_inf_norm


def test_rounding_to_single_precision_changes_no_verdict():
    rng = np.random.default_rng(6)
    found = []
    for _ in range(60):
        points = rng.standard_normal((80, 39))
        found.append([assess(x, margin=False) for x in (points, points.astype(np.float32))])
    for wide, narrow in found:
        assert wide.separable == narrow.separable
        assert wide.positive_fraction == narrow.positive_fraction
    assert 10 < sum(wide.separable for wide, _ in found) < 50


def test_an_exhausted_search_says_so(monkeypatch):
    monkeypatch.setattr(search, "MAX_ITERATIONS", 2)
    points = np.random.default_rng(0).standard_normal((60, 25))
    found = search.limit_direction(points, np.linalg.norm(points, axis=1))
    assert (found.status, found.iterations) == (Status.UNDECIDED, 2)


def test_a_failing_programme_is_an_error_not_a_guess(monkeypatch):
    class Failure:
        success = False
        message = "no memory"

    monkeypatch.setattr("scipy.optimize.linprog", lambda *args, **kwargs: Failure)
    with pytest.raises(UndecidedError, match=r"3 points in 2 dimensions: .* no memory"):
        assess(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]), margin=False)


def test_programming_proves_its_directions():
    # What Newton's method leaves open is normally inseparable; a direction is still proved.
    points = np.random.default_rng(0).standard_normal((20, 15))
    norms = np.linalg.norm(points, axis=1)
    separable, certificate, direction = verdict._programme(points, norms)
    assert (separable, certificate) == (True, "direction")
    assert (points @ direction).max() < 0


def test_every_search_is_bounded():
    # Very different lengths: hard for the scaling, not for the verdict.
    rng = np.random.default_rng(1)
    points = rng.standard_normal((40, 10)) * 10.0 ** rng.uniform(-20, 20, (40, 1))
    found = assess(points, margin=False)
    assert found.iterations <= 200
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    assert found.separable == assess(unit, margin=False).separable


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((0, 3)), r"shape \(0, 3\)"),
        (np.zeros((3, 0)), r"shape \(3, 0\)"),
        (np.zeros(3), r"shape \(3,\)"),
        ([[np.nan, 1.0]], "point 0 has norm nan"),
        ([[1.0, 1.0], [np.inf, 1.0]], "point 1 has norm inf"),
        ([[1e200, 1.0]], "allowed are 0 and"),
        ([[1e-200, 0.0]], "allowed are 0 and"),
    ],
)
def test_bad_inputs(inputs, message):
    with pytest.raises(ValueError, match=message):
        assess(np.asarray(inputs), margin=False)
