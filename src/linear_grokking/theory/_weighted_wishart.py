"""Edges of the spectrum of (1/N) Σ a_i z_i z_iᵀ, z_i ~ N(0, I) in λN dimensions, any a_i > 0.

By Silverstein's equation the edges are stationary values of z(m) = -1/m + E[a/(1 + λam)]: the
lower one its maximum over m > 0, the upper one its minimum between -1/(λ max a) and 0 (derived in
docs/theory.md).
"""

import numpy as np

from linear_grokking.theory._search import root

_RESOLUTION = 1e-12
_LOWEST, _HIGHEST = -20.0, 60.0
"""Range of ln |m| in which the edges are sought."""


def lower_edge(lambda_: np.ndarray, weight: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return the lower edge, λ < 1.

    Parameters
    ----------
    lambda_ : (...)
    weight, a : (..., K)
        Rule for averages over a; the weights sum to 1.
    """
    return _edge(lambda_, weight, a, 1.0, np.full(lambda_.shape, _HIGHEST))


def upper_edge(lambda_: np.ndarray, weight: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return the upper edge, for a law of a that ends at its last node; see `lower_edge`."""
    largest = np.max(np.where(weight > 0.0, a, 0.0), axis=-1)
    return _edge(lambda_, weight, a, -1.0, -np.log(lambda_ * largest) - _RESOLUTION)


def _edge(
    lambda_: np.ndarray, weight: np.ndarray, a: np.ndarray, sign: float, highest: np.ndarray
) -> np.ndarray:
    """Return z(m) where it is stationary, ln |m| being below ``highest``."""
    shape = lambda_.shape
    lambda_, highest = lambda_.reshape(-1), highest.reshape(-1)
    weight, a = (each.reshape(lambda_.size, -1) for each in (weight, a))

    def shares(log_m: np.ndarray, which: np.ndarray) -> np.ndarray:
        m = sign * np.exp(log_m)
        return a[which] / (1.0 + (lambda_[which] * m)[:, np.newaxis] * a[which])

    def excess(log_m: np.ndarray, which: np.ndarray) -> np.ndarray:
        mean = np.sum(weight[which] * shares(log_m, which) ** 2, axis=-1)
        return np.log(lambda_[which] * mean) + 2.0 * log_m

    every = np.arange(lambda_.size)
    log_m = root(excess, np.full(lambda_.shape, _LOWEST), highest, (every,), _RESOLUTION)
    found = np.sum(weight * shares(log_m, every), axis=-1) - sign * np.exp(-log_m)
    return found.reshape(shape)[()]
