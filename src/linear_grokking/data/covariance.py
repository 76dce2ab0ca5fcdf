"""Covariances of inputs of the teacher-student problems."""

import numpy as np

from linear_grokking.shapes import Float


def power_law_variances(d: int, exponent: float) -> Float[np.ndarray, " d"]:
    """Return the variances (p+1) u^p of the coordinates, (d,), at u = (k - ½)/d, k = 1, …, d.

    Their mean is 1 up to 1/d² corrections, their law for large d that of
    `theory.structured_inputs`; p = 0 is isotropic, with variances that are 1 exactly.
    """
    u = (np.arange(1, d + 1) - 0.5) / d
    return (exponent + 1.0) * u**exponent
