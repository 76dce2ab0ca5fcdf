"""Products of a matrix with its own transpose, and factors of what results, at any size.

With several threads, OpenBLAS overruns a buffer when it multiplies a matrix of some 10,000 rows
(float64; 30,000 in float32) by its own transpose, and so when it factorizes such products
(numpy/numpy issue 19685).  It crashes, or overwrites what lies behind the buffer.
"""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
from scipy.linalg import get_blas_funcs
from threadpoolctl import threadpool_limits

SAFE_ROWS = 4096  # up to which OpenBLAS takes the product of a matrix with its transpose at once


def gram(matrix: np.ndarray) -> np.ndarray:
    """Return the product (n, n) of a matrix (n, m) with its transpose."""
    n = len(matrix)
    product = np.empty((n, n), matrix.dtype)
    for start in range(0, n, SAFE_ROWS):
        part = slice(start, start + SAFE_ROWS)
        product[part, part] = matrix[part] @ matrix[part].T  # half the work of a general product
        product[part, :start] = matrix[part] @ matrix[:start].T
        product[:start, part] = product[part, :start].T
    return product


def add_gram(lower: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Add the product of the transpose of a matrix (m, n) with it to a lower triangle (n, n).

    ``lower`` is in Fortran order; it is changed and returned.
    """
    n = len(lower)
    if n <= SAFE_ROWS:
        syrk = get_blas_funcs("syrk", dtype=lower.dtype)
        return syrk(1.0, matrix.T, 1.0, c=lower, lower=True, overwrite_c=True)
    for start in range(0, n, SAFE_ROWS):
        part = slice(start, start + SAFE_ROWS)
        lower.T[part, start:] += matrix[:, part].T @ matrix[:, start:]
    return lower


def safe_threads(n: int) -> AbstractContextManager:
    """Return a context in which a matrix (n, n) can be factorized: with one thread if it is large.

    The threads of all of this process's BLAS count.
    """
    return threadpool_limits(1, user_api="blas") if n > SAFE_ROWS else nullcontext()
