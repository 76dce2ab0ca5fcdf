import numpy as np
import pytest
from hard_margin import hard_margin_direction
from scipy.optimize import minimize
from scipy.stats import multivariate_normal, norm

from linear_grokking.theory.margin import limit_gen_accuracy as limit_of_one_label
from linear_grokking.theory.threshold_labels import limit_gen_accuracy


def by_other_means(lambda_, share, sigma):
    """Minimize Gordon's problem as it stands, on a fine grid of g; accuracy by Φ₂."""
    q = norm.ppf(share)
    step = 1e-3
    g = np.concatenate([q + step * np.arange(0.5, 10 / step), q - step * np.arange(0.5, 13 / step)])
    y, weights = np.where(g > q, 1.0, -1.0), step * norm.pdf(g)

    def slack(v):
        along, across, bias = v
        m = (1.0 - y * (along * g + bias)) / across
        moment = (1.0 + m * m) * norm.cdf(m) + m * norm.pdf(m)
        return lambda_ - weights @ moment

    found = minimize(
        lambda v: (v[0] ** 2 + v[1] ** 2) / sigma**2 + v[2] ** 2,
        [3.0, 8.0, -2.0],
        bounds=[(0.01, None), (0.1, None), (None, None)],
        constraints={"type": "ineq", "fun": slack},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-11},
    )
    assert abs(slack(found.x)) < 1e-8
    along, across, bias = found.x
    size = np.hypot(along, across)
    k, rho = -bias / size, along / size
    below = multivariate_normal.cdf([q, k], cov=[[1.0, rho], [rho, 1.0]])
    return 1.0 - share - norm.cdf(k) + 2.0 * below


@pytest.mark.parametrize(
    ("lambda_", "share", "sigma"),
    [(0.48, 0.95, 5.0), (0.48, 0.8, 1.0), (0.3, 0.9, 5.0), (1.5, 0.7, 2.0)],
)
def test_minimum_found_by_another_method_and_quadrature(lambda_, share, sigma):
    expected = by_other_means(lambda_, share, sigma)
    assert limit_gen_accuracy(lambda_, share, sigma) == pytest.approx(expected, abs=1e-4)


def test_values_at_the_papers_shares():
    found = [limit_gen_accuracy(0.48, r, 5.0) for r in (0.99, 0.95)]
    assert found == pytest.approx([0.8719, 0.7476], abs=1e-4)


def test_both_labels_are_alike():
    for r in (0.01, 0.2, 0.4):
        one, other = (limit_gen_accuracy(0.6, each, 2.0) for each in (r, 1.0 - r))
        assert one == pytest.approx(other, abs=1e-7)


def test_one_label_at_last():
    for lambda_ in (0.55, 0.7):
        found = limit_gen_accuracy(lambda_, 1.0 - 1e-8, 5.0)
        assert found == pytest.approx(float(limit_of_one_label(lambda_, 5.0)), abs=1e-5)


def test_more_samples_come_to_perfect_generalization():
    found = [limit_gen_accuracy(lambda_, 0.9, 5.0) for lambda_ in (0.5, 0.2, 0.1, 0.05)]
    assert np.all(np.diff(found) > 0) and found[-1] > 0.97


def test_hard_margins_with_bias_approach_it():
    """The hard margin of the points (-yx, -y) is that of (S, b)."""
    rng, lambda_, share, sigma = np.random.default_rng(6), 0.5, 0.8, 2.0
    q = norm.ppf(share)
    expected = limit_gen_accuracy(lambda_, share, sigma)
    off = []
    for n, draws in ((40, 60), (200, 12)):
        found = []
        for _ in range(draws):
            inputs = sigma * rng.standard_normal((n, int(lambda_ * n)))
            y = np.where(inputs[:, 0] > sigma * q, 1.0, -1.0)
            points = -y[:, np.newaxis] * np.hstack([inputs, np.ones((n, 1))])
            direction = hard_margin_direction(points)
            weights, bias = direction[:-1], direction[-1]
            rho, k = weights[0] / (size := np.linalg.norm(weights)), -bias / (sigma * size)
            below = multivariate_normal.cdf([q, k], cov=[[1.0, rho], [rho, 1.0]])
            found.append(1.0 - share - norm.cdf(k) + 2.0 * below)
        off.append(abs(np.mean(found) - expected))
        error = np.std(found) / np.sqrt(draws)
    # Four standard errors, and what is left of the size.
    assert off[1] < 4.0 * error + 0.01
    assert off[1] < off[0] or off[0] < 4.0 * error


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0.4, 1.0, 5.0), "label_fraction"),
        ((0.4, 0.9, 0.0), "sigma"),
        ((0.0, 0.9, 1.0), "lambda_"),
        ((1e-5, 0.9, 1.0), "too small"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, says):
    with pytest.raises(ValueError, match=says):
        limit_gen_accuracy(*arguments)
