"""The bias-free limit direction S_∞ of a large inseparable set whose inputs have a random radius.

Inputs are x = s z, z ~ N(0, I), where the radius s takes one of two values with E[s²] = 1.
Separability does not depend on s, so the transition stays at λ = ½ (Wendel).  Below it the norm
r = ‖S_∞‖ and an offset c solve

    E[w²/s²] = λ r²,    E[w/(1+w)] = λ,    w = ω(c + 2 ln s + s r h),

ω Wright's omega function and h ~ N(0, 1) independent of s; outputs are s r h - w (ours, derived in
docs/theory.md).  With one radius these are the equations of `large_size`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, wrightomega

from linear_grokking.theory import large_size
from linear_grokking.theory._domain import Broadcast, ConvergenceError, checked, within
from linear_grokking.theory._normal_rule import normal_rule
from linear_grokking.theory._search import root
from linear_grokking.theory._weighted_wishart import Points, least_curvature, upper_edge

_MAX_ITERATIONS = 200
_BELOW = "[1e-4, 0.4999]"


class Radii(NamedTuple):
    """The two values of the radius s, arrays of one shape.

    Attributes
    ----------
    near, far
        In units of √E[s²]; ``far`` has the probability ``far_share``.
    """

    near: Broadcast
    far: Broadcast


class EllipticalLimit(NamedTuple):
    """Solution of the equations, arrays of one shape.

    Attributes
    ----------
    norm
        r = ‖S_∞‖ at σ = 1.
    offset
        c, with w = s² e^{c+f} at output f.
    """

    norm: Broadcast
    offset: Broadcast


def radii(radius_ratio: ArrayLike, far_share: ArrayLike) -> Radii:
    """Return the two radii with E[s²] = 1.

    Parameters
    ----------
    radius_ratio
        The far radius over the near one, in [0.01, 100].
    far_share
        Probability of the far one, in [0, 1].
    """
    ratio, share = checked(radius_ratio=radius_ratio, far_share=far_share)
    near = 1.0 / np.sqrt(1.0 + share * (ratio**2 - 1.0))
    return Radii(near, ratio * near)


def solve(lambda_: ArrayLike, radius_ratio: ArrayLike, far_share: ArrayLike) -> EllipticalLimit:
    """Solve the equations for r and c, each problem on its own.

    Newton's iteration on (ln r, c) with the exact Jacobian starts from the solution for one
    radius, shifted by the difference of the two at λ = ½.

    Parameters
    ----------
    lambda_
        λ = d/N in [1e-4, 0.4999].
    radius_ratio, far_share
        See `radii`.

    Raises
    ------
    ConvergenceError
        If a residual is above 1e-9 after 200 iterations.
    """
    within("lambda_", lambda_, _BELOW)
    lambda_, ratio, share = checked(lambda_=lambda_, radius_ratio=radius_ratio, far_share=far_share)
    s, p = _law_of_radius(ratio, share)
    start, twice = large_size.solve(lambda_), 2.0 * lambda_
    log_h0 = _log_sign_change(s, p)
    log_r = np.log(start.norm) + twice * np.log(_critical_norm(s, p) / large_size.CRITICAL_NORM)
    shift = log_r - np.log(start.norm) + log_h0 - np.log(large_size.CRITICAL_OFFSET)
    c = start.offset + twice * shift
    for _ in range(_MAX_ITERATIONS):
        residual, jacobian = _equations(log_r, c, lambda_, s, p)
        if np.all(np.abs(residual) < 1e-13):
            break
        step = np.linalg.solve(jacobian, residual[..., np.newaxis])[..., 0]
        step /= np.maximum(1.0, 2.0 * np.max(np.abs(step), axis=-1, keepdims=True))
        log_r, c = log_r - step[..., 0], c - step[..., 1]
    worst = np.max(np.abs(_equations(log_r, c, lambda_, s, p)[0]), axis=-1)
    if np.any(~(worst <= 1e-9)):
        at = np.argmax(np.where(np.isfinite(worst), worst, np.inf))
        where = f"lambda_ = {lambda_.flat[at]:g}, radius_ratio = {ratio.flat[at]:g}"
        raise ConvergenceError(f"elliptical equations did not converge at {where}")
    return EllipticalLimit(np.exp(log_r), c)


def limit_norm(lambda_: ArrayLike, radius_ratio: ArrayLike, far_share: ArrayLike) -> Broadcast:
    """Return ‖S_∞‖ at σ = 1 against λ in [1e-4, 0.4999]."""
    return solve(lambda_, radius_ratio, far_share).norm


def limit_loss(lambda_: ArrayLike, radius_ratio: ArrayLike, far_share: ArrayLike) -> Broadcast:
    """Return C_∞, the minimum over S of the mean of e^{S·x}: e^{-c} E[w/s²]."""
    r, c = solve(lambda_, radius_ratio, far_share)
    s, p = _law_of_radius(*checked(radius_ratio=radius_ratio, far_share=far_share))
    weight, _, w = _rule(r, c, s)
    return np.exp(-c) * np.sum(p / s**2 * np.sum(weight * w, axis=-1), axis=-1)


def settling_exponent(
    lambda_: ArrayLike, radius_ratio: ArrayLike, far_share: ArrayLike
) -> Broadcast:
    """Return p, with which the slowest part of S - S_∞ decays as (ηC_∞t)^{-σ²p}.

    It is the least eigenvalue of Σ q_i x_i x_iᵀ/N, q_i = e^{S_∞·x_i}/C_∞; see
    `large_size.settling_exponent`.
    """
    r, c = solve(lambda_, radius_ratio, far_share)
    lambda_, ratio, share = checked(lambda_=lambda_, radius_ratio=radius_ratio, far_share=far_share)
    s, p = _law_of_radius(ratio, share)
    weight, shift, w = _rule(r, c, s)
    weight, s = p[..., np.newaxis] * weight, s[..., np.newaxis]
    q = w / s**2 / np.sum(weight * w / s**2, axis=(-2, -1), keepdims=True)
    flat = (*lambda_.shape, -1)
    nodes = (each.reshape(flat) for each in (weight, shift - w, q, q * s**2))
    return least_curvature(lambda_, r, Points(*nodes))


def largest_eigenvalue(
    lambda_: ArrayLike, radius_ratio: ArrayLike, far_share: ArrayLike
) -> Broadcast:
    """Return the largest eigenvalue of XᵀX/N for N → ∞ at σ = 1; (1+√λ)² for one radius."""
    lambda_, ratio, share = checked(lambda_=lambda_, radius_ratio=radius_ratio, far_share=far_share)
    s, p = _law_of_radius(ratio, share)
    return upper_edge(lambda_, p, s**2)


def critical_norm(radius_ratio: ArrayLike, far_share: ArrayLike) -> Broadcast:
    """Return the limit of ‖S_∞‖√(1-2λ) as λ → ½: √E[s^{-2} ln²(s h₀/h)], h half-normal.

    h₀ is where outputs of s = 1 change sign: ln h₀ = (ln 2 - γ_E)/2 - E[s^{-1} ln s]/E[s^{-1}].
    """
    return _critical_norm(*_law_of_radius(*checked(radius_ratio=radius_ratio, far_share=far_share)))


def log_time_to_accuracy(
    lambda_: ArrayLike,
    radius_ratio: ArrayLike,
    far_share: ArrayLike,
    eta: ArrayLike,
    accuracy: ArrayLike = 0.95,
) -> Broadcast:
    """Return ln t at which A_gen reaches ``accuracy`` if S has settled long before.

    b = -ln(ηC_∞t) as for one radius (`large_size.log_time_to_accuracy`), and
    A_gen = E_s[Φ(-b/(s r))].

    Parameters
    ----------
    eta
        Learning rate; t is in steps.
    accuracy
        Above ½ and below 1.
    """
    within("accuracy", accuracy, "(0.5, 1)")
    within("lambda_", lambda_, _BELOW)
    lambda_, ratio, share, eta, level = checked(
        lambda_=lambda_, radius_ratio=radius_ratio, far_share=far_share, eta=eta, accuracy=accuracy
    )
    r = limit_norm(lambda_, ratio, share)
    near, far = radii(ratio, share)

    def excess(log_reach: np.ndarray, *problem: np.ndarray) -> np.ndarray:
        near, far, share, level = problem
        reach = np.exp(log_reach)
        return (1.0 - share) * ndtr(reach / near) + share * ndtr(reach / far) - level

    # The reach -b/r lies between those for each radius alone.
    alone = np.log(ndtri(level))
    low, high = (alone + np.log(pick(near, far)) for pick in (np.minimum, np.maximum))
    problem = near, far, share, level
    reach = np.exp(root(excess, low - 1.0, high + 1.0, problem, resolution=1e-12))
    return reach * r - np.log(eta * limit_loss(lambda_, ratio, share))


def _law_of_radius(ratio: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the radii and their probabilities, both (..., 2)."""
    s = np.stack(radii(ratio, share), axis=-1)
    return s, np.stack([1.0 - share, share], axis=-1)


def _log_sign_change(s: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return ln h₀."""
    shift = np.sum(p * np.log(s) / s, axis=-1) / np.sum(p / s, axis=-1)
    return np.log(large_size.CRITICAL_OFFSET) - shift


def _critical_norm(s: np.ndarray, p: np.ndarray) -> np.ndarray:
    # ln h of a half-normal h has mean -(ln 2 + γ_E)/2 and variance π²/8.
    mean = np.log(s) + _log_sign_change(s, p)[..., np.newaxis]
    mean += 0.5 * (np.log(2.0) + np.euler_gamma)
    return np.sqrt(np.sum(p / s**2 * (mean**2 + np.pi**2 / 8.0), axis=-1))


def _rule(r: np.ndarray, c: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weights over h, and s r h and w at the nodes, all (..., 2, nodes)."""
    offset = c[..., np.newaxis] + 2.0 * np.log(s)
    weight, shift = normal_rule(s * r[..., np.newaxis], offset)
    return weight, shift, wrightomega(offset[..., np.newaxis] + shift)


def _equations(
    log_r: np.ndarray, c: np.ndarray, lambda_: np.ndarray, s: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals (..., 2), relative to λ, and their Jacobian (..., 2, 2) in (ln r, c)."""
    r = np.exp(log_r)
    weight, shift, w = _rule(r, c, s)
    slope = w / (1.0 + w)  # dw/dc; dw/d ln r = s r h dw/dc
    bend = slope / (1.0 + w) ** 2  # d slope/dc

    def mean(values: np.ndarray, each: np.ndarray) -> np.ndarray:
        return np.sum(each * np.sum(weight * values, axis=-1), axis=-1)

    scale, part = lambda_ * r**2, p / s**2
    square = mean(w * w, part) / scale
    residual = np.stack([square - 1.0, mean(slope, p) / lambda_ - 1.0], axis=-1)
    by_log_r = 2.0 * mean(w * slope * shift, part) / scale - 2.0 * square
    by_c = 2.0 * mean(w * slope, part) / scale
    rows = (by_log_r, by_c), (mean(bend * shift, p) / lambda_, mean(bend, p) / lambda_)
    return residual, np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
