"""The least curvature at S_∞ by its formula, and of drawn sets."""

import numpy as np
import pytest

from linear_grokking.solvers.separability import assess
from linear_grokking.theory._weighted_wishart import Points, least_curvature


@pytest.mark.parametrize("far", [1.0, 3.0])
@pytest.mark.parametrize(("lambda_", "along"), [(0.2, (0.0, 0.3)), (0.45, (0.7, 1.0))])
def test_least_curvature_of_drawn_sets_follows_from_their_outputs(lambda_, along, far):
    """Averages are over each set's own points, as S_∞ scatters more than what follows from it.

    ``along`` bounds the share of S_∞ in the eigenvector: a part of a continuum has little of it.
    """
    n, misses = 1000, []
    for draw in range(4):
        rng = np.random.default_rng([6, draw])
        s = np.where(rng.random(n) < 0.2, far, 1.0)
        x = s[:, np.newaxis] * rng.standard_normal((n, round(lambda_ * n)))
        direction = assess(x, margin=False).direction
        outputs, norm = x @ direction, np.linalg.norm(direction)
        q = np.exp(outputs) / np.mean(np.exp(outputs))
        values, vectors = np.linalg.eigh((x * (q / n)[:, np.newaxis]).T @ x)
        points = Points(np.full(n, 1.0 / n), outputs, q, q * s**2)
        misses.append(values[0] / least_curvature(np.array(lambda_), np.array(norm), points) - 1.0)
        assert along[0] <= (vectors[:, 0] @ direction / norm) ** 2 <= along[1]
    # A continuum ends inside of its edge, by N^{-2/3} and a number of order one.
    assert np.mean(misses) == pytest.approx(0.0, abs=0.06)
