"""Separability, bias included, when labels are assigned at random."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from linear_grokking.theory._domain import within
from linear_grokking.theory.margin import truncated_second_moment

_LARGEST_BIAS = 6.0


def separability_threshold(label_fraction: ArrayLike) -> np.ndarray:
    """Return λ_c(r) above which a large set with random labels is separable with bias.

    λ_c = min over b of r G(b) + (1-r) G(-b), G(m) = E[(h+m)₊²]: by Cover's count for r = ½
    it is ½, and it falls to 0 as r → 1 (derived in docs/theory.md; Paper B, App. on labels).

    Parameters
    ----------
    label_fraction
        r, the probability of the label -1, in [0, 1].
    """
    fraction = within("label_fraction", label_fraction, 0.0, 1.0)
    low = np.full_like(fraction, -_LARGEST_BIAS)
    high = np.full_like(fraction, _LARGEST_BIAS)
    # The minimized function is convex: bisect on its derivative.
    for _ in range(60):
        bias = 0.5 * (low + high)
        rising = fraction * _half_slope(bias) > (1.0 - fraction) * _half_slope(-bias)
        high = np.where(rising, bias, high)
        low = np.where(rising, low, bias)
    bias = 0.5 * (low + high)
    threshold = fraction * truncated_second_moment(bias)
    threshold += (1.0 - fraction) * truncated_second_moment(-bias)
    return np.where((fraction == 0.0) | (fraction == 1.0), 0.0, threshold)


def _half_slope(m: np.ndarray) -> np.ndarray:
    """Return G'(m)/2 = E[(h+m)₊]."""
    return m * ndtr(m) + np.exp(-0.5 * m * m) / np.sqrt(2.0 * np.pi)
