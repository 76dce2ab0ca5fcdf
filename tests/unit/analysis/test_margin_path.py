"""The late path: minima at fixed β, its clock, and how far the flow is from it."""

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import minimize
from scipy.special import expit

from linear_grokking.analysis.margin_path import _lag, margin_path
from linear_grokking.solvers.separability import assess, hard_margin

ETA = 0.01


def general(seed=2, n=40, d=3):
    """Separable points of which few are on the margin."""
    points = np.random.default_rng(seed).standard_normal((n, d))
    points[:, 0] = -0.3 - np.abs(points[:, 0])
    return points


def one_label(seed=0, n=200, d=30, sigma=3.0, bias=1.0):
    points = sigma * np.random.default_rng(seed).standard_normal((n, d))
    return np.column_stack([points, np.full(n, bias)])


def loss_at(points, theta):
    return np.mean(np.logaddexp(0.0, points @ theta))


def test_nodes_are_minima_at_fixed_beta_and_the_clock_is_their_pull():
    points = general()
    direction = hard_margin(points).direction
    path = margin_path(points, direction, ETA, largest_beta=4.0)
    across = np.linalg.svd(direction[np.newaxis])[2][1:]

    def best(beta):
        return minimize(
            lambda x: loss_at(points, beta * direction + x @ across), np.zeros(2), tol=1e-12
        )

    def density(beta):
        theta = beta * direction + best(beta).x @ across
        pull = -np.mean(expit(points @ theta) * (points @ direction))
        return direction @ direction / (ETA * pull)

    for k in (0, 3, len(path.beta) - 1):
        assert path.across[k] == pytest.approx(best(path.beta[k]).x @ across, abs=2e-5)
        time = quad(density, 0.0, path.beta[k], epsrel=1e-7)[0] if k else 0.0
        assert np.exp(path.log_time[k]) == pytest.approx(time, rel=1e-3)


@pytest.mark.parametrize("bias", [1.0, 2.0])
def test_points_of_one_label_come_to_paper_bs_late_stage(bias):
    """β is -b, across is S_∞, and ln t = β - ln(ηC_∞) for a bias column of ones."""
    points = one_label(bias=bias)
    path = margin_path(points, hard_margin(points).direction, ETA, largest_beta=40.0)
    limit = assess(points[:, :-1], margin=False).direction
    assert path.across[-1][:-1] == pytest.approx(limit, rel=1e-5, abs=1e-8)
    weights = np.exp(points[:, :-1] @ limit)
    clock = path.beta[-1] - np.log(ETA * weights.mean() * bias**2)
    assert path.log_time[-1] == pytest.approx(clock, abs=1e-4)
    spread = (points[:, :-1].T * (weights / weights.sum())) @ points[:, :-1] / bias**2
    least = np.linalg.eigvalsh(spread)[0]
    assert path.settling_exponent(path.log_time[-1]) == pytest.approx(least, rel=1e-4)


@pytest.mark.parametrize("points", [one_label(n=80, d=12, sigma=4.0), general()])
def test_the_flow_is_where_the_path_and_its_lag_are(points):
    direction = hard_margin(points).direction
    path = margin_path(points, direction, ETA, largest_beta=5.0)
    k = np.searchsorted(path.beta, 3.0)
    time = np.exp(path.log_time[k])

    def flow(_, theta):
        return -ETA * points.T @ expit(points @ theta) / len(points)

    solved = solve_ivp(flow, (0, time), np.zeros(points.shape[1]), "LSODA", rtol=1e-9, atol=1e-11)
    theta = solved.y[:, -1]
    unit = direction / np.linalg.norm(direction)
    beta = (theta @ unit) / np.linalg.norm(direction)
    assert beta == pytest.approx(path.beta[k], abs=0.06)
    away = theta - (theta @ unit) * unit - path.across[k]
    assert np.linalg.norm(away) > 1e-4
    assert np.linalg.norm(away - path.lag[k]) < 0.35 * np.linalg.norm(away)


def test_accuracies_count_points_and_times_are_the_first_that_reach():
    points, fresh = one_label(), one_label(seed=1, n=500)
    path = margin_path(points, hard_margin(points).direction, ETA)
    log_time, accuracies = path.accuracies(fresh)
    assert np.all(np.diff(log_time) > 0)
    at = path.log_time_of(fresh, 0.9)
    k = np.searchsorted(log_time, at)
    assert accuracies[k] >= 0.9 > accuracies[:k].max()
    node = 7
    theta = path.beta[node] * path.direction + path.across[node]
    where = np.argmin(np.abs(log_time - path.log_time[node]))
    assert accuracies[where] == np.mean(fresh @ theta < 0)
    assert path.log_time_of(fresh, 1.01) == np.inf
    assert path.shift(fresh, 1.01) == np.inf


def test_time_scales_with_the_rate_alone():
    points = general()
    direction = hard_margin(points).direction
    one, other = (margin_path(points, direction, eta, largest_beta=3.0) for eta in (0.01, 0.1))
    assert one.log_time[1:] - other.log_time[1:] == pytest.approx(np.log(10.0))
    assert one.lag == pytest.approx(other.lag)
    assert one.settling_exponents[1:] == pytest.approx(other.settling_exponents[1:])


def test_the_lag_is_exact_for_a_constant_curvature_and_speed():
    values, vectors = np.array([0.3, 2.0]), np.linalg.qr([[1.0, 2.0], [0.5, -1.0]])[0]
    hessian = vectors @ np.diag(values) @ vectors.T
    start, speed, times = (
        np.array([0.4, -0.2]),
        np.array([0.1, 0.3]),
        np.array([0.0, 0.7, 1.0, 3.0]),
    )
    minima = start + times[:, np.newaxis] * speed
    lag = _lag(minima, [(values, vectors)] * 4, np.diff(times))
    solved = solve_ivp(
        lambda _, delta: -hessian @ delta - speed, (0, 3), -start, rtol=1e-10, atol=1e-12
    )
    assert lag[0] == pytest.approx(-start)
    assert lag[-1] == pytest.approx(solved.y[:, -1], rel=1e-6)


@pytest.mark.parametrize("sigma", [1.5, 6.0])
def test_the_shift_is_the_larger_of_two_estimates(sigma):
    points, fresh = (one_label(seed=k, n=200 + 300 * k, sigma=sigma) for k in (0, 1))
    path = margin_path(points, hard_margin(points).direction, ETA)
    larger = set()
    for level in (0.75, 0.8, 0.85, 0.9, 0.95, 0.99):
        settled = path.log_time_of(fresh, level)
        counted = abs(path.log_time_of(fresh, level, with_lag=True) - settled)
        k = np.searchsorted(path.log_time, settled)
        near = [
            path.beta[j]
            * np.linalg.norm(fresh @ path.lag[j])
            / np.linalg.norm(fresh @ path.across[j])
            for j in (k - 1, k)
        ]
        where = (settled - path.log_time[k - 1]) / (path.log_time[k] - path.log_time[k - 1])
        size = near[0] + where * (near[1] - near[0])
        assert path.shift(fresh, level) == pytest.approx(max(counted, size))
        larger.add(counted < size)
    assert sigma < 6 or True in larger


def test_a_direction_that_no_point_has_changes_nothing():
    """An equal feature is, but for a rotation, one √2 times as large and one of zeros."""
    points = one_label(n=80, d=12, sigma=4.0)
    zeros = np.zeros((len(points), 1))
    larger = points * np.where(np.arange(points.shape[1]) == 3, np.sqrt(2.0), 1.0)
    for given, other in (
        (np.hstack([points, points[:, 3:4]]), larger),
        (np.hstack([zeros, points]), points),
    ):
        one, two = (
            margin_path(each, hard_margin(each).direction, ETA, largest_beta=5.0)
            for each in (given, other)
        )
        assert one.log_time[1:] == pytest.approx(two.log_time[1:])
        assert one.settling_exponents == pytest.approx(two.settling_exponents)
        assert one.across @ given.T == pytest.approx(two.across @ other.T, abs=1e-8)
