import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.integrate import quad, simpson
from scipy.optimize import brentq, minimize_scalar
from scipy.special import wrightomega
from scipy.stats import kstest, norm

from linear_grokking.theory import large_size
from linear_grokking.theory.large_size import (
    CRITICAL_NORM,
    CRITICAL_OFFSET,
    CRITICAL_POSITIVE_FRACTION,
    CRITICAL_POSITIVE_MEAN,
    CRITICAL_SETTLING,
    SETTLED,
    limit_loss,
    limit_norm,
    log_time_to_accuracy,
    normalized_positive_mean,
    output_density,
    positive_fraction,
    positive_mean,
    settling,
    settling_exponent,
    share_near_zero,
    solve,
)


def gaussian_mean(function, bend: float = 0.0) -> float:
    points = sorted({-12.0, 12.0, *np.clip(bend + np.array([-0.5, -0.1, 0.1, 0.5]), -12, 12)})
    pieces = itertools.pairwise(points)
    return sum(
        quad(lambda h: function(h) * norm.pdf(h), a, b, epsabs=1e-13, limit=300)[0]
        for a, b in pieces
    )


@pytest.mark.parametrize("lambda_", [1e-4, 0.01, 0.1, 0.3, 0.4, 0.48, 0.499, 0.4999])
def test_solution_satisfies_the_equations_by_adaptive_quadrature(lambda_):
    limit = solve(lambda_)
    r, c = float(limit.norm), float(limit.offset)

    def w(h: float) -> float:
        return wrightomega(c + r * h)

    assert gaussian_mean(lambda h: w(h) ** 2, -c / r) == pytest.approx(lambda_ * r * r, rel=1e-8)
    assert gaussian_mean(lambda h: w(h) / (1 + w(h)), -c / r) == pytest.approx(lambda_, rel=1e-8)
    expected = np.exp(-c) * gaussian_mean(w, -c / r)
    assert limit_loss(lambda_) == pytest.approx(expected, rel=1e-8)


def test_each_lambda_is_solved_on_its_own():
    grid = np.array([[0.01, 0.499], [0.25, 0.4]])
    together = solve(grid)
    assert together.norm.shape == together.offset.shape == (2, 2)
    assert limit_norm(grid) == pytest.approx(np.vectorize(limit_norm)(grid), rel=1e-9)


def test_norms_and_times_at_the_papers_lambdas():
    lambda_ = np.array([0.4, 0.48, 0.495])
    assert limit_norm(lambda_) == pytest.approx([2.070, 5.883, 12.52], rel=5e-4)
    times = np.exp(log_time_to_accuracy([0.4, 0.48, 0.49], eta=0.01))
    assert times == pytest.approx([4.5e3, 3.2e6, 3.2e8], rel=0.02)


def test_time_follows_from_the_accuracy_of_the_settled_weights():
    lambda_, eta, accuracy = np.array([0.2, 0.45]), 0.02, 0.9
    log_t = log_time_to_accuracy(lambda_, eta, accuracy)
    bias = -(np.log(eta * limit_loss(lambda_)) + log_t)
    assert norm.cdf(-bias / limit_norm(lambda_)) == pytest.approx(accuracy, rel=1e-12)


@pytest.mark.parametrize("lambda_", [0.05, 0.3, 0.45, 0.495])
def test_density_of_outputs_gives_the_positive_part_and_the_loss(lambda_):
    # The density falls like a Gaussian of deviation r to the left, and faster to the right.
    r = float(limit_norm(lambda_))
    left, right = np.linspace(-12.0 * r, 0.0, 40_001), np.linspace(0.0, 12.0, 40_001)

    def integral(function, outputs: np.ndarray) -> float:
        return simpson(function(outputs) * output_density(outputs, lambda_), x=outputs)

    def total(function) -> float:
        return integral(function, left) + integral(function, right)

    fraction = integral(np.ones_like, right)
    assert total(np.ones_like) == pytest.approx(1.0, rel=1e-8)
    assert positive_fraction(lambda_) == pytest.approx(fraction, rel=1e-8)
    mean = integral(lambda f: f, right) / fraction
    assert positive_mean(lambda_) == pytest.approx(mean, rel=1e-8)
    assert limit_loss(lambda_) == pytest.approx(total(np.exp), rel=1e-8)
    assert normalized_positive_mean(lambda_) == pytest.approx(mean / r, rel=1e-8)
    # What lies within a distance of 0, in units of ‖S_∞‖.
    near = [np.linspace(*ends, 40_001) for ends in ((-0.1 * r, 0.0), (0.0, 0.1 * r))]
    share = sum(integral(np.ones_like, each) for each in near)
    assert share_near_zero(0.1, lambda_) == pytest.approx(share, rel=1e-7)
    # Stationarity along S_∞: the mean of f e^f vanishes.
    assert total(lambda f: f * np.exp(f)) == pytest.approx(0.0, abs=1e-8)


def test_critical_constants_are_the_limits():
    distance = np.array([4e-4, 2e-4])
    lambda_ = 0.5 - distance / 2.0
    limit = solve(lambda_)
    for values, constant, quoted in (
        (limit.norm * np.sqrt(distance), CRITICAL_NORM, 1.309),
        (np.exp(limit.offset) / limit.norm, CRITICAL_OFFSET, np.exp((np.log(2) - 0.577216) / 2)),
        (positive_fraction(lambda_), CRITICAL_POSITIVE_FRACTION, 0.1446),
        (positive_mean(lambda_), CRITICAL_POSITIVE_MEAN, 0.3611),
    ):
        # The approach is as √(1-2λ): one step of Richardson's extrapolation.
        extrapolated = values[1] + (values[1] - values[0]) / (np.sqrt(2.0) - 1.0)
        assert extrapolated == pytest.approx(constant, rel=5e-4)
        assert constant == pytest.approx(quoted, rel=5e-4)


def test_projections_pile_up_at_zero():
    # Half of them are Gaussian, on the negative side; the others come to 0.
    for distance in (0.1, 0.5):
        share = share_near_zero(distance, 0.4999)
        assert share == pytest.approx(norm.cdf(distance), abs=0.01)
    ratio = normalized_positive_mean(0.4999) / np.sqrt(2e-4)
    assert ratio == pytest.approx(CRITICAL_POSITIVE_MEAN / CRITICAL_NORM, rel=0.03)


@dataclass
class Draw:
    norm: float
    loss: float
    outputs: np.ndarray


def minimize_mean_exponential(inputs: np.ndarray) -> Draw:
    """Newton's method on ln mean e^{S·x}, halving steps that do not descend."""

    def objective(weights: np.ndarray) -> float:
        outputs = inputs @ weights
        top = outputs.max()
        return top + np.log(np.mean(np.exp(outputs - top)))

    weights = np.zeros(inputs.shape[1])
    for _ in range(100):
        outputs = inputs @ weights
        p = np.exp(outputs - outputs.max())
        p /= p.sum()
        gradient = inputs.T @ p
        if np.linalg.norm(gradient) < 1e-10:
            break
        hessian = inputs.T @ (p[:, np.newaxis] * inputs) - np.outer(gradient, gradient)
        step = np.linalg.solve(hessian, gradient)
        scale = 1.0
        while objective(weights - scale * step) > objective(weights) and scale > 1e-8:
            scale *= 0.5
        weights = weights - scale * step
    outputs = inputs @ weights
    return Draw(float(np.linalg.norm(weights)), float(np.mean(np.exp(outputs))), outputs)


@pytest.mark.parametrize("lambda_", [0.2, 0.4])
@pytest.mark.parametrize(("n", "draws"), [(200, 24), (800, 6)])
def test_against_simulated_sets(lambda_, n, draws):
    rng = np.random.default_rng([n, int(100 * lambda_)])
    found = [
        minimize_mean_exponential(rng.standard_normal((n, round(lambda_ * n))))
        for _ in range(draws)
    ]
    for values, limit in (
        ([draw.norm for draw in found], limit_norm(lambda_)),
        ([draw.loss for draw in found], limit_loss(lambda_)),
        ([np.mean(draw.outputs > 0) for draw in found], positive_fraction(lambda_)),
        ([draw.outputs[draw.outputs > 0].mean() for draw in found], positive_mean(lambda_)),
        (
            [draw.outputs[draw.outputs > 0].mean() / draw.norm for draw in found],
            normalized_positive_mean(lambda_),
        ),
        (
            [np.mean(np.abs(draw.outputs) < 0.2 * draw.norm) for draw in found],
            share_near_zero(0.2, lambda_),
        ),
    ):
        error = np.std(values, ddof=1) / np.sqrt(draws)
        # Five standard errors (false-alarm rate below 5e-3 with 5 degrees of freedom) and a
        # finite-size shift of 3/N of the value.
        assert np.mean(values) == pytest.approx(limit, rel=3.0 / n, abs=5.0 * error)


def test_settling_exponent_is_the_largest_bound_of_its_kind():
    lambda_ = 0.3
    r, c = solve(lambda_)
    mean = gaussian_mean(lambda h: wrightomega(c + r * h), bend=-c / r)

    def bound(m):
        def term(h):
            a = wrightomega(c + r * h) / mean
            return a / (1 + lambda_ * a * m)

        return gaussian_mean(term, bend=-c / r) - 1 / m

    # It has one maximum: m² times its derivative falls.
    best = minimize_scalar(
        lambda log_m: -bound(np.exp(log_m)), bounds=np.log([1.0, 100.0]), options={"xatol": 1e-3}
    )
    assert settling_exponent(lambda_) == pytest.approx(-best.fun, rel=1e-6)
    assert settling_exponent(lambda_) >= -best.fun
    assert settling_exponent(np.array([0.1, 0.3]))[1] == settling_exponent(0.3)


def test_how_far_s_has_settled_does_not_depend_on_the_learning_rate():
    """As only ηt matters to a flow; (ηC_∞t)^{-σ²p} at the time of the accuracy says how far."""
    lambda_, sigma, accuracy = np.array([0.3, 0.48]), 2.0, 0.9
    for eta in (1e-1, 1e-9):
        log_time = log_time_to_accuracy(lambda_, eta, accuracy)
        clock = log_time + np.log(eta * limit_loss(lambda_))
        expected = sigma**2 * settling_exponent(lambda_) * clock
        assert settling(lambda_, sigma, accuracy) == pytest.approx(expected, rel=1e-9)
    assert settling([0.4, 0.48], 5.0) == pytest.approx([5.61, 1.70], abs=0.01)
    assert np.exp(-SETTLED) == pytest.approx(0.05, rel=0.01)


@pytest.mark.parametrize("lambda_", [0.4, 0.44, 0.499])
def test_the_slowest_part_lies_partly_along_the_limit_direction(lambda_):
    """Its exponent solves the equation in docs/theory.md, by adaptive quadrature."""
    r, c = (float(each) for each in solve(lambda_))
    exponent = settling_exponent(lambda_)
    mean_w = gaussian_mean(lambda h: wrightomega(c + r * h), -c / r)

    def mean(function, lambda_m):
        def at(h):
            w = wrightomega(c + r * h)
            return function(w / mean_w, r * h - w, 1.0 + lambda_m * w / mean_w)

        return gaussian_mean(at, -c / r)

    def z(log_m):
        m = np.exp(log_m)
        return mean(lambda a, f, d: a / d, lambda_ * m) - 1.0 / m

    # z is 0 at λm = E[w], and increases for 0.8 and more, up to the edge of the continuum.
    log_m = np.log(mean_w / lambda_)
    log_m = brentq(lambda x: z(x) - exponent, log_m, log_m + 0.8, xtol=1e-12)
    lambda_m = lambda_ * np.exp(log_m)
    pull = mean(lambda a, f, d: a * f**2 / d, lambda_m)
    across = mean(lambda a, f, d: a * f / d, lambda_m) ** 2
    pull += across / mean(lambda a, f, d: a**2 / d, lambda_m) / lambda_m
    assert exponent * r**2 == pytest.approx(pull, rel=1e-6)


def test_settling_near_one_half_depends_on_the_distance_alone():
    lambda_ = np.array([0.495, 0.4999])
    ratio = settling_exponent(lambda_) / (CRITICAL_SETTLING * (1.0 - 2.0 * lambda_) ** 1.5)
    # Corrections are of order ln²r/r: r is 13 and 92 here.
    assert ratio == pytest.approx([1.0, 1.0], rel=0.04) and abs(ratio[1] - 1.0) < 0.005
    limit = np.sqrt(np.pi / 2.0) * norm.ppf(0.9) * 4.0 * 2e-4
    assert settling(0.4999, 2.0, 0.9) == pytest.approx(limit, rel=0.01)


@pytest.mark.parametrize("lambda_", [0.2, 0.4])
def test_soft_directions_of_simulated_sets_settle_with_the_exponent(lambda_):
    n, softest = 1200, []
    for draw in range(4):
        inputs = np.random.default_rng([8, draw]).standard_normal((n, round(lambda_ * n)))
        p = np.exp(minimize_mean_exponential(inputs).outputs)
        curvature = (inputs * (p / p.sum())[:, np.newaxis]).T @ inputs
        softest.append(np.linalg.eigvalsh(curvature)[0])
    # A finite spectrum ends inside of the edge, by N^{-2/3} and a number of order one.
    assert np.mean(softest) == pytest.approx(settling_exponent(lambda_), rel=0.12)


def test_simulated_outputs_have_the_predicted_density():
    lambda_ = 0.4
    rng = np.random.default_rng(3)
    outputs = minimize_mean_exponential(rng.standard_normal((800, 320))).outputs
    grid = np.linspace(-30.0, 8.0, 20_001)
    density = output_density(grid, lambda_)
    cumulative = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    cumulative *= grid[1] - grid[0]
    # Dependent samples of one set fluctuate less than independent ones do: the test's
    # false-alarm rate is below 1e-3.
    assert kstest(outputs, lambda f: np.interp(f, grid, cumulative)).pvalue > 1e-3


@pytest.mark.parametrize("lambda_", [0.0, 0.5, 0.6, np.nan])
def test_rejects_lambda_outside(lambda_):
    with pytest.raises(ValueError, match="lambda_"):
        solve(lambda_)


def test_rejects_other_arguments_outside():
    with pytest.raises(ValueError, match="accuracy"):
        log_time_to_accuracy(0.4, 0.01, 0.5)
    with pytest.raises(ValueError, match="eta"):
        log_time_to_accuracy(0.4, 0.0)


def test_reports_where_the_iteration_fails(monkeypatch):
    monkeypatch.setattr(large_size, "_MAX_ITERATIONS", 1)
    with pytest.raises(RuntimeError, match=r"lambda_ = 0\.45"):
        solve(0.45)
