"""The law of a teacher-student problem without its data matrix: 2d numbers in place of Nd.

For X of shape (N, d) with independent standard normal entries, m = min(N, d) and M = max(N, d),
the positive eigenvalues of XᵀX have the law of the squared singular values of a bidiagonal
matrix with independent entries χ_M, χ_{M-1}, …, χ_{M-m+1} on its diagonal and χ_{m-1}, …, χ_1
beside it (Dumitriu and Edelman 2002; Householder's reflections of X leave just these).  Their
eigenvectors are uniformly distributed and independent of them, so that the components of a
normal vector along them are independent normal numbers, too.
"""

from dataclasses import dataclass

import numpy as np

from linear_grokking.data.streams import generator
from linear_grokking.shapes import Float


@dataclass(frozen=True)
class BidiagonalData:
    """One realization of Paper A's problem with one output, up to rotations.

    Attributes
    ----------
    diagonal, off_diagonal : (m,), (m - 1,)
        Of the matrix whose squared singular values are the positive eigenvalues of XᵀX.
    squares : (m,)
        (vᵀD)² for their eigenvectors v in any order, D = S - T the initial deviation.
    null_square : float
        Square of the part of D outside the span of the inputs; 0 where there are enough.
    """

    diagonal: Float[np.ndarray, " m"]
    off_diagonal: Float[np.ndarray, " m-1"]
    squares: Float[np.ndarray, " m"]
    null_square: float


def bidiagonal(*, seed: int, realization: int, n_train: int, d_in: int) -> BidiagonalData:
    """Draw a realization: entries of T and S have variance 1/(2 d_in) (Paper A, Sec. 3)."""
    law = {"law": "dumitriu_edelman", "n_train": n_train, "d_in": d_in}
    modes, larger = min(n_train, d_in), max(n_train, d_in)
    rng = generator(seed, law, realization, "spectrum")
    diagonal = np.sqrt(rng.chisquare(larger - np.arange(modes)))
    off_diagonal = np.sqrt(rng.chisquare(np.arange(modes - 1, 0, -1)))
    rng = generator(seed, law, realization, "components")
    squares = rng.standard_normal(modes) ** 2 / d_in
    null = rng.chisquare(d_in - modes) / d_in if modes < d_in else 0.0
    return BidiagonalData(diagonal, off_diagonal, squares, float(null))
