"""Moving arrays between the host and wherever they lie, for NumPy and torch alike."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

Array = Any
"""A NumPy array or a torch tensor."""
Namespace = Any
"""An array library in its standard form, as `array_api_compat.array_namespace` returns it."""


def to_numpy(array: Array) -> np.ndarray:
    """Return an array in host memory as NumPy's; a view where it is one already."""
    return np.asarray(array.cpu() if hasattr(array, "cpu") else array)


def like(array: Array, values: np.ndarray) -> Array:
    """Return NumPy values in another array's library and on its device, dtype kept."""
    if isinstance(array, np.ndarray):
        return values
    return array_namespace(array).asarray(values, device=device(array))
