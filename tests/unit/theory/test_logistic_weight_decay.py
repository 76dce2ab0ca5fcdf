"""Ends with weight decay against minimization of drawn sets, quadrature, and both limits of γ."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize
from scipy.special import expit
from scipy.stats import norm

from linear_grokking.theory import large_size, margin
from linear_grokking.theory.logistic_weight_decay import max_weight_decay, minimum, ridge

SLOPES = {"cross_entropy": expit, "exponential": np.exp}
CURVATURES = {"cross_entropy": lambda z: expit(z) * expit(-z), "exponential": np.exp}
VALUES = {"cross_entropy": lambda z: np.logaddexp(0.0, z), "exponential": np.exp}


def gaussian_mean(function) -> float:
    pieces = np.linspace(-10.0, 10.0, 41)
    ends = itertools.pairwise(pieces)
    integrals = (quad(lambda h: function(h) * norm.pdf(h), *each, epsabs=1e-12) for each in ends)
    return sum(value for value, _ in integrals)


def output(free: float, response: float, slope) -> float:
    """Solve z + Vℓ'(z) = b + rh by bisection."""
    return brentq(lambda z: z + response * slope(z) - free, free - 80.0, free, xtol=1e-13)


def response_for(r: float, bias: float, lambda_: float, slope) -> float:
    """Return the V at which E[(Vℓ')²] = λr², by bisection: the left side grows with V."""

    def excess(log_v: float) -> float:
        v = np.exp(log_v)
        square = gaussian_mean(lambda h: (v * slope(output(bias + r * h, v, slope))) ** 2)
        return square - lambda_ * r**2

    return float(np.exp(brentq(excess, -8.0, 8.0, xtol=1e-11)))


@pytest.mark.parametrize(
    ("lambda_", "sigma", "gamma", "loss"),
    [(0.6, 2.0, 0.1, "cross_entropy"), (0.3, 1.0, 0.02, "exponential")],
)
def test_minimum_satisfies_the_equations_by_bisection_and_quadrature(lambda_, sigma, gamma, loss):
    end = minimum(lambda_, sigma, gamma, loss)
    r, bias, slope, bend = sigma * end.norm, end.bias, SLOPES[loss], CURVATURES[loss]
    v = response_for(r, bias, lambda_, slope)

    def outputs(h: float) -> float:
        return output(bias + r * h, v, slope)

    rate = gaussian_mean(lambda h: slope(outputs(h)))
    assert rate == pytest.approx(-gamma * bias, rel=1e-8)

    def share(h: float) -> float:
        curvature = v * bend(outputs(h))
        return curvature / (1.0 + curvature)

    trace = gaussian_mean(share) + gamma / sigma**2 * v
    assert trace == pytest.approx(lambda_, rel=1e-8)
    assert end.accuracy == pytest.approx(norm.cdf(-bias / r), rel=1e-12)


def test_without_ridge_it_is_the_limit_direction():
    lambda_ = np.array([0.1, 0.4, 0.48])
    found = ridge(lambda_, 1e-13)
    assert found.norm == pytest.approx(large_size.limit_norm(lambda_), rel=1e-8)
    assert found.loss == pytest.approx(large_size.limit_loss(lambda_), rel=1e-8)


def least(inputs: np.ndarray, kappa: float, gamma: float, loss: str) -> tuple[float, float, float]:
    """Minimize the loss of one set with SciPy; return ‖S‖, b and the mean of ℓ."""
    value, slope = VALUES[loss], SLOPES[loss]

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = theta[:-1], theta[-1] if gamma else 0.0
        outputs = inputs @ weights + bias
        slopes = slope(outputs) / len(inputs)
        total = np.mean(value(outputs)) + 0.5 * kappa * weights @ weights + 0.5 * gamma * bias**2
        by_bias = slopes.sum() + gamma * bias if gamma else 0.0
        return total, np.append(inputs.T @ slopes + kappa * weights, by_bias)

    start = np.zeros(inputs.shape[1] + 1)
    found = minimize(objective, start, jac=True, options={"gtol": 1e-8})
    outputs = inputs @ found.x[:-1] + (found.x[-1] if gamma else 0.0)
    return np.linalg.norm(found.x[:-1]), found.x[-1], np.mean(value(outputs))


@pytest.mark.parametrize(("n", "sets"), [(60, 60), (240, 15)])
def test_drawn_sets_come_to_the_large_size_minimum(n, sets):
    """Within 3 standard errors and 2 % for the size of the sets."""
    lambda_, kappa, gamma = 0.7, 0.05, 0.04
    rng = np.random.default_rng(3)
    drawn = [rng.standard_normal((n, round(lambda_ * n))) for _ in range(sets)]
    plain = np.array([least(x, kappa, 0.0, "exponential") for x in drawn]).T
    expected = ridge(lambda_, kappa)
    assert_within_errors(expected.norm, plain[0])
    assert_within_errors(expected.loss, plain[2])
    # σ = 2: κ = γ/4, and ‖S‖ in units of ½.
    found = np.array([least(x, gamma / 4.0, gamma, "cross_entropy") for x in drawn]).T
    end = minimum(lambda_, 2.0, gamma)
    assert_within_errors(2.0 * end.norm, found[0])
    assert_within_errors(end.bias, found[1])


def assert_within_errors(expected: float, values: np.ndarray) -> None:
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert 3.0 * error < 0.1 * abs(expected)
    assert expected == pytest.approx(values.mean(), rel=0.02, abs=3.0 * error)


def test_the_loss_changes_with_the_ridge_as_the_envelope_says():
    # d/dκ (C + κr²/2) = r²/2.
    kappa, step = np.array([1e-3, 0.1, 5.0]), 1e-4
    ends = [ridge(0.6, kappa * factor) for factor in (1 - step, 1.0, 1 + step)]
    low, high = (
        end.loss + 0.5 * kappa * factor * end.norm**2
        for end, factor in ((ends[0], 1 - step), (ends[2], 1 + step))
    )
    assert (high - low) / (2 * step * kappa) == pytest.approx(0.5 * ends[1].norm ** 2, rel=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "exponential"])
def test_weak_and_strong_decay_have_closed_limits(loss):
    lambda_, sigma = np.array([0.52, 0.6, 0.75, 1.5]), 5.0
    limit = margin.limit_gen_accuracy(lambda_, sigma)
    assert minimum(lambda_[1:], sigma, 1e-9, loss).accuracy == pytest.approx(limit[1:], abs=2e-3)
    # Near ½ it comes slowly.
    errors = np.abs(minimum(0.52, sigma, [1e-6, 1e-12, 1e-24], loss).accuracy - limit[0])
    assert errors[0] > 0.05 and errors[2] < 0.01 and np.all(np.diff(errors) < 0)
    gamma = 1e5
    strong, slope = minimum(lambda_, sigma, gamma, loss), SLOPES[loss](0.0)
    assert strong.bias == pytest.approx(np.full(4, -slope / gamma), rel=1e-3)
    assert strong.norm == pytest.approx(np.sqrt(lambda_) * sigma * slope / gamma, rel=1e-3)
    assert strong.accuracy == pytest.approx(norm.cdf(1 / (sigma**2 * np.sqrt(lambda_))), rel=1e-3)


def test_at_the_largest_decay_the_accuracy_is_just_met():
    lambda_ = np.array([[0.3], [0.48], [0.505]])
    for loss in ("cross_entropy", "exponential"):
        most = max_weight_decay(lambda_, [3.0, 5.0], 0.95, loss)
        assert minimum(lambda_, [3.0, 5.0], most, loss).accuracy == pytest.approx(0.95, rel=1e-8)
    quoted = [0.0546, 9.75e-3, 1.24e-4, 3.41e-7]
    assert max_weight_decay([0.3, 0.4, 0.48, 0.505], 5.0) == pytest.approx(quoted, rel=5e-3)


def test_largest_decay_is_nothing_or_anything_where_the_limits_say_so():
    # Φ(1/(σ²M̃)) = 0.63 at λ = 0.6, σ = 5; Φ(1/√λ) = 0.966 at λ = 0.3, σ = 1.
    assert max_weight_decay(0.6, 5.0) == 0.0
    assert max_weight_decay(0.3, 1.0) == np.inf
    assert minimum(0.3, 1.0, np.logspace(-6, 6, 13)).accuracy.min() > 0.95


def test_accuracy_falls_with_decay():
    gamma = np.logspace(-9, 4, 60)
    for lambda_ in (0.3, 0.5, 0.55, 1.2):
        accuracy = minimum(lambda_, 5.0, gamma).accuracy
        assert np.all(np.diff(accuracy) < 1e-12)


@pytest.mark.parametrize("loss", ["cross_entropy", "exponential"])
def test_all_that_may_be_asked_for_converges(loss):
    lambda_ = np.array([1e-3, 0.1, 0.3, 0.48, 0.4999, 0.5, 0.52, 0.6, 1.0, 3.0])[:, None, None]
    gamma = np.logspace(-30, 6, 19)[:, None]
    end = minimum(lambda_, [0.3, 1.0, 5.0, 50.0], gamma, loss)
    assert end.norm.shape == (10, 19, 4)
    assert np.all((end.accuracy >= 0.5) & (end.accuracy <= 1.0))
    weights = ridge(lambda_[..., 0], np.logspace(-14, 12, 27))
    assert np.all(np.diff(weights.norm, axis=1) < 0) and np.all(weights.loss < 1)


def test_each_problem_is_solved_on_its_own():
    lambda_, gamma = np.array([0.2, 0.9]), np.array([[1e-8], [3.0]])
    together = minimum(lambda_, 5.0, gamma)
    for i in range(2):
        for j in range(2):
            alone = minimum(lambda_[j], 5.0, gamma[i, 0])
            for one, other in zip(alone, together, strict=True):
                assert one == pytest.approx(other[i, j], rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ridge(0.0, 1.0), "lambda_ = 0: must lie in"),
        (lambda: ridge(0.4, 0.0), "kappa = 0: must lie in"),
        (lambda: minimum(0.4, 5.0, 0.0), "gamma = 0: must lie in"),
        (lambda: minimum(0.4, 5.0, 0.1, "hinge"), "loss = hinge: must be one of cross_entropy"),
        (lambda: max_weight_decay(0.4, 5.0, 0.5), "accuracy = 0.5: must lie in"),
        (lambda: max_weight_decay(0.4, -1.0), "sigma = -1: must lie in"),
    ],
)
def test_arguments_out_of_range_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("lambda_", [0.51, 0.6, 2.0])
def test_a_vanishing_ridge_comes_to_the_margin(lambda_):
    """Above ½ r grows as ln(1/κ)/M, down to the smallest κ that a double holds."""
    decades = np.array([200.0, 290.0])
    norms = ridge(lambda_, 10.0**-decades).norm
    slope = np.diff(norms)[0] / (np.log(10.0) * 90.0)
    assert slope * margin.mean_margin(lambda_) == pytest.approx(1.0, rel=0.01)


def test_points_that_lead_to_each_other_are_left():
    """Newton's steps went back and forth at σ = 1000; its neighbours lie around it."""
    found = minimum(0.499, np.array([900.0, 1000.0, 1100.0]), 1.0)
    assert found.norm[1] == pytest.approx(np.sqrt(found.norm[0] * found.norm[2]), rel=0.01)
    assert found.bias[0] < found.bias[1] < found.bias[2]
