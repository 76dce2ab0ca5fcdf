"""Paper B's model with decay of the weights alone: S follows the falling bias, at large size.

With (γ/2)‖S‖² and no decay of b there is no minimum: b → -∞ and S → 0, whatever λ.  At late
times the loss is e^{S·x+b}.  As b changes slowly, the weights are then those of `ridge` at
κ = γe^{-b}/σ², which grows, and the bias falls as db/dt = -ηe^b C(κ):

    ηγt = σ² ∫ dκ/C(κ)   from γ/σ² (b = 0) to γe^{-b}/σ²

(derived in docs/theory.md).  S lags behind by a share of about 1/(ηγt).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from linear_grokking.theory._domain import Broadcast, checked, within
from linear_grokking.theory._search import root
from linear_grokking.theory.logistic_weight_decay import ridge

_NODES, _SPAN = 24, 30.0
"""Nodes of each panel of the integral over ln κ, and the most that a panel spans."""


class Passage(NamedTuple):
    """When the bias passes a value, and the weights at that time.

    Attributes
    ----------
    time
        In steps.
    norm
        ‖S‖, in the inverse unit of the inputs.
    accuracy
        A_gen = Φ(-b/(σ‖S‖)).
    """

    time: Broadcast
    norm: Broadcast
    accuracy: Broadcast


def passage(
    bias: ArrayLike, lambda_: ArrayLike, sigma: ArrayLike, gamma: ArrayLike, eta: ArrayLike
) -> Passage:
    """Return when the bias, from b = 0 on, passes a negative value, and the weights then.

    Parameters
    ----------
    bias
        b in [-200, 0).
    gamma
        Weight decay γ > 0 of S.
    """
    within("bias", bias, "[-200, 0)")
    within("gamma", gamma, "(0, inf)")
    arguments = {"lambda_": lambda_, "sigma": sigma, "gamma": gamma, "eta": eta}
    bias, lambda_, sigma, gamma, eta = checked(bias=bias, **arguments)
    log_kappa = np.log(gamma / sigma**2) - bias
    weights = ridge(lambda_, np.exp(log_kappa))
    # Above λ = ½ the integrand κ/C falls no faster than 1/ln(1/κ): all of it counts.
    panels = int(np.ceil(np.max(-bias, initial=_SPAN) / _SPAN))
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    back = ((1.0 - node) / 2.0 + np.arange(panels)[:, np.newaxis]).ravel() / panels
    kappa = np.exp(log_kappa[..., np.newaxis] + bias[..., np.newaxis] * back)
    loss = ridge(lambda_[..., np.newaxis], kappa).loss
    mean = np.sum(np.tile(weight, panels) * kappa / loss, axis=-1) / (2.0 * panels)
    time = sigma**2 / (eta * gamma) * -bias * mean
    return Passage(time, weights.norm / sigma, ndtr(-bias / weights.norm))


def bias_at_accuracy(
    lambda_: ArrayLike, sigma: ArrayLike, gamma: ArrayLike, accuracy: float = 0.95
) -> Broadcast:
    """Return b where A_gen reaches an accuracy; -inf where -b would have to exceed 200.

    Parameters
    ----------
    gamma
        Weight decay γ > 0 of S.
    accuracy
        Above ½ and below 1.
    """
    within("accuracy", accuracy, "(0.5, 1)")
    within("gamma", gamma, "(0, inf)")
    given = checked(lambda_=lambda_, sigma=sigma, gamma=gamma)
    level = ndtri(accuracy)

    def excess(
        size: np.ndarray, lambda_: np.ndarray, sigma: np.ndarray, gamma: np.ndarray
    ) -> np.ndarray:
        return size - level * ridge(lambda_, np.exp(size) * gamma / sigma**2).norm

    flat = [np.atleast_1d(each) for each in given]
    low, high = np.zeros(flat[0].shape), np.full(flat[0].shape, 200.0)
    high = np.where(excess(high, *flat) < 0.0, np.inf, high)
    size = root(excess, low, high, flat, resolution=1e-10)
    return -size.reshape(given[0].shape)[()]


def time_to_accuracy(
    lambda_: ArrayLike, sigma: ArrayLike, gamma: ArrayLike, eta: ArrayLike, accuracy: float = 0.95
) -> Broadcast:
    """Return the step at which A_gen reaches an accuracy, for γ > 0 and every λ.

    It is 1/(ηγ) times a number that depends on γ only logarithmically; inf where -b would have
    to exceed 200.

    Parameters
    ----------
    accuracy
        Above ½ and below 1.
    """
    bias = bias_at_accuracy(lambda_, sigma, gamma, accuracy)
    bias, *given = np.broadcast_arrays(
        bias, *checked(lambda_=lambda_, sigma=sigma, gamma=gamma, eta=eta)
    )
    result, some = np.full(bias.shape, np.inf), np.isfinite(bias)
    result[some] = passage(bias[some], *(each[some] for each in given)).time
    return result[()]
