"""Adam's limit at large size against linear programming, brute force and literal moments."""

import numpy as np
import pytest
from scipy.optimize import linprog, minimize_scalar
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from linear_grokking.theory import adam_limit
from linear_grokking.theory.adam_limit import (
    bias_speed,
    box_gen_accuracy,
    box_margin,
    limit_gen_accuracy,
    output_step,
    time_to_accuracy,
)
from linear_grokking.theory.large_size import limit_norm
from linear_grokking.theory.margin import inverse_truncated_second_moment


def best_by_search(lambda_):
    """Maximize over θ the margin that Gordon's comparison allows; integrals by quadrature."""
    g = np.linspace(-9, 9, 40_001)
    density = np.exp(-0.5 * g**2) / np.sqrt(2 * np.pi)

    def moments(theta):
        entry = np.clip(g / theta, -1, 1)
        return np.sqrt(np.trapezoid(density * entry**2, g)), np.trapezoid(density * entry * g, g)

    def margin(log_theta):
        rho, a = moments(np.exp(log_theta))
        return rho * inverse_truncated_second_moment(lambda_ * a**2 / rho**2)

    grid = np.linspace(-2, 2, 41)
    best = grid[np.argmax([margin(x) for x in grid])]
    found = minimize_scalar(
        lambda x: -margin(x), (best - 0.1, best, best + 0.1), options={"xtol": 1e-9}
    )
    return -found.fun, moments(np.exp(found.x))[0]


@pytest.mark.parametrize("lambda_", [0.51, 0.55, 0.7, 1.0, 1.5])
def test_the_margin_in_the_box_is_the_best_of_gordons(lambda_):
    found = box_margin(lambda_)
    margin, size = best_by_search(lambda_)
    assert found.margin == pytest.approx(margin, rel=1e-6)
    # The maximum is flat.
    assert found.size == pytest.approx(size, rel=1e-4)


@pytest.mark.parametrize(("n", "draws", "shift"), [(60, 30, 0.06), (240, 10, 0.03)])
def test_the_margin_in_the_box_is_that_of_small_sets(n, draws, shift):
    # By the dual programme, min ‖Xᵀz‖₁; the primal S is what the constraints' duals are.
    lambda_ = 0.8
    d = int(lambda_ * n)
    rng = np.random.default_rng(n)
    margins, sizes = [], []
    for _ in range(draws):
        x = rng.standard_normal((n, d))
        equal = np.block([[x.T, -np.eye(d), np.eye(d)], [np.ones((1, n)), np.zeros((1, 2 * d))]])
        cost = np.append(np.zeros(n), np.ones(2 * d))
        right = np.append(np.zeros(d), 1.0)
        found = linprog(cost, A_eq=equal, b_eq=right, bounds=(0, None), method="highs")
        direction = found.eqlin.marginals[:d]
        margins.append(found.fun / np.sqrt(d))
        assert np.abs(x @ direction).min() == pytest.approx(found.fun, rel=1e-6)
        sizes.append(np.linalg.norm(direction) / np.sqrt(d))
    expected = box_margin(lambda_)
    for values, limit in ((margins, expected.margin), (sizes, expected.size)):
        error = np.std(values, ddof=1) / np.sqrt(draws)
        assert np.mean(values) == pytest.approx(limit, abs=4 * error + shift * limit)


def test_as_many_points_lie_on_the_margin_as_entries_inside_the_box():
    # κ = m/(σρ√d) and the share of entries with |g| < θ, from the size alone.
    lambda_ = np.array([0.55, 0.7, 1.2])
    margin, size = box_margin(lambda_)
    theta = np.linspace(1e-3, 5, 20_001)
    inside = 2 * ndtr(theta) - 1
    square = (inside - 2 * theta * norm.pdf(theta)) / theta**2 + 1 - inside
    share = np.interp(-size, -np.sqrt(square), inside)
    assert ndtr(margin / size) == pytest.approx(lambda_ * share, rel=1e-5)


def test_the_box_at_both_ends():
    # Just above ½ the size vanishes as 1/√(2 log 1/(2λ-1)), up to log log; far above, S is the
    # vector of signs, and the margin that of one direction.
    near = box_margin(0.5001).size
    assert near == pytest.approx(1 / np.sqrt(2 * np.log(1 / 2e-4)), rel=0.1)
    far = box_margin(1000.0)
    assert far.size == pytest.approx(1.0, rel=1e-3)
    assert far.margin == pytest.approx(np.sqrt(2 / np.pi * 1000), rel=2e-3)
    assert box_margin([0.6, 0.7]).margin.shape == (2,)


def test_accuracies_are_those_of_fresh_points():
    rng = np.random.default_rng(2)
    direction = np.clip(rng.standard_normal(50), -1, 1)
    outputs = 0.7 * rng.standard_normal((200_000, 50)) @ direction - 1.0
    accuracy = box_gen_accuracy(np.linalg.norm(direction), 0.7)
    assert accuracy == pytest.approx(np.mean(outputs < 0), abs=0.004)
    assert ndtri(accuracy) * 0.7 * np.linalg.norm(direction) == pytest.approx(1.0)
    expected = 1 / (2.0 * box_margin(0.6).size * np.sqrt(240))
    assert ndtri(limit_gen_accuracy(0.6, 2.0, 240)) == pytest.approx(expected, rel=1e-9)
    assert limit_gen_accuracy(0.6, 2.0, 240) == pytest.approx(0.52318, abs=2e-4)


@pytest.mark.parametrize(
    ("eta", "beta1", "beta2"),
    [(0.01, 0.8, 0.9), (0.001, 0.8, 0.9), (0.1, 0.5, 0.9), (0.01, 0.9, 0.999)],
)
def test_the_bias_falls_as_adams_moments_say(eta, beta1, beta2):
    # One parameter with the gradient e^b, in exact arithmetic of logarithms: m and v in units
    # of e^b and e^2b.
    b, first, second = 0.0, 0.0, 0.0
    places = []
    for step in range(1, 20_001):
        first += (1 - beta1) * (1 - first)
        second += (1 - beta2) * (1 - second)
        fall = eta * first / (1 - beta1**step) / np.sqrt(second / (1 - beta2**step))
        b -= fall
        first, second = first * np.exp(fall), second * np.exp(2 * fall)
        places.append(b)
    late = -(places[-1] - places[-5_001]) / 5_000
    assert bias_speed(eta, beta1, beta2) == pytest.approx(late, rel=2e-3)


def test_the_second_moment_bounds_the_speed():
    speeds = bias_speed([1e-6, 1.0], 0.9, 0.999)
    assert speeds[0] == pytest.approx(1e-6, rel=2e-3)
    assert speeds[1] == pytest.approx(-0.5 * np.log(0.999), rel=1e-3)
    assert bias_speed(1e-4, [0.8, 0.9], 0.9).shape == (2,)


def test_time_and_step():
    expected = norm.ppf(0.9) * limit_norm(0.4) / bias_speed(0.01, 0.8, 0.9)
    assert time_to_accuracy(0.4, 0.01, 0.8, 0.9, 0.9) == pytest.approx(expected, rel=1e-12)
    assert time_to_accuracy(0.4, 0.001, 0.8, 0.9) == pytest.approx(3421.3, rel=2e-3)
    x = 3.0 * np.abs(np.random.default_rng(1).standard_normal((400, 1000)))
    assert output_step(0.01, 3.0, 1000) == pytest.approx(np.mean(0.01 * x.sum(1)), rel=4e-3)


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (box_margin, (0.5,), "lambda_"),
        (box_margin, (np.nan,), "lambda_"),
        (box_gen_accuracy, (0.0, 1.0), "norm"),
        (box_gen_accuracy, (1.0, 0.0), "sigma"),
        (limit_gen_accuracy, (0.6, 1.0, 0), "d"),
        (bias_speed, (0.0, 0.8, 0.9), "eta"),
        (bias_speed, (0.1, 0.9, 0.8), "beta1"),
        (bias_speed, (0.1, 0.9, 1.0), "beta2"),
        (time_to_accuracy, (0.5, 0.1, 0.8, 0.9), "lambda_"),
        (time_to_accuracy, (0.4, 0.1, 0.8, 0.9, 0.5), "accuracy"),
        (output_step, (0.1, -1.0, 5), "sigma"),
    ],
)
def test_rejects_what_lies_outside(function, arguments, name):
    with pytest.raises(ValueError, match=name):
        function(*arguments)


def test_a_beta1_just_above_beta2_is_refused():
    with pytest.raises(ValueError, match="beta1: must not exceed beta2"):
        adam_limit.bias_speed(0.01, 0.91, 0.9)
    adam_limit.bias_speed(0.01, 0.9, 0.9)
