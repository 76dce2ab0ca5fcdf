"""Exact solutions of the two-point model at any time (Paper B, App. E).

All arguments broadcast.  Times are in steps of the gradient flow dθ/dt = -η∇L.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory._domain import finite, positive, within
from linear_grokking.theory.two_point_orbit import (
    Orbit,
    coordinate,
    log_conformal_time,
    log_time,
    point,
    settled_output,
)
from linear_grokking.theory.two_point_roots import first_root, orbits


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


def solution(
    log_t: ArrayLike,
    lambda_: ArrayLike,
    sigma: ArrayLike,
    eta: ArrayLike,
    s0: ArrayLike,
    b0: ArrayLike,
) -> TwoPointState:
    """Return the exact state at times e^{log_t} (Paper B, App. E).

    Parameters
    ----------
    log_t
        ln of the time in steps, -inf for the start; t = e^1000 is as good as t = 1.
    lambda_, sigma
        λ in [0, 1], σ > 0.
    eta
        Learning rate.
    s0, b0
        Initial weight, σ|S₀| ≤ 300, and bias.
    """
    log_t = within("log_t", log_t, -np.inf, np.inf, open_high=True)
    shape, orbit, log_t, eta = orbits(
        _distance(lambda_), sigma, s0, b0, log_t, positive("eta", eta)
    )
    # ln(1 + ηt) is finite at the start, and ln(ηt) later on.
    target = np.logaddexp(0.0, log_t + np.log(eta))
    y = first_root(
        lambda y, target, *p: np.logaddexp(0.0, log_time(y, Orbit(*p))) - target, orbit, target
    )
    y = np.maximum(y, coordinate(orbit.u0, orbit.delta))
    at = point(y, orbit)
    log_tau = log_conformal_time(y, orbit) - np.log(eta)
    parts = (at.u / orbit.sigma, orbit.b0 - at.fall, log_tau)
    return TwoPointState(*(part.reshape(shape) for part in parts))


def weight_at_conformal_time(
    tau: ArrayLike, lambda_: ArrayLike, sigma: ArrayLike, eta: ArrayLike, s0: ArrayLike
) -> np.ndarray:
    """Return S at conformal time τ: the bias-free flow (Paper B, Eq. 10).

    Parameters
    ----------
    tau
        τ = ∫e^b dt ≥ 0 in steps; it does not depend on the bias.
    lambda_, sigma, eta, s0
        As for `solution`.
    """
    tau = within("tau", tau, 0.0, np.inf, open_high=True)
    shape, orbit, tau, eta = orbits(_distance(lambda_), sigma, s0, 0.0, tau, positive("eta", eta))
    y = first_root(
        lambda y, target, *p: np.logaddexp(0.0, log_conformal_time(y, Orbit(*p))) - target,
        orbit,
        np.log1p(eta * tau),
    )
    y = np.maximum(y, coordinate(orbit.u0, orbit.delta))
    return (point(y, orbit).u / orbit.sigma).reshape(shape)


def orbit_bias(
    weight: ArrayLike, lambda_: ArrayLike, sigma: ArrayLike, s0: ArrayLike, b0: ArrayLike
) -> np.ndarray:
    """Return b where the orbit from (S₀, b₀) passes the weight S.

    Raises
    ------
    ValueError
        If S is not between S₀ and S_∞.
    """
    shape, orbit, y = _passing(weight, lambda_, sigma, s0, b0)
    return (orbit.b0 - point(y, orbit).fall).reshape(shape)


def log_time_to_weight(
    weight: ArrayLike,
    lambda_: ArrayLike,
    sigma: ArrayLike,
    eta: ArrayLike,
    s0: ArrayLike,
    b0: ArrayLike,
) -> np.ndarray:
    """Return ln t at which the orbit from (S₀, b₀) passes the weight S.

    Raises
    ------
    ValueError
        If S is not between S₀ and S_∞.
    """
    shape, orbit, y = _passing(weight, lambda_, sigma, s0, b0)
    return log_time(y, orbit).reshape(shape) - np.log(positive("eta", eta))


def _distance(lambda_: ArrayLike) -> np.ndarray:
    return 1.0 - 2.0 * within("lambda_", lambda_, 0.0, 1.0)


def _passing(
    weight: ArrayLike, lambda_: ArrayLike, sigma: ArrayLike, s0: ArrayLike, b0: ArrayLike
) -> tuple[tuple[int, ...], Orbit, np.ndarray]:
    """Return the common shape, and flat the orbits and their coordinates at the weights."""
    shape, orbit, weight = orbits(_distance(lambda_), sigma, s0, b0, finite("weight", weight))
    u, end = orbit.sigma * weight, settled_output(orbit.delta)
    outside = (u < np.minimum(orbit.u0, end)) | (u > np.maximum(orbit.u0, end)) | (u == end)
    if np.any(outside):
        raise ValueError(f"weight = {weight[outside][0]:g}: must lie between s0 and S_infinity")
    return shape, orbit, np.maximum(coordinate(u, orbit.delta), coordinate(orbit.u0, orbit.delta))
