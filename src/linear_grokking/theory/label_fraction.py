"""Separability with bias when labels are assigned at random, and what follows from it.

Not in the papers: in Paper B the inputs decide the labels (`threshold_labels`).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr

from linear_grokking.theory._domain import Broadcast, within
from linear_grokking.theory.margin import truncated_first_moment, truncated_second_moment

_LARGEST_BIAS = 6.0


def separability_threshold(label_fraction: ArrayLike) -> Broadcast:
    """Return λ_c(r) above which a large set with random labels is separable with bias.

    λ_c = min over b of r G(b) + (1-r) G(-b), G(m) = E[(h+m)₊²].  For r = ½ it is ½, in agreement
    with Cover's count, and it falls to 0 as r → 1 (derived in docs/theory.md).

    Parameters
    ----------
    label_fraction
        r, the probability of the label -1, in [0, 1].
    """
    fraction = within("label_fraction", label_fraction, "[0, 1]")
    low = np.full_like(fraction, -_LARGEST_BIAS)
    high = np.full_like(fraction, _LARGEST_BIAS)
    # The minimized function is convex: bisect on its derivative.
    for _ in range(60):
        bias = 0.5 * (low + high)
        minus, plus = truncated_first_moment(bias), truncated_first_moment(-bias)
        rising = fraction * minus > (1.0 - fraction) * plus
        high = np.where(rising, bias, high)
        low = np.where(rising, low, bias)
    bias = 0.5 * (low + high)
    threshold = fraction * truncated_second_moment(bias)
    threshold += (1.0 - fraction) * truncated_second_moment(-bias)
    return np.where((fraction == 0.0) | (fraction == 1.0), 0.0, threshold)


def assigned_accuracy(negative_fraction: float, label_fraction: float) -> float:
    """Return r P + (1-r)(1-P), the accuracy against labels that are -1 with probability r.

    P is the fraction of samples with f < 0, whatever their labels.
    """
    r = label_fraction
    return r * negative_fraction + (1.0 - r) * (1.0 - negative_fraction)


def limit_negative_fraction(lambda_: float, label_fraction: float, sigma: float) -> float:
    """Return P(f < 0) on fresh data for t → ∞, of a large set that is separable with bias.

    (S, b) then diverge along the hard margin's direction, which minimizes ‖S‖² + b².  With
    u = σ‖S‖, κ = 1/u and β = b/u, constraints of margin 1 can be met where κ is at most
    the root of λ = r G(κ+β) + (1-r) G(κ-β), so β minimizes (1/σ² + β²)/κ(β)², and
    P(f < 0) = Φ(-β) (derived in docs/theory.md).

    Parameters
    ----------
    lambda_
        λ = d/N above λ_c(r) of `separability_threshold`.
    label_fraction
        r in (0, 1): the probability of the label -1, whatever the input.
    sigma
        Standard deviation of the inputs.

    Returns
    -------
    float
        The accuracy against the label -1; see `assigned_accuracy`.
    """
    r = float(within("label_fraction", label_fraction, "(0, 1)"))
    sigma = float(within("sigma", sigma))
    lambda_ = float(within("lambda_", lambda_, f"({separability_threshold(r):.17g}, inf)"))

    def excess(kappa: float, beta: float) -> float:
        minus, plus = truncated_second_moment(np.array([kappa + beta, kappa - beta]))
        return r * minus + (1.0 - r) * plus - lambda_

    def kappa(beta: float) -> float:
        # G(m) ≥ m²/2 for m ≥ 0 bounds the root from above.
        return brentq(excess, 0.0, abs(beta) + np.sqrt(2.0 * lambda_ / max(r, 1.0 - r)), (beta,))

    def norm(beta: float) -> float:
        return np.log(1.0 / sigma**2 + beta**2) - 2.0 * np.log(kappa(beta))

    # κ is positive between two β; there the norm has one minimum, as the set is convex.
    least = minimize_scalar(lambda beta: excess(0.0, beta), method="brent").x
    far = np.sqrt(2.0 * lambda_ / min(r, 1.0 - r)) + 1.0
    low = brentq(lambda beta: excess(0.0, beta), -far, least)
    high = brentq(lambda beta: excess(0.0, beta), least, far)
    inset = 1e-9 * (high - low)
    found = minimize_scalar(
        norm, bounds=(low + inset, high - inset), method="bounded", options={"xatol": 1e-10}
    )
    return float(ndtr(-found.x))
