"""Roots of many functions at a time, and where to look for the minimum of one."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize.elementwise import find_root

from linear_grokking.theory._domain import ConvergenceError

# Called with a coordinate of shape (n,) and the parameters, each of shape (n,).
Function = Callable[..., np.ndarray]

# In log t: a root is sought up to 4^100 ≈ 1e60 times the starting time.
_LOG_TIME_STRIDES = [np.log(4.0)] * 100
_LOG_TIME_RESOLUTION = 1e-10


def bracket(
    function: Function,
    start: np.ndarray,
    parameters: Sequence[np.ndarray],
    strides: Iterable[float],
    ceiling: ArrayLike = np.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ends, for `root`, between which ``function`` first rises through zero.

    The search walks from ``start`` in ``strides``, never past ``ceiling``; a positive
    stretch shorter than a stride may be missed.  The upper end is inf where no root is found,
    and the start where the function is not negative there.
    """
    low, high = np.array(start), np.full(start.shape, np.inf)
    ceiling = np.broadcast_to(ceiling, start.shape)
    for stride in (0.0, *strides):
        (walking,) = np.nonzero(np.isinf(high))
        if not walking.size:
            break
        trial = np.minimum(low[walking] + stride, ceiling[walking])
        reached = function(trial, *(values[walking] for values in parameters)) >= 0.0
        high[walking[reached]] = trial[reached]
        low[walking[~reached]] = trial[~reached]
    return low, high


def root(
    function: Function,
    low: np.ndarray,
    high: np.ndarray,
    parameters: Sequence[np.ndarray],
    resolution: float,
) -> np.ndarray:
    """Return where ``function`` rises through zero between two ends, by Chandrupatla's method.

    The result is -inf where it is not negative at ``low``, and inf where ``high`` is inf.

    Raises
    ------
    ConvergenceError
        If 200 iterations don't converge, as for a function that is NaN inside the bracket.
    """
    later = function(low, *parameters) < 0.0
    result = np.where(later, np.inf, -np.inf)
    found = later & np.isfinite(high)
    if np.any(found):
        between = find_root(
            function,
            (low[found], high[found]),
            args=tuple(values[found] for values in parameters),
            tolerances={"xatol": resolution},
            maxiter=200,
        )
        if not np.all(between.success):
            raise ConvergenceError("no root between the ends of its bracket")
        result[found] = between.x
    return result


def first_time(
    function: Function,
    log_start: np.ndarray,
    parameters: Sequence[np.ndarray],
    log_ceiling: ArrayLike = np.inf,
) -> np.ndarray:
    """Return the time at which ``function`` of log t first rises through zero, inf if never.

    The walk is in strides of a factor 4 in time; see `bracket`.
    """
    ends = bracket(function, log_start, parameters, _LOG_TIME_STRIDES, log_ceiling)
    return np.exp(root(function, *ends, parameters, _LOG_TIME_RESOLUTION))


def time_below(
    loss_function: Callable[..., np.ndarray],
    target: np.ndarray,
    reached: np.ndarray,
    fastest: ArrayLike,
    problem: Any,
    turn: ArrayLike = np.inf,
) -> np.ndarray:
    """Return the first time at which a loss of a `linear.Problem` falls to ``target``.

    The loss must decrease up to that time.

    Parameters
    ----------
    reached
        Where it ever gets there.
    fastest
        An eigenvalue ν such that the loss falls no faster than the mode of this eigenvalue.
    turn
        A time at which the loss is known to be below ``target``, ``inf`` where none is known.
    """
    initial = np.asarray(loss_function(0.0, problem))
    time = np.where(initial <= target, 0.0, np.inf)
    some = np.asarray(reached & (initial > target))
    arrays = (target, np.broadcast_to(fastest, time.shape), np.broadcast_to(turn, time.shape))
    left, (target, fastest, turn) = problem[some], (each[some] for each in arrays)
    # 1 % earlier is safely above the target where the spectrum is a point (λ → 0).
    rate = 4.0 * left.eta * (fastest + left.gamma / 2.0) / left.d_out
    start = np.log(0.99 * np.log(initial[some] / target) / rate)

    def excess(log_t: np.ndarray, target: np.ndarray, *fields: np.ndarray) -> np.ndarray:
        loss = loss_function(np.exp(log_t), type(problem)(*fields))
        return -np.log(np.maximum(loss, np.finfo(float).tiny) / target)

    time[some] = first_time(excess, start, (target, *left), np.log(turn))
    return time[()]


def around_least(grid: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Return the grid points next to that of the least value: bounds for a finer search."""
    best = int(np.argmin(values))
    return float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])
