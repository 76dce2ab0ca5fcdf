"""The hard margin of a separable set of points.

S_M minimizes ‖S‖² subject to S·x_i ≤ -1; M = 1/‖S_M‖ is the largest distance that all
points can have from a plane through the origin (Paper B, Sec. 3.3).  By duality M is also
the distance of the origin from the convex hull of the points, so any S with S·x_i < 0 and
any weights z ≥ 0 bracket it, however they were found:

    -max_i S·x_i / ‖S‖  ≤  M  ≤  ‖Xᵀz‖ / Σ z_i.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.solvers.separability.interior_point import tight_solver
from linear_grokking.solvers.separability.span import in_span
from linear_grokking.solvers.separability.support import support_weights

BRACKET = 1e-7  # largest relative width of the bracket; solvers leave 1e-13 to 1e-10
LEAST_DIMENSION = 300  # below this, interior points on the whole set are no slower
MOST_POINTS = 4  # per dimension; with more, the Gram matrix is much larger than the points


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

    Large sets with not too many points per dimension are solved by their support vectors,
    from one Gram matrix (see ``support``).  Interior points (PIQP) solve all other sets, and
    those for which the bounds then do not meet, as where norms differ by orders of magnitude.

    Parameters
    ----------
    points : (N, d)
        Points x_i, all labelled -1, separable from the origin.

    Raises
    ------
    MarginError
        If the bounds from both sides do not meet, as for a set that is not separable.
    """
    n_points, d = points.shape
    if d >= LEAST_DIMENSION and n_points <= MOST_POINTS * d:
        found = by_support(points)
        if found is not None:
            return found
    return by_interior_points(points)


def by_support(points: np.ndarray) -> HardMargin | None:
    """Solve the problem by support vectors; None where the bounds do not meet."""
    weights = support_weights(points)
    if weights is None:
        return None
    found, upper = _bracket(points, -(weights @ points), weights)
    return found if _meets(found.margin, upper) else None


def by_interior_points(points: np.ndarray) -> HardMargin:
    """Solve the problem by PIQP; raise as `hard_margin` does.

    PIQP's tolerances are absolute, which limits the ratio of the features' sizes.  Features are
    therefore scaled to one size.  Where that is not enough, as for features far from 0 beside a
    column of ones, coordinates of the points' span are used.
    """
    n_points, d = points.shape
    for coordinates, back in _coordinates(points):
        metric = back.T @ back
        solver = tight_solver(1e-10)
        solver.setup(
            metric / np.abs(metric).max(),
            np.zeros(metric.shape[0]),
            G=np.asfortranarray(coordinates),
            h_u=np.full(n_points, -1.0),
        )
        status = solver.solve()
        dual = np.maximum(solver.result.z_u, 0.0)
        found, upper = _bracket(points, back @ solver.result.x, dual)
        if _meets(found.margin, upper):
            return found
    raise MarginError(
        f"margin: {n_points} points in {d} dimensions: PIQP ended with {status.name} and"
        f" bounds {found.margin:.3g} and {upper:.3g}; is the set separable?"
    )


def _coordinates(points: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield coordinates (N, r) of about unit size, and the map (d, r) of directions back."""
    sizes = 2.0 ** np.frexp(np.abs(points).max(axis=0))[1]  # without rounding
    yield points / sizes, np.diag(1.0 / sizes)
    inside, back = in_span(points)
    size = np.abs(inside).max()
    yield inside / size, back / size


def _bracket(
    points: np.ndarray, direction: np.ndarray, dual: np.ndarray
) -> tuple[HardMargin, float]:
    """Return S, scaled, with its lower bound of M; and the upper bound from z."""
    with np.errstate(divide="ignore", invalid="ignore"):
        nearest = -(points @ direction).max()
        lower = nearest / np.linalg.norm(direction)
        upper = np.linalg.norm(dual @ points) / dual.sum()
        return HardMargin(direction / nearest, float(lower)), float(upper)


def _meets(lower: float, upper: float) -> bool:
    return lower > 0.0 and upper - lower <= BRACKET * upper
