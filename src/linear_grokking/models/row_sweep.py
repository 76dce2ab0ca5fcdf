"""The pass over the data in compiled loops: each matrix is read from memory once.

BLAS has no call for both products: it would read a matrix twice, or stop reading while it
works on what is in the cache.  Here the pull-back of some rows, still in the cache, is added
in the same loop that reads the next ones.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numba
import numpy as np

from linear_grokking.models.sweep import Weighing

_LOGISTIC, _EXPONENTIAL = int(Weighing.LOGISTIC), int(Weighing.EXPONENTIAL)

# A matrix is cut in ranges of at least this size that threads may share.  The cut depends
# on the matrix alone, so that the sums do not depend on the number of threads.
_RANGE_BYTES = 2**23
_MOST_RANGES = 32

# Weights are rounded to float32 in units of the first few; should others exceed these by
# this factor, all is done again in units of the largest.
_ROOM = 1e15
# What is smaller is nothing: near the end of float32's range products take processors a
# hundred times longer.
_NEGLIGIBLE = 1e-30
_TINY = 1e-300

# Sums may be taken in any order, as by BLAS; what is infinite or no number stays so.
_compile = numba.njit(
    nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"}
)


class RowSweep:
    """`sweep.ArraySweep` for NumPy, one realization after another.

    Parameters
    ----------
    inputs : (R, N, d)
    threads
        Threads that share matrices beyond the cache.
    """

    def __init__(self, inputs: np.ndarray, threads: int = 1) -> None:
        self._inputs = np.ascontiguousarray(inputs)
        _, n, d = inputs.shape
        count = max(1, min(_MOST_RANGES, n * d * inputs.itemsize // _RANGE_BYTES))
        self._ranges = list(pairwise(np.linspace(0, n, count + 1).astype(int).tolist()))
        self._pool = ThreadPoolExecutor(threads) if threads > 1 and count > 1 else None

    def outputs(self, vectors: np.ndarray) -> np.ndarray:
        """See `ArraySweep.outputs`."""
        outputs = np.empty(self._inputs.shape[:2])
        vectors = vectors.astype(self._inputs.dtype)

        def fill(ends: tuple[int, int]) -> None:
            _fill_outputs(self._inputs, vectors, *ends, outputs)

        self._map(fill)
        return outputs

    def __call__(
        self, vectors: np.ndarray, offsets: np.ndarray, weighing: Weighing, factors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `ArraySweep.__call__`."""
        outputs = np.empty(self._inputs.shape[:2])
        vectors = vectors.astype(self._inputs.dtype)
        # Of one layout, or the loops would be compiled for each.
        offsets, factors = np.ascontiguousarray(offsets), np.ascontiguousarray(factors)

        def sweep(ends: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
            return _sweep(self._inputs, vectors, offsets, int(weighing), factors, *ends, outputs)

        (pull_back, totals), *others = self._map(sweep)
        for other_pull_back, other_totals in others:
            pull_back += other_pull_back
            totals += other_totals
        return outputs, pull_back, totals

    def _map(self, function: Callable[[tuple[int, int]], Any]) -> list[Any]:
        """Return the function's values on all ranges of rows, in order."""
        if self._pool is None:
            return [function(ends) for ends in self._ranges]
        return list(self._pool.map(function, self._ranges))


@_compile
def _fill_outputs(inputs, vectors, first, last, outputs):  # pragma: no cover
    """Fill outputs (R, N) from some rows of each realization."""
    for k in range(len(inputs)):
        vector = vectors[k]
        for i in range(first, last):
            row = inputs[k, i]
            total = vector.dtype.type(0)
            for j in range(vector.size):
                total += row[j] * vector[j]
            outputs[k, i] = total


@_compile
def _sweep(inputs, vectors, offsets, weighing, factors, first, last, outputs):  # pragma: no cover
    """Fill outputs (R, N) from some rows; return their pull-back (R, d) and total (R,)."""
    realizations, _, d = inputs.shape
    pull_back = np.empty((realizations, d))
    totals = np.empty(realizations)
    for k in range(realizations):
        of_rows = (
            inputs[k, first:last],
            vectors[k],
            offsets[k],
            weighing,
            factors[k, first:last],
            outputs[k, first:last],
        )
        sums = np.zeros(d, inputs.dtype)
        total, unit, largest = _sweep_rows(of_rows, 0.0, sums)
        if largest > _ROOM * unit:
            sums[:] = 0
            total, unit, largest = _sweep_rows(of_rows, largest, sums)
        totals[k] = total
        for j in range(d):
            pull_back[k, j] = unit * sums[j]
    return pull_back, totals


@_compile
def _sweep_rows(of_rows, unit, sums):  # pragma: no cover
    """Fill outputs (n,), and add Xᵀw to sums (d,) in a unit; 0 leaves its choice.

    Returns Σw, the unit, and the largest |w|.
    """
    rows, vector, offset, weighing, factors, outputs = of_rows
    n, d = rows.shape
    zero = vector.dtype.type(0)
    exact = np.zeros(4)
    weights = np.zeros(4, vector.dtype)
    total = largest = 0.0
    whole = n - n % 4
    for i in range(0, whole, 4):
        r0, r1, r2, r3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        last = max(i - 4, 0)  # of weight 0 at first
        q0, q1, q2, q3 = rows[last], rows[last + 1], rows[last + 2], rows[last + 3]
        w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
        o0 = o1 = o2 = o3 = zero
        for j in range(d):
            v = vector[j]
            o0 += r0[j] * v
            o1 += r1[j] * v
            o2 += r2[j] * v
            o3 += r3[j] * v
            sums[j] += w0 * q0[j] + w1 * q1[j] + w2 * q2[j] + w3 * q3[j]
        outputs[i], outputs[i + 1], outputs[i + 2], outputs[i + 3] = o0, o1, o2, o3
        for k in range(4):
            outputs[i + k] += offset
            exact[k] = _weight(weighing, outputs[i + k], factors[i + k])
            total += exact[k]
            largest = max(largest, abs(exact[k]))
        if unit == 0.0:
            unit = max(largest, _TINY)
        _round(exact, 1.0 / unit, weights)
    for k in range(4 if whole else 0):
        for j in range(d):
            sums[j] += weights[k] * rows[whole - 4 + k, j]
    for i in range(whole, n):
        output = zero
        for j in range(d):
            output += rows[i, j] * vector[j]
        outputs[i] = output + offset
        exact[0] = _weight(weighing, outputs[i], factors[i])
        total += exact[0]
        largest = max(largest, abs(exact[0]))
        if unit == 0.0:
            unit = max(largest, _TINY)
        _round(exact, 1.0 / unit, weights)
        for j in range(d):
            sums[j] += weights[0] * rows[i, j]
    return total, unit, largest


@_compile
def _weight(weighing, output, factor):  # pragma: no cover
    """Return what `sweep.weights_of` does, of one sample."""
    product = factor * output
    if weighing == _LOGISTIC:
        return factor / (1.0 + math.exp(-product))
    if weighing == _EXPONENTIAL:
        return factor * math.exp(product)
    return product


@_compile
def _round(exact, scale, weights):  # pragma: no cover
    """Set weights (4,) to the exact ones, scaled."""
    for k in range(4):
        scaled = exact[k] * scale
        weights[k] = 0.0 if abs(scaled) < _NEGLIGIBLE else scaled
