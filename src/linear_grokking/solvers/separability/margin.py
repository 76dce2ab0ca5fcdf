"""The hard margin of a separable set of points.

S_M minimizes ‖S‖² subject to S·x_i ≤ -1; M = 1/‖S_M‖ is the largest distance that all
points can have from a plane through the origin (Paper B, Sec. 3.2).  By duality M is also
the distance of the origin from the convex hull of the points, so any S with S·x_i < 0 and
any weights z ≥ 0 bracket it without trust in the solver:

    -max_i S·x_i / ‖S‖  ≤  M  ≤  ‖Xᵀz‖ / Σ z_i.
"""

from dataclasses import dataclass

import numpy as np
import piqp

from linear_grokking.errors import LinearGrokkingError

BRACKET = 1e-7  # largest relative width of the bracket; PIQP leaves 1e-13 to 1e-10


class MarginError(LinearGrokkingError):
    """The margin could not be bracketed."""


@dataclass(frozen=True)
class HardMargin:
    """Result of `hard_margin`.

    Attributes
    ----------
    direction : (d,)
        S_M, scaled so that max_i S_M·x_i = -1.
    margin
        M = 1/‖S_M‖, in the unit of the points.
    """

    direction: np.ndarray
    margin: float


def hard_margin(points: np.ndarray) -> HardMargin:
    """Solve the hard-margin problem of a separable set.

    Parameters
    ----------
    points : (N, d)
        Points x_i, all labelled -1, separable from the origin.

    Raises
    ------
    MarginError
        If bounds from both sides do not meet, as for a set that is not separable.
    """
    n_points, d = points.shape
    # The solver's tolerances are absolute: bring the points to unit size, without rounding.
    scale = 2.0 ** -np.frexp(np.abs(points).max())[1]
    scaled = np.multiply(points, scale, order="F")
    solver = tight_solver(1e-10)
    solver.setup(np.eye(d), np.zeros(d), G=scaled, h_u=np.full(n_points, -1.0))
    status = solver.solve()

    direction = solver.result.x
    nearest = -(scaled @ direction).max()
    dual = np.maximum(solver.result.z_u, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = nearest / np.linalg.norm(direction)
        upper = np.linalg.norm(dual @ scaled) / dual.sum()
    if not (nearest > 0.0 and upper - lower <= BRACKET * upper):
        raise MarginError(
            f"margin: {n_points} points in {d} dimensions: PIQP ended with {status.name} and"
            f" bounds {lower / scale:.3g} and {upper / scale:.3g}; is the set separable?"
        )
    return HardMargin(direction * (scale / nearest), float(lower / scale))


def tight_solver(tolerance: float) -> piqp.DenseSolver:
    """Return an interior-point solver with this absolute and relative tolerance."""
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = tolerance
    solver.settings.eps_duality_gap_abs = solver.settings.eps_duality_gap_rel = tolerance
    # By default margins below some 1e-5 of the points' size are declared infeasible.
    solver.settings.eps_primal_inf = 1e-12
    return solver
