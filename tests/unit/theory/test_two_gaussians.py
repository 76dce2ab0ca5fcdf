import numpy as np
import pytest
from hard_margin import hard_margin_direction
from scipy.optimize import brentq
from scipy.stats import norm

from linear_grokking.theory.margin import limit_gen_accuracy as one_label_accuracy
from linear_grokking.theory.margin import truncated_second_moment
from linear_grokking.theory.two_gaussians import limit_gen_accuracy

PAPER = {"lambda_": 0.4, "mu": 0.2, "sigma": 1.0}


def test_limits_at_the_papers_parameters():
    found = [limit_gen_accuracy(**PAPER, sigma_a=s) for s in (0.0, 0.01, 0.05, 0.1)]
    assert found == pytest.approx([1.0, 1.0, 0.963, 0.820], abs=5e-4)


ANGLES = np.linspace(0.02, 1.5, 1500)
RAYS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def violation(inverse_norm: float, along: np.ndarray, across: np.ndarray, sigma_a: float):
    """E[(1/n - μS₁ + σ_A S₁ g + σ s h)₊²] - λσ²s² for the direction (S₁, s) of norm n."""
    deviation = np.hypot(sigma_a * along, across)
    wrong = deviation**2 * truncated_second_moment((inverse_norm - 0.2 * along) / deviation)
    return wrong - 0.4 * across**2


@pytest.mark.parametrize("sigma_a", [0.03, 0.1, 0.25])
def test_least_norm_problem_in_the_plane(sigma_a):
    inverse_norms = [
        brentq(violation, 0.0, 1.0, args=(*ray, sigma_a))
        if violation(0.0, *ray, sigma_a) < 0
        else 0.0
        for ray in RAYS
    ]
    along, across = RAYS[int(np.argmax(inverse_norms))]
    accuracy = norm.cdf(0.2 * along / np.hypot(sigma_a * along, across))
    assert limit_gen_accuracy(**PAPER, sigma_a=sigma_a) == pytest.approx(accuracy, abs=1e-3)


def test_maps_on_the_one_label_model_without_spread_along_the_axis():
    found = limit_gen_accuracy(lambda_=0.6, mu=0.2, sigma=1.0, sigma_a=0.0)
    assert found == pytest.approx(one_label_accuracy(0.6, 1.0 / 0.2), abs=1e-8)


@pytest.mark.parametrize(("n", "draws"), [(120, 20), (320, 8)])
def test_against_small_sets(n, draws):
    sigma_a, d = 0.1, int(0.4 * n)
    rng = np.random.default_rng(n)
    accuracies = []
    for _ in range(draws):
        inputs = rng.standard_normal((n, d))
        inputs[:, 0] = -0.2 + sigma_a * inputs[:, 0]
        direction = hard_margin_direction(inputs)
        deviation = np.hypot(sigma_a * direction[0], np.linalg.norm(direction[1:]))
        accuracies.append(norm.cdf(0.2 * direction[0] / deviation))
    limit = limit_gen_accuracy(**PAPER, sigma_a=sigma_a)
    error = np.std(accuracies, ddof=1) / np.sqrt(draws)
    # Four standard errors (false-alarm rate below 6e-3) and a finite-size shift of 2/N.
    assert np.mean(accuracies) == pytest.approx(limit, abs=4.0 * error + 2.0 / n)


def test_there_is_a_limit_where_the_set_is_separable_and_nowhere_else():
    # The largest margin vanishes where no direction of any norm is allowed any more.
    def least(sigma_a: float) -> float:
        return np.min(violation(0.0, *RAYS.T, sigma_a))

    critical = brentq(least, 0.05, 1.0)
    assert 0.5 < limit_gen_accuracy(**PAPER, sigma_a=0.999 * critical) < 1.0
    with pytest.raises(ValueError, match="not separable"):
        limit_gen_accuracy(**PAPER, sigma_a=1.001 * critical)


@pytest.mark.parametrize("change", [{"lambda_": 0.0}, {"mu": -1.0}, {"sigma": 0.0}])
def test_rejects_what_is_not_positive(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        limit_gen_accuracy(**(PAPER | change), sigma_a=0.1)
    with pytest.raises(ValueError, match="sigma_a"):
        limit_gen_accuracy(**PAPER, sigma_a=-0.1)
