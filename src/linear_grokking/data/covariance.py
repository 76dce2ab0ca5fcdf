"""Covariances of inputs of the teacher-student problems."""

import numpy as np

from linear_grokking.shapes import Float


def power_law_variances(d: int, exponent: float) -> Float[np.ndarray, " d"]:
    """Return the variances (p+1) u^p of the coordinates, (d,), at u = (k - ½)/d, k = 1, …, d.

    Their mean is 1 up to corrections of order 1/d², and for large d they follow the law of
    `theory.structured_inputs`.  For p = 0 the inputs are isotropic: all variances are exactly 1.
    """
    u = (np.arange(1, d + 1) - 0.5) / d
    return (exponent + 1.0) * u**exponent
