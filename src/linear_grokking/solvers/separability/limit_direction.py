"""The limit direction S_∞ of one set of points, by damped Newton steps on the CPU.

S_∞ minimizes the mean of e^{S·x_i} (Paper B, Sec. 3.3).

**Newton steps.**  With p the softmax of the outputs XS and B = XᵀPX, a Newton step for
log Σ e^{S·x_i} is -u/(1 - pᵀXu) with u = B⁻¹Xᵀp.  Along this line a value of the function costs
only O(N), so that each step goes to the line's minimum instead.  The steps are invariant under
linear maps of the points, a change of σ included.

The cost is that of B, a symmetric update of Nd² flops, half of a general product's.  Far from
the minimum B is computed in float32.  The last step, which also gives the certificate, is in
float64, and the rest of the way uses its factor and exact gradients.

**Start.**  For large sets a Newton step costs as much as a hundred products with X.  Message
passing may spend about as many.  The Newton steps then start at the minimum in the span of its
iterates, which the same method finds from the points' few coordinates there.  The value there is
at most that at zero; a start that does not help costs time, but cannot make a result wrong.
"""

import enum
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, get_lapack_funcs

from linear_grokking.solvers.separability.certificates import curvature_shift, encloses, separates
from linear_grokking.solvers.separability.message_passing import message_passing
from linear_grokking.solvers.separability.softmax import log_sum_exp, softmax
from linear_grokking.solvers.separability.symmetric import add_gram, cholesky

LEAST_DIMENSION = 256  # from which a start by message passing pays
MAX_ITERATIONS = 100  # Newton steps; a set that is left then is undecided
MAX_MULTIPLIER = 1e4  # of a Newton step along its line
LINE_STEPS = 40
LINE_ACCURACY = 0.1  # share of the slope at the start that may be left
LINE_GROWTH = 4.0  # of the multiplier per step while the minimum is not bracketed
CHORD_RADIUS = 0.5  # largest |x_i·u| from which the last factor finds the minimum
CHORD_STEPS = 40
SETTLED = 1e-8  # change of the outputs x_i·S in a step below which S_∞ is accepted ...
RESOLUTION = 1e-13  # ... once rounding stops the progress; a change below this is final
REFINEMENTS = 4  # solves for u: once, then for its residuals
RIDGES = 10.0 ** np.arange(-14.0, 1.0, 2.0)  # in units of the trace of B
WEIGHTED_ROWS = 4096  # at a time, so that no second copy of large sets is in memory


class Status(enum.IntEnum):
    """How the search for S_∞ ended."""

    SEPARATING = 1
    """The direction separates the points, with a certificate: there is no S_∞."""
    ENCLOSED = 2
    """The direction is S_∞; the origin is enclosed by the points, with a certificate."""
    UNDECIDED = 3
    """No certificate: the origin lies on, or close to, the boundary of the hull, or the
    points do not span the space to working precision.  Another method has to decide."""


@dataclass(frozen=True)
class LimitDirection:
    """Result of `limit_direction`.

    Attributes
    ----------
    status
        How the search ended.
    direction : (d,)
        A separating direction, S_∞, or the last iterate, according to `status`.
    iterations
        Newton steps, each with one evaluation of B.
    """

    status: Status
    direction: np.ndarray
    iterations: int


def limit_direction(points: np.ndarray, point_norms: np.ndarray) -> LimitDirection:
    """Find S_∞ = argmin_S mean e^{S·x_i}, or a direction that separates the points.

    Parameters
    ----------
    points : (N, d), float64, C order
        Points x_i, all labelled -1.
    point_norms : (N,)
        ‖x_i‖, in the range of `verdict.assess`.
    """
    n_points, d = points.shape
    if not LEAST_DIMENSION <= d < n_points or not point_norms.any():
        return newton(points, point_norms, np.zeros(d), np.float32)
    start, near = _start(points, point_norms)
    return newton(points, point_norms, start, np.float64 if near else np.float32)


def newton(
    points: np.ndarray, point_norms: np.ndarray, direction: np.ndarray, dtype: type
) -> LimitDirection:
    """Do as `limit_direction`, by Newton steps from a given direction (d,).

    ``dtype`` is the precision of the first B; the last one is always in float64.
    """
    d = points.shape[1]
    curvature = _Curvature(points, point_norms, dtype)
    for iteration in range(1, MAX_ITERATIONS + 1):
        outputs = points @ direction
        if outputs.max() < 0.0 and separates(outputs, point_norms, np.linalg.norm(direction), d):
            return LimitDirection(Status.SEPARATING, direction, iteration - 1)
        weights = softmax(outputs)
        gradient = weights @ points

        curvature.update(weights)
        coarse = curvature.dtype == np.float32
        if not coarse:
            settled = _enclosed_limit(points, point_norms, direction, weights, curvature)
            if settled is not None:
                return LimitDirection(Status.ENCLOSED, settled, iteration)
        if not curvature.factorize(0.0):
            if coarse:
                del curvature  # or both would be in memory
                curvature = _Curvature(points, point_norms, np.float64)
                continue
            if not any(curvature.factorize(ridge * curvature.trace) for ridge in RIDGES):
                break
        step = curvature.solve(gradient)
        step_outputs = points @ step
        if step_outputs.min() > 0.0 and separates(
            -step_outputs, point_norms, np.linalg.norm(step), d
        ):
            return LimitDirection(Status.SEPARATING, -step, iteration)

        decrement = float(gradient @ step)
        largest = np.abs(step_outputs).max()
        falling = decrement > RESOLUTION**2 and largest > RESOLUTION
        # A decrement of 1 or more is impossible: it is due to rounding in float32.
        if coarse and (largest < CHORD_RADIUS or decrement >= 1.0 or not falling):
            del curvature  # as above
            curvature = _Curvature(points, point_norms, np.float64)
        if falling:
            direction = direction - _line_minimum(outputs, step_outputs, decrement) * step
        elif not coarse:
            break  # stationary, or falling forever, too slowly to tell
    return LimitDirection(Status.UNDECIDED, direction, iteration)


def _start(points: np.ndarray, point_norms: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the minimum in the span of the iterates, and whether S_∞ should be near."""
    single, scale = _single_precision(points, point_norms)
    directions, near = message_passing(single)
    basis, _ = np.linalg.qr(directions.T)
    coordinates = (single @ basis).astype(np.float64)
    found = newton(
        coordinates,
        np.linalg.norm(coordinates, axis=1),
        np.zeros(basis.shape[1]),
        np.float32,
    )
    return (basis @ found.direction) * scale, near


def _single_precision(points: np.ndarray, point_norms: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the points in float32 and the power of two they are multiplied by.

    It keeps their squares from over- and underflowing.
    """
    scale = 2.0 ** -np.frexp(point_norms.max())[1]
    single = np.empty(points.shape, np.float32)
    return np.multiply(points, scale, out=single, casting="same_kind"), scale


def _enclosed_limit(
    points: np.ndarray,
    point_norms: np.ndarray,
    direction: np.ndarray,
    weights: np.ndarray,
    curvature: "_Curvature",
) -> np.ndarray | None:
    """Return S_∞ if it is near `direction`, with the certificate that the origin is enclosed."""
    n_points, d = points.shape
    shift = curvature_shift(curvature.trace, n_points, d)
    if not curvature.factorize(-shift):
        return None
    step = np.zeros(d)
    residual = weights @ points
    for _ in range(REFINEMENTS):
        step += curvature.solve(residual)
        step_outputs = points @ step
        largest = float(np.abs(step_outputs).max())
        if not largest < CHORD_RADIUS:
            return None
        residual = (weights * (1.0 - step_outputs)) @ points
        if encloses(
            weights=weights,
            step_outputs=step_outputs,
            residual=residual,
            shift=shift,
            point_norms=point_norms,
            step_norm=np.linalg.norm(step),
            d=d,
        ):
            return _settle(points, direction - step, curvature, largest)
    return None


class _Curvature:
    """B = XᵀPX and its Cholesky factor, in one precision, for changing weights.

    In float32 the points are scaled; solutions are scaled back.
    """

    def __init__(self, points: np.ndarray, point_norms: np.ndarray, dtype: type):
        self.dtype = dtype
        if dtype == np.float32:
            self._points, self._scale = _single_precision(points, point_norms)
        else:
            self._scale = 1.0
            self._points = points
        n_points, d = points.shape
        self._weighted = np.empty((min(n_points, WEIGHTED_ROWS), d), dtype)
        self._matrix = np.zeros((d, d), dtype, order="F")
        self._potrs = get_lapack_funcs("potrs", dtype=dtype)

    def update(self, weights: np.ndarray) -> None:
        """Compute the lower triangle of B."""
        roots = np.sqrt(weights)[:, np.newaxis].astype(self.dtype)
        self._matrix[:] = 0.0
        for start in range(0, len(roots), WEIGHTED_ROWS):
            part = slice(start, start + WEIGHTED_ROWS)
            weighted = self._weighted[: len(roots[part])]
            np.multiply(self._points[part], roots[part], out=weighted)
            self._matrix = add_gram(self._matrix, weighted)
        self._diagonal = self._matrix.diagonal().copy()
        self.trace = self._diagonal.sum()

    def factorize(self, ridge: float) -> bool:
        """Factorize B + ridge·I; tell whether that succeeded."""
        np.fill_diagonal(self._matrix, self._diagonal + self.dtype(ridge))
        try:
            self._factor = cholesky(self._matrix.copy(order="F"))
        except LinAlgError:
            return False
        return True

    def solve(self, vector: np.ndarray) -> np.ndarray:
        """Solve (B + ridge·I) x = vector."""
        scaled = (vector * self._scale).astype(self.dtype, copy=False)
        solution, _ = self._potrs(self._factor, scaled, lower=True)
        return solution.astype(np.float64, copy=False) * self._scale


def _settle(
    points: np.ndarray, direction: np.ndarray, curvature: _Curvature, last: float
) -> np.ndarray | None:
    """Go to the minimum with a fixed factor of B; None where that does not converge.

    ``last`` is the largest change of an output in the step to ``direction``.  From step to
    step these changes shrink by about the same factor, until rounding stops the progress.
    """
    outputs = points @ direction
    for _ in range(CHORD_STEPS):
        step = curvature.solve(softmax(outputs) @ points)
        step_outputs = points @ step
        size = float(np.abs(step_outputs).max())
        if not size < last:
            break
        direction = direction - step
        outputs -= step_outputs
        if size**2 <= RESOLUTION * last:  # what the next step would change
            return direction
        last = size
    return direction if last < SETTLED else None


def _line_minimum(outputs: np.ndarray, step_outputs: np.ndarray, decrement: float) -> float:
    """Return t near the minimum of log Σ e^{outputs - t step_outputs}, with a lower value.

    `decrement` is minus the slope at t = 0.  The slope increases with t: Newton's method,
    kept within its bracket, stops where little of the slope is left.
    """
    start = log_sum_exp(outputs)
    t = 1.0 / max(1.0 - decrement, 0.5)
    low, high = 0.0, np.inf
    for _ in range(LINE_STEPS):
        moved = outputs - t * step_outputs
        p = softmax(moved)
        slope = -float(p @ step_outputs)
        if abs(slope) <= LINE_ACCURACY * decrement and log_sum_exp(moved) < start:
            return t
        if slope < 0.0:
            low = t
        else:
            high = t
        if low >= MAX_MULTIPLIER:
            break
        curvature = float(p @ step_outputs**2) - slope**2
        newton = t - slope / curvature if abs(slope) < MAX_MULTIPLIER * curvature else low
        if low < newton < min(high, LINE_GROWTH * t):
            t = newton
        else:
            t = LINE_GROWTH * t if np.isinf(high) else 0.5 * (low + high)
    return low
