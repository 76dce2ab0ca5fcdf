"""Roots along the two-point model's orbits."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize.elementwise import find_root

from linear_grokking.theory._domain import finite, positive, within
from linear_grokking.theory.two_point_orbit import Orbit, coordinate

_LARGEST_START = 300.0  # of σ|S₀|: the first loss is then e^300
_DOUBLINGS = 64
_RESOLUTION = 1e-40  # of a coordinate at zero: within reach of 200 bisections


def orbits(
    delta: ArrayLike, sigma: ArrayLike, s0: ArrayLike, b0: ArrayLike, *others: ArrayLike
) -> tuple:
    """Return the common shape, and the orbits' parameters and ``others`` as flat arrays.

    Parameters
    ----------
    delta
        δ = 1-2λ in [-1, 1].
    sigma, s0, b0
        σ > 0, initial weight with σ|S₀| ≤ 300, initial bias.
    """
    delta = within("1 - 2 lambda_", delta, -1.0, 1.0)
    sigma = positive("sigma", sigma)
    u0 = within("sigma * s0", sigma * finite("s0", s0), -_LARGEST_START, _LARGEST_START)
    parts = np.broadcast_arrays(delta, sigma, u0, finite("b0", b0), *others)
    flat = [np.array(p, dtype=float).reshape(-1) for p in parts]
    return parts[0].shape, Orbit(*flat[:4]), *flat[4:]


def first_root(
    function: Callable[..., np.ndarray],
    orbit: Orbit,
    argument: np.ndarray,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
) -> np.ndarray:
    """Return the coordinate at which ``function`` rises through zero.

    ``function(y, argument, *orbit)`` is negative from ``low``, by default the start, to its
    root.  Without ``high`` the root is bracketed by steps from ``low`` that double.

    Returns -inf where the function is not negative at ``low``, inf where it has no root.

    Raises
    ------
    RuntimeError
        If 200 iterations of Chandrupatla's method don't converge, as for a function that
        is NaN inside the bracket.
    """
    arguments = (argument, *orbit)
    low = coordinate(orbit.u0, orbit.delta) if low is None else low
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        later = function(low, *arguments) < 0.0
        if high is None:
            low, high = _bracket(function, arguments, low, later)
        result = np.where(later, np.inf, -np.inf)
        found = later & np.isfinite(high)
        if np.any(found):
            ends = (low[found], high[found])
            selected = tuple(a[found] for a in arguments)
            root = find_root(
                function, ends, args=selected, maxiter=200, tolerances={"xatol": _RESOLUTION}
            )
            if not np.all(root.success):
                raise RuntimeError("no root between the ends of its bracket on an orbit")
            result[found] = root.x
    return result


def _bracket(
    function: Callable[..., np.ndarray],
    arguments: tuple[np.ndarray, ...],
    origin: np.ndarray,
    wanted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ends that bracket a root beyond ``origin``; the upper is inf where none is found."""
    low, high = np.array(origin), np.full(origin.shape, np.inf)
    for k in range(_DOUBLINGS):
        (open_,) = np.nonzero(wanted & np.isinf(high))
        if not open_.size:
            break
        trial = origin[open_] + 2.0**k
        reached = function(trial, *(a[open_] for a in arguments)) >= 0.0
        high[open_[reached]] = trial[reached]
        low[open_[~reached]] = trial[~reached]
    return low, high
