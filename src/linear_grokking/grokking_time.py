"""Threshold crossings of recorded curves and of formulas, and the grokking time.

One definition for both: t* is the first time at which a value, usually an accuracy, is at
or above its threshold, and the grokking time is Δt = t*_gen - t*_train (Paper A, Sec. 3).
A threshold that is never reached has t* = inf.  No function here returns NaN.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

ROOT_TOLERANCE = 1e-12  # of log(1 + t)


def first_crossing(steps: ArrayLike, values: ArrayLike, threshold: ArrayLike) -> np.ndarray:
    """Return the first time at which recorded curves reach a threshold.

    Between two records the value is taken to be linear in log t; between step 0, which has
    no logarithm, and the record after it, linear in t.

    Parameters
    ----------
    steps : (T,)
        Recorded steps, increasing, the first at 0 or later.
    values : (..., T)
        Curves at these steps, without NaN.
    threshold
        Broadcasts with (...).

    Returns
    -------
    times : (...)
        In steps.  ``steps[0]`` where the curve starts at the threshold or above it, inf
        where no record reaches it: never, or not before the records end.

    Raises
    ------
    ValueError
        If the steps do not increase, or shapes do not fit, or a value is NaN.
    """
    steps = _increasing_times(steps, "steps")
    values = np.asarray(values, float)
    if values.shape[-1:] != steps.shape:
        raise ValueError(
            f"values must have one entry per step on the last axis, {steps.size}; "
            f"got shape {values.shape}"
        )
    if np.isnan(values).any():
        raise ValueError("values must not be NaN")
    threshold = np.asarray(threshold, float)
    shape = np.broadcast_shapes(values.shape[:-1], threshold.shape)
    values = np.broadcast_to(values, (*shape, steps.size))
    threshold = np.broadcast_to(threshold, shape)

    reached = values >= threshold[..., np.newaxis]
    after = np.argmax(reached, axis=-1)
    before = np.maximum(after - 1, 0)
    times = np.where(reached.any(axis=-1), steps[after], np.inf)
    inside = reached.any(axis=-1) & (after > 0)
    after, before = after[inside], before[inside]
    low = np.take_along_axis(values[inside], before[:, np.newaxis], -1)[:, 0]
    high = np.take_along_axis(values[inside], after[:, np.newaxis], -1)[:, 0]
    # An infinite value pulls the crossing to the other end of its interval.
    low, high = np.nan_to_num(low), np.nan_to_num(high)
    fraction = (threshold[inside] / 2 - low / 2) / (high / 2 - low / 2)
    times[inside] = _between(steps[before], steps[after], fraction)
    return times


def first_crossing_of(
    function: Callable[..., np.ndarray],
    threshold: ArrayLike,
    times: ArrayLike,
    args: tuple[ArrayLike, ...] = (),
) -> np.ndarray:
    """Return the first time at which a formula reaches a threshold.

    The times bracket the crossing, and root finding in log(1 + t) locates it: to about
    1e-12 log(t) relative, or to the rounding of the formula.

    Parameters
    ----------
    function
        ``function(t, *args)``, elementwise in arrays of one shape and continuous in t.
    threshold
        Broadcasts with the arguments.
    times : (T,)
        Increasing, in steps.  The first interval with a crossing is found on them: two
        times suffice for a monotonic formula, others need a grid finer than their
        features, or a crossing goes unseen.  The last time is where "never" begins.
    args
        Parameters of the formula that broadcast with each other, to shape (...).

    Returns
    -------
    crossing : (...)
        ``times[0]`` where the formula starts at the threshold or above it, inf where it is
        below it at all times given.

    Raises
    ------
    ValueError
        If the times do not increase, or the formula gives NaN.
    """
    times = _increasing_times(times, "times")
    arrays = np.broadcast_arrays(np.asarray(threshold, float), *args)
    shape = arrays[0].shape
    threshold, *args = (np.ravel(array) for array in arrays)

    def excess(t: np.ndarray, threshold: np.ndarray, *args: np.ndarray) -> np.ndarray:
        values = np.asarray(function(t, *args), float)
        if np.isnan(values).any():
            raise ValueError(f"formula must not be NaN; got NaN at t={t[np.isnan(values)][0]:g}")
        return values - threshold

    crossing = np.full(threshold.shape, np.inf)
    below = np.arange(threshold.size)
    for k, t in enumerate(times):
        arguments = [array[below] for array in (threshold, *args)]
        reached = excess(np.full(below.shape, t), *arguments) >= 0
        found = below[reached]
        if k == 0:
            crossing[found] = t
        elif found.size:
            crossing[found] = _root(
                excess, times[k - 1], t, tuple(array[reached] for array in arguments)
            )
        below = below[~reached]
        if not below.size:
            break
    return crossing.reshape(shape)


def grokking_delay(t_train: ArrayLike, t_gen: ArrayLike) -> np.ndarray:
    """Return the grokking time Δt = t*_gen - t*_train, in steps (Paper A, Sec. 3).

    Returns
    -------
    delay : (...)
        inf where the generalization accuracy never reaches its threshold, whatever the
        training accuracy does; -inf where only the training accuracy never does.
    """
    t_train, t_gen = np.broadcast_arrays(np.asarray(t_train, float), np.asarray(t_gen, float))
    if np.isnan(t_train).any() or np.isnan(t_gen).any():
        raise ValueError("t_train and t_gen must not be NaN; inf means never reached")
    reached = np.isfinite(t_gen)
    return np.subtract(t_gen, t_train, out=np.full(t_gen.shape, np.inf), where=reached)


def _root(
    excess: Callable[..., np.ndarray], start: float, stop: float, arguments: tuple
) -> np.ndarray:
    """Return the root of ``excess`` in (start, stop], below 0 at start and not at stop."""
    span = np.log1p(stop) - np.log1p(start)

    def time(fraction: np.ndarray) -> np.ndarray:
        # Exact at both ends, where the signs are known.
        middle = np.expm1((1 - fraction) * np.log1p(start) + fraction * np.log1p(stop))
        middle = np.clip(middle, start, stop)
        return np.where(fraction == 0, start, np.where(fraction == 1, stop, middle))

    # Imported here, because reading times off histories needs none of SciPy.
    from scipy.optimize.elementwise import find_root

    solution = find_root(
        lambda fraction, *args: excess(time(fraction), *args),
        (0.0, 1.0),
        args=arguments,
        tolerances={"xatol": ROOT_TOLERANCE / span},
    )
    if not solution.success.all():
        raise ValueError(f"no crossing located in [{start:g}, {stop:g}]: formula not elementwise?")
    return time(solution.x)


def _between(start: np.ndarray, stop: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Interpolate in log t, and linearly in t from a start at 0."""
    ratio = np.divide(stop, start, out=np.ones_like(stop), where=start > 0)
    times = np.where(start > 0, start * ratio**fraction, stop * fraction)
    return np.clip(times, start, stop)


def _increasing_times(times: ArrayLike, name: str) -> np.ndarray:
    times = np.asarray(times, float)
    if times.ndim != 1 or not times.size:
        raise ValueError(f"{name} must be a non-empty vector; got shape {times.shape}")
    if not (times[0] >= 0 and np.isfinite(times[-1]) and (np.diff(times) > 0).all()):
        raise ValueError(f"{name} must be finite, non-negative and increasing; got {times}")
    return times
