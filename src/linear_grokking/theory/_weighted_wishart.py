"""Ends of the spectrum of (1/N) Σ a_i z_i z_iᵀ, z_i ~ N(0, I) in λN dimensions, any a_i > 0.

By Silverstein's equation its edges are stationary values of z(m) = -1/m + E[a/(1 + λam)]: the
lower one its maximum over m > 0, the upper one its minimum between -1/(λ max a) and 0.

The curvature of the mean of e^{S·x_i} at its minimum S_∞ has such a spectrum across S_∞, and one
more row and column along it.  One eigenvalue may thereby lie below the edge (derived in
docs/theory.md, as the edges are).
"""

from typing import NamedTuple

import numpy as np

from linear_grokking.theory._search import root

_RESOLUTION = 1e-12
_LOWEST, _HIGHEST = -20.0, 60.0
"""Range of ln |m| in which the edges are sought."""


class Points(NamedTuple):
    """Rule for averages over training points at S_∞, arrays of shape (..., nodes).

    Attributes
    ----------
    weight
        Weights of the nodes, which sum to 1.
    output
        S_∞·x.
    share
        q = e^{S_∞·x} over its mean.
    a
        q times the variance of a coordinate of the point.
    """

    weight: np.ndarray
    output: np.ndarray
    share: np.ndarray
    a: np.ndarray


def least_curvature(lambda_: np.ndarray, norm: np.ndarray, points: Points) -> np.ndarray:
    """Return the least eigenvalue of (1/N) Σ q_i x_i x_iᵀ.

    It is the lower edge, or the solution p = z(m) below it, if there is one, of
    p r² = E[qf²/D] + E[qf/D]²/E[λmaq/D] with D = 1 + λma, f the output and r the norm.

    Parameters
    ----------
    lambda_, norm : (...)
        λ < ½ and r = ‖S_∞‖.
    """
    shape, lambda_, norm = lambda_.shape, lambda_.ravel(), norm.ravel()
    points = Points(*(_in_rows(each) for each in points))
    edge = _log_m_at_edge(lambda_, points.weight, points.a, 1.0, np.full(lambda_.shape, _HIGHEST))

    def excess(log_m: np.ndarray, which: np.ndarray) -> np.ndarray:
        weight, output, share, a = (each[which] for each in points)
        lambda_m = (lambda_[which] * np.exp(log_m))[:, np.newaxis]
        left = weight * share / (1.0 + lambda_m * a)

        def total(values: np.ndarray) -> np.ndarray:
            return np.sum(left * values, axis=-1)

        pull = total(output**2) + total(output) ** 2 / total(lambda_m * a)
        return _z(log_m, lambda_[which], weight, a, 1.0) * norm[which] ** 2 - pull

    # It increases up to the edge.  Where it is still negative there, there is no such eigenvalue.
    every = np.arange(lambda_.size)
    high = np.where(excess(edge, every) > 0.0, edge, np.inf)
    log_m = root(excess, np.full(high.shape, _LOWEST), high, (every,), _RESOLUTION)
    least = _z(np.minimum(log_m, edge), lambda_, points.weight, points.a, 1.0)
    return least.reshape(shape)[()]


def upper_edge(lambda_: np.ndarray, weight: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return the upper edge, for a law of a that ends at its last node.

    Parameters
    ----------
    lambda_ : (...)
    weight, a : (..., K)
        Rule for averages over a; the weights sum to 1.
    """
    shape, lambda_, weight, a = lambda_.shape, lambda_.ravel(), _in_rows(weight), _in_rows(a)
    largest = np.max(np.where(weight > 0.0, a, 0.0), axis=-1)
    highest = -np.log(lambda_ * largest) - _RESOLUTION
    log_m = _log_m_at_edge(lambda_, weight, a, -1.0, highest)
    return _z(log_m, lambda_, weight, a, -1.0).reshape(shape)[()]


def _log_m_at_edge(
    lambda_: np.ndarray, weight: np.ndarray, a: np.ndarray, sign: float, highest: np.ndarray
) -> np.ndarray:
    """Return ln |m| (n,) where z(m) is stationary, below ``highest``."""

    def excess(log_m: np.ndarray, which: np.ndarray) -> np.ndarray:
        lambda_m = (sign * lambda_[which] * np.exp(log_m))[:, np.newaxis]
        mean = np.sum(weight[which] * (a[which] / (1.0 + lambda_m * a[which])) ** 2, axis=-1)
        return np.log(lambda_[which] * mean) + 2.0 * log_m

    every = np.arange(lambda_.size)
    return root(excess, np.full(lambda_.shape, _LOWEST), highest, (every,), _RESOLUTION)


def _z(
    log_m: np.ndarray, lambda_: np.ndarray, weight: np.ndarray, a: np.ndarray, sign: float
) -> np.ndarray:
    lambda_m = (sign * lambda_ * np.exp(log_m))[:, np.newaxis]
    return np.sum(weight * a / (1.0 + lambda_m * a), axis=-1) - sign * np.exp(-log_m)


def _in_rows(nodes: np.ndarray) -> np.ndarray:
    """Return values at the nodes (..., K) as (n, K)."""
    return nodes.reshape(-1, nodes.shape[-1])
