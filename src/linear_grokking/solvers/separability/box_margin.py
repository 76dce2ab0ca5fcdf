"""The largest margin of a separable set in the box |S_j| ≤ 1 (that in the norm ℓ_∞).

It is max m subject to S·x_i ≤ -m, |S_j| ≤ 1, a linear programme: where full-batch Adam leads on
sets of one label (Zhang, Zou and Cao 2024).  By duality m is also the least ‖Xᵀz‖₁ of weights
z ≥ 0 that sum to 1, so any S and any z bracket it without trust in the solver:

    -max_i S·x_i / max_j |S_j|  ≤  m  ≤  ‖Xᵀz‖₁ / Σ z_i.
"""

import numpy as np

from linear_grokking.solvers.separability.margin import BRACKET, HardMargin, MarginError


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
    from scipy.optimize import linprog  # few jobs are asked for this margin

    n_points, d = points.shape
    # The solver's tolerances are absolute: bring the points to unit size, without rounding.
    scale = 2.0 ** -np.frexp(np.abs(points).max())[1]
    scaled = points * scale
    result = linprog(
        np.append(np.zeros(d), -1.0),
        A_ub=np.hstack([scaled, np.ones((n_points, 1))]),
        b_ub=np.zeros(n_points),
        bounds=[(-1.0, 1.0)] * d + [(None, None)],
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    lower, upper, direction = -np.inf, np.inf, np.zeros(d)
    if result.success:
        direction = result.x[:-1] / max(np.abs(result.x[:-1]).max(), np.finfo(float).tiny)
        weights = np.maximum(-result.ineqlin.marginals, 0.0)
        lower = -(scaled @ direction).max()
        upper = np.abs(weights @ scaled).sum() / weights.sum()
    if not (lower > 0.0 and upper - lower <= BRACKET * upper):
        raise MarginError(
            f"box margin: {n_points} points in {d} dimensions: HiGHS ended with"
            f" {result.message!r} and bounds {lower / scale:.3g} and {upper / scale:.3g};"
            " is the set separable?"
        )
    return HardMargin(direction, float(lower / scale))
