"""Threshold times of the two-point model, in ln t.

All arguments broadcast.  Times are natural logarithms of steps of the gradient flow
dθ/dt = -η∇L: -inf for what holds at t = 0, inf for what never happens.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from linear_grokking.theory._domain import positive, within
from linear_grokking.theory.two_point_orbit import (
    Orbit,
    coordinate,
    log_mean,
    log_time,
    point,
    settled_output,
)
from linear_grokking.theory.two_point_roots import first_root, orbits

# Steps from the start, in the orbit's coordinate, at which a loss that may fall, rise and
# fall again is looked at: 1 % apart.
_SCAN = np.concatenate([[0.0], np.geomspace(1e-4, 1e13, 4000)])
_SCANNED_AT_ONCE = 1000


def log_time_to_train_loss(
    epsilon: ArrayLike,
    lambda_: ArrayLike,
    sigma: ArrayLike,
    eta: ArrayLike,
    s0: ArrayLike,
    b0: ArrayLike,
) -> np.ndarray:
    """Return ln t at which the training loss has fallen to ε."""
    shape, orbit, epsilon, eta = orbits(
        _distance(lambda_), sigma, s0, b0, positive("epsilon", epsilon), positive("eta", eta)
    )

    def below(y: np.ndarray, epsilon: np.ndarray, *p: np.ndarray) -> np.ndarray:
        orbit = Orbit(*p)
        at = point(y, orbit)
        return np.log(epsilon) - (orbit.b0 - at.fall + log_mean(at.u, orbit.delta))

    return _log_steps(first_root(below, orbit, epsilon), orbit, eta).reshape(shape)


def log_time_to_gen_accuracy(
    accuracy: ArrayLike,
    lambda_: ArrayLike,
    sigma: ArrayLike,
    eta: ArrayLike,
    s0: ArrayLike,
    b0: ArrayLike,
) -> np.ndarray:
    """Return ln t at which A_gen = Φ(-b/(σ|S|)) first reaches ``accuracy``.

    ``accuracy`` is above ½ and below 1.  From S₀ = b₀ = 0 the accuracy leaves t = 0 with
    Φ(1/(σ²λ)): where that is enough, ln t = -inf.
    """
    return _log_time_to_accuracy(accuracy, _distance(lambda_), sigma, eta, s0, b0)


def log_time_to_gen_loss(
    epsilon: ArrayLike,
    lambda_: ArrayLike,
    sigma: ArrayLike,
    eta: ArrayLike,
    s0: ArrayLike,
    b0: ArrayLike,
) -> np.ndarray:
    """Return ln t at which the population loss e^{b+σ²S²/2} first falls to ε.

    The loss may fall, rise and fall again; a dip below ε that lasts for less than 1 % of
    the way from the start (in the orbit's coordinate) can be missed.
    """
    shape, orbit, epsilon, eta = orbits(
        _distance(lambda_), sigma, s0, b0, positive("epsilon", epsilon), positive("eta", eta)
    )

    def below(y: np.ndarray, epsilon: np.ndarray, *p: np.ndarray) -> np.ndarray:
        orbit = Orbit(*p)
        at = point(y, orbit)
        return np.log(epsilon) - (orbit.b0 - at.fall + 0.5 * at.u**2)

    low = coordinate(orbit.u0, orbit.delta)
    high = np.full(low.shape, np.inf)
    for first in range(0, low.size, _SCANNED_AT_ONCE):
        part = slice(first, first + _SCANNED_AT_ONCE)
        y = low[part] + _SCAN[:, np.newaxis]
        with np.errstate(over="ignore", invalid="ignore"):
            reached = below(y, epsilon[part], *(p[part] for p in orbit)) >= 0.0
        index, columns = np.argmax(reached, axis=0), np.arange(y.shape[1])
        high[part] = np.where(reached.any(axis=0), y[index, columns], np.inf)
        low[part] = y[np.maximum(index - 1, 0), columns]
    return _log_steps(first_root(below, orbit, epsilon, low, high), orbit, eta).reshape(shape)


def log_grokking_ratio(
    epsilon: ArrayLike,
    lambda_: ArrayLike,
    sigma: ArrayLike,
    eta: ArrayLike,
    s0: ArrayLike,
    b0: ArrayLike,
) -> np.ndarray:
    """Return ln(t*_gen/t*_tr), t* the times at which the losses fall to ε (Paper B, Eq. 44).

    inf where t*_gen is; inf or -inf where one of the losses alone is at ε from the start, 0
    where both are.
    """
    arguments = (epsilon, lambda_, sigma, eta, s0, b0)
    train, gen = log_time_to_train_loss(*arguments), log_time_to_gen_loss(*arguments)
    return np.subtract(gen, train, out=np.zeros_like(gen), where=gen != train)


def log_time_map(
    sigma: ArrayLike,
    distance: ArrayLike,
    *,
    eta: float,
    s0: float,
    b0: float,
    accuracy: float = 0.95,
) -> np.ndarray:
    """Return ln t at which A_gen reaches ``accuracy`` over (σ, 1-2λ) (Paper B, Fig. 3).

    Parameters
    ----------
    sigma : (n,)
    distance : (m,)
        1-2λ in [-1, 1].

    Returns
    -------
    log_times : (n, m)
    """
    sigma = np.asarray(sigma, dtype=float)[:, np.newaxis]
    distance = within("distance", distance, -1.0, 1.0)
    return _log_time_to_accuracy(accuracy, distance, sigma, eta, s0, b0)


def _distance(lambda_: ArrayLike) -> np.ndarray:
    return 1.0 - 2.0 * within("lambda_", lambda_, 0.0, 1.0)


def _log_time_to_accuracy(
    accuracy: ArrayLike,
    delta: np.ndarray,
    sigma: ArrayLike,
    eta: ArrayLike,
    s0: ArrayLike,
    b0: ArrayLike,
) -> np.ndarray:
    accuracy = within("accuracy", accuracy, 0.5, 1.0, open_low=True, open_high=True)
    shape, orbit, accuracy, eta = orbits(delta, sigma, s0, b0, accuracy, positive("eta", eta))
    z = ndtri(accuracy)

    def above(y: np.ndarray, z: np.ndarray, *p: np.ndarray) -> np.ndarray:
        orbit = Orbit(*p)
        at = point(y, orbit)
        return at.fall - orbit.b0 - z * np.abs(at.u)

    # β - b₀ - z|u| increases with y, or is convex in β where u > 0 rises: from a negative
    # value it crosses zero once at most.  An orbit from u < 0 is cut where u = 0.
    start = coordinate(orbit.u0, orbit.delta)
    cut = (orbit.u0 < 0.0) & (settled_output(orbit.delta) > 0.0)
    zero = coordinate(np.zeros_like(start), orbit.delta)
    early = cut & (above(zero, z, *orbit) >= 0.0)
    first = first_root(above, orbit, z, start, np.where(early, zero, np.inf))
    # At S = b = 0 the accuracy is undefined: what counts is the way that it leaves.
    at_rest = (orbit.u0 == 0.0) & (orbit.b0 == 0.0)
    second = first_root(above, orbit, z, np.where(cut, zero, start + 1e-6 * at_rest))
    return _log_steps(np.where(early, first, second), orbit, eta).reshape(shape)


def _log_steps(y: np.ndarray, orbit: Orbit, eta: np.ndarray) -> np.ndarray:
    """Return ln t at coordinates y, which may be ±inf."""
    passed = np.isfinite(y)
    result = np.array(y)
    result[passed] = log_time(y[passed], Orbit(*(p[passed] for p in orbit))) - np.log(eta[passed])
    return result
