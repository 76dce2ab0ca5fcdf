"""What the machine can do: reading memory, multiplying matrices."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits


class ReadBandwidth:
    """A sum over a matrix far larger than the cache; call it to read everything once.

    Parameters
    ----------
    matrix
        Contiguous, float32.
    threads
        Number of threads that share it.
    """

    def __init__(self, matrix: np.ndarray, threads: int):
        flat = matrix.reshape(-1)
        self._parts = np.array_split(flat, 8 * threads)
        self._pool = ThreadPoolExecutor(threads)

    def __call__(self) -> float:
        """Return the sum."""
        return float(sum(self._pool.map(np.sum, self._parts)))


class MatrixProduct:
    """A product of square matrices; call it to do `flops` operations."""

    SIZE = 1536

    def __init__(self, dtype: type, threads: int):
        rng = np.random.default_rng(0)
        self._a, self._b = rng.standard_normal((2, self.SIZE, self.SIZE)).astype(dtype)
        self._out = np.empty_like(self._a)
        self._threads = threads

    flops = 2.0 * SIZE**3

    def __call__(self) -> None:
        """Multiply."""
        with threadpool_limits(self._threads, user_api="blas"):
            np.matmul(self._a, self._b, out=self._out)
