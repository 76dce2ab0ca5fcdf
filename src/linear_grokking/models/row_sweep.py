"""The pass over the data in compiled loops: each matrix is read from memory once.

BLAS has no call for both products: it would read a matrix twice, or stop reading while it
works on what is in the cache.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from linear_grokking.models import row_loops
from linear_grokking.models.sweep import ArraySweep, Weighing

# A matrix is cut in ranges of at least this size that threads may share.  The cut depends
# on the matrix alone, so that the sums do not depend on the number of threads.
_RANGE_BYTES = 2**23
_MOST_RANGES = 32


class RowSweep(ArraySweep):
    """`ArraySweep` for NumPy, one realization after another.

    Parameters
    ----------
    inputs : (R, N, d)
    threads
        Threads that share matrices beyond the cache.
    """

    def __init__(self, inputs: np.ndarray, threads: int = 1) -> None:
        super().__init__(np.ascontiguousarray(inputs))
        _, n, d = inputs.shape
        count = max(1, min(_MOST_RANGES, n * d * inputs.itemsize // _RANGE_BYTES))
        self._ranges = list(pairwise(np.linspace(0, n, count + 1).astype(int).tolist()))
        self._pool = ThreadPoolExecutor(threads) if threads > 1 and count > 1 else None

    def __call__(
        self, vectors: np.ndarray, offsets: np.ndarray, weighing: Weighing, factors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `ArraySweep.__call__`."""
        outputs = np.empty(self._inputs.shape[:2])
        vectors = np.ascontiguousarray(self._cast(vectors))
        # Of one layout, or the loops would be compiled for each.
        offsets, factors = np.ascontiguousarray(offsets), np.ascontiguousarray(factors)

        def sweep(ends: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
            return row_loops.sweep(
                self._inputs, vectors, offsets, int(weighing), factors, *ends, outputs
            )

        found = self._pool.map(sweep, self._ranges) if self._pool else map(sweep, self._ranges)
        (pull_back, totals), *others = found
        for other_pull_back, other_totals in others:
            pull_back += other_pull_back
            totals += other_totals
        return outputs, pull_back, totals

    def stretches(self, weighing: Weighing, signs: np.ndarray, *, bias: bool) -> "Stretches | None":
        """Return what takes many gradients in one call; None for sets beyond the cache."""
        if len(self._ranges) > 1:
            return None
        return Stretches(self._inputs, weighing, signs, bias=bias)


class Stretches:
    """Many gradients in one call: of small sets they take less time than Python's calls.

    Each method does what the solver that calls it does without.  States are (R, d + 2),
    float64: S, b and conformal time τ, or log(1 + τ).

    Parameters
    ----------
    inputs : (R, N, d)
    weighing
        For the slope of the loss.
    signs : (R, N)
        -y of each sample.
    bias
        Whether b is trained.
    """

    def __init__(
        self, inputs: np.ndarray, weighing: Weighing, signs: np.ndarray, *, bias: bool
    ) -> None:
        self._sets = inputs, np.ascontiguousarray(signs), int(weighing), bias

    def descend(self, state: np.ndarray, *, eta: float, steps: int) -> None:
        """Take GD steps from (S, b, τ), in place (Paper B, Sec. 2)."""
        row_loops.descend(self._sets, eta, steps, state)

    def log_time_stages(
        self,
        y: np.ndarray,
        rate: np.ndarray,
        *,
        eta: float,
        s: float,
        step: float,
        weights: np.ndarray,
        times: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Take the stages of `rkc.System.take_stages` for y = (S, b, log(1 + τ)) in log time.

        Returns
        -------
        y, rate : (R, d + 2)
            The last stage, and dy/ds there.
        outputs : (R, N)
            On the training set.
        """
        return row_loops.log_time_stages(self._sets, eta, s, y, rate, step, weights, times)
