"""The maximum margin of small sets by non-negative least squares."""

import numpy as np
from scipy.optimize import nnls


def hard_margin_direction(inputs: np.ndarray) -> np.ndarray | None:
    """Return the least-norm S with S·x ≤ -1 for all rows x, None where there is none.

    Lawson and Hanson's least-distance programming: with u ≥ 0 minimizing
    ‖[-Xᵀ; 1ᵀ]u - (0, …, 0, 1)‖ and residual r, S = -r[:-1]/r[-1].
    """
    n, d = inputs.shape
    system = np.vstack([-inputs.T, np.ones(n)])
    target = np.zeros(d + 1)
    target[-1] = 1.0
    u, norm = nnls(system, target, maxiter=50 * n)
    if norm < 1e-8:
        return None
    residual = system @ u - target
    return -residual[:-1] / residual[-1]
