"""Threshold crossings of recorded curves, and the grokking time.

t* is the first time at which a value, usually an accuracy, is at or above its threshold, and
the grokking time is Δt = t*_gen - t*_train (Paper A, Sec. 3).  If a threshold is never reached,
t* = inf.  No function here returns NaN.
"""

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.shapes import Float


def first_crossing(
    steps: ArrayLike, values: ArrayLike, threshold: ArrayLike
) -> Float[np.ndarray, "*S"]:
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
    steps = np.asarray(steps, float)
    if steps.ndim != 1 or not steps.size:
        raise ValueError(f"steps must be a non-empty vector; got shape {steps.shape}")
    if not (steps[0] >= 0 and np.isfinite(steps[-1]) and (np.diff(steps) > 0).all()):
        raise ValueError(f"steps must be finite, non-negative and increasing; got {steps}")
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


def grokking_delay(t_train: ArrayLike, t_gen: ArrayLike) -> Float[np.ndarray, "*S"]:
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


def _between(start: np.ndarray, stop: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Interpolate in log t, and linearly in t from a start at 0."""
    ratio = np.divide(stop, start, out=np.ones_like(stop), where=start > 0)
    times = np.where(start > 0, start * ratio**fraction, stop * fraction)
    return np.clip(times, start, stop)
