"""The mean of the softplus of a normal number, correct to about 1e-12 of its value anywhere."""

import numpy as np
from scipy.special import erfcx, ndtr

from linear_grokking.shapes import Float

_TINY = 1e-100  # takes the place of a deviation of 0 in divisions
_TERMS = 24  # of the alternating series; its error falls like 5.8^-terms


def mean_softplus(
    mean: Float[np.ndarray, "*S"], deviation: Float[np.ndarray, "*S"]
) -> Float[np.ndarray, "*S"]:
    """Return E[log(1 + e^m)] for m ~ N(μ, s²), as E[max(m, 0)] + E[log(1 + e^-|m|)].

    The first has a closed form.  The second is Σ_k (-1)^{k+1} E[e^{-k|m|}]/k, whose terms have
    closed forms too.  As they are moments of a positive measure, n weighted terms give the sum
    with an error of 5.8^-n of its first term (Cohen, Rodriguez Villegas, Zagier 2000).
    """
    deviation = np.maximum(deviation, _TINY)
    ratio = np.abs(mean) / deviation
    # E[max(m, 0)] for μ < 0 is s(φ(a) - aΦ(-a)), a = |μ|/s; for μ > 0 it is larger by μ.
    mills = np.sqrt(np.pi / 2.0) * erfcx(ratio / np.sqrt(2.0))
    half_bell = 0.5 * np.exp(-0.5 * ratio**2)
    total = np.maximum(mean, 0.0) + (
        np.sqrt(2.0 / np.pi) * deviation * half_bell * _one_minus_product(ratio, mills)
    )
    sides = np.stack([mean, -mean])  # m > 0 and m < 0
    ratios = sides / deviation
    for k, weight in enumerate(_alternating_weights(_TERMS), start=1):
        total = total + (weight / k) * _laplace_of_tail(k, sides, ratios, deviation, half_bell).sum(
            0
        )
    return total


def _one_minus_product(a: np.ndarray, mills: np.ndarray) -> np.ndarray:
    """Return 1 - a R(a), R the Mills ratio, without cancellation at large a."""
    large = np.maximum(a, 1e3)
    return np.where(a < 1e3, 1.0 - a * mills, 1.0 / large**2)


def _laplace_of_tail(
    k: int, mean: np.ndarray, ratio: np.ndarray, deviation: np.ndarray, half_bell: np.ndarray
) -> np.ndarray:
    """Return E[e^{-km}; m > 0] for m ~ N(μ, s²): e^{k²s²/2 - kμ} Φ(μ/s - ks).

    Where μ/s - ks < 0 the two factors may over- and underflow, so their product is written
    with the scaled function erfcx.  ``half_bell`` is e^{-(μ/s)²/2}/2.
    """
    argument = ratio - k * deviation
    scaled = half_bell * erfcx(np.maximum(-argument, 0.0) / np.sqrt(2.0))
    exponent = np.where(argument > 0, k * (0.5 * k * deviation**2 - mean), 0.0)
    return np.where(argument > 0, np.exp(exponent) * ndtr(argument), scaled)


def _alternating_weights(terms: int) -> np.ndarray:
    """Return signed weights w_k with Σ_{k<n} w_k a_k ≈ Σ (-1)^k a_k, a_k moments.

    Algorithm 1 of Cohen, Rodriguez Villegas and Zagier, *Convergence acceleration of
    alternating series*, Exper. Math. 9 (2000).
    """
    d = (3.0 + np.sqrt(8.0)) ** terms
    d = 0.5 * (d + 1.0 / d)
    b, c = -1.0, -d
    weights = []
    for k in range(terms):
        c = b - c
        weights.append(c / d)
        b *= (k + terms) * (k - terms) / ((k + 0.5) * (k + 1.0))
    return np.array(weights)
