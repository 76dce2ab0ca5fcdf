"""Labels that the first coordinate decides (Paper B, v2 App. I): limiting accuracy.

y = +1 where x₁ > σΦ⁻¹(r), x ~ N(0, σ²I).  Such sets are separable with bias whatever λ: S along
e₁ with b/S₁ = -σΦ⁻¹(r), and only that, is right on all inputs.  Gradient descent ends instead at
the direction of the largest margin, which has a part S_⊥ across e₁.
"""

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import ndtr, ndtri

from linear_grokking.theory._domain import ConvergenceError, within
from linear_grokking.theory.margin import normal_density, truncated_second_moment

_REACH = 9.0
"""Range of the quadrature, in standard deviations of x₁."""
_PANELS, _POINTS = 24, 16
"""Panels of the quadrature on each side of the threshold, and its points in each."""
_LARGEST_SLOPE = 100.0
"""Largest S₁/‖S_⊥‖ that the quadrature resolves."""


def limit_gen_accuracy(lambda_: float, label_fraction: float, sigma: float) -> float:
    """Return the limit of A_gen for t → ∞ at large size.

    (S, b) diverge along the hard margin's direction, which by Gordon's comparison minimizes
    S₁² + ‖S_⊥‖² + b² subject to λσ²‖S_⊥‖² ≥ E[(1 - y(σS₁g + b) + σ‖S_⊥‖h)₊²], g and h normal
    and y the sign of g - Φ⁻¹(r) (derived in docs/theory.md).  In units p = S₁/‖S_⊥‖,
    β = b/(σ‖S_⊥‖) and κ = 1/(σ‖S_⊥‖) the margin can be met where κ is at most the root of
    λ = E[G(κ - y(pg + β))], so (p, β) minimizes ((1 + p²)/σ² + β²)/κ(p, β)².

    Parameters
    ----------
    lambda_
        λ = d/N, at least about 0.05: below, the direction is closer to e₁ than is resolved.
    label_fraction
        r in (0, 1): the share of inputs with label -1.
    sigma
        Standard deviation of the inputs.

    Raises
    ------
    ValueError
        Where an argument is out of range, or λ too small.
    """
    r = float(within("label_fraction", label_fraction, "(0, 1)"))
    sigma, lambda_ = float(within("sigma", sigma)), float(within("lambda_", lambda_))
    threshold = float(ndtri(r))
    g, weights = _law_of_first(threshold)
    y = np.where(g > threshold, 1.0, -1.0)

    def kappa(slope: float, beta: float) -> float:
        """Return the root, negative where no margin can be met."""
        towards = y * (slope * g + beta)

        def excess(margin: float) -> float:
            return float(weights @ truncated_second_moment(margin - towards)) - lambda_

        if excess(0.0) >= 0.0:
            return -1.0
        high = 1.0
        while excess(high) < 0.0:
            high *= 2.0
        return float(brentq(excess, 0.0, high, xtol=1e-15, rtol=1e-14))

    def norm(direction: np.ndarray) -> float:
        """Return log of the squared norm at margin 1: quasi-convex, as the problem is convex."""
        slope, beta = direction
        found = kappa(slope, beta)
        if found <= 0.0:
            return np.inf
        return np.log((1.0 + slope**2) / sigma**2 + beta**2) - 2.0 * np.log(found)

    start = 1.0
    while kappa(start, -start * threshold) <= 0.0:
        start *= 2.0
        if start > _LARGEST_SLOPE:
            raise ValueError(f"lambda_ = {lambda_:g}: too small, the direction is all but e₁")
    found = minimize(
        norm,
        [start, -start * threshold],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-14, "maxfev": 2000},
    )
    if not found.success:
        raise ConvergenceError(f"lambda_ = {lambda_:g}: the direction was not found")
    slope, beta = found.x
    return float(weights @ ndtr(y * (slope * g + beta)))


def _law_of_first(threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return points and weights for g ~ N(0, 1), for functions smooth except at a threshold."""
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    ends = np.concatenate(
        [
            np.linspace(-_REACH, threshold, _PANELS + 1),
            np.linspace(threshold, _REACH, _PANELS + 1)[1:],
        ]
    )
    middle, half = 0.5 * (ends[1:] + ends[:-1]), 0.5 * np.diff(ends)
    points = (middle[:, np.newaxis] + half[:, np.newaxis] * nodes).ravel()
    return points, (half[:, np.newaxis] * weights).ravel() * normal_density(points)
