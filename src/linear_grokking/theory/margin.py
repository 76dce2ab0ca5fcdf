"""The separable side, λ > ½: margin, growth laws and limiting accuracy.

Lengths: M is the margin of the actual points, of standard deviation σ along every axis;
M̃ = M/σ is that of unit-variance points.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from linear_grokking.theory._domain import positive, within

MARGIN_SLOPE = np.sqrt(np.pi / 8.0)
"""M̃ ≈ MARGIN_SLOPE (2λ-1) just above λ = ½ (derived in docs/theory.md)."""

_SQRT_2PI = np.sqrt(2.0 * np.pi)


def truncated_second_moment(m: ArrayLike) -> np.ndarray:
    """Return G(m) = E[(h+m)₊²] = (1+m²)Φ(m) + mφ(m), h ~ N(0, 1).

    N half-spaces at distance m beyond the origin have, for N → ∞ at fixed d/N, a point in
    common if and only if d/N exceeds G(m): every separability limit of Paper B's models
    comes from this function (Gardner 1988; derived in docs/theory.md).
    """
    m = np.asarray(m, dtype=float)
    return (1.0 + m * m) * ndtr(m) + m * np.exp(-0.5 * m * m) / _SQRT_2PI


def inverse_truncated_second_moment(value: ArrayLike) -> np.ndarray:
    """Return the m at which G(m) equals ``value`` > 0: positive above ½, negative below.

    Raises
    ------
    ValueError
        Below 1e-10, where G is lost in rounding (m < -5.5), or if not finite.
    """
    value = within("value", value, 1e-10, np.inf, open_high=True)
    # log G is concave and increasing, so Newton's iteration rises to the root from the
    # left of it, where the first step lands if it starts on the right.
    m = np.sqrt(np.maximum(2.0 * value - 1.0, 0.0))
    for _ in range(60):
        moment = truncated_second_moment(m)
        slope = 2.0 * (m * ndtr(m) + np.exp(-0.5 * m * m) / _SQRT_2PI)
        step = (np.log(moment) - np.log(value)) * moment / slope
        m = np.maximum(m - step, -6.0)
        if np.all(np.abs(step) <= 1e-14 * (1.0 + np.abs(m))):
            break
    return m


def mean_margin(lambda_: ArrayLike) -> np.ndarray:
    """Return the large-size margin M̃(λ) of unit-variance points, 0 at λ = ½.

    Solves λ = (1+M̃²)Φ(M̃) + M̃φ(M̃) (derived in docs/theory.md).

    Parameters
    ----------
    lambda_
        λ = d/N ≥ ½.
    """
    return inverse_truncated_second_moment(within("lambda_", lambda_, 0.5, np.inf, open_high=True))


def separable_gen_accuracy(margin: ArrayLike, sigma: ArrayLike) -> np.ndarray:
    """Return the limit Φ(1/(σM)) of A_gen for a separable set (Paper B, Sec. 3.3).

    Parameters
    ----------
    margin
        M ≥ 0 on the actual points; 0 gives 1.
    sigma
        Standard deviation of the inputs.
    """
    margin = within("margin", margin, 0.0, np.inf)
    with np.errstate(divide="ignore"):
        return ndtr(1.0 / (positive("sigma", sigma) * margin))


def limit_gen_accuracy(lambda_: ArrayLike, sigma: ArrayLike) -> np.ndarray:
    """Return the limit of A_gen for t → ∞ at large size: 1 up to λ = ½, Φ(1/(σ²M̃)) above."""
    lambda_ = positive("lambda_", lambda_)
    sigma = positive("sigma", sigma)
    return separable_gen_accuracy(sigma * mean_margin(np.maximum(lambda_, 0.5)), sigma)


def log_law_slopes(margin: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients of log t in ‖S‖ and in b for a separable set.

    ‖S‖ ≈ M/(1+M²) log t and b ≈ -log t/(1+M²) at long times (Paper B, Eq. 12).

    Parameters
    ----------
    margin
        M ≥ 0 on the actual points.
    """
    margin = within("margin", margin, 0.0, np.inf, open_high=True)
    return margin / (1.0 + margin**2), -1.0 / (1.0 + margin**2)
