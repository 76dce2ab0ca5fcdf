from types import SimpleNamespace

import mpmath as mp
import numpy as np
import pytest
from oracles import settled, settled_bias
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, minimize_scalar

from linear_grokking.theory import two_point, two_point_long_times
from linear_grokking.theory.two_point import (
    TwoPoint,
    c_infinity,
    log_mean,
    s_infinity,
    settled_conformal_delay,
    settled_log_ratio,
    settled_output,
)
from linear_grokking.theory.two_point_long_times import (
    critical_state,
    integrated_law,
    predicted_law,
)
from linear_grokking.theory.two_point_solution import solution


@pytest.mark.parametrize("lambda_", [0.0, 0.2, 0.4, 0.49])
@pytest.mark.parametrize("sigma", [0.5, 5.0])
def test_limit_minimizes_the_mean_exponential(lambda_, sigma):
    points = sigma * np.array([-1.0, 1.0 - 2.0 * lambda_])
    found = minimize_scalar(
        lambda s: np.mean(np.exp(s * points)), bounds=(-1.0, 20.0 / sigma), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    assert s_infinity(lambda_, sigma) == pytest.approx(found.x, abs=1e-6)
    assert c_infinity(lambda_) == pytest.approx(found.fun, rel=1e-10)


def test_limits_at_the_papers_lambdas_and_beyond():
    assert s_infinity([0.4, 0.48, 0.495], 1.0) == pytest.approx([1.34, 3.10, 4.56], abs=5e-3)
    assert np.all(np.isinf(s_infinity([0.5, 0.7, 1.0], 2.0)))
    assert c_infinity([0.5, 0.7, 1.0]) == pytest.approx([0.5, 0.0, 0.0])
    assert c_infinity(0.5 - 1e-12) == pytest.approx(0.5, rel=1e-9)


@pytest.mark.parametrize("lambda_", [0.2, 0.45, 0.4995])
def test_settled_delays_from_the_settled_bias(lambda_):
    eta, b0, epsilon = 0.03, 0.4, 1e-4
    u, log_c = settled(lambda_)

    def crossing(log_loss_over_e_b: float, threshold: float) -> float:
        return brentq(
            lambda x: settled_bias(x, lambda_, eta, b0) + log_loss_over_e_b - np.log(threshold),
            -50.0,
            200.0,
        )

    ratio = crossing(0.5 * u * u, 1e-40) - crossing(log_c, 1e-40)
    assert settled_log_ratio(lambda_) == pytest.approx(ratio, rel=1e-8)
    # dτ = e^b dt, so ηC_∞τ = b₀ - b.
    train_bias, gen_bias = (
        settled_bias(crossing(x, epsilon), lambda_, eta, b0) for x in (log_c, 0.5 * u * u)
    )
    delay = (train_bias - gen_bias) / (eta * np.exp(log_c))
    assert settled_conformal_delay(lambda_, eta) == pytest.approx(delay, rel=1e-8)


def test_critical_forms_are_the_limits():
    assert settled_log_ratio(0.4995) == pytest.approx(24.496, abs=5e-4)
    lambda_, eta = 0.5 - 0.5 * np.array([1e-6, 1e-12]), 0.02
    leading = np.log(1.0 - 2.0 * lambda_) ** 2
    error = np.abs(settled_log_ratio(lambda_) - (0.5 * leading + np.log(2.0)))
    assert error[1] < error[0] < 1e-3
    # The leading form ln²(1-2λ)/η, twice what the paper states, lacks 2 ln 2/ln² of the whole.
    excess = settled_conformal_delay(lambda_, eta) / (leading / eta) - 1.0
    assert excess == pytest.approx(2.0 * np.log(2.0) / leading, rel=2e-2)


def test_root_of_the_ratio_has_slope_one_over_root_two():
    log_distance, step = np.linspace(np.log(1e-9), np.log(0.02), 50), 1e-4

    def root(log_distance: np.ndarray) -> np.ndarray:
        return np.sqrt(settled_log_ratio(0.5 - 0.5 * np.exp(log_distance)))

    slope = -(root(log_distance + step) - root(log_distance - step)) / (2.0 * step)
    assert slope == pytest.approx(2.0**-0.5, rel=0.05)


@pytest.mark.parametrize("delta", [0.3, 0.0, -0.4])
def test_mean_over_the_points_and_where_it_is_least(delta):
    u = np.array([-2.0, 0.0, 0.7, 800.0])
    with mp.workdps(30):
        exact = [float(mp.log((mp.exp(-x) + mp.exp(mp.mpf(delta) * x)) / 2)) for x in u]
    assert log_mean(u, delta) == pytest.approx(exact, rel=1e-13)
    end = settled_output(delta)
    if delta > 0.0:
        assert np.exp(-end) == pytest.approx(delta * np.exp(delta * end), rel=1e-12)
    else:
        assert end == np.inf


def test_a_problem_is_made_from_the_distance_or_from_lambda():
    one, other = (
        TwoPoint(0.2, 2.0, 0.1, 0.3, 0.0),
        TwoPoint.at_lambda(0.4, 2.0, 0.1, s0=0.3, b0=0.0),
    )
    assert list(other) == pytest.approx(list(one), rel=1e-15)
    assert (one.lambda_, one.u0) == (pytest.approx(0.4), pytest.approx(0.6))
    with pytest.raises(ValueError, match=r"lambda_ = 1\.1: "):
        TwoPoint.at_lambda(1.1, 2.0, 0.1, 0.3, 0.0)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
@pytest.mark.parametrize("lambda_", [0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0])
def test_long_time_laws_against_integration(lambda_, sigma):
    predicted = predicted_law(lambda_, sigma)
    found = integrated_law(TwoPoint.at_lambda(lambda_, sigma, 0.01, 0.1, 0.0), log_t=1e4)
    tolerance = 3e-3 if lambda_ == 0.5 else 1e-6
    assert found.clock == predicted.clock
    assert found.bias == pytest.approx(predicted.bias, rel=1e-6)
    assert found.weight == pytest.approx(predicted.weight, rel=tolerance, abs=1e-9)


def test_long_time_laws_are_approached_by_1e40_steps():
    log_t = 40.0 * np.log(10.0)
    for lambda_, tolerance in ((0.25, 1e-6), (0.5, 0.1), (0.75, 1e-6)):
        found = integrated_law(TwoPoint.at_lambda(lambda_, 1.0, 0.01, 0.1, 0.0), log_t=log_t)
        assert found.weight == pytest.approx(predicted_law(lambda_, 1.0).weight, rel=tolerance)
        assert found.bias == pytest.approx(predicted_law(lambda_, 1.0).bias, rel=1e-3)


def test_critical_state_solves_the_flow():
    eta = 0.3
    log_t = np.log([1.0, 30.0, 1e3, 1e5])

    def velocity(s, state):
        # By s = ln(1+t), from the points -1 and 0.
        force = 0.5 * eta * np.exp(state[1] + s) * np.array([np.exp(-state[0]), 1.0])
        return [force[0], -force.sum()]

    ends = np.log1p(np.exp(log_t))
    found = solve_ivp(velocity, (0, ends[-1]), [0, 0], "Radau", t_eval=ends, rtol=1e-10, atol=1e-12)
    weight, bias = critical_state(log_t, eta)
    assert weight == pytest.approx(found.y[0], rel=1e-7)
    assert bias == pytest.approx(found.y[1], rel=1e-7)
    # At any time: S e^S grows as ln t does.
    weight, bias = critical_state(1e6, eta)
    assert weight == pytest.approx(np.log(1e6), rel=1e-5)
    assert bias == pytest.approx(-1e6, rel=1e-4)
    with pytest.raises(ValueError, match="eta = 0"):
        critical_state(1.0, 0.0)


@pytest.mark.parametrize(("margin", "constant"), [(0.1, 1.85), (0.01, 4.56), (0.001, 6.90)])
def test_the_correction_above_one_half_is_the_constant_of_the_notes(margin, constant):
    """Of docs/theory.md, at η = 0.01; another η shifts it by M log η/(1+M²)."""
    log_t, slope = 1e5, margin / (1.0 + margin**2)
    for eta in (0.01, 1.0):
        weight = solution(log_t, TwoPoint(-margin, 1.0, eta, 0.0, 0.0)).weight
        shift = slope * np.log(eta / 0.01)
        assert weight - slope * log_t == pytest.approx(constant + shift, abs=6e-3)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        ("s_infinity", (1.2, 1.0), "lambda_"),
        ("s_infinity", (0.2, 0.0), "sigma"),
        ("c_infinity", (-0.1,), "lambda_"),
        ("settled_log_ratio", (0.5,), "lambda_"),
        ("settled_conformal_delay", (0.4, 0.0), "eta"),
    ],
)
def test_rejects_what_lies_outside(function, arguments, name):
    with pytest.raises(ValueError, match=name):
        getattr(two_point, function)(*arguments)


def test_reports_an_integration_that_stops(monkeypatch):
    stopped = SimpleNamespace(success=False, message="step size too small")
    monkeypatch.setattr(two_point_long_times, "solve_ivp", lambda *_, **__: stopped)
    with pytest.raises(RuntimeError, match=r"lambda_ = 0\.4 .*too small"):
        integrated_law(TwoPoint(0.2, 1.0, 0.1, 0.0, 0.0), log_t=10.0)


def test_laws_reject_what_lies_outside():
    with pytest.raises(ValueError, match="lambda_"):
        predicted_law(1.5, 1.0)
    with pytest.raises(ValueError, match="log_t"):
        integrated_law(TwoPoint(0.2, 1.0, 0.1, 0.0, 0.0), log_t=0.5)
    with pytest.raises(ValueError, match="sigma"):
        integrated_law(TwoPoint(0.2, -1.0, 0.1, 0.0, 0.0), log_t=10.0)
