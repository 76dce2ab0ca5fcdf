"""One pass over the data for both products of a gradient: outputs Xv and pull-back Xᵀw.

The weights w of the samples are functions of the outputs, so the pull-back of a block of
rows can follow its outputs while the block is still in the cache: matrices beyond the
cache are then read from memory once per gradient instead of twice.

Products are taken in the dtype of the inputs, everything else in float64; weights are
scaled to their largest before they are rounded to float32, whose range they may exceed.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_numpy_array

from linear_grokking.arrays import Array

# Called with outputs and the realizations (an index or a slice of them) and samples (a
# slice) that they belong to; returns the samples' weights.
Weigh = Callable[[Array, int | slice, slice], Array]

_ALL = slice(None)
_TINY = 1e-300
_NEGLIGIBLE = 1e-30

# Bytes of a block: small against a core's cache of 1-2 MB, large against call overheads.
BLOCK_BYTES = 3 * 2**18

# A matrix is cut in ranges of at least this size that threads may share.  The cut depends
# on the matrix alone, so that the sums do not depend on the number of threads.
_RANGE_BYTES = 2**23
_MOST_RANGES = 32


def make_sweep(inputs: Array, threads: int = 1) -> "ArraySweep | RowSweep":
    """Return the pass over ``inputs`` (R, N, d) that suits where they lie and their size.

    Parameters
    ----------
    threads
        Threads that share NumPy matrices beyond the cache, BLAS being held to one in each.
        Results do not depend on it.
    """
    if is_numpy_array(inputs):
        return RowSweep(inputs, threads)
    return ArraySweep(inputs)


class ArraySweep:
    """All realizations in one batched product; for GPUs, and any array library."""

    def __init__(self, inputs: Array) -> None:
        self._inputs = inputs
        self._xp = array_namespace(inputs)

    def outputs(self, vectors: Array) -> Array:
        """Return Xv (R, N) in float64 for vectors (R, d)."""
        xp = self._xp
        product = xp.matmul(self._inputs, self._cast(vectors)[..., None])
        return xp.astype(product[..., 0], xp.float64)

    def __call__(self, vectors: Array, offsets: Array, weigh: Weigh) -> tuple[Array, Array, Array]:
        """Return outputs o = Xv + offset, pull-back Xᵀw and total Σw, w = weigh(o).

        Parameters
        ----------
        vectors : (R, d)
        offsets : (R,)
        weigh
            Called as ``weigh(outputs, realizations, samples)``; see `Weigh`.

        Returns
        -------
        outputs : (R, N)
        pull_back : (R, d)
        totals : (R,)
            All float64.
        """
        xp = self._xp
        outputs = self.outputs(vectors) + offsets[..., None]
        weights = weigh(outputs, _ALL, _ALL)
        largest = xp.clip(xp.max(xp.abs(weights), axis=-1), _TINY, None)[..., None]
        pull_back = xp.matmul(self._cast(weights / largest)[..., None, :], self._inputs)
        pull_back = largest * xp.astype(pull_back[..., 0, :], xp.float64)
        return outputs, pull_back, xp.sum(weights, axis=-1)

    def _cast(self, array: Array) -> Array:
        return self._xp.astype(array, self._inputs.dtype, copy=False)


class RowSweep:
    """One realization after another in NumPy, in blocks of rows where they are many."""

    def __init__(self, inputs: np.ndarray, threads: int = 1) -> None:
        self._inputs = inputs
        _, n, d = inputs.shape
        row_bytes = d * inputs.itemsize
        self._ranges = None
        self._pool = None
        if n * row_bytes > 2 * BLOCK_BYTES:
            from scipy.linalg import get_blas_funcs

            self._gemv = get_blas_funcs("gemv", dtype=inputs.dtype)
            count = min(_MOST_RANGES, math.ceil(n * row_bytes / _RANGE_BYTES))
            rows = max(1, BLOCK_BYTES // row_bytes)
            self._ranges = [_cut(*ends, rows) for ends in pairwise(_edges(0, n, count))]
            if threads > 1 and count > 1:
                from threadpoolctl import ThreadpoolController

                self._pool = ThreadPoolExecutor(threads)
                self._libraries = ThreadpoolController()

    def outputs(self, vectors: np.ndarray) -> np.ndarray:
        """See `ArraySweep.outputs`."""
        outputs = np.empty(self._inputs.shape[:2])
        for k, rows in enumerate(self._inputs):
            vector = vectors[k].astype(rows.dtype, copy=False)
            if self._ranges is None:
                outputs[k] = rows.dot(vector)
            else:
                self._map(partial(_fill_outputs, outputs[k], rows, vector))
        return outputs

    def __call__(
        self, vectors: np.ndarray, offsets: np.ndarray, weigh: Weigh
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `ArraySweep.__call__`."""
        realizations, n, d = self._inputs.shape
        outputs = np.empty((realizations, n))
        pull_back = np.zeros((realizations, d))
        totals = np.zeros(realizations)
        for k, rows in enumerate(self._inputs):
            vector = vectors[k].astype(rows.dtype, copy=False)
            if self._ranges is None:
                np.add(rows.dot(vector), offsets[k], out=outputs[k])
                weights = weigh(outputs[k], k, _ALL)
                totals[k] = np.add.reduce(weights)
                pull_back[k] = _pull_back(weights, rows)
                continue
            part = partial(self._sweep_range, outputs[k], k, vector, offsets[k], weigh)
            for part_pull_back, part_total in self._map(part):
                pull_back[k] += part_pull_back
                totals[k] += part_total
        return outputs, pull_back, totals

    def _map(self, function: Callable[[list[slice]], Any]) -> list[Any]:
        """Return the function's values on all ranges of rows, in order."""
        if self._pool is None:
            return list(map(function, self._ranges))
        with self._libraries.limit(limits=1, user_api="blas"):
            return list(self._pool.map(function, self._ranges))

    def _sweep_range(
        self,
        outputs: np.ndarray,
        k: int,
        vector: np.ndarray,
        offset: float,
        weigh: Weigh,
        blocks: list[slice],
    ) -> tuple[np.ndarray, float]:
        """Fill the outputs of one range of rows; return its pull-back and total."""
        everything = self._inputs[k]
        pull_back = np.zeros_like(vector)
        weights = []
        scale = None
        for block in blocks:
            rows = everything[block]
            block_outputs = np.add(rows.dot(vector), offset, out=outputs[block])
            block_weights = weigh(block_outputs, k, block)
            weights.append(block_weights)
            if scale is None:  # of the first block: float32 leaves room for the others
                scale = _size(block_weights) if rows.dtype != block_weights.dtype else 1.0
            scaled = block_weights / scale
            if rows.dtype != scaled.dtype:
                # Too small to count, and near the end of float32's range products take
                # processors a hundred times longer.
                scaled[np.abs(scaled) < _NEGLIGIBLE] = 0.0
                scaled = scaled.astype(rows.dtype)
            pull_back = self._gemv(1.0, rows.T, scaled, beta=1.0, y=pull_back, overwrite_y=True)
        weights = np.concatenate(weights)
        pull_back = scale * pull_back.astype(weights.dtype)
        if not np.isfinite(pull_back).all():  # the first block was no measure of the others
            pull_back = _pull_back(weights, everything[blocks[0].start : blocks[-1].stop])
        return pull_back, np.add.reduce(weights)


def _cut(first: int, last: int, rows: int) -> list[slice]:
    """Cut rows into blocks of about equal size, at most ``rows``."""
    return [slice(*ends) for ends in pairwise(_edges(first, last, -(-(last - first) // rows)))]


def _edges(first: int, last: int, count: int) -> list[int]:
    return np.linspace(first, last, count + 1).astype(int).tolist()


def _fill_outputs(
    outputs: np.ndarray, rows: np.ndarray, vector: np.ndarray, blocks: list[slice]
) -> None:
    whole = slice(blocks[0].start, blocks[-1].stop)
    outputs[whole] = rows[whole].dot(vector)


def _pull_back(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return Xᵀw (d,) of some rows in float64."""
    if rows.dtype == weights.dtype:
        return weights.dot(rows)
    scale = _size(weights)
    pull_back = (weights / scale).astype(rows.dtype).dot(rows).astype(weights.dtype)
    pull_back *= scale
    return pull_back


def _size(weights: np.ndarray) -> float:
    """Return a scale on which no weight exceeds 1: their norm, or their largest."""
    size = math.sqrt(weights.dot(weights))
    # The norm is the cheaper of the two, but squares leave the range of numbers earlier.
    return size if 1e-140 < size < 1e140 else max(np.abs(weights).max(), _TINY)
