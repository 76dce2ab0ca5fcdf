"""Anisotropic Gaussian inputs above λ = ½: the large-size limit of A_gen (ours).

Inputs are x = D z, z ~ N(0, I), D diagonal with D_k = σ c^{½-u}, u uniform on [0, 1].  Let
v = D S.  For N → ∞ at fixed λ = d/N, some v = -γ (D⁻² + κ)⁻¹ g, g ~ N(0, I), separates the set
at distance 1, v·z_i ≤ -1, if and only if

    G(1/ρ) ≤ q₁²/q₂,    q_n = λ E_u[w^n],    w = 1/(D⁻² + κ),    ρ = ‖v‖,

G(m) = E[(h+m)₊²].  Gradient descent ends at the κ of least ‖S‖² = ρ² q₃/q₂,
q₃ = λ E_u[D⁻² w²], with |b|/‖S‖ = 1/M, M = 1/‖S‖, and so at A_gen = Φ(ρ q₃/q₂) (derived in
docs/theory.md).  For c = 1 this is Φ(1/(σM)) of Paper B, Sec. 3.3.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from linear_grokking.theory._domain import within
from linear_grokking.theory._search import around_least
from linear_grokking.theory.margin import inverse_truncated_second_moment

_NODES = 128
_LOG_RANGE = 14.0
"""Logarithm of the factor around D⁻² within which κ + min D⁻² is sought."""


def limit_gen_accuracy(*, lambda_: float, sigma: float, condition: float) -> float:
    """Return the limit of A_gen for t → ∞ at large size: 1 up to λ = ½.

    Parameters
    ----------
    lambda_
        λ = d/N > 0.
    sigma
        Geometric mean of the standard deviations.
    condition
        Ratio c ≥ 1 of the largest to the smallest.
    """
    lambda_, sigma = float(within("lambda_", lambda_)), float(within("sigma", sigma))
    condition = float(within("condition", condition, "[1, inf)"))
    if lambda_ <= 0.5:
        return 1.0
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    weights = 0.5 * weights
    precisions = sigma**-2.0 * condition**nodes  # D⁻²
    lowest = sigma**-2.0 / condition

    def distance(log_shift: float) -> tuple[float, float]:
        """Return log ‖S‖² (inf where nothing separates) and the argument of Φ."""
        w = 1.0 / (precisions - lowest + np.exp(log_shift))
        means = (np.sum(weights * w), np.sum(weights * w * w), np.sum(weights * precisions * w * w))
        first, second, third = (lambda_ * mean for mean in means)
        if first**2 <= 0.5 * second:
            return np.inf, np.inf
        rho = 1.0 / float(inverse_truncated_second_moment(first**2 / second))
        return np.log(rho**2 * third / second), rho * third / second

    centre = np.log(precisions)
    grid = np.linspace(centre[0] - _LOG_RANGE, centre[-1] + _LOG_RANGE, 400)
    bounds = around_least(grid, np.array([distance(s)[0] for s in grid]))
    found = minimize_scalar(
        lambda s: distance(s)[0], bounds=bounds, method="bounded", options={"maxiter": 200}
    )
    return float(ndtr(distance(found.x)[1]))
