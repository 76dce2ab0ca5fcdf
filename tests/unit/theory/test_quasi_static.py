"""Decay of the weights alone against integrated equations, drawn sets, and the limit γ → 0."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq, minimize
from scipy.stats import norm

from linear_grokking.theory import large_size
from linear_grokking.theory.logistic_weight_decay import ridge
from linear_grokking.theory.quasi_static import bias_at_accuracy, passage, time_to_accuracy


@pytest.mark.parametrize(
    ("lambda_", "sigma", "gamma", "bias"),
    [
        (0.75, 5.0, 1e-4, -9.0),
        (0.48, 2.0, 1e-3, -20.0),
        (0.3, 5.0, 1e-10, -45.0),
        (2, 1, 0.1, -3),
        # Where κ/C falls no faster than the logarithm of κ, all of the way counts.
        (0.6, 5.0, 1e-30, -65.0),
        (2.0, 1.0, 1e-30, -41.0),
    ],
)
def test_passage_is_the_integrated_fall_of_the_bias(lambda_, sigma, gamma, bias):
    eta = 0.02
    # C(κ) from a spline: each κ takes a millisecond.
    log_kappa = np.log(gamma / sigma**2) + np.linspace(0.0, -bias, 400)
    loss = CubicSpline(log_kappa, ridge(lambda_, np.exp(log_kappa)).loss)
    # t in units of e^{-b}: u = t e^b, d u/db = u - 1/(ηC), from b = 0 down.
    found = solve_ivp(
        lambda b, u: u - 1 / (eta * loss(log_kappa[0] - b)),
        (0.0, bias),
        [0.0],
        rtol=1e-9,
        atol=1e-12,
    )
    at = passage(bias, lambda_, sigma, gamma, eta)
    assert at.time == pytest.approx(found.y[0, -1] * np.exp(-bias), rel=1e-6)
    weights = ridge(lambda_, gamma * np.exp(-bias) / sigma**2)
    assert sigma * at.norm == pytest.approx(weights.norm, rel=1e-12)
    assert at.accuracy == pytest.approx(norm.cdf(-bias / weights.norm), rel=1e-12)


def drawn_path(inputs: np.ndarray, gamma: float, eta: float, biases: np.ndarray):
    """Minimize e^b C(S) + (γ/2)‖S‖² for falling b; return times, and ‖S‖ at the last."""
    n, d = inputs.shape
    weights, losses = np.zeros(d), []
    for bias in biases:

        def objective(s: np.ndarray, bias: float = bias) -> tuple[float, np.ndarray]:
            p = np.exp(inputs @ s) / n
            ridge_ = gamma * np.exp(-bias)
            return p.sum() + 0.5 * ridge_ * s @ s, inputs.T @ p + ridge_ * s

        weights = minimize(objective, weights, jac=True, options={"gtol": 1e-7}).x
        losses.append(np.mean(np.exp(inputs @ weights)))
    rate = np.exp(-biases) / (eta * np.array(losses))
    return np.trapezoid(rate, -biases), np.linalg.norm(weights)


@pytest.mark.parametrize(("n", "sets"), [(40, 20), (120, 8)])
def test_large_sets_pass_when_drawn_ones_do(n, sets):
    """Within 3 standard errors and 2 % for the size of the sets."""
    lambda_, sigma, gamma, eta = 0.75, 3.0, 1e-2, 0.05
    biases = -np.linspace(0.0, 5.0, 40)
    rng = np.random.default_rng(5)
    drawn = [
        drawn_path(sigma * rng.standard_normal((n, round(lambda_ * n))), gamma, eta, biases)
        for _ in range(sets)
    ]
    times, lengths = np.array(drawn).T
    at = passage(-5.0, lambda_, sigma, gamma, eta)
    for expected, values in ((at.time, times), (at.norm, lengths)):
        error = values.std(ddof=1) / np.sqrt(sets)
        assert 3.0 * error < 0.25 * expected
        assert expected == pytest.approx(values.mean(), rel=0.02, abs=3.0 * error)


def excess(bias: float, accuracy: float, given: tuple[float, ...]) -> float:
    return passage(bias, *given).accuracy - accuracy


def test_the_accuracy_is_met_at_its_time():
    lambda_ = np.array([0.3, 0.48, 0.5, 0.6, 2.0])
    for accuracy in (0.8, 0.95):
        time = time_to_accuracy(lambda_, 5.0, 1e-4, 0.01, accuracy)
        for each, expected in zip(lambda_, time, strict=True):
            given = each, 5.0, 1e-4, 0.01
            bias = brentq(excess, -25.0, -0.1, (accuracy, given))
            assert passage(bias, *given).time == pytest.approx(expected, rel=1e-8)
            assert bias_at_accuracy(*given[:3], accuracy) == pytest.approx(bias, rel=1e-8)
    quoted = np.array([5.706, 4.565, 4.165])
    gamma = np.array([1e-2, 1e-4, 1e-6])
    scaled = 0.01 * gamma * time_to_accuracy(0.75, 5.0, gamma, 0.01)
    assert scaled == pytest.approx(quoted, rel=1e-3)


def test_without_decay_it_is_the_time_of_settled_weights():
    lambda_ = np.array([0.3, 0.4, 0.48])
    plain = np.exp(large_size.log_time_to_accuracy(lambda_, 0.01))
    start = 1.0 / (0.01 * large_size.limit_loss(lambda_))  # the clock starts at b = 0
    found = time_to_accuracy(lambda_, 5.0, 1e-20, 0.01)
    assert found == pytest.approx(plain - start, rel=1e-6)


def test_time_is_in_steps_of_the_learning_rate_and_broadcasts():
    gamma, eta = np.array([[1e-3], [1e-5]]), np.array([0.01, 0.02, 0.1])
    time = time_to_accuracy(0.6, 5.0, gamma, eta)
    assert time.shape == (2, 3)
    assert time * eta == pytest.approx(np.tile(time[:, :1] * 0.01, 3), rel=1e-9)
    assert time_to_accuracy(0.6, 5.0, 1e-3, 0.01) == pytest.approx(time[0, 0], rel=1e-9)


def test_what_takes_too_long_is_infinite():
    assert time_to_accuracy(0.49999, 5.0, 1e-300, 0.01) == np.inf
    assert bias_at_accuracy(0.49999, 5.0, 1e-300) == -np.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: passage(0.0, 0.4, 5.0, 0.1, 0.01), r"bias = 0: must lie in \[-200, 0\)"),
        (lambda: passage(-1.0, 0.4, 5.0, 0.0, 0.01), "gamma = 0: must lie in"),
        (lambda: time_to_accuracy(0.4, 5.0, 0.0, 0.01), "gamma = 0: must lie in"),
        (lambda: time_to_accuracy(0.4, 5.0, 0.1, 0.0), "eta = 0: must lie in"),
        (lambda: time_to_accuracy(0.4, 5.0, 0.1, 0.01, 0.4), "accuracy = 0.4: must lie in"),
    ],
)
def test_arguments_out_of_range_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
