"""First times at which exact losses fall to a threshold, from a problem's spectrum.

Gradient descent multiplies the component of D = S - T along an eigenvector of eigenvalue ν of
Σ = XᵀX/N by 1 - 2ην each step, so that both losses are sums of exponentials in the step t,

    L_gen = q₀ + Σ q (1 - 2ην)²ᵗ,   L_tr = Σ νq (1 - 2ην)²ᵗ,

where q are the squares of these components, and q₀ that of the part outside the inputs' span.
"""

import ctypes

import numpy as np
from scipy.linalg import cython_lapack

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.shapes import Float

MOST_ITERATIONS = 1000
"""Limit on the steps of Newton's method, which needs about ten for any sum of exponentials."""
_TOLERANCE = 1e-13


def _address(capsule: object) -> int:
    """Return the address that a PyCapsule holds."""
    kinds, python = ctypes.PYFUNCTYPE, ctypes.pythonapi
    name = kinds(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", python))
    pointer = kinds(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    return pointer(("PyCapsule_GetPointer", python))(capsule, name(capsule))


_dlasq1 = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5)(
    _address(cython_lapack.__pyx_capi__["dlasq1"])
)
"""LAPACK's dlasq1, which SciPy offers to compiled code only: void (n, d, e, work, info)."""


def singular_values(
    diagonal: Float[np.ndarray, "R m"], off_diagonal: Float[np.ndarray, "R m-1"]
) -> Float[np.ndarray, "R m"]:
    """Return the singular values of bidiagonal matrices, the largest first.

    The dqds algorithm (Fernando and Parlett 1994) gives each of them to nearly full relative
    accuracy, however small.  As eigenvalues of the tridiagonal product, those below 1e-16 of the
    largest would be lost, and the longest times depend on these.
    """
    values = np.array(diagonal, float, order="C")
    beside = np.zeros_like(values)
    beside[:, :-1] = off_diagonal
    work = np.empty(4 * values.shape[1])
    size, info = ctypes.c_int(values.shape[1]), ctypes.c_int(0)
    row = values.strides[0]
    # Addresses are looked up once: for small matrices a look-up takes longer than the call.
    of_values, of_beside, of_work = (each.ctypes.data for each in (values, beside, work))
    of_size, of_info = ctypes.addressof(size), ctypes.addressof(info)
    for k in range(len(values)):
        _dlasq1(of_size, of_values + k * row, of_beside + k * row, of_work, of_info)
        if info.value:
            raise LinearGrokkingError(
                f"LAPACK's dlasq1 found no singular values: info {info.value}"
            )
    return values


def decay_rates(eigenvalues: Float[np.ndarray, "*R m"], eta: float) -> Float[np.ndarray, "*R m"]:
    """Return the rates -2 log|1 - 2ην| at which squared components decay per step.

    Raises
    ------
    ValueError
        If gradient descent with this η diverges.
    """
    limit = 1.0 / float(np.max(eigenvalues))
    if eta >= limit:
        raise ValueError(
            f"eta = {eta}: gradient descent diverges on one of these training sets; "
            f"must be below 1/(largest eigenvalue) = {limit:.6g}"
        )
    step = 2.0 * eta * eigenvalues
    # |1 - a| is 1 - min(a, 2 - a), without cancellation for small a.
    return -2.0 * np.log1p(-np.minimum(step, 2.0 - step))


def first_times(
    weights: Float[np.ndarray, "R m"],
    rates: Float[np.ndarray, "R m"],
    still: Float[np.ndarray, " R"],
    target: float,
) -> Float[np.ndarray, " R"]:
    """Return the time t, in steps, at which still + Σ weights e^(-rates t) falls to ``target``.

    Times need not be whole numbers.  Newton's method is applied to the logarithm of the sum,
    which is convex and decreasing: started at t = 0, it approaches the root from the left and
    never overshoots it.

    Returns
    -------
    times : (R,)
        0 where the sum starts at or below the target, inf where it never reaches it.
    """
    times = np.where(still < target, 0.0, np.inf)
    (left,) = np.nonzero((still < target) & (weights.sum(axis=-1) + still > target))
    for _ in range(MOST_ITERATIONS):
        if not left.size:
            return times
        terms = weights[left] * np.exp(-rates[left] * times[left, np.newaxis])
        value = terms.sum(axis=-1) + still[left]
        slope = (rates[left] * terms).sum(axis=-1)
        step = value * np.log(value / target) / slope
        times[left] += step
        left = left[step > _TOLERANCE * times[left]]
    raise LinearGrokkingError("Newton's method for a loss's first time did not end")
