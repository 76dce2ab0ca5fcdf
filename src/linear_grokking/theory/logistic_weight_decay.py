"""Where Paper B's model ends with weight decay, at large size: a ridge on S, or on S and b.

The loss is mean ℓ(S·x + b) + (γ/2)‖S‖², and (γ/2)b² besides where all parameters decay.  For
N, d → ∞ at fixed λ = d/N and points of standard deviation σ, r = σ‖S‖ is sharp and the training
outputs z are distributed as the solution of z + Vℓ'(z) = b + rh, h ~ N(0, 1).  With
κ = γ/σ² the norm r and the response V solve

    E[(Vℓ')²] = λ r²,    E[Vℓ''/(1+Vℓ'')] + κV = λ,

for every λ and κ > 0, and where b decays too it follows from E[ℓ'] = -γb (derived in
docs/theory.md).  For κ → 0 and λ < ½ these are the equations of `large_size`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, lambertw, ndtr, ndtri, wrightomega

from linear_grokking.theory._domain import Broadcast, ConvergenceError, checked, within
from linear_grokking.theory._normal_rule import normal_rule
from linear_grokking.theory._search import root
from linear_grokking.theory.margin import limit_gen_accuracy

_LOG_GAMMA = (np.log(1e-40), np.log(1e6))
"""Range of ln γ in which γ_max is sought."""
_MAX_ITERATIONS = 400
_LARGEST_LOG = 700.0
"""Largest ln V, so that V is a finite double."""

Responses = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Vℓ', Vℓ'' and Vℓ''' at the outputs z; each (..., nodes)."""


class Ridge(NamedTuple):
    """The minimizer over S of the mean of e^{S·x} + (κ/2)‖S‖² at σ = 1.

    Attributes
    ----------
    norm
        r = ‖S‖.
    loss
        C, the mean of e^{S·x} without the ridge.
    """

    norm: Broadcast
    loss: Broadcast


class Minimum(NamedTuple):
    """Where training ends if all parameters decay.

    Attributes
    ----------
    norm
        ‖S‖, in the inverse unit of the inputs.
    bias
        b.
    accuracy
        A_gen = Φ(-b/(σ‖S‖)).
    """

    norm: Broadcast
    bias: Broadcast
    accuracy: Broadcast


def ridge(lambda_: ArrayLike, kappa: ArrayLike) -> Ridge:
    """Solve the equations for the exponential loss without bias.

    Parameters
    ----------
    lambda_
        λ = d/N.
    kappa
        κ > 0; with bias b and inputs of deviation σ it is γe^{-b}/σ².

    Raises
    ------
    ConvergenceError
        If a residual is above 1e-9 after 400 iterations.
    """
    lambda_, kappa = checked(lambda_=lambda_, kappa=kappa)
    bias = np.zeros(lambda_.shape)
    log_r, _, _, slope = _solve("exponential", lambda_, kappa, bias, np.nan)
    return Ridge(np.exp(log_r), slope)


def minimum(
    lambda_: ArrayLike, sigma: ArrayLike, gamma: ArrayLike, loss: str = "cross_entropy"
) -> Minimum:
    """Return the minimum of the loss where S and b decay, γ > 0.

    Parameters
    ----------
    lambda_, sigma
        λ = d/N and the inputs' standard deviation.
    gamma
        γ > 0.
    loss
        ``"cross_entropy"`` or ``"exponential"``.

    Raises
    ------
    ConvergenceError
        If a residual is above 1e-9 after 400 iterations.
    """
    within("gamma", gamma, "(0, inf)")
    lambda_, sigma, gamma = checked(lambda_=lambda_, sigma=sigma, gamma=gamma)
    # Where S is 0: e^b = -γb.
    start = -lambertw(1.0 / gamma).real
    log_r, _, bias, _ = _solve(loss, lambda_, gamma / sigma**2, start, gamma)
    norm = np.exp(log_r)
    return Minimum(norm / sigma, bias, ndtr(-bias / norm))


def max_weight_decay(
    lambda_: ArrayLike, sigma: ArrayLike, accuracy: float = 0.95, loss: str = "cross_entropy"
) -> Broadcast:
    """Return γ_max, beyond which training with decay of S and b ends below an accuracy.

    The accuracy at the end falls with γ, from Φ(1/(σ²M̃)) (1 up to λ = ½) for γ → 0 to
    Φ(1/(σ²√λ)) for γ → ∞, where one step decides.  The result is 0 where the former is not
    enough, or no γ above 1e-40 is small enough; inf where the latter is enough, or γ_max
    exceeds 1e6.

    Parameters
    ----------
    accuracy
        Above ½ and below 1.
    """
    within("accuracy", accuracy, "(0.5, 1)")
    lambda_, sigma = checked(lambda_=lambda_, sigma=sigma)
    level = ndtri(accuracy)
    least, most = ndtr(1.0 / (sigma**2 * np.sqrt(lambda_))), limit_gen_accuracy(lambda_, sigma)
    result = np.where(least >= accuracy, np.inf, 0.0)
    some = np.asarray((least < accuracy) & (most > accuracy))

    def shortfall(log_gamma: np.ndarray, lambda_: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        end = minimum(lambda_, sigma, np.exp(log_gamma), loss)
        return level + end.bias / (sigma * end.norm)

    low, high = (np.full(result.shape, end)[some] for end in _LOG_GAMMA)
    parameters = (lambda_[some], sigma[some])
    high = np.where(shortfall(high, *parameters) < 0.0, np.inf, high)
    result[some] = np.exp(root(shortfall, low, high, parameters, resolution=1e-10))
    return result[()]


def _solve(
    loss: str, lambda_: np.ndarray, kappa: np.ndarray, bias: np.ndarray, gamma: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return ln r, ln V, b and E[ℓ'], by Newton's iteration with the exact Jacobian.

    Each problem is solved on its own.  b starts from ``bias`` and stays there where γ is NaN.
    """
    if loss not in _RESPONSES:
        raise ValueError(f"loss = {loss}: must be one of {', '.join(_RESPONSES)}")
    respond = _RESPONSES[loss]
    # This V has both limits at S = 0, without curvature and without ridge; the latter is a guess
    # beyond small λ.
    slope = expit(bias) if loss == "cross_entropy" else np.exp(bias)
    log_v = -np.log(kappa / lambda_ + slope / (lambda_ * np.exp(8.0 * np.minimum(lambda_, 1.0))))
    log_r = np.minimum(log_v + np.log(slope / np.sqrt(lambda_)), 2.0)
    at, share, before = np.stack([log_r, log_v, bias], axis=-1), 1.0, np.inf
    for _ in range(_MAX_ITERATIONS):
        residual, jacobian, slope = _equations(respond, at, lambda_, kappa, gamma)
        worst = np.max(np.abs(residual), axis=-1, keepdims=True)
        if np.all(worst < 1e-12):
            break
        step = np.linalg.solve(jacobian, residual[..., np.newaxis])[..., 0]
        # Steps of at most ½, in units of |b| where it is large, and of a tenth of a large ln V.
        size = np.maximum(1.0, np.abs(at) * [0.0, 0.1, 1.0])
        length = 2.0 * np.max(np.abs(step / size), axis=-1, keepdims=True)
        # Iterates may cycle between points of about equal residuals; shorter steps break that.
        stuck = (worst > 0.9 * before) & (length < 1.0)
        share = np.where(stuck, 0.5 * share, np.minimum(2.0 * share, 1.0))
        at, before = at - share * step / np.maximum(1.0, length), worst
        at[..., 1] = np.minimum(at[..., 1], _LARGEST_LOG)
    residual, _, slope = _equations(respond, at, lambda_, kappa, gamma)
    worst = np.max(np.abs(residual), axis=-1)
    if np.any(~(worst <= 1e-9)):
        failed = np.argmax(np.where(np.isfinite(worst), worst, np.inf))
        where = f"lambda_ = {lambda_.flat[failed]:g}, kappa = {kappa.flat[failed]:g}"
        raise ConvergenceError(f"ridge equations did not converge at {where}")
    return at[..., 0], at[..., 1], at[..., 2], slope


def _equations(
    respond: Callable[[np.ndarray, np.ndarray], Responses],
    at: np.ndarray,
    lambda_: np.ndarray,
    kappa: np.ndarray,
    gamma: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return relative residuals (..., 3), their Jacobian (..., 3, 3) in (ln r, ln V, b), E[ℓ']."""
    log_r, log_v, bias = np.moveaxis(at, -1, 0)
    weight, shift = normal_rule(np.exp(log_r), log_v + bias)
    w, curvature, third = respond(bias[..., np.newaxis] + shift, log_v[..., np.newaxis])
    drag = 1.0 + curvature
    share = curvature / drag
    # dz/d(b + rh) = 1/drag and dz/d ln V = -w/drag.
    share_by_output = third / drag**3

    def mean(values: np.ndarray) -> np.ndarray:
        return np.sum(weight * values, axis=-1)

    v, square = np.exp(log_v), mean(w * w)
    rate = mean(w) / v
    trace = mean(share) + kappa * v
    held = np.zeros(rate.shape)
    rows = [
        (
            2.0 * mean(w * share * shift) / square - 2.0,
            2.0 * mean(w * w / drag) / square,
            2.0 * mean(w * share) / square,
        ),
        (
            mean(share_by_output * shift) / trace,
            (mean(curvature / drag**2 - share_by_output * w) + kappa * v) / trace,
            mean(share_by_output) / trace,
        ),
        (held, held, held + 1.0),
    ]
    residual = [np.log(square / lambda_) - 2.0 * log_r, np.log(trace / lambda_), held]
    if not np.any(np.isnan(gamma)):
        # E[ℓ'] + γb, over E[ℓ'].
        part = -gamma * bias / rate
        residual[2] = 1.0 - part
        rows[2] = (
            part * mean(share * shift) / (v * rate),
            part * (mean(w / drag) / (v * rate) - 1.0),
            gamma / rate + part * mean(share) / (v * rate),
        )
    jacobian = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    return np.stack(residual, axis=-1), jacobian, rate


def _respond_exponential(free: np.ndarray, log_v: np.ndarray) -> Responses:
    w = wrightomega(log_v + free)
    return w, w, w


def _respond_cross_entropy(free: np.ndarray, log_v: np.ndarray) -> Responses:
    """Solve z + V/(1+e^{-z}) = b + rh by Newton's iteration, from where it is monotonic."""
    v = np.exp(log_v)
    # The left side is concave above 0 and convex below: ½ < V/(1+e^{-z}) < V and
    # ½ < (1+e^{-z})^{-1} e^{-z} < 1 bound z.
    below = np.minimum(free - wrightomega(free + log_v - np.log(2.0)), 0.0)
    z = np.where(free > 0.5 * v, np.maximum(free - v, 0.0), below)
    for _ in range(_MAX_ITERATIONS):
        slope = expit(z)
        step = (z - free + v * slope) / (1.0 + v * slope * expit(-z))
        z = z - step
        if np.all(np.abs(step) <= 1e-13 * (1.0 + np.abs(z))):
            break
    slope, rest = expit(z), expit(-z)
    w = v * slope
    return w, w * rest, w * rest * (rest - slope)


_RESPONSES: Mapping[str, Callable[[np.ndarray, np.ndarray], Responses]] = {
    "cross_entropy": _respond_cross_entropy,
    "exponential": _respond_exponential,
}
