"""S_∞ against another minimizer and its own definition; invariances."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax
from scipy.stats import ortho_group

from linear_grokking.data.laws import Anisotropic, Mixture, TwoGaussians
from linear_grokking.solvers.separability import assess, limit_direction


def gaussian_set(seed, n_points, d):
    return np.random.default_rng(seed).standard_normal((n_points, d))


@pytest.mark.parametrize(("n_points", "d"), [(60, 1), (60, 5), (100, 40), (400, 160), (400, 188)])
def test_agrees_with_scipy_minimize(n_points, d):
    points = gaussian_set(4, n_points, d)
    found = assess(points, margin=False)
    assert found.certificate == "hull"
    reference = minimize(
        lambda s: logsumexp(points @ s),
        np.zeros(d),
        jac=lambda s: softmax(points @ s) @ points,
        method="BFGS",
        options={"gtol": 1e-9, "maxiter": 5000},
    )
    scale = np.linalg.norm(reference.x)
    assert np.linalg.norm(found.direction - reference.x) < 1e-5 * scale
    assert found.s_inf_norm == pytest.approx(scale, rel=1e-5)
    outputs = points @ reference.x
    assert found.positive_fraction == pytest.approx(np.mean(outputs > 0), abs=1.01 / n_points)
    assert found.positive_mean == pytest.approx(outputs[outputs > 0].mean(), rel=1e-4)


@pytest.mark.parametrize("d", [100, 180, 192])
def test_gradient_vanishes_at_the_limit(d):
    for seed in range(5):
        points = gaussian_set(seed, 400, d)
        found = assess(points, margin=False)
        if not found.separable:
            weights = softmax(points @ found.direction)
            step = np.linalg.solve(points.T @ (weights[:, None] * points), weights @ points)
            assert np.abs(points @ step).max() < 1e-9  # the distance left, in outputs


def test_closed_form_in_one_dimension():
    # mean of e^{-S σ}, e^{S σ(1-2λ)}: S_∞ = log(1/(1-2λ)) / (2σ(1-λ)), Paper B's two points.
    for sigma in (0.2, 1.0, 5.0):
        for lambda_ in (0.1, 0.4, 0.49, 0.4999):
            points = np.array([[-sigma], [sigma * (1 - 2 * lambda_)]])
            expected = np.log(1 / (1 - 2 * lambda_)) / (2 * sigma * (1 - lambda_))
            found = assess(points, margin=False)
            assert found.certificate == "hull"
            assert found.direction == pytest.approx([expected], rel=1e-10)
            assert found.positive_fraction == 0.5
            assert found.positive_mean == pytest.approx(
                expected * sigma * (1 - 2 * lambda_), rel=1e-10
            )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    d=st.integers(2, 26),
    sigma=st.sampled_from([1e-30, 0.01, 5.0, 1e30]),
)
def test_rotation_permutation_and_scale(seed, d, sigma):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((50, d))
    rotation = ortho_group.rvs(d, random_state=rng)
    moved = sigma * (points @ rotation)[rng.permutation(50)]
    first, second = assess(points, margin=True), assess(moved, margin=True)
    assert first.certificate == second.certificate
    assert first.positive_fraction == second.positive_fraction
    if first.separable:
        assert second.margin == pytest.approx(sigma * first.margin, rel=1e-7)
    else:
        assert second.s_inf_norm == pytest.approx(first.s_inf_norm / sigma, rel=1e-7)
        assert second.direction * sigma == pytest.approx(
            first.direction @ rotation, abs=1e-7 * first.s_inf_norm
        )


@pytest.mark.parametrize(
    "law", [Anisotropic(1.0, 100.0), Mixture(1.0, 3.0), TwoGaussians(1.0, 0.2, 0.01)]
)
@pytest.mark.parametrize("d", [80, 120, 150])
def test_other_laws_are_decided_with_certificates(law, d):
    points = np.empty((240, d))
    law.draw(np.random.default_rng(7), points)
    assert assess(points, margin=True).certificate in ("direction", "hull")


@pytest.mark.parametrize("d", [40, 55])
def test_rows_may_be_weighted_in_parts(d, monkeypatch):
    points = gaussian_set(8, 100, d)
    whole = assess(points, margin=True)
    for rows in (99, 50, 7):
        monkeypatch.setattr(limit_direction, "WEIGHTED_ROWS", rows)
        found = assess(points, margin=True)
        assert found.certificate == whole.certificate
        assert found.direction == pytest.approx(whole.direction, rel=1e-7, abs=1e-9)


def test_memory_is_for_one_precision_at_a_time(monkeypatch):
    """B, its factor, and in float32 the points: no weighted copy, and no two B."""
    points = gaussian_set(9, 1500, 600)
    norms = np.linalg.norm(points, axis=1)
    monkeypatch.setattr(limit_direction, "WEIGHTED_ROWS", 100)
    n_points, d = points.shape
    needed = 8 * max(2 * d * d, n_points * d / 2 + d * d)
    for search in (
        lambda: limit_direction.limit_direction(points, norms),
        lambda: limit_direction.newton(points, norms, np.zeros(d), np.float32),
    ):
        tracemalloc.start()
        try:
            assert search().status is limit_direction.Status.ENCLOSED
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1.3 * needed


def test_a_minimum_that_is_not_approached_is_not_returned():
    points = np.random.default_rng(0).standard_normal((20, 3))

    class Stuck:
        """A factor so wrong that each step is as long as the one before."""

        def solve(self, vector):
            return np.array([1e-3, 0.0, 0.0])

    assert limit_direction._settle(points, np.zeros(3), Stuck(), 0.4) is None
