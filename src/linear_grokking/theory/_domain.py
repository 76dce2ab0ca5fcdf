"""Checks that arguments of formulas lie where the formula holds."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.shapes import Float

Numbers = Any
"""A number, or an array that broadcasts against the other ones."""
Broadcast = Float[Any, "..."]
"""Float64 numbers: one, or an array of the shape that the arguments broadcast to."""

_NAMES = {
    "(0, inf)": "epsilon eta kappa lambda_ mu n_train sigma",
    "[0, inf)": "alpha gamma loss noise sigma_a t",
    "[1, inf)": "d d_h d_out",
    "[0, 10]": "exponent",
    "[0, 1]": "far_share",
    "[0.01, 100]": "radius_ratio",
    "(0, 1)": "accuracy beta1 beta2",
    "[-1, 1]": "distance",
    "(-inf, inf)": "b0 bias s0",
    "[-inf, inf)": "log_t",
}
_RANGES = {name: interval for interval, names in _NAMES.items() for name in names.split()}


class ConvergenceError(LinearGrokkingError, RuntimeError):
    """An iteration did not find what it was searching for."""


def within(name: str, value: ArrayLike, interval: str = "") -> np.ndarray:
    """Return ``value`` as float64 if all of it lies in an interval such as ``"[0, inf)"``.

    Without ``interval``, the range of all arguments of that name applies.

    Raises
    ------
    ValueError
        Naming the argument, the first offending value and the interval.
    """
    interval = interval or _RANGES[name]
    low, high = (float(end) for end in interval[1:-1].split(","))
    array = np.asarray(value, dtype=float)
    above = array > low if interval[0] == "(" else array >= low
    below = array < high if interval[-1] == ")" else array <= high
    wrong = ~(above & below)
    if np.any(wrong):
        raise ValueError(f"{name} = {array[wrong][0]:g}: must lie in {interval}")
    return array


def checked(**arguments: ArrayLike) -> list[np.ndarray]:
    """Return the named arguments as float64 arrays broadcast to one shape.

    Raises
    ------
    ValueError
        Where a value is outside its name's range, or the shapes do not broadcast.
    """
    arrays = {name: within(name, value) for name, value in arguments.items()}
    try:
        return list(np.broadcast_arrays(*arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in arrays.items())
        raise ValueError(f"arguments whose shapes do not broadcast: {shapes}") from None


class Parameters:
    """Base of frozen dataclasses whose fields are numbers, or arrays that broadcast."""

    def __iter__(self) -> Iterator[Any]:
        return iter(vars(self).values())

    def __getitem__(self, index: Any) -> Self:
        return type(self)(*(values[index] for values in self))

    def checked(self, **others: ArrayLike) -> list[Any]:
        """Return the other arguments and, last, the parameters, as the function `checked` does."""
        arrays = checked(**others, **vars(self))
        return [*arrays[: len(others)], type(self)(*arrays[len(others) :])]
