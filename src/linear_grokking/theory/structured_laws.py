"""Limits of the exact losses on structured inputs: late times, λ = 1, λ near 1, λ > 1 (ours).

Power-law inputs as in `structured_inputs`; derived in docs/theory.md.  Time is in steps, and all
arguments broadcast.  A problem with noise raises ValueError.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gamma as gamma_function

from linear_grokking.shapes import Float
from linear_grokking.theory._domain import Broadcast, within
from linear_grokking.theory._search import root
from linear_grokking.theory.linear_late_time import Times
from linear_grokking.theory.structured_inputs import StructuredProblem, effective_ridge


def late_train_loss(t: ArrayLike, problem: StructuredProblem) -> Broadcast:
    """Return (1 − λ)² times `late_gen_loss`."""
    return (1.0 - np.asarray(problem.lambda_)) ** 2 * late_gen_loss(t, problem)


def late_gen_loss(t: ArrayLike, problem: StructuredProblem) -> Broadcast:
    """Return the law of late times for λ < 1, p > 0: L_gen ∝ t^{−1−1/p}.

    (τ_m/(p(1−λ))) Γ(1 + 1/p) (4η(1−λ)τ_m t)^{−1−1/p} for one output, τ_m = p + 1; with x = ηt it
    needs 4x ≫ (1−λ)^{−max(2, p+1)}.  At 10 and 100 times that the loss is 850 and 1.37
    times the law at p = 0.3, λ = 0.9, since for p < 1 few modes are in the former gap; and 0.58
    and 0.64 times the law at p = 10, λ = 0.5, since for p > 1 its correction falls as x^{−1/p}.
    ``inf`` at t = 0.
    """
    steps, problem = _plain(problem, t=t)
    amplitude, rate, power = _late(problem)
    with np.errstate(divide="ignore"):
        return amplitude * (rate * steps) ** -power


def late_times(loss: ArrayLike, problem: StructuredProblem) -> Times:
    """Return the times at which `late_train_loss` and `late_gen_loss` are ``loss``.

    Their ratio is (1−λ)^{2p/(p+1)} whatever the loss: there is no logarithm.
    """
    target, problem = _plain(problem, loss=loss)
    amplitude, rate, power = _late(problem)
    with np.errstate(divide="ignore"):
        gen = (amplitude / target) ** (1.0 / power) / rate
    return Times((1.0 - problem.lambda_) ** (2.0 / power) * gen, gen)


def critical_gen_loss(t: ArrayLike, problem: StructuredProblem) -> Broadcast:
    """Return the law of late times at λ = 1: L_gen ∝ t^{−1/2} for p < 1, t^{−p/(p+1)} for p > 1.

    For one output and with x = 4ηt it is (πx⟨1/τ⟩)^{−1/2} for p < 1, where ⟨1/τ⟩ = 1/(1 − p²), and
    b^{−p/(p+1)} (p+1)^{1/(p+1)} x^{−p/(p+1)}/Γ(1/(p+1)), b = (π/p)/sin(π/p), for p > 1.  The
    problem's λ plays no role; ``inf`` at t = 0.

    Raises
    ------
    ValueError
        Also for p = 1, where the law has a logarithm.
    """
    steps, problem = _plain(problem, t=t, critical=True)
    p = problem.exponent
    if np.any(p == 1.0):
        raise ValueError("exponent = 1: must differ from 1, where the law has a logarithm")
    soft = p < 1.0
    x = 4.0 * problem.eta * steps / problem.d_out
    steep = np.where(soft, 2.0, p)
    b = np.pi / steep / np.sin(np.pi / steep)
    scale = b ** (-steep / (steep + 1.0)) * (steep + 1.0) ** (1.0 / (steep + 1.0))
    scale = scale / gamma_function(1.0 / (steep + 1.0))
    with np.errstate(divide="ignore"):
        weak = np.sqrt(np.where(soft, 1.0 - p**2, 1.0) / np.pi) * x**-0.5
        return np.where(soft, weak, scale * x ** (-steep / (steep + 1.0)))[()] / problem.d_out


def lower_edge(lambda_: ArrayLike, eigenvalues: Float[np.ndarray, " d"]) -> Broadcast:
    """Return the smallest eigenvalue ν₋ of Σ at large size for λ < 1, any covariance.

    The largest z = w(1 − λ − λB(w)) for w below the smallest eigenvalue of C.

    Parameters
    ----------
    lambda_
        λ in (0, 1).
    eigenvalues
        Of C, each of the same weight, above 0.
    """
    lambda_ = within("lambda_", lambda_, "(0, 1)")
    tau = within("eigenvalues", eigenvalues, "(0, inf)")
    flat = np.ravel(lambda_)

    def fall(share: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
        """Return −dz/dw, w being given as a share of the smallest eigenvalue."""
        w = (share * tau.min())[..., None]
        return lambda_ * np.mean((tau / (tau - w)) ** 2, axis=-1) - 1.0

    ends = np.zeros(flat.shape), np.full(flat.shape, 1.0 - 1e-9)
    w = tau.min() * root(fall, *ends, (flat,), resolution=1e-14)
    b = np.mean(w[:, None] / (tau - w[:, None]), axis=-1)
    return (w * (1.0 - flat - flat * b)).reshape(lambda_.shape)[()]


def lower_edge_near_one(lambda_: ArrayLike, eigenvalues: Float[np.ndarray, " d"]) -> Broadcast:
    """Return (1 − λ)²/(4⟨1/τ⟩), the limit of `lower_edge` for λ → 1: the harmonic mean counts."""
    lambda_ = within("lambda_", lambda_, "(0, 1)")
    tau = within("eigenvalues", eigenvalues, "(0, inf)")
    return (1.0 - lambda_) ** 2 / (4.0 * np.mean(1.0 / tau))


def forgetting_time(loss: ArrayLike, problem: StructuredProblem) -> Broadcast:
    """Return when weight decay has forgotten the initial student, for λ > 1 and γ > 0.

    Once all but the null space of Σ has settled, L_gen = (κ₀/(2λd_out))(α²e^{−2ηγt/d_out} + 1),
    which falls to ``loss`` at (d_out/(2ηγ)) log[(α²κ₀/(2λd_out))/(L − κ₀/(2λd_out))].  ``inf``
    where the loss is at most the teacher's part κ₀/(2λd_out), 0 where it starts below.
    """
    within("noise", problem.noise, "[0, 0]")
    target, problem = problem.checked(loss=loss)
    within("lambda_", problem.lambda_, "(1, inf)")
    within("gamma", problem.gamma, "(0, inf)")
    ridge = effective_ridge(problem.lambda_, problem.exponent)
    floor = np.asarray(ridge / (2.0 * problem.lambda_ * problem.d_out))
    above = target > floor
    share = problem.alpha**2 * floor / np.where(above, target - floor, 1.0)
    rate = 2.0 * problem.eta * problem.gamma / problem.d_out
    return np.where(above, np.log(np.maximum(share, 1.0)) / rate, np.inf)[()]


def _plain(problem: StructuredProblem, *, critical: bool = False, **others: ArrayLike) -> list[Any]:
    """Return the arguments, broadcast; refuse γ ≠ 0, α ≠ 1 and noise."""
    for name in ("gamma", "noise"):
        within(name, getattr(problem, name), "[0, 0]")
    within("alpha", problem.alpha, "[1, 1]")
    found = problem.checked(**others)
    if not critical:
        within("lambda_", found[-1].lambda_, "(0, 1)")
        within("exponent", found[-1].exponent, "(0, 10]")
    return found


def _late(problem: StructuredProblem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return amplitude, rate and power of the late law a (rt)^{−k}."""
    gap, p = 1.0 - problem.lambda_, problem.exponent
    top = p + 1.0
    amplitude = top / (p * gap) * gamma_function(1.0 + 1.0 / p) / problem.d_out
    return amplitude, 4.0 * problem.eta * gap * top / problem.d_out, 1.0 + 1.0 / p
