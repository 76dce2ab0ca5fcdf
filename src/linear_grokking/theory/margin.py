"""The separable side, λ > ½: margin, growth laws and limiting accuracy.

Lengths: M is the margin of the actual points, of standard deviation σ along every axis;
M̃ = M/σ is that of unit-variance points.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from linear_grokking.theory._domain import Broadcast, checked, within

MARGIN_SLOPE = np.sqrt(np.pi / 8.0)
"""M̃ ≈ MARGIN_SLOPE (2λ-1) just above λ = ½ (derived in docs/theory.md)."""


def normal_density(h: ArrayLike) -> Broadcast:
    """Return φ(h) of N(0, 1)."""
    return np.exp(-0.5 * np.square(h)) / np.sqrt(2.0 * np.pi)


def truncated_first_moment(m: ArrayLike) -> Broadcast:
    """Return E[(h+m)₊] = mΦ(m) + φ(m), h ~ N(0, 1): half the slope of the second moment."""
    return m * ndtr(m) + normal_density(m)


def truncated_second_moment(m: ArrayLike) -> Broadcast:
    """Return G(m) = E[(h+m)₊²] = (1+m²)Φ(m) + mφ(m), h ~ N(0, 1).

    N half-spaces at distance m beyond the origin have, for N → ∞ at fixed d/N, a point in
    common if and only if d/N exceeds G(m): every separability limit of Paper B's models
    comes from this function (Gardner 1988; derived in docs/theory.md).
    """
    m = np.asarray(m, dtype=float)
    return (1.0 + m * m) * ndtr(m) + m * normal_density(m)


def inverse_truncated_second_moment(value: ArrayLike) -> Broadcast:
    """Return the m at which G(m) equals ``value`` > 0: positive above ½, negative below.

    Raises
    ------
    ValueError
        Below 1e-10, where G is lost in rounding (m < -5.5), or if not finite.
    """
    value = within("value", value, "[1e-10, inf)")
    # log G is concave and increasing, so Newton's iteration rises to the root from the
    # left of it, where the first step lands if it starts on the right.
    m = np.sqrt(np.maximum(2.0 * value - 1.0, 0.0))
    for _ in range(60):
        moment = truncated_second_moment(m)
        step = (np.log(moment) - np.log(value)) * moment / (2.0 * truncated_first_moment(m))
        m = np.maximum(m - step, -6.0)
        if np.all(np.abs(step) <= 1e-14 * (1.0 + np.abs(m))):
            break
    return m


def mean_margin(lambda_: ArrayLike) -> Broadcast:
    """Return the large-size margin M̃(λ) of unit-variance points, 0 at λ = ½.

    Solves λ = (1+M̃²)Φ(M̃) + M̃φ(M̃) (derived in docs/theory.md).

    Parameters
    ----------
    lambda_
        λ = d/N ≥ ½.

    Examples
    --------
    >>> mean_margin([0.5, 0.55, 0.6]).round(3)
    array([0.   , 0.06 , 0.117])
    """
    return inverse_truncated_second_moment(within("lambda_", lambda_, "[0.5, inf)"))


def separable_gen_accuracy(margin: ArrayLike, sigma: ArrayLike) -> Broadcast:
    """Return the limit Φ(1/(σM)) of A_gen for a separable set (Paper B, Sec. 3.3).

    Parameters
    ----------
    margin
        M ≥ 0 on the actual points; 0 gives 1.
    sigma
        Standard deviation of the inputs.
    """
    margin = within("margin", margin, "[0, inf]")
    with np.errstate(divide="ignore"):
        return ndtr(1.0 / (within("sigma", sigma) * margin))


def limit_gen_accuracy(lambda_: ArrayLike, sigma: ArrayLike) -> Broadcast:
    """Return the limit of A_gen for t → ∞ at large size: 1 up to λ = ½, Φ(1/(σ²M̃)) above."""
    lambda_, sigma = checked(lambda_=lambda_, sigma=sigma)
    return separable_gen_accuracy(sigma * mean_margin(np.maximum(lambda_, 0.5)), sigma)


def log_law_slopes(margin: ArrayLike) -> tuple[Broadcast, Broadcast]:
    """Return the coefficients of log t in ‖S‖ and in b for a separable set.

    ‖S‖ ≈ M/(1+M²) log t and b ≈ -log t/(1+M²) at long times (Paper B, Eq. 12).

    Parameters
    ----------
    margin
        M ≥ 0 on the actual points.
    """
    margin = within("margin", margin, "[0, inf)")
    return margin / (1.0 + margin**2), -1.0 / (1.0 + margin**2)
