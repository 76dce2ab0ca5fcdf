import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import linprog, minimize_scalar
from scipy.stats import norm

from linear_grokking.theory.label_fraction import separability_threshold


def test_values_of_the_papers_label_fractions():
    assert separability_threshold([0.99, 0.95]) == pytest.approx([0.052, 0.164], abs=5e-4)


@pytest.mark.parametrize("fraction", [0.999, 0.97, 0.8, 0.3])
def test_minimum_found_by_quadrature(fraction):
    def violation(bias: float) -> float:
        def density(h: float) -> float:
            wrong = fraction * max(h + bias, 0.0) ** 2 + (1 - fraction) * max(h - bias, 0.0) ** 2
            return wrong * norm.pdf(h)

        return quad(density, -10.0, 10.0, points=[-bias, bias], limit=200)[0]

    found = minimize_scalar(violation, bounds=(-5.0, 5.0), method="bounded")
    assert separability_threshold(fraction) == pytest.approx(found.fun, rel=1e-6)


def test_ends_and_symmetry():
    assert np.all(separability_threshold([0.0, 1.0]) == 0.0)
    assert separability_threshold(0.5) == pytest.approx(0.5, abs=1e-12)  # Cover's N = 2d
    r = np.linspace(0.02, 0.48, 7)
    assert separability_threshold(r) == pytest.approx(separability_threshold(1.0 - r), rel=1e-9)


@pytest.mark.parametrize(("lambda_", "expected"), [(0.06, False), (0.3, True)])
def test_small_sets_by_linear_programming(lambda_, expected):
    # r = 0.95, λ_c = 0.164; at N = 200 either λ is more than five widths away.
    rng = np.random.default_rng(5)
    n, d = 200, int(200 * lambda_)
    for _ in range(6):
        inputs = np.hstack([rng.standard_normal((n, d)), np.ones((n, 1))])
        labels = np.where(rng.random(n) < 0.95, -1.0, 1.0)
        rows = -labels[:, np.newaxis] * inputs
        found = linprog(np.zeros(d + 1), rows, -np.ones(n), bounds=(None, None))
        assert (found.status == 0) == expected


@pytest.mark.parametrize("fraction", [-0.1, 1.1, np.nan])
def test_rejects_what_is_no_fraction(fraction):
    with pytest.raises(ValueError, match="label_fraction"):
        separability_threshold(fraction)
