"""Averages over N(0, 1) of functions that bend at one point."""

import numpy as np

from linear_grokking.theory.margin import normal_density

# Trapezoid rule on h = h* + sinh(y)/max(1, r): exponentially convergent, and as fine
# about the bend at h* as 1/r requires.
_NODES = 192
_RANGE = 10.0  # of h, in standard deviations


def normal_rule(r: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weights for averages over h ~ N(0, 1), and rh at the nodes, both (..., nodes).

    They suit functions of c + rh, r > 0, that bend around 0 over a width of about 1; r and c are
    of shape (...).
    """
    r, c = r[..., np.newaxis], c[..., np.newaxis]
    centre, sharpness = np.clip(-c / r, -2.0, 2.0), np.maximum(1.0, r)
    low = np.arcsinh(sharpness * (-_RANGE - centre))
    high = np.arcsinh(sharpness * (_RANGE - centre))
    y = low + (high - low) * np.linspace(0.0, 1.0, _NODES)
    h = centre + np.sinh(y) / sharpness
    weight = normal_density(h) * np.cosh(y) / sharpness * (high - low) / (_NODES - 1)
    return weight, r * h
