"""The bias-free limit direction S_∞ of a large inseparable set, λ < ½.

For N, d → ∞ at fixed λ = d/N and unit-variance points, the minimizer S_∞ of the mean of
e^{S·x} has a sharp norm r, and the training outputs f = S_∞·x are distributed as
r h - w(h), h ~ N(0, 1), where w(h) = ω(c + r h) is Wright's omega function, that is
w = e^{c+f}.  The norm and the offset c solve

    E[w²] = λ r²,    E[w/(1+w)] = λ

(derived in docs/theory.md).  For points of standard deviation σ, replace ‖S_∞‖ by σ‖S_∞‖;
outputs and C_∞ are unchanged.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, wrightomega

from linear_grokking.theory._domain import Broadcast, ConvergenceError, within
from linear_grokking.theory._normal_rule import normal_rule
from linear_grokking.theory._weighted_wishart import Points, least_curvature
from linear_grokking.theory.margin import normal_density

CRITICAL_NORM = np.sqrt(np.pi**2 / 8.0 + np.log(2.0) ** 2)
"""‖S_∞‖ ≈ CRITICAL_NORM/√(1-2λ) as λ → ½: 1.3093."""

CRITICAL_OFFSET = np.exp(0.5 * (np.log(2.0) - np.euler_gamma))
"""Limit of e^c/r as λ → ½: the h at which the output f changes sign."""

CRITICAL_POSITIVE_FRACTION = float(ndtr(-CRITICAL_OFFSET))
"""Limit of the fraction of positive S_∞·x_i as λ → ½: 0.1446."""


def _critical_positive_mean() -> float:
    # For r → ∞ positive outputs are f = ln(h/h₀), h > h₀ = CRITICAL_OFFSET: w = rh to
    # leading order and f = ln w - c.
    y, weight = np.polynomial.legendre.leggauss(64)
    h = CRITICAL_OFFSET + 5.0 * (1.0 + y)
    total = np.sum(5.0 * weight * normal_density(h) * np.log(h / CRITICAL_OFFSET))
    return float(total / CRITICAL_POSITIVE_FRACTION)


CRITICAL_POSITIVE_MEAN = _critical_positive_mean()
"""Limit of the mean of the positive S_∞·x_i as λ → ½: 0.3611."""

CRITICAL_SETTLING = np.sqrt(np.pi / 2.0) / CRITICAL_NORM
"""`settling_exponent` ≈ CRITICAL_SETTLING (1-2λ)^{3/2} as λ → ½: 0.9572."""

SETTLED = 3.0
"""σ²p ln(ηC_∞t) from which on S is taken as settled (Fig. B21): 5 % of its slowest part are left.

See `settling`.
"""

_MAX_ITERATIONS = 100


class LargeSizeLimit(NamedTuple):
    """Solution of the fixed-point equations, arrays of one shape.

    Attributes
    ----------
    norm
        r = ‖S_∞‖ at σ = 1.
    offset
        c, with w = e^{c+f} at output f.
    """

    norm: np.ndarray
    offset: np.ndarray


def solve(lambda_: ArrayLike) -> LargeSizeLimit:
    """Solve the fixed-point equations for r and c.

    Newton's iteration on (ln r, c) with the exact Jacobian, from a start that has the
    right limits at both ends.  Each λ is solved on its own, so none depends on a neighbour.

    Parameters
    ----------
    lambda_
        λ = d/N in [1e-4, 0.4999].

    Raises
    ------
    ValueError
        If λ is outside that range.
    ConvergenceError
        If a residual is above 1e-9 after 100 iterations.
    """
    lambda_ = within("lambda_", lambda_, "[1e-4, 0.4999]")
    twice = 2.0 * lambda_
    log_r = np.log(CRITICAL_NORM / np.sqrt(1.0 - twice) * twice**0.5 * (0.54 + 0.92 * lambda_))
    c = np.log(lambda_) + twice * (log_r + np.log(CRITICAL_OFFSET) - np.log(0.5))
    for _ in range(_MAX_ITERATIONS):
        residual, jacobian = _equations(log_r, c, lambda_)
        if np.all(np.abs(residual) < 1e-13):
            break
        step = np.linalg.solve(jacobian, residual[..., np.newaxis])[..., 0]
        step /= np.maximum(1.0, 2.0 * np.max(np.abs(step), axis=-1, keepdims=True))
        log_r, c = log_r - step[..., 0], c - step[..., 1]
    worst = np.max(np.abs(_equations(log_r, c, lambda_)[0]), axis=-1)
    if np.any(worst > 1e-9):
        failed = lambda_.flat[np.argmax(worst)]
        raise ConvergenceError(f"large-size equations did not converge at lambda_ = {failed:g}")
    return LargeSizeLimit(np.exp(log_r), c)


def _equations(log_r: np.ndarray, c: np.ndarray, lambda_: np.ndarray) -> tuple:
    """Return residuals (..., 2), relative to λ, and their Jacobian (..., 2, 2) in (ln r, c)."""
    r = np.exp(log_r)
    weight, shift, w = _gaussian_rule(r, c)
    slope = w / (1.0 + w)  # dw/dc; dw/d ln r = r h dw/dc
    bend = slope / (1.0 + w) ** 2  # d slope/dc

    def mean(values: np.ndarray) -> np.ndarray:
        return np.sum(weight * values, axis=-1)

    scale = lambda_ * r**2
    square = mean(w * w) / scale
    residual = np.stack([square - 1.0, mean(slope) / lambda_ - 1.0], axis=-1)
    by_log_r = (2.0 * mean(w * slope * shift) / scale - 2.0 * square, mean(bend * shift) / lambda_)
    by_c = (2.0 * mean(w * slope) / scale, mean(bend) / lambda_)
    return residual, np.stack([np.stack(by_log_r, axis=-1), np.stack(by_c, axis=-1)], axis=-1)


def _gaussian_rule(r: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weights for averages over N(0, 1), and rh and w at the nodes h, all (..., nodes)."""
    weight, shift = normal_rule(r, c)
    return weight, shift, wrightomega(c[..., np.newaxis] + shift)


def limit_norm(lambda_: ArrayLike) -> Broadcast:
    """Return ‖S_∞‖ at σ = 1 against λ in [1e-4, 0.4999].

    Examples
    --------
    >>> limit_norm([0.4, 0.48]).round(3)
    array([2.07 , 5.883])
    """
    return solve(lambda_).norm


def positive_fraction(lambda_: ArrayLike) -> Broadcast:
    """Return the fraction of training points with S_∞·x > 0: Φ(-e^c/r)."""
    r, c = solve(lambda_)
    return ndtr(-np.exp(c) / r)


def positive_mean(lambda_: ArrayLike) -> Broadcast:
    """Return the mean of the positive S_∞·x over the training points."""
    r, c = (each[..., np.newaxis] for each in solve(lambda_))
    start = np.exp(c) / r  # f = 0
    # Gauss-Legendre from the sign change on: f(h) is smooth there, and bends over 1/r or
    # more; the interval shrinks with the Gaussian where the sign change is far out.
    y, weight = np.polynomial.legendre.leggauss(96)
    length = 12.0 / np.maximum(1.0, start)
    h = start + 0.5 * length * (1.0 + y)
    output = r * h - wrightomega(c + r * h)
    # The density relative to its value at the sign change, like the fraction below.
    density = np.exp(0.5 * (start**2 - h * h)) / np.sqrt(2.0 * np.pi)
    total = 0.5 * length * np.sum(weight * density * output, axis=-1, keepdims=True)
    return (total / (ndtr(-start) * np.exp(0.5 * start**2)))[..., 0]


def limit_loss(lambda_: ArrayLike) -> Broadcast:
    """Return C_∞, the minimum over S of the mean of e^{S·x}: e^{-c} E[w]."""
    r, c = solve(lambda_)
    weight, _, w = _gaussian_rule(r, c)
    return np.exp(-c) * np.sum(weight * w, axis=-1)


def output_density(output: ArrayLike, lambda_: float) -> Broadcast:
    """Return the density over the training set of the outputs f = S_∞·x (Paper B, Fig. 2).

    f = r h - w is increasing in h, so p(f) = φ(h) dh/df with h = (f + e^{c+f})/r.

    Parameters
    ----------
    output : (...)
        Values of f.
    lambda_
        One λ in [1e-4, 0.4999].
    """
    r, c = solve(float(lambda_))
    output = np.asarray(output, dtype=float)
    w = np.exp(np.minimum(c + output, 700.0))
    h = np.minimum((output + w) / r, 1e100)
    return normal_density(h) * (1.0 + w) / r


def share_near_zero(distance: ArrayLike, lambda_: float) -> Broadcast:
    """Return the share of training points whose projection on S_∞/‖S_∞‖ is within a distance of 0.

    Outputs are f = rh - w, so that f ≤ a where h ≤ (a + e^{c+a})/r; projections are f/r.  As
    λ → ½ all points with h > 0 come to f/r = 0, and the share tends to Φ(distance): half of the
    points lie at 0 (Paper B, App. E.1; derived in docs/theory.md).

    Parameters
    ----------
    distance : (...)
        In units of the inputs' standard deviation, above 0.
    lambda_
        One λ in [1e-4, 0.4999].
    """
    r, c = solve(float(lambda_))
    edge = r * within("distance", distance)
    high, low = ((f + np.exp(np.minimum(c + f, 700.0))) / r for f in (edge, -edge))
    return ndtr(high) - ndtr(low)


def normalized_positive_mean(lambda_: ArrayLike) -> Broadcast:
    """Return the mean of the positive projections of the training points on S_∞/‖S_∞‖.

    In units of the inputs' standard deviation.  For λ → ½ it goes to 0 as
    CRITICAL_POSITIVE_MEAN/CRITICAL_NORM √(1-2λ) = 0.276 √(1-2λ), as Paper B's App. E.1 expects
    (derived in docs/theory.md).
    """
    return positive_mean(lambda_) / limit_norm(lambda_)


def settling_exponent(lambda_: ArrayLike) -> Broadcast:
    """Return p, with which the slowest part of S - S_∞ decays as (ηC_∞t)^{-σ²p}.

    With b = -ln(ηC_∞t), d(S-S_∞)/d ln t = -σ²H(S-S_∞), where H = Σ q_i x_i x_iᵀ/N for
    unit-variance points, q_i = e^{S_∞·x_i}/C_∞.  p is the least eigenvalue of H.  Up to
    λ = 0.31 it is the edge of a continuum, max over m > 0 of -1/m + E[q/(1+λqm)]; above, an
    eigenvalue below it, whose eigenvector lies partly along S_∞ (derived in docs/theory.md).

    Examples
    --------
    >>> settling_exponent([0.3, 0.4, 0.48]).round(4)
    array([0.1565, 0.0659, 0.007 ])
    """
    lambda_ = np.asarray(lambda_, float)
    r, c = solve(lambda_)
    weight, shift, w = _gaussian_rule(r, c)
    share = w / np.sum(weight * w, axis=-1, keepdims=True)
    return least_curvature(lambda_, r, Points(weight, shift - w, share, share))


def settling(lambda_: ArrayLike, sigma: ArrayLike, accuracy: ArrayLike = 0.95) -> Broadcast:
    """Return σ²p ln(ηC_∞t) at the time t of `log_time_to_accuracy`, σ²p Φ⁻¹(accuracy) r.

    Since b left 0, at ηC_∞t of about 1, S has come closer to S_∞ by this power of e.  The learning
    rate, which only sets the unit of time, does not matter.  It tends to
    √(π/2) Φ⁻¹(accuracy) σ²(1-2λ) as λ → ½.

    Parameters
    ----------
    lambda_
        λ in [1e-4, 0.4999].
    sigma
        Standard deviation of the inputs.
    accuracy
        Above ½ and below 1.
    """
    within("accuracy", accuracy, "(0.5, 1)")
    fall = ndtri(accuracy) * limit_norm(lambda_)
    return within("sigma", sigma) ** 2 * settling_exponent(lambda_) * fall


def log_time_to_accuracy(
    lambda_: ArrayLike, eta: ArrayLike, accuracy: ArrayLike = 0.95
) -> Broadcast:
    """Return ln t at which A_gen reaches ``accuracy`` if S has settled long before.

    ln t = Φ⁻¹(accuracy) r - ln(ηC_∞), from b = -ln(ηC_∞t) and A_gen = Φ(-b/(σ‖S‖)): the
    same for every σ for which S has settled (`settling`), as σ‖S‖ = r then (Paper B, Sec. 3.4;
    derived in docs/theory.md).

    Parameters
    ----------
    lambda_
        λ in [1e-4, 0.4999].
    eta
        Learning rate; t is in steps.
    accuracy
        Above ½ and below 1.
    """
    within("accuracy", accuracy, "(0.5, 1)")
    log_rate = np.log(within("eta", eta) * limit_loss(lambda_))
    return ndtri(accuracy) * limit_norm(lambda_) - log_rate
