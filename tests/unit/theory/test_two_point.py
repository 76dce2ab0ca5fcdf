from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

from linear_grokking.theory import two_point, two_point_long_times
from linear_grokking.theory.two_point import (
    c_infinity,
    closed_weight,
    critical_conformal_delay,
    critical_log_ratio,
    s_infinity,
    settled_conformal_delay,
    settled_log_ratio,
    settled_log_time_to_accuracy,
    settled_slope,
    settled_time_to_train_loss,
)
from linear_grokking.theory.two_point_long_times import integrated_law, predicted_law


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


@pytest.mark.parametrize("lambda_", [0.0, 0.5, 1.0])
def test_closed_forms_solve_the_flow_in_conformal_time(lambda_):
    sigma, eta, s0 = 1.3, 0.2, -0.4
    tau = np.array([0.5, 3.0, 20.0])
    points = sigma * np.array([-1.0, 1.0 - 2.0 * lambda_])
    found = solve_ivp(
        lambda _, s: -eta * np.mean(points * np.exp(points * s[0]), keepdims=True),
        (0.0, tau[-1]), [s0], t_eval=tau, method="DOP853", rtol=1e-11, atol=1e-12,
    )  # fmt: skip
    assert closed_weight(tau, lambda_, sigma, eta, s0) == pytest.approx(found.y[0], rel=1e-8)


def settled_bias(log_t: np.ndarray, lambda_: float, eta: float, b0: float) -> np.ndarray:
    """Return b(t) with S at S_∞ from the start."""
    return -np.logaddexp(-b0, np.log(eta * c_infinity(lambda_)) + log_t)


@pytest.mark.parametrize("lambda_", [0.2, 0.45, 0.4995])
def test_settled_times_from_the_settled_bias(lambda_):
    eta, b0, epsilon = 0.03, 0.4, 1e-4
    u, log_c = float(s_infinity(lambda_, 1.0)), float(np.log(c_infinity(lambda_)))

    def crossing(log_loss_over_e_b: float, threshold: float) -> float:
        return brentq(
            lambda x: settled_bias(x, lambda_, eta, b0) + log_loss_over_e_b - np.log(threshold),
            -50.0,
            200.0,
        )

    train = settled_time_to_train_loss(epsilon, lambda_, eta, b0)
    assert np.log(train) == pytest.approx(crossing(log_c, epsilon), rel=1e-9)
    ratio = crossing(0.5 * u * u, 1e-40) - crossing(log_c, 1e-40)
    assert settled_log_ratio(lambda_) == pytest.approx(ratio, rel=1e-8)
    # dτ = e^b dt, so ηC_∞τ = b₀ - b.
    train_bias, gen_bias = (
        settled_bias(crossing(x, epsilon), lambda_, eta, b0) for x in (log_c, 0.5 * u * u)
    )
    delay = (train_bias - gen_bias) / (eta * c_infinity(lambda_))
    assert settled_conformal_delay(lambda_, eta) == pytest.approx(delay, rel=1e-8)
    log_t = settled_log_time_to_accuracy(0.95, lambda_, eta)
    reached = norm.cdf(-settled_bias(log_t, lambda_, eta, 50.0) / u)
    assert reached == pytest.approx(0.95, rel=1e-9)


def test_settled_train_time_is_zero_where_the_loss_starts_below():
    assert settled_time_to_train_loss(2.0, 0.4, 0.1, 0.0) == 0.0


def test_critical_forms_are_the_limits():
    assert settled_log_ratio(0.4995) == pytest.approx(24.496, abs=5e-4)
    distance = np.array([1e-6, 1e-12])
    lambda_ = 0.5 - distance / 2.0
    error = np.abs(settled_log_ratio(lambda_) - critical_log_ratio(lambda_))
    assert error[1] < error[0] < 1e-3
    assert critical_log_ratio(0.5 - 0.5e-3) == pytest.approx(
        0.5 * np.log(1e-3) ** 2 + np.log(2.0), rel=1e-9
    )
    # The leading forms differ from the whole ones by 2 ln 2/ln² of the distance.
    eta = 0.02
    exact = settled_conformal_delay(lambda_, eta)
    leading = critical_conformal_delay(lambda_, eta)
    assert exact / leading - 1.0 == pytest.approx(
        2.0 * np.log(2.0) / np.log(distance) ** 2, rel=2e-2
    )


def test_conformal_delay_is_twice_what_the_paper_states():
    lambda_ = 0.5 - 0.5e-13
    paper = 0.5 * np.log(1e-13) ** 2 / 0.1
    assert settled_conformal_delay(lambda_, 0.1) / paper == pytest.approx(2.0, rel=2e-2)


def test_slope_of_the_root_of_the_ratio():
    distance = np.array([0.5, 0.05, 0.02, 1e-3, 1e-6])
    step = 1e-4

    def root(log_distance: np.ndarray) -> np.ndarray:
        return np.sqrt(settled_log_ratio(0.5 - 0.5 * np.exp(log_distance)))

    slope = -(root(np.log(distance) + step) - root(np.log(distance) - step)) / (2.0 * step)
    found = settled_slope(0.5 - distance / 2.0)
    assert found == pytest.approx(slope, rel=1e-5)
    small = settled_slope(0.5 - np.geomspace(1e-9, 0.02, 50) / 2.0)
    assert small == pytest.approx(2.0**-0.5, rel=0.05)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
@pytest.mark.parametrize("lambda_", [0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0])
def test_long_time_laws_against_integration(lambda_, sigma):
    predicted = predicted_law(lambda_, sigma)
    found = integrated_law(lambda_, sigma, eta=0.01, s0=0.1, b0=0.0, log_t=1e4)
    tolerance = 3e-3 if lambda_ == 0.5 else 1e-6
    assert found.clock == predicted.clock
    assert found.bias == pytest.approx(predicted.bias, rel=1e-6)
    assert found.weight == pytest.approx(predicted.weight, rel=tolerance, abs=1e-9)


def test_long_time_laws_are_approached_by_1e40_steps():
    log_t = 40.0 * np.log(10.0)
    for lambda_, tolerance in ((0.25, 1e-6), (0.5, 0.1), (0.75, 1e-6)):
        found = integrated_law(lambda_, 1.0, eta=0.01, s0=0.1, b0=0.0, log_t=log_t)
        assert found.weight == pytest.approx(predicted_law(lambda_, 1.0).weight, rel=tolerance)
        assert found.bias == pytest.approx(predicted_law(lambda_, 1.0).bias, rel=1e-3)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        ("s_infinity", (1.2, 1.0), "lambda_"),
        ("s_infinity", (0.2, 0.0), "sigma"),
        ("c_infinity", (-0.1,), "lambda_"),
        ("closed_weight", (1.0, 0.3, 1.0, 0.1, 0.0), "lambda_"),
        ("closed_weight", (-1.0, 0.5, 1.0, 0.1, 0.0), "tau"),
        ("settled_time_to_train_loss", (1e-3, 0.6, 0.1, 0.0), "lambda_"),
        ("settled_log_time_to_accuracy", (1.0, 0.4, 0.1), "accuracy"),
        ("settled_log_ratio", (0.5,), "lambda_"),
        ("critical_log_ratio", (0.5,), "lambda_"),
        ("settled_slope", (0.7,), "lambda_"),
        ("settled_conformal_delay", (0.4, 0.0), "eta"),
        ("critical_conformal_delay", (0.4, -1.0), "eta"),
    ],
)
def test_rejects_what_lies_outside(function, arguments, name):
    with pytest.raises(ValueError, match=name):
        getattr(two_point, function)(*arguments)


def test_reports_an_integration_that_stops(monkeypatch):
    stopped = SimpleNamespace(success=False, message="step size too small")
    monkeypatch.setattr(two_point_long_times, "solve_ivp", lambda *_, **__: stopped)
    with pytest.raises(RuntimeError, match=r"lambda_ = 0\.4 .*too small"):
        integrated_law(0.4, 1.0, eta=0.1, s0=0.0, b0=0.0, log_t=10.0)


def test_laws_reject_what_lies_outside():
    with pytest.raises(ValueError, match="lambda_"):
        predicted_law(1.5, 1.0)
    with pytest.raises(ValueError, match="log_t"):
        integrated_law(0.4, 1.0, eta=0.1, s0=0.0, b0=0.0, log_t=0.5)
