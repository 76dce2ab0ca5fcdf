"""Teacher-student problems drawn without their data matrix: 2d numbers in place of Nd.

For X of shape (N, d) with independent standard normal entries, m = min(N, d) and M = max(N, d),
the positive eigenvalues of XᵀX have the law of the squared singular values of a bidiagonal
matrix with independent entries χ_M, χ_{M-1}, …, χ_{M-m+1} on its diagonal and χ_{m-1}, …, χ_1
beside it (Dumitriu and Edelman 2002: Householder reflections bring X into this form).  The
eigenvectors are uniformly distributed and independent of the eigenvalues, so the components of
a normal vector along them are independent normal numbers too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linear_grokking.data.streams import generators
from linear_grokking.shapes import Float


@dataclass(frozen=True)
class BidiagonalData:
    """Realizations of Paper A's problem with one output, up to rotations.

    Attributes
    ----------
    diagonal, off_diagonal : (R, m), (R, m - 1)
        Entries of the bidiagonal matrices whose squared singular values are the positive
        eigenvalues of XᵀX.
    squares : (R, m)
        (vᵀD)² for the eigenvectors v of XᵀX in any order; D = S - T is the initial deviation.
    null_squares : (R,)
        Squared norm of the part of D outside the span of the inputs; 0 for N ≥ d.
    """

    diagonal: Float[np.ndarray, "R m"]
    off_diagonal: Float[np.ndarray, "R m-1"]
    squares: Float[np.ndarray, "R m"]
    null_squares: Float[np.ndarray, " R"]


def bidiagonal(
    *, seed: int, realizations: Sequence[int], n_train: int, d_in: int
) -> BidiagonalData:
    """Draw realizations: entries of T and S have variance 1/(2 d_in) (Paper A, Sec. 3)."""
    law = {"law": "dumitriu_edelman", "n_train": n_train, "d_in": d_in}
    modes, larger = min(n_train, d_in), max(n_train, d_in)
    # On the diagonal, beside it, and outside the span.  One call draws them all: for small
    # matrices it is the number of calls that takes time.
    degrees = [larger - np.arange(modes), np.arange(modes - 1, 0, -1), [d_in - modes]]
    freedom = np.concatenate(degrees if modes < d_in else degrees[:2]).astype(float)
    chi_squares = np.zeros((len(realizations), 2 * modes))
    normals = np.empty((len(realizations), modes))
    for k, rng in enumerate(generators(seed, law, realizations, "spectrum and components")):
        chi_squares[k, : len(freedom)] = rng.chisquare(freedom)
        rng.standard_normal(out=normals[k])
    entries = np.sqrt(chi_squares[:, :-1])
    return BidiagonalData(
        diagonal=entries[:, :modes],
        off_diagonal=entries[:, modes:],
        squares=normals**2 / d_in,
        null_squares=chi_squares[:, -1] / d_in,
    )
