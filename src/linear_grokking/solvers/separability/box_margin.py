"""The largest margin of a separable set in the box |S_j| ≤ 1 (that in the norm ℓ_∞).

It is max m subject to S·x_i ≤ -m, |S_j| ≤ 1, a linear programme: where full-batch Adam leads on
sets of one label (Zhang, Zou and Cao 2024).  By duality m is also the least ‖Xᵀz‖₁ of weights
z ≥ 0 that sum to 1, so any S and any z bracket it without trust in the solver:

    -max_i S·x_i / max_j |S_j|  ≤  m  ≤  ‖Xᵀz‖₁ / Σ z_i.
"""

import numpy as np

from linear_grokking.solvers.separability.margin import (
    BRACKET,
    HardMargin,
    MarginError,
    tight_solver,
)


def box_margin(points: np.ndarray) -> HardMargin:
    """Return the largest margin in the box, and the S that has it.

    Parameters
    ----------
    points : (N, d)
        Points x_i, all labelled -1, separable from the origin.

    Returns
    -------
    HardMargin
        m in the unit of the points; ``direction`` has entries up to 1 in modulus.

    Raises
    ------
    MarginError
        If bounds from both sides do not meet, as for a set that is not separable.
    """
    n_points, d = points.shape
    # The solver's tolerances are absolute: bring the points to unit size, without rounding.
    scale = 2.0 ** -np.frexp(np.abs(points).max())[1]
    scaled = points * scale
    bounds = np.append(np.ones(d), np.inf)
    solver = tight_solver()
    solver.setup(
        np.zeros((d + 1, d + 1)),
        np.append(np.zeros(d), -1.0),
        G=np.hstack([scaled, np.ones((n_points, 1))]),
        h_u=np.zeros(n_points),
        x_l=-bounds,
        x_u=bounds,
    )
    status = solver.solve()
    direction = solver.result.x[:-1]
    direction = direction / max(np.abs(direction).max(), np.finfo(float).tiny)
    weights = np.maximum(solver.result.z_u, 0.0)
    lower = -(scaled @ direction).max()
    with np.errstate(divide="ignore", invalid="ignore"):
        upper = np.abs(weights @ scaled).sum() / weights.sum()
    if not (lower > 0.0 and upper - lower <= BRACKET * upper):
        raise MarginError(
            f"box margin: {n_points} points in {d} dimensions: PIQP ended with {status.name} and"
            f" bounds {lower / scale:.3g} and {upper / scale:.3g}; is the set separable?"
        )
    return HardMargin(direction, float(lower / scale))
