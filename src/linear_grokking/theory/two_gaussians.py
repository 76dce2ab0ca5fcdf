"""Two Gaussians without bias (Paper B, ICML Sec. 5): separability and limiting accuracy.

On x̂ = -yx every label is -1 and x̂ ~ (-μ + σ_A g) e₁ + σ N(0, I) across e₁.  A direction at
angle θ from e₁ has outputs of mean -μ cos θ and standard deviation
ν = √(σ_A² cos²θ + σ² sin²θ).  For N, d → ∞ at fixed λ = d/N the largest margin among the
directions at angle θ is

    κ(θ) = μ cos θ + ν G⁻¹(λσ² sin²θ/ν²),    G(m) = E[(h+m)₊²]

(derived in docs/theory.md).  The set is separable if max κ > 0, and gradient descent then
ends at the maximizing direction.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from linear_grokking.theory._domain import checked
from linear_grokking.theory._search import around_least
from linear_grokking.theory.margin import inverse_truncated_second_moment


def limit_gen_accuracy(*, lambda_: float, mu: float, sigma: float, sigma_a: float) -> float:
    """Return the limit of A_gen for t → ∞ at large size, Φ(μ cos θ/ν) at the best angle.

    Parameters
    ----------
    lambda_
        λ = d/N > 0.
    mu, sigma
        Distance μ > 0 of the means from the origin; standard deviation σ > 0 across e₁.
    sigma_a
        Standard deviation σ_A ≥ 0 along e₁.  At σ_A = 0 this is the one-label model of
        Paper B, Sec. 3.1, with standard deviation σ/μ.

    Raises
    ------
    ValueError
        If the large set is not separable: the limit direction is then another problem.
    """
    lambda_, mu, sigma, sigma_a = map(
        float, checked(lambda_=lambda_, mu=mu, sigma=sigma, sigma_a=sigma_a)
    )

    def deviation(theta: np.ndarray) -> np.ndarray:
        return np.hypot(sigma_a * np.cos(theta), sigma * np.sin(theta))

    def shortfall(theta: np.ndarray) -> np.ndarray:
        """Return -κ(θ)."""
        nu = deviation(theta)
        value = np.maximum(lambda_ * (sigma * np.sin(theta) / nu) ** 2, 1e-10)
        return -(mu * np.cos(theta) + nu * inverse_truncated_second_moment(value))

    # Logarithmic in θ: for small σ_A the best direction is close to e₁.
    grid = np.pi / 2.0 * np.geomspace(1e-8, 1.0, 400)
    low, high = around_least(grid, shortfall(grid))
    found = minimize_scalar(
        shortfall, bounds=(low, high), method="bounded",
        options={"xatol": 1e-12 * high, "maxiter": 200},
    )  # fmt: skip
    if found.fun >= 0.0:
        raise ValueError(
            f"lambda_ = {lambda_:g}: not separable at sigma_a = {sigma_a:g}; "
            "the limit holds for separable sets"
        )
    return float(ndtr(mu * np.cos(found.x) / max(deviation(found.x), np.finfo(float).tiny)))
