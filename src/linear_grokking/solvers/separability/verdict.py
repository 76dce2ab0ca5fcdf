"""One realization's verdict: separable or not, why, and what follows from it."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.solvers.separability.box_margin import box_margin
from linear_grokking.solvers.separability.certificates import separates
from linear_grokking.solvers.separability.limit_direction import (
    LimitDirection,
    Status,
    limit_direction,
)
from linear_grokking.solvers.separability.margin import hard_margin
from linear_grokking.solvers.separability.span import in_span

NORM_RANGE = (1e-100, 1e100)  # of the points: squares and products stay representable
Certificate = Literal["direction", "hull", "lp"]
LP_TOLERANCE = 1e-9  # slack of a normalized linear program that counts as separation


class UndecidedError(LinearGrokkingError):
    """Neither a certificate nor linear programming decided whether a set is separable."""


@dataclass(frozen=True)
class Separability:
    """What is known about one set of points, all labelled -1.

    Attributes
    ----------
    separable
        Whether some S has S·x_i < 0 for all i.  A point at the origin rules it out.
    certificate
        ``"direction"``: a separating direction, proved.  ``"hull"``: the origin is in the
        convex hull, proved.  ``"lp"``: no proof; linear programming decided.
    iterations
        Newton steps taken.
    direction : (d,) or None
        S_∞ if not separable; S_M if separable, or some separating direction if no margin was
        asked for.  None where ``s_inf_norm`` is infinite.
    s_inf_norm
        ‖S_∞‖ in the inverse unit of the points; None where separable.  Infinite where the
        set is not separable and yet the mean of e^{S·x_i} has no minimum, because the origin
        is on the boundary of the hull.  Where the points do not span the space, S_∞ is the
        minimizer of least norm.
    positive_fraction
        Fraction of points with S_∞·x_i > 0; None where there is no finite S_∞.
    positive_mean
        Mean of these positive S_∞·x_i; None where there are none.
    margin
        M = 1/‖S_M‖ in the unit of the points; None where not separable or not asked for.
    box_margin
        The largest margin in the box |S_j| ≤ 1; None likewise.
    box_norm
        ‖S‖ of the direction that has this margin.
    """

    separable: bool
    certificate: Certificate
    iterations: int
    direction: np.ndarray | None
    s_inf_norm: float | None = None
    positive_fraction: float | None = None
    positive_mean: float | None = None
    margin: float | None = None
    box_margin: float | None = None
    box_norm: float | None = None


def assess(inputs: np.ndarray, *, margin: bool, box: bool = False) -> Separability:
    """Decide whether points are linearly separable from the origin; find S_∞ or S_M.

    Damped Newton steps either find S_∞ with a proof that the origin is enclosed, or a
    direction with a proof that it separates (see ``certificates``).  Where they find neither,
    as with the origin on the boundary of the hull, linear programming (HiGHS) decides.

    Parameters
    ----------
    inputs : (N, d)
        Points x_i, all labelled -1; for points labelled +1 pass their negatives.
    margin
        Whether to compute the margin of a separable set.
    box
        Whether to compute its largest margin in the box |S_j| ≤ 1, too.

    Raises
    ------
    ValueError
        If ``inputs`` is not a non-empty matrix of finite numbers, or the norm of a point is
        neither 0 nor between 1e-100 and 1e100.
    UndecidedError
        If linear programming fails on an undecided set.
    MarginError
        If the margin cannot be bracketed.

    Examples
    --------
    >>> points = np.random.default_rng(0).standard_normal((400, 160))  # λ = 0.4
    >>> found = assess(points, margin=False)
    >>> found.separable, found.certificate
    (False, 'hull')
    """
    points, point_norms = checked_points(inputs)
    found = limit_direction(points, point_norms)
    if found.status is Status.UNDECIDED:
        decided = _decide_by_programming(points, point_norms, found, margin=margin)
    else:
        decided = describe(points, found, margin=margin)
    return with_box_margin(decided, points) if box else decided


def checked_points(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points as float64 in C order (N, d) and their norms (N,); see `assess`."""
    points = np.ascontiguousarray(inputs, dtype=np.float64)
    if points.ndim != 2 or points.size == 0:
        raise ValueError(f"inputs: shape {points.shape} is not (N, d) with N, d of at least 1")
    with np.errstate(over="ignore"):
        point_norms = np.sqrt(np.einsum("ij,ij->i", points, points))
    low, high = NORM_RANGE
    in_range = (point_norms >= low) & (point_norms <= high)
    for i in np.flatnonzero(~in_range):
        if points[i].any():
            raise ValueError(
                f"inputs: point {i} has norm {point_norms[i]:.3g};"
                f" allowed are 0 and {low:g} to {high:g}"
            )
    return points, point_norms


def describe(points: np.ndarray, found: LimitDirection, *, margin: bool) -> Separability:
    """Turn a decided search into a `Separability`.

    Parameters
    ----------
    points : (N, d)
        Points x_i.
    found
        Result of `limit_direction` or of its batched form, not undecided.
    margin
        See `assess`.
    """
    if found.status is Status.SEPARATING:
        return _separable(points, found.direction, "direction", found.iterations, margin=margin)
    return _enclosed(points, found.direction, "hull", found.iterations)


def with_box_margin(decided: Separability, points: np.ndarray) -> Separability:
    """Add the largest margin in the box to what is known of a set, if it is separable."""
    if not decided.separable:
        return decided
    found = box_margin(points)
    norm = float(np.linalg.norm(found.direction))
    return replace(decided, box_margin=found.margin, box_norm=norm)


def _separable(
    points: np.ndarray,
    direction: np.ndarray,
    certificate: Certificate,
    iterations: int,
    *,
    margin: bool,
) -> Separability:
    if not margin:
        return Separability(True, certificate, iterations, direction)
    solved = hard_margin(points)
    return Separability(True, certificate, iterations, solved.direction, margin=solved.margin)


def _enclosed(
    points: np.ndarray, direction: np.ndarray | None, certificate: Certificate, iterations: int
) -> Separability:
    if direction is None:
        return Separability(False, certificate, iterations, None, s_inf_norm=np.inf)
    outputs = points @ direction
    positive = outputs[outputs > 0.0]
    return Separability(
        separable=False,
        certificate=certificate,
        iterations=iterations,
        direction=direction,
        s_inf_norm=float(np.linalg.norm(direction)),
        positive_fraction=len(positive) / len(points),
        positive_mean=float(positive.mean()) if len(positive) else None,
    )


def _decide_by_programming(
    points: np.ndarray, point_norms: np.ndarray, found: LimitDirection, *, margin: bool
) -> Separability:
    """Decide a set that Newton's method left open."""
    certificate = "hull"  # if a point is the origin itself
    if np.all(point_norms > 0.0):
        separable, certificate, direction = _programme(points, point_norms)
        if separable:
            return _separable(points, direction, certificate, found.iterations, margin=margin)
    direction, iterations = _limit_in_span(points)
    return _enclosed(points, direction, certificate, found.iterations + iterations)


def _programme(points: np.ndarray, point_norms: np.ndarray) -> tuple[bool, Certificate, np.ndarray]:
    """Maximize t subject to s·u_i/‖u_i‖ ≤ -t, |s_k| ≤ 1; positive t means separable.

    u_i are the points' directions in coordinates of their span, so that no feature's unit or
    offset decides whether t is small against the program's tolerance.
    """
    from scipy.optimize import linprog  # few jobs have a set that needs it

    n_points, d = points.shape
    coordinates, back = in_span(points / point_norms[:, np.newaxis])
    lengths = np.linalg.norm(coordinates, axis=1, keepdims=True)
    rank = coordinates.shape[1]
    result = linprog(
        np.append(np.zeros(rank), -1.0),
        A_ub=np.hstack([coordinates / lengths, np.ones((n_points, 1))]),
        b_ub=np.zeros(n_points),
        bounds=[(-1.0, 1.0)] * rank + [(None, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if not result.success:
        raise UndecidedError(
            f"separability: {n_points} points in {d} dimensions: linear programming failed:"
            f" {result.message}"
        )
    direction = back @ result.x[:-1]
    if separates(points @ direction, point_norms, np.linalg.norm(direction), d):
        return True, "direction", direction
    return bool(result.x[-1] > LP_TOLERANCE), "lp", direction


def _limit_in_span(points: np.ndarray) -> tuple[np.ndarray | None, int]:
    """Return S_∞ of least norm of an inseparable set (None where it diverges), and the steps.

    Points at the origin are left out: they only add a constant to the mean, and the search would
    take the rounding of their coordinates for directions.
    """
    if not points.any():
        return np.zeros(points.shape[1]), 0
    coordinates, back = in_span(points[points.any(axis=1)])
    found = limit_direction(*checked_points(coordinates))
    if found.status is not Status.ENCLOSED:
        return None, found.iterations
    return back @ found.direction, found.iterations
