"""Exact solutions of the two-point model at any time (Paper B, App. E), and roots on orbits.

All arguments, and the fields of a problem, broadcast.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory._domain import Broadcast, within
from linear_grokking.theory._search import bracket, root
from linear_grokking.theory.two_point import TwoPoint
from linear_grokking.theory.two_point_orbit import coordinate, log_conformal_time, log_time, point

_DOUBLING = [1.0, *2.0 ** np.arange(127)]
_RESOLUTION = 1e-40  # of a coordinate at zero: within reach of 200 bisections


class TwoPointState(NamedTuple):
    """State at given times.

    Attributes
    ----------
    weight, bias
        S and b.
    log_conformal_time
        ln τ, τ = ∫e^b dt in steps.
    """

    weight: np.ndarray
    bias: np.ndarray
    log_conformal_time: np.ndarray


def solution(log_t: ArrayLike, problem: TwoPoint) -> TwoPointState:
    """Return the exact state at times e^{log_t} (Paper B, App. E).

    ``log_t`` is ln of the time in steps, -inf for the start; t = e^1000 is as exact as t = 1.
    """
    shape, log_t, orbit = orbits(problem, log_t=log_t)

    def late(y: np.ndarray, target: np.ndarray, orbit: TwoPoint) -> np.ndarray:
        return np.logaddexp(0.0, log_time(y, orbit)) - target

    # ln(1 + ηt) is finite at the start, and ln(ηt) later on.
    y = first_root(late, orbit, np.logaddexp(0.0, log_t + np.log(orbit.eta)))
    y = np.maximum(y, coordinate(orbit.u0, orbit.distance))
    at = point(y, orbit)
    log_tau = log_conformal_time(y, orbit) - np.log(orbit.eta)
    parts = (at.u / orbit.sigma, orbit.b0 - at.fall, log_tau)
    return TwoPointState(*(part.reshape(shape) for part in parts))


def orbits(problem: TwoPoint, **others: ArrayLike) -> tuple:
    """Return the common shape, then the other arguments and the problem as flat float64 arrays.

    Raises
    ------
    ValueError
        Where a field or another argument is out of range.
    """
    *arrays, problem = problem.checked(**others)
    # The first loss is then e^300 at most.
    shape = within("sigma * s0", problem.u0, "[-300, 300]").shape
    return shape, *(values.reshape(-1) for values in arrays), TwoPoint(*map(np.ravel, problem))


def first_root(
    function: Callable[[np.ndarray, np.ndarray, TwoPoint], np.ndarray],
    orbit: TwoPoint,
    argument: np.ndarray,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
) -> Broadcast:
    """Return the coordinate at which ``function`` rises through zero.

    ``function(y, argument, orbit)`` is negative from ``low``, by default the start, to its
    root.  Without ``high`` the root is bracketed by steps from ``low`` that double.

    Returns -inf where the function is not negative at ``low``, inf where it has no root.

    Raises
    ------
    ConvergenceError
        Where a root is not found in its bracket.
    """
    parameters = (argument, *orbit)
    low = coordinate(orbit.u0, orbit.distance) if low is None else low

    def of_fields(y: np.ndarray, argument: np.ndarray, *fields: np.ndarray) -> np.ndarray:
        return function(y, argument, TwoPoint(*fields))

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if high is None:
            low, high = bracket(of_fields, low, parameters, _DOUBLING)
        return root(of_fields, low, high, parameters, _RESOLUTION)
