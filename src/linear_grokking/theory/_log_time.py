"""First zero in log t of functions that start positive, many at a time."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import elementwise

# Called with log t of shape (n,) and the parameters, each of shape (n,).
Function = Callable[..., np.ndarray]

# A zero is sought up to 4^100 ≈ 1e60 times the starting time.
_STRIDE = np.log(4.0)
_STRIDES = 100


def first_zero(
    function: Function,
    start: np.ndarray,
    parameters: tuple[np.ndarray, ...],
    ceiling: np.ndarray | None = None,
) -> np.ndarray:
    """Return the time at which ``function`` first vanishes, ``inf`` where it stays positive.

    A walk in strides of a factor 4 in time finds the interval, so a negative stretch shorter
    than that may be missed; Chandrupatla's method finds the zero to 1e-10 of the time.

    Parameters
    ----------
    function
        Positive at ``start``.
    start : (n,)
        Logarithm of the time to start from.
    parameters
        Arrays of shape (n,) that ``function`` takes after log t.
    ceiling : (n,), optional
        Logarithm of a time that no stride passes.
    """
    low, high, found = _walk(function, start, parameters, ceiling)
    time = np.full(start.shape, np.inf)
    if np.any(found):
        root = elementwise.find_root(
            function,
            (low[found], high[found]),
            args=tuple(values[found] for values in parameters),
            tolerances={"xatol": 1e-10, "xrtol": 0.0},
            maxiter=200,
        )
        time[found] = np.exp(root.x)
    return time


def _walk(
    function: Function,
    start: np.ndarray,
    parameters: tuple[np.ndarray, ...],
    ceiling: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both ends of the last stride, and whether ``function`` ended not positive."""
    low, high = start.copy(), start.copy()
    walking = np.ones(start.shape, dtype=bool)
    ceiling = np.full(start.shape, np.inf) if ceiling is None else ceiling
    for _ in range(_STRIDES):
        if not np.any(walking):
            break
        low[walking] = high[walking]
        high[walking] = np.minimum(high[walking] + _STRIDE, ceiling[walking])
        some = tuple(values[walking] for values in parameters)
        walking[walking] = function(high[walking], *some) > 0
    return low, high, ~walking
