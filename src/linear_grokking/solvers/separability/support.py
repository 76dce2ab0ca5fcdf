"""Support vectors of a separable set: the dual of the hard margin, by active sets.

With unit vectors x̂_i = x_i/‖x_i‖, b_i = 1/‖x_i‖ and the Gram matrix K of the x̂_i, the
dual of the hard margin is

    min ½ zᵀKz - b·z  over  z ≥ 0,    S_M = -Σ z_i x̂_i,

and the points with z_i > 0 are the support vectors.  Two stages find them.

1. *Guess.*  The augmented Lagrangian ½‖S‖² + Σ (b_i + ρz_i + S·x̂_i)₊² / 2ρ is minimized for
   a few decreasing ρ, each time with z from the previous one, by semismooth Newton steps with
   an exact line search (Li, Sun and Toh, SIAM J. Optim. 28, 433, 2018).  A step takes one
   Cholesky factorization of the active part of K + ρI, in float32.
2. *Decide.*  Most points now clearly are, or are not, support vectors.  Eliminating the clear
   ones from K (a Schur complement, in float64) leaves a small dual problem for the doubtful
   ones, which is solved by interior points (PIQP) and then exactly on its support.  The result
   is the next guess, until no point is on the wrong side; one that was stays doubtful.

Near the transition, with as many support vectors as dimensions, K is nearly singular on
them, and active sets alone hardly converge.  On the clear ones K is well conditioned.
"""

import numpy as np
import piqp
from scipy.linalg import LinAlgError, cho_solve, get_lapack_funcs, solve_triangular

from linear_grokking.solvers.separability.interior_point import tight_solver
from linear_grokking.solvers.separability.symmetric import cholesky, gram

RIDGES = (0.02, 0.003, 0.00045)  # ρ; the diagonal of K is 1
UNMET = 0.35  # mean violation of the guessed support vectors' constraints that ends stage 1
NEWTON_STEPS = 15  # at most, for one ρ
SETTLED = 0.04  # share of the points crossing over in a step, from which a ρ is done
LINE_STEPS = 30
LINE_ACCURACY = 1e-2  # of a step's length
FIRST_CLARITY = 0.4  # times the mean z, or the mean slack: points above it are clear ...
CLARITY = 0.2  # ... and the same after a round of the second stage
LOOSENING = 2.0  # factor on these if more points seem clear support vectors than can be
ROUNDS = 10  # of the second stage, at most
FEASIBILITY = 1e-9  # violation from which a constraint counts; b is about 1
COPIED_ROWS = 1024  # at a time, so that a copy in float32 needs none in float64


def support_weights(points: np.ndarray) -> np.ndarray | None:
    """Return weights z ≥ 0 (N,) with S_M ∝ -Xᵀz, or None where they are not found.

    Nothing here proves that they are right; `margin.hard_margin` does.  They are not found
    if the set is not separable, and need not be found in degenerate cases, as where the norms
    of the points differ by orders of magnitude.

    Memory beside the points: at most about 8N² bytes, for K and its factors.

    Parameters
    ----------
    points : (N, d)
        Points x_i, all labelled -1.
    """
    norms = np.linalg.norm(points, axis=1)
    if not norms.min() > 0.0:
        return None
    problem = _Dual(points, norms)
    try:
        weights = _decide(problem, _guess(problem))
    except LinAlgError:
        return None
    return None if weights is None else weights / norms


class _Dual:
    """The points as unit vectors, without a copy of them."""

    def __init__(self, points: np.ndarray, norms: np.ndarray):
        self._points = points
        self._norms = norms
        self.targets = norms.mean() / norms  # b, in units in which it is about 1

    def direction(self, weights: np.ndarray) -> np.ndarray:
        """Return S = -Σ z_i x̂_i."""
        return -((weights / self._norms) @ self._points)

    def outputs(self, direction: np.ndarray) -> np.ndarray:
        """Return S·x̂_i."""
        return (self._points @ direction) / self._norms

    def products(self, rows: np.ndarray, dtype: type) -> np.ndarray:
        """Return K of some of the points."""
        return gram(self._units(rows, dtype))

    def cosines(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return a block of K."""
        return self._units(rows, np.float64) @ self._units(columns, np.float64).T

    def _units(self, rows: np.ndarray, dtype: type) -> np.ndarray:
        units = np.empty((len(rows), self._points.shape[1]), dtype)
        for start in range(0, len(rows), COPIED_ROWS):
            part = rows[start : start + COPIED_ROWS]
            units[start : start + COPIED_ROWS] = self._points[part] / self._norms[part, np.newaxis]
        return units


def _guess(problem: _Dual) -> np.ndarray:
    """Return (N,) roughly z_i of support vectors, and minus the slack of other points."""
    targets = problem.targets
    n_points = len(targets)
    products = problem.products(np.arange(n_points), np.float32)
    direction = problem.direction(np.ones(n_points))
    outputs = problem.outputs(direction)
    share = _line_minimum(targets, outputs, 0.0, float(direction @ direction), RIDGES[0])
    direction, outputs = share * direction, share * outputs
    weights = np.zeros(n_points)
    for ridge in RIDGES:
        targets = problem.targets + ridge * weights
        for _ in range(NEWTON_STEPS):
            violations = targets + outputs
            active = violations > 0.0
            step = problem.direction(_ridge_solution(products, active, ridge, targets)) - direction
            step_outputs = problem.outputs(step)
            share = _line_minimum(
                violations, step_outputs, float(direction @ step), float(step @ step), ridge
            )
            direction, outputs = direction + share * step, outputs + share * step_outputs
            crossing = (violations + step_outputs > 0.0) != active
            if crossing.mean() <= SETTLED:
                break
        weights = np.maximum(targets + outputs, 0.0) / ridge
        unmet = problem.targets + outputs
        if np.mean(np.maximum(unmet, 0.0)) <= UNMET * np.mean(weights > 0.0):
            break
    return np.where(weights > 0.0, weights, unmet)


def _ridge_solution(
    products: np.ndarray, active: np.ndarray, ridge: float, targets: np.ndarray
) -> np.ndarray:
    """Return z (N,) with (K + ρI) z = t on the active points, and zero elsewhere."""
    potrs = get_lapack_funcs("potrs", dtype=products.dtype)
    rows = np.flatnonzero(active)
    if len(rows) == 0:
        return np.zeros(len(active))
    matrix = products[np.ix_(rows, rows)]
    matrix[np.diag_indices(len(rows))] += products.dtype.type(ridge)
    factor = cholesky(matrix.T)
    solution = np.zeros(len(active))
    with np.errstate(over="ignore"):
        solution[rows] = potrs(factor, targets[rows].astype(products.dtype), lower=True)[0]
    if not np.all(np.isfinite(solution)):
        raise LinAlgError("K + ρI: the targets, or the solution, overflow")
    return solution


def _line_minimum(
    violations: np.ndarray, steps: np.ndarray, slope: float, curvature: float, ridge: float
) -> float:
    """Return t near the minimum of ½‖S + t ΔS‖² + Σ (v_i + t Δv_i)₊² / 2ρ.

    `slope` and `curvature` are those of the first term at t = 0.  Newton's method, kept
    within its bracket, crosses few of the kinks of the slope.
    """
    t, low, high = 1.0, 0.0, np.inf
    for _ in range(LINE_STEPS):
        positive = np.maximum(violations + t * steps, 0.0)
        moving = steps[positive > 0.0]
        first = slope + t * curvature + float(positive @ steps) / ridge
        second = curvature + float(moving @ moving) / ridge
        if not second > 0.0:
            break  # no step at all
        if first < 0.0:
            low = t
        else:
            high = t
        last, t = t, t - first / second
        if not low < t < high:
            t = 2.0 * last if np.isinf(high) else 0.5 * (low + high)
        if abs(t - last) < LINE_ACCURACY * t:
            break
    return t


def _decide(problem: _Dual, guess: np.ndarray) -> np.ndarray | None:
    """Return the solution z (N,) of the dual near a guess; None where it was not found."""
    clarity = FIRST_CLARITY
    mistaken = np.zeros(len(guess), bool)
    rows = np.flatnonzero(_classes(guess, clarity) >= 0)
    products = problem.products(rows, np.float64)
    for _ in range(ROUNDS):
        classes = _classes(guess, clarity)
        classes[mistaken] = 0
        added = np.setdiff1d(np.flatnonzero(classes >= 0), rows)
        if len(added):
            across = problem.cosines(rows, added)
            own = problem.products(added, np.float64)
            products = np.block([[products, across], [across.T, own]])
            rows = np.append(rows, added)
        solution = np.zeros(len(guess))
        try:
            solution[rows] = _eliminate(products, problem.targets[rows], classes[rows])
        except LinAlgError:
            clarity *= LOOSENING
            continue
        violations = problem.targets + problem.outputs(problem.direction(solution))
        wrong = (solution < 0.0) | ((classes < 0) & (violations > FEASIBILITY))
        if not wrong.any():
            return solution
        mistaken |= wrong
        guess = np.where(solution > 0.0, solution, violations)
        clarity = CLARITY
    return None


def _classes(guess: np.ndarray, clarity: float) -> np.ndarray:
    """Return 1 for points that clearly are support vectors, -1 that are not, 0 in doubt."""
    supports = guess > 0.0
    classes = np.zeros(len(guess), int)
    classes[guess > clarity * np.mean(guess, where=supports)] = 1
    if not supports.all():
        classes[guess < clarity * np.mean(guess, where=~supports)] = -1
    return classes


def _eliminate(products: np.ndarray, targets: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the z that minimizes ½zᵀKz - b·z, with z ≥ 0 in doubt and 0 for class -1.

    z is free for clear support vectors.

    Raises
    ------
    LinAlgError
        If there is no minimum: no S has all clear support vectors on the margin.
    """
    inside, outside = np.flatnonzero(classes == 1), np.flatnonzero(classes == 0)
    # Transposed to LAPACK's memory order, so that no copies are made.
    factor = cholesky(products[np.ix_(inside, inside)].T)
    base = solve_triangular(factor, targets[inside], lower=True)
    across = solve_triangular(
        factor, products[np.ix_(outside, inside)].T, lower=True, overwrite_b=True
    )
    solution = np.zeros(len(targets))
    solution[outside] = _nonnegative_minimum(
        products[np.ix_(outside, outside)] - gram(across.T), targets[outside] - base @ across
    )
    solution[inside] = solve_triangular(
        factor, base - across @ solution[outside], lower=True, trans="T"
    )
    return solution


def _nonnegative_minimum(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return the z ≥ 0 that minimizes ½zᵀMz - c·z, exact on its support if M is regular."""
    if len(vector) == 0:
        return vector
    solver = tight_solver(1e-10)
    unbounded = np.full(len(vector), np.inf)
    solver.setup(matrix, -vector, x_l=np.zeros(len(vector)), x_u=unbounded)
    if solver.solve() != piqp.PIQP_SOLVED:
        raise LinAlgError("PIQP found no solution")
    found = np.maximum(solver.result.x, 0.0)
    supports = np.flatnonzero(found > solver.result.z_bl)
    try:
        factor = cholesky(matrix[np.ix_(supports, supports)].T)
        exact = cho_solve((factor, True), vector[supports])
    except LinAlgError:
        return found
    if not np.all(exact > 0.0):
        return found
    solution = np.zeros(len(vector))
    solution[supports] = exact
    return solution
