"""The pass over the data in compiled loops, which read each matrix from memory once.

BLAS has no call for both products: it would read a matrix twice, or stop reading while it
works on what is in the cache.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from linear_grokking.models.passes import row_loops
from linear_grokking.models.passes.array_pass import ArrayPass
from linear_grokking.models.passes.stretches import Stretches
from linear_grokking.models.passes.weighing import LogWeighing, Weighing
from linear_grokking.shapes import Float

# A matrix is cut into ranges of at least this size, which threads share.  The cut depends
# only on the matrix, so that the sums do not depend on the number of threads.
_RANGE_BYTES = 2**23
_MOST_RANGES = 32


class RowPass(ArrayPass):
    """An `ArrayPass` for NumPy that takes one realization after another.

    Parameters
    ----------
    inputs : (R, N, d)
    threads
        Number of threads that share matrices larger than the cache.
    """

    def __init__(self, inputs: Float[np.ndarray, "R N d"], threads: int = 1) -> None:
        super().__init__(np.ascontiguousarray(inputs))
        _, n, d = inputs.shape
        count = max(1, min(_MOST_RANGES, n * d * inputs.itemsize // _RANGE_BYTES))
        self._ranges = list(pairwise(np.linspace(0, n, count + 1).astype(int).tolist()))
        self._pool = ThreadPoolExecutor(threads) if threads > 1 and count > 1 else None

    def __call__(
        self,
        vectors: Float[np.ndarray, "R d"],
        offsets: Float[np.ndarray, " R"],
        weighing: Weighing,
        factors: Float[np.ndarray, "R N"],
    ) -> tuple[Float[np.ndarray, "R N"], Float[np.ndarray, "R d"], Float[np.ndarray, " R"]]:
        """See `ArrayPass.__call__`."""
        number = weighing.number
        if number is None:
            return super().__call__(vectors, offsets, weighing, factors)
        outputs = np.empty(self._inputs.shape[:2])
        vectors = np.ascontiguousarray(self._cast(vectors))
        # Of one memory layout, as the loops are compiled for each.
        offsets, factors = np.ascontiguousarray(offsets), np.ascontiguousarray(factors)

        def sweep(ends: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
            return row_loops.sweep(self._inputs, vectors, offsets, number, factors, *ends, outputs)

        found = self._pool.map(sweep, self._ranges) if self._pool else map(sweep, self._ranges)
        (pull_back, totals), *others = found
        for other_pull_back, other_totals in others:
            pull_back += other_pull_back
            totals += other_totals
        return outputs, pull_back, totals

    def scaled(
        self,
        vectors: Float[np.ndarray, "R d"],
        offsets: Float[np.ndarray, " R"],
        weighing: LogWeighing,
        factors: Float[np.ndarray, "R N"],
    ) -> tuple[Float[np.ndarray, "R d"], Float[np.ndarray, " R"], Float[np.ndarray, " R"]]:
        """See `ArrayPass.scaled`."""
        outputs, pull_back, totals = self(vectors, offsets, weighing, factors)
        scale = weighing.log_slope(self.xp, np.max(factors * outputs, axis=-1))
        if np.min(scale) < row_loops.RESOLVED:  # in logarithms; this reads the matrix twice
            return super().scaled(vectors, offsets, weighing, factors)
        unit = np.exp(-scale)
        return unit[:, np.newaxis] * pull_back, unit * totals, scale

    def stretches(
        self, weighing: Weighing, signs: np.ndarray, *, bias: bool, decays: tuple[float, float]
    ) -> Stretches | None:
        """See `ArrayPass.stretches`; None for sets larger than the cache."""
        if weighing.number is None or len(self._ranges) > 1:
            return None
        return Stretches(self._inputs, weighing.number, signs, bias=bias, decays=decays)
