"""Checks that arguments of formulas lie where the formula holds."""

import numpy as np
from numpy.typing import ArrayLike


def within(
    name: str,
    value: ArrayLike,
    low: float,
    high: float,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> np.ndarray:
    """Return ``value`` as float64 if all of it lies between ``low`` and ``high``.

    Raises
    ------
    ValueError
        Naming the argument, the first offending value and the interval.
    """
    array = np.asarray(value, dtype=float)
    above = array > low if open_low else array >= low
    below = array < high if open_high else array <= high
    wrong = ~(above & below)
    if np.any(wrong):
        interval = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"
        raise ValueError(f"{name} = {array[wrong][0]:g}: must lie in {interval}")
    return array


def positive(name: str, value: ArrayLike) -> np.ndarray:
    """Return ``value`` as float64 if all of it is positive and finite."""
    return within(name, value, 0.0, np.inf, open_low=True, open_high=True)


def finite(name: str, value: ArrayLike) -> np.ndarray:
    """Return ``value`` as float64 if all of it is finite."""
    return within(name, value, -np.inf, np.inf, open_low=True, open_high=True)
