"""The two-point model and its limits (Paper B, Sec. 4 and App. E).

With u = σS and δ = 1-2λ, the mean over the points is C(u) = ½(e^{-u} + e^{δu}), the loss
e^b C(u).  Times are in steps of the gradient flow dθ/dt = -η∇L, their logarithms natural.
"Settled" formulas take S at S_∞ from the start, which σ²(1-2λ) ln(ηt) ≳ 4 justifies.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory._domain import Broadcast, Numbers, Parameters, within


@dataclass(frozen=True)
class TwoPoint(Parameters):
    """Points -σ and σ(1-2λ), and the flow from a start (Paper B, Sec. 4).

    Fields are numbers, or arrays that broadcast; they are checked where they are used.

    Attributes
    ----------
    distance
        δ = 1-2λ in [-1, 1]; if λ were the field, δ would be rounded to multiples of 1e-16.  See
        `at_lambda`.
    sigma
        σ > 0.
    eta
        Learning rate.
    s0, b0
        Initial weight, σ|S₀| ≤ 300, and bias.
    """

    distance: Numbers
    sigma: Numbers
    eta: Numbers
    s0: Numbers
    b0: Numbers

    @classmethod
    def at_lambda(cls, lambda_: ArrayLike, *fields: ArrayLike, **named: ArrayLike) -> Self:
        """Return the problem at λ in [0, 1]; the other arguments are the fields from σ on."""
        return cls(_distance(lambda_, "[0, 1]"), *fields, **named)

    @property
    def lambda_(self) -> np.ndarray:
        """λ."""
        return np.subtract(1.0, self.distance) / 2.0

    @property
    def u0(self) -> np.ndarray:
        """σS₀."""
        return np.multiply(self.sigma, self.s0)


def log_mean(u: ArrayLike, delta: ArrayLike) -> Broadcast:
    """Return ln C(u)."""
    u = np.asarray(u, dtype=float)
    return np.logaddexp(-u, delta * u) - np.log(2.0)


def settled_output(delta: ArrayLike) -> Broadcast:
    """Return s = σS_∞, where C is least: -ln δ/(1+δ), inf for δ ≤ 0."""
    delta = np.asarray(delta, dtype=float)
    safe = np.where(delta > 0.0, delta, 1.0)
    return np.where(delta > 0.0, -np.log(safe) / (1.0 + safe), np.inf)


def s_infinity(lambda_: ArrayLike, sigma: ArrayLike) -> Broadcast:
    """Return S_∞ = ln(1/(1-2λ))/(2(1-λ)σ), inf for λ ≥ ½ (Paper B, App. E).

    λ in [0, 1], σ > 0.
    """
    return settled_output(_distance(lambda_, "[0, 1]")) / within("sigma", sigma)


def c_infinity(lambda_: ArrayLike) -> Broadcast:
    """Return C_∞, the infimum over S of the mean of e^{Sx}: ½ at λ = ½, 0 above.  λ in [0, 1]."""
    delta = _distance(lambda_, "[0, 1]")
    # A finite u, so that δu is 0 at λ = ½.
    return np.exp(log_mean(np.minimum(settled_output(delta), 1e300), delta))


def settled_log_ratio(lambda_: ArrayLike) -> Broadcast:
    """Return ln(t*_gen/t*_tr) = s²/2 - ln C_∞ of the times at which a loss falls to ε → 0.

    s = σS_∞; the same for all ε, σ and η (Paper B, Eq. 44).  λ in [0, ½).  For λ → ½⁻ it is
    ½ln²(1-2λ) + ln 2, and its root has the slope 1/√2 against |ln(1-2λ)| (Paper B, Eq. 16).
    """
    delta = _distance(lambda_, "[0, 0.5)")
    u = settled_output(delta)
    return 0.5 * u**2 - log_mean(u, delta)


def settled_conformal_delay(lambda_: ArrayLike, eta: ArrayLike) -> Broadcast:
    """Return τ*_gen - τ*_tr = (s²/2 - ln C_∞)/(ηC_∞), the same for all ε.  λ in [0, ½).

    It grows as ln²(1-2λ)/η for λ → ½⁻.  Paper B's Eq. 46 has ½ln²(1-2λ), for ηC_∞ = 1 instead
    of C_∞ → ½ (derived in docs/theory.md).
    """
    return settled_log_ratio(lambda_) / (within("eta", eta) * c_infinity(lambda_))


def _distance(lambda_: ArrayLike, interval: str) -> np.ndarray:
    return 1.0 - 2.0 * within("lambda_", lambda_, interval)
