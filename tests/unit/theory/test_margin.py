import numpy as np
import pytest
from hard_margin import hard_margin_direction
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from linear_grokking.theory.margin import (
    MARGIN_SLOPE,
    inverse_truncated_second_moment,
    limit_gen_accuracy,
    log_law_slopes,
    mean_margin,
    normal_density,
    separable_gen_accuracy,
    truncated_first_moment,
    truncated_second_moment,
)
from linear_grokking.theory.two_point import TwoPoint
from linear_grokking.theory.two_point_long_times import integrated_law


def moment(m: float, power: int = 2) -> float:
    return quad(lambda h: (h + m) ** power * norm.pdf(h), -m, -m + 40.0, points=[0.0], limit=200)[0]


@pytest.mark.parametrize("m", [-4.0, -1.0, 0.0, 0.3, 2.0])
def test_truncated_moments_are_the_integrals(m):
    assert truncated_first_moment(m) == pytest.approx(moment(m, 1), rel=1e-7)
    assert truncated_second_moment(m) == pytest.approx(moment(m), rel=1e-7)
    assert normal_density(m) == pytest.approx(norm.pdf(m), rel=1e-12)


def test_inverse_undoes_the_moment():
    m = np.concatenate([np.linspace(-5.0, 5.0, 41), [50.0, 1e4]])
    assert inverse_truncated_second_moment(truncated_second_moment(m)) == pytest.approx(
        m, rel=1e-10, abs=1e-10
    )


@pytest.mark.parametrize("lambda_", [0.5125, 0.55, 0.65, 0.9, 1.5])
def test_mean_margin_solves_its_equation(lambda_):
    expected = brentq(lambda m: moment(m) - lambda_, 0.0, 2.0, xtol=1e-10)
    assert mean_margin(lambda_) == pytest.approx(expected, rel=1e-6)


def test_mean_margin_near_the_transition():
    assert mean_margin(0.5) == 0.0
    distance = np.array([1e-3, 1e-4])
    ratio = mean_margin(0.5 + 0.5 * distance) / distance
    assert ratio == pytest.approx(np.sqrt(np.pi / 8.0), rel=1e-3)
    assert ratio == pytest.approx(MARGIN_SLOPE, rel=1e-3)


@pytest.mark.parametrize(("n", "draws"), [(60, 40), (240, 12)])
def test_mean_margin_against_small_sets(n, draws):
    lambda_ = 0.75
    rng = np.random.default_rng(n)
    margins = []
    for _ in range(draws):
        direction = hard_margin_direction(rng.standard_normal((n, int(lambda_ * n))))
        margins.append(1.0 / np.linalg.norm(direction))
    error = np.std(margins, ddof=1) / np.sqrt(draws)
    # Four standard errors (false-alarm rate 4e-4 with 11 degrees of freedom … 6e-5) and a
    # finite-size shift of 1/N.
    assert np.mean(margins) == pytest.approx(mean_margin(lambda_), abs=4.0 * error + 1.0 / n)


def test_gen_accuracy_is_the_weight_to_bias_ratio_at_long_times():
    # The margin of the two-point model is σ(2λ-1).
    sigma, lambda_ = 2.0, 0.8
    law = integrated_law(TwoPoint.at_lambda(lambda_, sigma, 0.1, 0.1, 0.0), log_t=1e4)
    expected = norm.cdf(-law.bias / (sigma * law.weight))
    margin = sigma * (2.0 * lambda_ - 1.0)
    assert separable_gen_accuracy(margin, sigma) == pytest.approx(expected, abs=1e-6)
    assert log_law_slopes(margin) == pytest.approx((law.weight, law.bias), abs=1e-6)


def test_log_laws_solve_the_extended_hard_margin_problem():
    # Least (S, b) with -MS + b ≤ -1 in the plane (Paper B, Eq. 12).
    margin = np.array([0.0, 0.2, 1.0, 3.0])
    weight, bias = log_law_slopes(margin)
    assert -margin * weight + bias == pytest.approx(-1.0)
    assert weight == pytest.approx(-margin * bias)


def test_limit_accuracy_on_both_sides():
    sigma = 5.0
    assert np.all(limit_gen_accuracy([0.1, 0.4, 0.5], sigma) == 1.0)
    expected = norm.cdf(1.0 / (25.0 * mean_margin(0.6)))
    assert limit_gen_accuracy(0.6, sigma) == pytest.approx(expected, rel=1e-12)
    assert separable_gen_accuracy(0.0, sigma) == 1.0


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (mean_margin, (0.49,), "lambda_"),
        (inverse_truncated_second_moment, (0.0,), "value"),
        (separable_gen_accuracy, (-0.1, 1.0), "margin"),
        (separable_gen_accuracy, (0.1, 0.0), "sigma"),
        (limit_gen_accuracy, (0.0, 1.0), "lambda_"),
        (log_law_slopes, (-1.0,), "margin"),
        (mean_margin, (np.nan,), "lambda_"),
    ],
)
def test_rejects_what_lies_outside(function, arguments, name):
    with pytest.raises(ValueError, match=name):
        function(*arguments)
