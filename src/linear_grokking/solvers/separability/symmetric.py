"""Products of a matrix with its own transpose, and factors of what results, at any size.

With several threads, OpenBLAS overruns a buffer when it multiplies a matrix of some 10,000 rows
(float64; 30,000 in float32) by its own transpose, and so when it factorizes such products
(numpy/numpy issue 19685).  It crashes, or overwrites what lies behind the buffer.  Here large
matrices are taken in parts.
"""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import LinAlgError, get_blas_funcs, get_lapack_funcs

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
    if len(lower) <= SAFE_ROWS:
        syrk = get_blas_funcs("syrk", dtype=lower.dtype)
        return syrk(1.0, matrix.T, 1.0, c=lower, lower=True, overwrite_c=True)
    for upper, left, right in _parts(lower, matrix):
        upper += left @ right
    return lower


def cholesky(lower: np.ndarray) -> np.ndarray:
    """Factorize a positive definite matrix (n, n), given by its lower triangle.

    ``lower`` is in Fortran order; it is changed, and returned with the factor as its lower
    triangle.  What stands above the diagonal has no meaning.

    Raises
    ------
    LinAlgError
        If the matrix is not positive definite.
    """
    potrf = get_lapack_funcs("potrf", dtype=lower.dtype)
    trsm = get_blas_funcs("trsm", dtype=lower.dtype)
    for start in range(0, len(lower), SAFE_ROWS):
        part, below = slice(start, start + SAFE_ROWS), slice(start + SAFE_ROWS, None)
        factor, info = potrf(lower[part, part], lower=True, clean=False, overwrite_a=True)
        if info:
            raise LinAlgError("the matrix is not positive definite")
        lower[part, part] = factor
        panel = trsm(1.0, factor, lower[below, part], side=1, lower=1, trans_a=1)
        lower[below, part] = panel
        for upper, left, right in _parts(lower[below, below], panel.T):
            upper -= left @ right
    return lower


def _parts(
    lower: np.ndarray, matrix: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield parts of a triangle, transposed, and the factors of the products that belong there."""
    for start in range(0, len(lower), SAFE_ROWS):
        part = slice(start, start + SAFE_ROWS)
        yield lower.T[part, start:], matrix[:, part].T, matrix[:, start:]
