"""The largest margin of a separable set in the box |S_j| ≤ 1 (the margin in the norm ℓ_∞).

It is max m subject to S·x_i ≤ -m, |S_j| ≤ 1, a linear program.  Full-batch Adam leads to its
solution on sets of one label (Zhang, Zou and Cao 2024).  By duality m is also the least ‖Xᵀz‖₁ of
weights z ≥ 0 that sum to 1, so any S and any z bracket it, however they were found:

    -max_i S·x_i / max_j |S_j|  ≤  m  ≤  ‖Xᵀz‖₁ / Σ z_i.
"""

import numpy as np

from linear_grokking.solvers.separability.interior_point import tight_solver
from linear_grokking.solvers.separability.margin import BRACKET, HardMargin, MarginError

_TOLERANCE = 1e-12  # takes one Newton step more than 1e-10


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
        If the bounds from both sides do not meet, as for a set that is not separable.
    """
    n_points, d = points.shape
    # The solver's tolerances are absolute: bring the points to unit size, without rounding.
    scale = 2.0 ** -np.frexp(np.abs(points).max())[1]
    scaled = points * scale
    # As tolerances are absolute, a small margin may need the vertices of the simplex method.
    for solve in (_by_interior_points, _by_simplex):
        direction, weights = solve(scaled)
        direction = direction / max(np.abs(direction).max(), np.finfo(float).tiny)
        lower = -(scaled @ direction).max()
        with np.errstate(divide="ignore", invalid="ignore"):
            upper = np.abs(weights @ scaled).sum() / weights.sum()
        if lower > 0.0 and upper - lower <= BRACKET * upper:
            return HardMargin(direction, float(lower / scale))
    raise MarginError(
        f"box margin: {n_points} points in {d} dimensions: bounds {lower / scale:.3g} and"
        f" {upper / scale:.3g} do not meet; is the set separable?"
    )


def _by_interior_points(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return S (d,) and z (N,) for points of unit size by PIQP, ten times faster than HiGHS."""
    n_points, d = points.shape
    bounds = np.append(np.ones(d), np.inf)
    solver = tight_solver(_TOLERANCE)
    solver.setup(
        np.zeros((d + 1, d + 1)),
        np.append(np.zeros(d), -1.0),
        G=np.hstack([points, np.ones((n_points, 1))]),
        h_u=np.zeros(n_points),
        x_l=-bounds,
        x_u=bounds,
    )
    solver.solve()
    return solver.result.x[:-1], np.maximum(solver.result.z_u, 0.0)


def _by_simplex(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the same by HiGHS; zeros where it fails."""
    from scipy.optimize import linprog  # few sets need it

    n_points, d = points.shape
    result = linprog(
        np.append(np.zeros(d), -1.0),
        A_ub=np.hstack([points, np.ones((n_points, 1))]),
        b_ub=np.zeros(n_points),
        bounds=[(-1.0, 1.0)] * d + [(None, None)],
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if not result.success:
        return np.zeros(d), np.zeros(n_points)
    return result.x[:-1], np.maximum(-result.ineqlin.marginals, 0.0)
