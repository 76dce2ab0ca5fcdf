"""The two-point model's limits and closed forms (Paper B, Sec. 4 and App. E).

With u = σS and δ = 1-2λ, the mean over the points is C(u) = ½(e^{-u} + e^{δu}), the loss
e^b C(u).  Logarithms of times are natural; times are in steps of the gradient flow
dθ/dt = -η∇L.  "Settled" formulas take S at S_∞ from the start, which σ²(1-2λ) ln t ≳ 4
justifies.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from linear_grokking.theory._domain import finite, positive, within


def s_infinity(lambda_: ArrayLike, sigma: ArrayLike) -> np.ndarray:
    """Return S_∞ = ln(1/(1-2λ))/(2(1-λ)σ), inf for λ ≥ ½ (Paper B, App. E).

    Parameters
    ----------
    lambda_
        λ in [0, 1].
    sigma
        σ > 0.
    """
    return _settled_output(lambda_) / positive("sigma", sigma)


def c_infinity(lambda_: ArrayLike) -> np.ndarray:
    """Return C_∞, the infimum over S of the mean of e^{Sx}: ½ at λ = ½, 0 above."""
    u = _settled_output(lambda_)
    delta = 1.0 - 2.0 * np.asarray(lambda_, dtype=float)
    bounded = np.where(np.isinf(u), 0.0, u)
    below = 0.5 * (np.exp(-bounded) + np.exp(delta * bounded))
    return np.where(np.isfinite(u), below, np.where(delta == 0.0, 0.5, 0.0))


def closed_weight(
    tau: ArrayLike, lambda_: float, sigma: ArrayLike, eta: ArrayLike, s0: ArrayLike
) -> np.ndarray:
    """Return S at conformal time τ for λ = 0, ½ or 1 (Paper B, App. E, Eqs. 33-37).

    λ = 0: 2 artanh(tanh(σS₀/2)e^{-ησ²τ})/σ; λ = ½: ln(e^{σS₀} + ησ²τ/2)/σ;
    λ = 1: ln(e^{σS₀} + ησ²τ)/σ.

    Parameters
    ----------
    tau
        Conformal time τ = ∫e^b dt ≥ 0, in steps.
    lambda_
        One of 0, ½ and 1.

    Raises
    ------
    ValueError
        For another λ, whose closed form is implicit.
    """
    sigma = positive("sigma", sigma)
    passed = positive("eta", eta) * sigma**2 * within("tau", tau, 0.0, np.inf, open_high=True)
    u0 = sigma * finite("s0", s0)
    if lambda_ == 0.0:
        return 2.0 * np.arctanh(np.tanh(0.5 * u0) * np.exp(-passed)) / sigma
    if lambda_ == 0.5:
        return np.log(np.exp(u0) + 0.5 * passed) / sigma
    if lambda_ == 1.0:
        return np.log(np.exp(u0) + passed) / sigma
    raise ValueError(f"lambda_ = {lambda_:g}: must be 0, 0.5 or 1")


def settled_time_to_train_loss(
    epsilon: ArrayLike, lambda_: ArrayLike, eta: ArrayLike, b0: ArrayLike
) -> np.ndarray:
    """Return the time at which the training loss falls to ε: (1/ε - e^{-b₀}/C_∞)/η.

    0 where the settled loss is no larger than ε from the start.  λ in [0, ½].
    """
    c = c_infinity(within("lambda_", lambda_, 0.0, 0.5))
    time = 1.0 / positive("epsilon", epsilon) - np.exp(-finite("b0", b0)) / c
    return np.maximum(time, 0.0) / positive("eta", eta)


def settled_log_time_to_accuracy(
    accuracy: ArrayLike, lambda_: ArrayLike, eta: ArrayLike
) -> np.ndarray:
    """Return ln t at which A_gen reaches ``accuracy``, from b = -ln(ηC_∞t), λ in [0, ½).

    Φ⁻¹(accuracy) s - ln(ηC_∞), s = σS_∞; ``accuracy`` above ½ and below 1.
    """
    accuracy = within("accuracy", accuracy, 0.5, 1.0, open_low=True, open_high=True)
    u = _settled_output(within("lambda_", lambda_, 0.0, 0.5, open_high=True))
    return ndtri(accuracy) * u - np.log(positive("eta", eta) * c_infinity(lambda_))


def settled_log_ratio(lambda_: ArrayLike) -> np.ndarray:
    """Return ln(t*_gen/t*_tr) = s²/2 - ln C_∞ of the times at which a loss falls to ε → 0.

    s = σS_∞; the same for all ε, σ and η (Paper B, Eq. 44).  λ in [0, ½).
    """
    u = _settled_output(within("lambda_", lambda_, 0.0, 0.5, open_high=True))
    return 0.5 * u**2 - np.log(c_infinity(lambda_))


def critical_log_ratio(lambda_: ArrayLike) -> np.ndarray:
    """Return the limit of `settled_log_ratio` for λ → ½⁻: ½ln²(1-2λ) + ln 2."""
    lambda_ = within("lambda_", lambda_, 0.0, 0.5, open_high=True)
    return 0.5 * np.log1p(-2.0 * lambda_) ** 2 + np.log(2.0)


def settled_slope(lambda_: ArrayLike) -> np.ndarray:
    """Return d√R/d|ln(1-2λ)|, R = `settled_log_ratio`: 1/√2 as λ → ½⁻ (Paper B, Eq. 16)."""
    lambda_ = within("lambda_", lambda_, 0.0, 0.5, open_high=True)
    u = _settled_output(lambda_)
    delta = 1.0 - 2.0 * lambda_
    # C is stationary at u, so only its explicit dependence on δ counts.
    du = -1.0 / (1.0 + delta) - delta * u / (1.0 + delta)  # δ du/dδ
    dlog_c = delta * u * np.exp(delta * u) / (2.0 * c_infinity(lambda_))  # δ ∂ln C/∂δ
    return (dlog_c - u * du) / (2.0 * np.sqrt(settled_log_ratio(lambda_)))


def settled_conformal_delay(lambda_: ArrayLike, eta: ArrayLike) -> np.ndarray:
    """Return τ*_gen - τ*_tr = (s²/2 - ln C_∞)/(ηC_∞), the same for all ε.  λ in [0, ½)."""
    return settled_log_ratio(lambda_) / (positive("eta", eta) * c_infinity(lambda_))


def critical_conformal_delay(lambda_: ArrayLike, eta: ArrayLike) -> np.ndarray:
    """Return the leading form ln²(1-2λ)/η of `settled_conformal_delay` for λ → ½⁻.

    Paper B's Eq. 46 has half of it: C_∞ → ½ is missing there (derived in docs/theory.md).
    """
    lambda_ = within("lambda_", lambda_, 0.0, 0.5, open_high=True)
    return np.log1p(-2.0 * lambda_) ** 2 / positive("eta", eta)


def _settled_output(lambda_: ArrayLike) -> np.ndarray:
    """Return s = σS_∞."""
    lambda_ = within("lambda_", lambda_, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        logarithm = 0.0 - np.log(np.maximum(1.0 - 2.0 * lambda_, 0.0))
    return np.where(lambda_ < 0.5, logarithm / (2.0 * np.maximum(1.0 - lambda_, 0.5)), np.inf)
