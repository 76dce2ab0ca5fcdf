"""Moving arrays between the host and wherever they lie, for NumPy and torch alike."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = Any
"""A NumPy array or a torch tensor."""
Namespace = Any
"""An array library in its standard form, as `array_namespace` returns it."""


def array_namespace(*arrays: Array) -> Namespace:
    """Return the library of arrays, with the functions of the Python array API standard.

    NumPy has these functions itself, so jobs without torch need not import array_api_compat.

    Raises
    ------
    TypeError
        If the arrays are of several libraries, or of none.
    """
    if arrays and all(isinstance(each, np.ndarray | np.generic) for each in arrays):
        return np
    import array_api_compat

    return array_api_compat.array_namespace(*arrays)


def to_numpy(array: Array) -> np.ndarray:
    """Return an array as a NumPy array in host memory; without a copy if it is there already."""
    return np.asarray(array.cpu() if hasattr(array, "cpu") else array)


def to_host(arrays: Mapping[str, Array]) -> dict[str, np.ndarray]:
    """Return arrays as NumPy arrays; torch tensors come in one transfer, with one dtype.

    At each transfer, however short, the host waits for the device.
    """
    elsewhere = {name: each for name, each in arrays.items() if hasattr(each, "cpu")}
    found = {name: np.asarray(each) for name, each in arrays.items() if name not in elsewhere}
    if elsewhere:
        xp = array_namespace(*elsewhere.values())
        joined = to_numpy(xp.concat([xp.reshape(each, (-1,)) for each in elsewhere.values()]))
        ends = np.cumsum([math.prod(each.shape) for each in elsewhere.values()])
        for (name, each), part in zip(elsewhere.items(), np.split(joined, ends[:-1]), strict=True):
            found[name] = part.reshape(each.shape)
    return {name: found[name] for name in arrays}


def like(array: Array, values: np.ndarray) -> Array:
    """Return NumPy values in another array's library and on its device, dtype kept."""
    if isinstance(array, np.ndarray):
        return values
    return array_namespace(array).asarray(values, device=array.device)
