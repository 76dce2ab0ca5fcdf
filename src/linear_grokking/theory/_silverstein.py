"""Averages over the spectrum of a sample covariance whose population covariance is not I.

For inputs of covariance C, with eigenvalues τ distributed by H, the resolvent of Σ = XᵀX/N has
deterministic equivalents in one function w(z), the root in the upper half-plane of

    z = w (1 − λ − λB(w)),    B(w) = ∫ w/(τ − w) dH(τ)

(Silverstein 1995; w = −1/m̃ of the companion Stieltjes transform m̃):

    (1/d) Tr Σ(Σ − z)⁻¹ → A,    (1/d) Tr C(Σ − z)⁻¹ → A/(1 − λA),    A = 1 + B,

which are the Stieltjes transforms of the laws of ν weighted by ν and by C (docs/theory.md).
"""

from typing import NamedTuple

import numpy as np

from linear_grokking.theory._domain import ConvergenceError

# Angle at which paths leave 0: as far from the spectrum as from the imaginary axis, beyond which
# e^{−xz} grows.
_ANGLE = np.pi / 4.0
_PATH_SPACING = 1.0 / 6.0
_PATH_ENDS = (-62.0, 36.0)
_RULE_DIGITS = 26.0
_RULE_END = 37.0


class PathRule(NamedTuple):
    """Nodes on a path around the positive spectrum, and weights, each (K,) and complex.

    For g that is analytic and bounded in the right half-plane, real on the axis,
    ∫ g(ν) ν dF(ν) is the imaginary part of ``train @ g(nodes)``, and ∫ g(ν) dF_C(ν) that of
    ``gen @ g(nodes)`` plus ``atom * g(0)``.
    """

    nodes: np.ndarray
    train: np.ndarray
    gen: np.ndarray
    atom: float


def power_law_rule(exponent: float) -> tuple[np.ndarray, np.ndarray]:
    """Return τ = (p+1)u^p and weights of a rule for u uniform on [0, 1], each (M,).

    This is the trapezoidal rule in the logit of u.  Integrands have poles at angles of `_ANGLE`/p
    or more, which sets the spacing.
    """
    spacing = 2.0 * np.pi * _ANGLE / max(exponent, 1.0) / _RULE_DIGITS
    logit = np.arange(-_RULE_END, _RULE_END, spacing)
    u = 1.0 / (1.0 + np.exp(-logit))
    return (exponent + 1.0) * u**exponent, spacing * u / (1.0 + np.exp(logit))


def null_ridge(lambda_: float, tau: np.ndarray, weights: np.ndarray) -> float:
    """Return κ₀, the root of 1 = λ ∫ τ/(τ + κ₀) dH for λ > 1; 0 for λ ≤ 1."""
    if lambda_ <= 1.0:
        return 0.0
    mean = weights @ tau
    # By Jensen's inequality κ₀ is at most (λ − 1)⟨τ⟩, and λ⟨τ⟩ > κ₀: bisect its logarithm.
    low, high = np.log(mean) - 700.0, np.log((lambda_ - 1.0) * mean) + 1e-9
    for _ in range(70):
        middle = 0.5 * (low + high)
        if lambda_ * (weights @ (tau / (tau + np.exp(middle)))) > 1.0:
            low = middle
        else:
            high = middle
    return float(np.exp(0.5 * (low + high)))


def upper_edge(lambda_: float, tau: np.ndarray, weights: np.ndarray) -> float:
    """Return the largest eigenvalue of Σ: the least z(w) for w above all τ."""
    # By w = τ_max(1 + x) with x between 0 and √λ: bisect log x for dz/dw = 0.
    low, high = np.log(1e-13), 0.5 * np.log(lambda_) + 1e-9
    for _ in range(70):
        middle = 0.5 * (low + high)
        w = tau.max() * (1.0 + np.exp(middle))
        if lambda_ * (weights @ (tau / (tau - w)) ** 2) > 1.0:
            low = middle
        else:
            high = middle
    w = tau.max() * (1.0 + np.exp(0.5 * (low + high)))
    return float(w * (1.0 - lambda_ - lambda_ * (weights @ (w / (tau - w)))))


def path_rule(lambda_: float, tau: np.ndarray, weights: np.ndarray) -> PathRule:
    """Return the rule for a law of τ that is given by nodes and weights (M,).

    The path leads from 0 into the upper half-plane at the angle `_ANGLE`, and around the
    spectrum back to the real axis; steps in log |z| serve all times x = ηt/d_out equally well.
    Up to x = 1e20, errors are near 1e-13 of an average's value at x = 0, and 1e-16 of its cut-off
    1/x.

    Raises
    ------
    ConvergenceError
        If w is not found at a node.
    """
    logit = np.arange(_PATH_ENDS[1], _PATH_ENDS[0], -_PATH_SPACING)
    share, rest = 1.0 / (1.0 + np.exp(-logit)), 1.0 / (1.0 + np.exp(logit))
    beyond = 2.0 * tau.max() * (1.0 + np.sqrt(lambda_)) ** 2
    nodes = beyond * share * np.exp(1j * _ANGLE * rest)
    measure = nodes * rest * (1.0 - 1j * _ANGLE * share) * _PATH_SPACING / np.pi
    w, b = _solved(nodes, lambda_, tau, weights)
    ridge = null_ridge(lambda_, tau, weights)
    if lambda_ > 1.0:
        # A/(1 − λA) without the atom's pole at 0.
        gen = (w + ridge) / (lambda_ * nodes) - 1.0 / lambda_
    else:
        gen = (1.0 + b) / (1.0 - lambda_ - lambda_ * b)
    return PathRule(nodes, (1.0 + b) * measure, gen * measure, ridge / lambda_)


def _solved(
    nodes: np.ndarray, lambda_: float, tau: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return w and B(w) at nodes z along a path from large |z|, by Newton's method.

    Far away w ≈ z − λ⟨τ⟩.  Each node starts from the power law through the two before it.
    """
    far = lambda_ * (weights @ tau)
    w, b = np.empty_like(nodes), np.empty_like(nodes)
    for k, z in enumerate(nodes):
        found = z - far if k < 2 else w[k - 1] ** 2 / w[k - 2]
        for _ in range(50):
            inverse = 1.0 / (tau - found)
            weighted = weights * inverse
            b[k] = found * np.sum(weighted)
            slope = found * ((weighted * tau) @ inverse)
            rest = 1.0 - lambda_ - lambda_ * b[k]
            step = (found * rest - z) / (rest - lambda_ * slope)
            found = found - step
            # Convergence is quadratic: the next step would be rounding.
            if abs(step) <= 1e-9 * abs(found):
                break
        else:
            raise ConvergenceError(f"no w(z) at z = {z:.3g}, lambda = {lambda_:g}")
        if found.imag <= 0.0:
            raise ConvergenceError(f"w(z) left its half-plane at z = {z:.3g}, lambda = {lambda_:g}")
        w[k] = found
        b[k] = found * np.sum(weights / (tau - found))
    return w, b
