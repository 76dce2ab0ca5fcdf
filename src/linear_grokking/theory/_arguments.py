"""Checks of the arguments of Paper A's formulas, which all take numbers or arrays."""

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory._domain import within

_NON_NEGATIVE = {"low": 0.0, "high": np.inf, "open_high": True}
_POSITIVE = {**_NON_NEGATIVE, "open_low": True}
_ONE_OR_MORE = {**_NON_NEGATIVE, "low": 1.0}
_RANGES = {
    "t": _NON_NEGATIVE,
    "lambda_": _POSITIVE,
    "eta": _POSITIVE,
    "gamma": _NON_NEGATIVE,
    "d_out": _ONE_OR_MORE,
    "d_h": _ONE_OR_MORE,
    "alpha": _NON_NEGATIVE,
    "noise": _NON_NEGATIVE,
    "epsilon": _POSITIVE,
    "loss": _NON_NEGATIVE,
    "accuracy": {"low": 0.0, "high": 1.0, "open_low": True, "open_high": True},
}


def checked(**arguments: ArrayLike) -> dict[str, np.ndarray]:
    """Return the named arguments as float64 arrays broadcast to one shape.

    Raises
    ------
    ValueError
        Where a value is outside its range, infinite or NaN, or the shapes do not broadcast.
    """
    arrays = {name: within(name, value, **_RANGES[name]) for name, value in arguments.items()}
    try:
        together = np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in arrays.items())
        raise ValueError(f"arguments whose shapes do not broadcast: {shapes}") from None
    return dict(zip(arrays, together, strict=True))


def below_critical(lambda_: np.ndarray) -> None:
    """Raise ValueError unless all of ``lambda_`` is below 1."""
    within("lambda_", lambda_, 0.0, 1.0, open_low=True, open_high=True)
