"""How large a learning rate is for literal steps of Paper B's model, at large size (ours).

The paper takes η = 0.01 and speaks of gradient flow; docs/theory.md derives what follows for
steps.  One label, inputs N(0, σ²I), f = S·x + b.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from linear_grokking.theory._domain import Broadcast, within
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
    if loss not in _CURVATURES:
        raise ValueError(f"loss = {loss}: must be one of {', '.join(_CURVATURES)}")
    curvature = _CURVATURES[loss](within("b0", b0, "[-700, 700]"))
    return 2.0 / (curvature * within("sigma", sigma) ** 2 * support(lambda_)[1])
