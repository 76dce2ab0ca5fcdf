"""Which learning rates are large for literal steps of Paper B's model, at large size (ours).

The paper takes η = 0.01 and speaks of gradient flow; docs/theory.md derives what follows for
steps.  One label, inputs N(0, σ²I), f = S·x + b.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from linear_grokking.theory._domain import Broadcast, checked, within
from linear_grokking.theory.marchenko_pastur import support

_CURVATURES = {"cross_entropy": lambda b: expit(b) * expit(-b), "exponential": np.exp}
"""ℓ'' of each loss at an output b, where S = 0."""


def critical_rate(
    lambda_: ArrayLike, sigma: ArrayLike, b0: ArrayLike = 0.0, loss: str = "cross_entropy"
) -> Broadcast:
    """Return η_c = 2/(ℓ''(b₀) σ²(1+√λ)²), beyond which the first steps from S = 0 are unstable.

    The Hessian at S = 0 is ℓ'' XᵀX/N, and its largest eigenvalue is at the edge of the
    Marchenko–Pastur law.  From b₀ = 0 this is 8/(σ²(1+√λ)²) for the cross-entropy and
    2/(σ²(1+√λ)²) for the exponential loss.

    Parameters
    ----------
    lambda_
        λ = d/N > 0.
    sigma
        Standard deviation of the inputs.
    b0
        Initial bias, in [-700, 700].
    loss
        ``"cross_entropy"`` or ``"exponential"``.

    Raises
    ------
    ValueError
        For an argument out of range.
    """
    return 2.0 / (_curvature(b0, loss) * within("sigma", sigma) ** 2 * support(lambda_)[1])


def _curvature(bias: ArrayLike, loss: str) -> Broadcast:
    """Return ℓ'' at a bias."""
    if loss not in _CURVATURES:
        raise ValueError(f"loss = {loss}: must be one of {', '.join(_CURVATURES)}")
    return _CURVATURES[loss](within("b0", bias, "[-700, 700]"))


def largest_eigenvalue(lambda_: ArrayLike, sigma: ArrayLike) -> Broadcast:
    """Return the largest eigenvalue of the mean of (x, 1)(x, 1)ᵀ for N → ∞.

    It is σ²(1+√λ)², or 1 + λσ²/(1-σ²) where the eigenvalue of the bias's own direction lies above
    that, at σ² < 1/(1+√λ).

    Parameters
    ----------
    lambda_
        λ = d/N > 0.
    sigma
        Standard deviation of the inputs.
    """
    lambda_, sigma = checked(lambda_=lambda_, sigma=sigma)
    apart = sigma**2 * (1.0 + np.sqrt(lambda_)) < 1.0
    square = np.where(apart, sigma**2, 0.0)
    return np.where(apart, 1.0 + lambda_ * square / (1.0 - square), sigma**2 * support(lambda_)[1])


def stable_rate(
    lambda_: ArrayLike,
    sigma: ArrayLike,
    gamma: ArrayLike,
    b0: ArrayLike = 0.0,
    loss: str = "cross_entropy",
) -> Broadcast:
    """Return the learning rate up to which all steps are stable where S and b decay.

    2/(ℓ'' μ + γ), with μ from `largest_eigenvalue` and the largest ℓ'': ¼ for the cross-entropy,
    and the one at S = 0, b = max(0, b₀) for the exponential loss.  With decay b does not fall
    forever, so the curvature does not die out.

    Parameters
    ----------
    gamma
        Weight decay γ ≥ 0 of S and b.
    b0
        Initial bias, in [-700, 700].
    loss
        ``"cross_entropy"`` or ``"exponential"``.
    """
    lambda_, sigma, gamma, b0 = checked(lambda_=lambda_, sigma=sigma, gamma=gamma, b0=b0)
    highest = np.maximum(b0, 0.0) if loss == "exponential" else np.zeros(b0.shape)
    return 2.0 / (_curvature(highest, loss) * largest_eigenvalue(lambda_, sigma) + gamma)
