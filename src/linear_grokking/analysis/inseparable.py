"""Where gradient descent ends on rows that are not separable, given as points of label -1.

The loss has a minimum unless the points z_i are quasi-separable: some S has S·z_i ≤ 0 for all of
them and S·z_i < 0 for some.  *Growing* points are those with S·z_i < 0 for at least one such S.
The other points have S·z_i = 0 for every such S, and the loss on them has a minimum.  Within the
span of these other points the weights tend to that minimum.  Orthogonally to it they go to infinity
along the direction of the largest margin of the growing points (Ji and Telgarsky, COLT 2019).
"""

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from linear_grokking.analysis.margin_path import margin_path
from linear_grokking.errors import LinearGrokkingError
from linear_grokking.models.losses import CrossEntropy
from linear_grokking.shapes import Float
from linear_grokking.solvers.separability import hard_margin, in_span

_MOST_NEWTON_STEPS = 200
_LATE = 25.0
"""Largest β at which terms that vanish as e^-β still have a sign despite rounding."""
_FAR = 1e3
"""A β so large that terms proportional to it outweigh all others."""


def minimum(points: Float[np.ndarray, "N D"], eta: float) -> tuple[Float[np.ndarray, " D"], float]:
    """Return the minimizer of the cross-entropy, and 1/(η λ_min) of the Hessian there.

    The set must be neither separable nor quasi-separable.

    Raises
    ------
    LinearGrokkingError
        If Newton's method does not find the minimum.
    """
    loss, (inside, back) = CrossEntropy(), in_span(points)
    here = np.zeros(inside.shape[1])
    for _ in range(_MOST_NEWTON_STEPS):
        margins = inside @ here
        # Least squares with a square root of the Hessian: its condition number is the square root
        # of the Hessian's.
        with np.errstate(over="ignore"):  # e^-margin may correctly overflow to infinity
            slopes, curvatures = loss.slope(np, margins), loss.curvature(np, margins)
        weights = np.sqrt(np.maximum(curvatures, np.finfo(float).tiny))
        root = weights[:, np.newaxis] * inside
        step = np.linalg.lstsq(root, slopes / weights, rcond=1e-13)[0]
        change, scale = inside @ step, 1.0
        if np.all(np.abs(change) < 1e-8 * (1.0 + np.abs(margins))):
            slowest = len(points) * np.linalg.norm(back @ np.linalg.pinv(root), 2) ** 2
            return back @ here, float(slowest / eta)
        before = np.mean(loss.value(np, margins))
        while np.mean(loss.value(np, margins - scale * change)) > before and scale > 1e-8:
            scale *= 0.5
        here = here - scale * step
    raise LinearGrokkingError(
        "the minimum of the loss was not found: the rows are nearly separable, or features of "
        "very different sizes hide that they are; standardize the features"
    )


def quasi_separable_end(points: Float[np.ndarray, "N D"]) -> Float[np.ndarray, " D"]:
    """Return weights whose outputs have the signs that gradient descent reaches for t → ∞.

    Raises
    ------
    LinearGrokkingError
        If no such weights are found.
    """
    scale = np.abs(points).max(axis=0)
    scale[scale == 0.0] = 1.0
    growing = growing_points(points / scale)
    if not growing.any():  # the minimum seemed to be missing only because of rounding
        return minimum(points, 1.0)[0]
    _, sizes, rows = np.linalg.svd(points[~growing] / scale)
    rank = int(np.sum(sizes > sizes.max(initial=0.0) * max(points.shape) * np.finfo(float).eps))
    across = np.linalg.qr((rows[rank:] / scale).T)[0]
    direction = across @ hard_margin(points[growing] @ across).direction
    # A late point of the path decides the signs of outputs that do not grow along the direction or
    # are 0 at the minimum.
    path = margin_path(points, direction, 1.0, largest_beta=_LATE)
    settled = minimum(points[~growing], 1.0)[0] if path is None else path.across[-1]
    return _FAR * direction + settled


def growing_points(points: Float[np.ndarray, "N D"]) -> np.ndarray:
    """Return a mask (N,) of the points with S·z_i < 0 for some S with S·z_j ≤ 0 for all j.

    The linear program maximizes Σt_i subject to S·z_i ≤ -t_i and 0 ≤ t_i ≤ 1.  As S may have any
    size, each t_i is 0 or 1 at the maximum.
    """
    n_points, d = points.shape
    found = linprog(
        np.append(np.zeros(d), -np.ones(n_points)),
        A_ub=sparse.hstack([sparse.csr_array(points), sparse.eye_array(n_points)]),
        b_ub=np.zeros(n_points),
        bounds=[(None, None)] * d + [(0.0, 1.0)] * n_points,
        method="highs",
    )
    if not found.success:
        raise LinearGrokkingError(f"growing points: linear programming failed: {found.message}")
    return found.x[d:] > 0.5
