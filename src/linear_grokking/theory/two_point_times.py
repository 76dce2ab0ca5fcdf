"""Threshold times of the two-point model, in ln t.

All arguments, and the fields of a problem, broadcast.  Times are natural logarithms of steps
of the gradient flow dθ/dt = -η∇L: -inf for what holds at t = 0, inf for what never happens.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from linear_grokking.theory._domain import Broadcast, within
from linear_grokking.theory.two_point import TwoPoint, log_mean, settled_output
from linear_grokking.theory.two_point_orbit import coordinate, log_time, point
from linear_grokking.theory.two_point_solution import first_root, orbits

# Distances from the start, in the orbit's coordinate, at which a loss that may fall, rise and
# fall again is evaluated: 1 % apart.
_SCAN = np.concatenate([[0.0], np.geomspace(1e-4, 1e13, 4000)])
_SCANNED_AT_ONCE = 1000


def log_time_to_train_loss(epsilon: ArrayLike, problem: TwoPoint) -> Broadcast:
    """Return ln t at which the training loss has fallen to ε."""
    shape, target, orbit = orbits(problem, epsilon=epsilon)

    def below(y: np.ndarray, epsilon: np.ndarray, orbit: TwoPoint) -> np.ndarray:
        at = point(y, orbit)
        return np.log(epsilon) - (orbit.b0 - at.fall + log_mean(at.u, orbit.distance))

    return _log_times(first_root(below, orbit, target), orbit).reshape(shape)


def log_time_to_gen_loss(epsilon: ArrayLike, problem: TwoPoint) -> Broadcast:
    """Return ln t at which the population loss e^{b+σ²S²/2} first falls to ε.

    The loss may fall, rise and fall again; a dip below ε that lasts for less than 1 % of
    the way from the start (in the orbit's coordinate) can be missed.
    """
    shape, target, orbit = orbits(problem, epsilon=epsilon)

    def below(y: np.ndarray, epsilon: np.ndarray, orbit: TwoPoint) -> np.ndarray:
        at = point(y, orbit)
        return np.log(epsilon) - (orbit.b0 - at.fall + 0.5 * at.u**2)

    low = coordinate(orbit.u0, orbit.distance)
    high = np.full(low.shape, np.inf)
    for first in range(0, low.size, _SCANNED_AT_ONCE):
        part = slice(first, first + _SCANNED_AT_ONCE)
        y = low[part] + _SCAN[:, np.newaxis]
        with np.errstate(over="ignore", invalid="ignore"):
            reached = below(y, target[part], orbit[part]) >= 0.0
        index, columns = np.argmax(reached, axis=0), np.arange(y.shape[1])
        high[part] = np.where(reached.any(axis=0), y[index, columns], np.inf)
        low[part] = y[np.maximum(index - 1, 0), columns]
    return _log_times(first_root(below, orbit, target, low, high), orbit).reshape(shape)


def log_time_to_gen_accuracy(accuracy: ArrayLike, problem: TwoPoint) -> Broadcast:
    """Return ln t at which A_gen = Φ(-b/(σ|S|)) first reaches ``accuracy``.

    ``accuracy`` is above ½ and below 1.  From S₀ = b₀ = 0 the accuracy leaves t = 0 with
    Φ(1/(σ²λ)): where that is enough, ln t = -inf.
    """
    within("accuracy", accuracy, "(0.5, 1)")
    shape, accuracy, orbit = orbits(problem, accuracy=accuracy)
    z = ndtri(accuracy)

    def above(y: np.ndarray, z: np.ndarray, orbit: TwoPoint) -> np.ndarray:
        at = point(y, orbit)
        return at.fall - orbit.b0 - z * np.abs(at.u)

    # β - b₀ - z|u| increases with y, or is convex in β where u > 0 rises: from a negative
    # value it crosses zero once at most.  An orbit from u < 0 is cut where u = 0.
    start = coordinate(orbit.u0, orbit.distance)
    cut = (orbit.u0 < 0.0) & (settled_output(orbit.distance) > 0.0)
    zero = coordinate(np.zeros_like(start), orbit.distance)
    early = cut & (above(zero, z, orbit) >= 0.0)
    first = first_root(above, orbit, z, start, np.where(early, zero, np.inf))
    # At S = b = 0 the accuracy is undefined: what counts is how the orbit leaves that point.
    at_rest = (orbit.u0 == 0.0) & (orbit.b0 == 0.0)
    second = first_root(above, orbit, z, np.where(cut, zero, start + 1e-6 * at_rest))
    return _log_times(np.where(early, first, second), orbit).reshape(shape)


def log_grokking_ratio(epsilon: ArrayLike, problem: TwoPoint) -> Broadcast:
    """Return ln(t*_gen/t*_tr), t* the times at which the losses fall to ε (Paper B, Eq. 44).

    inf where t*_gen is; inf or -inf where one of the losses alone is at ε from the start, 0
    where both are.
    """
    train, gen = log_time_to_train_loss(epsilon, problem), log_time_to_gen_loss(epsilon, problem)
    return np.subtract(gen, train, out=np.zeros_like(gen), where=gen != train)


def _log_times(y: np.ndarray, orbit: TwoPoint) -> np.ndarray:
    """Return ln t at coordinates y, which may be ±inf."""
    passed = np.isfinite(y)
    result = np.array(y)
    result[passed] = log_time(y[passed], orbit[passed]) - np.log(orbit.eta[passed])
    return result
