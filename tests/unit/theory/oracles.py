"""Closed forms and averages that only tests need."""

import numpy as np
from scipy import special
from scipy.special import ndtri

from linear_grokking.theory import marchenko_pastur


def exponential_average(x, lambda_):
    """E[ν e^{−4νx}] = e^{−4(1+λ)x} I₁(z)/(z/2), z = 8√λ x, of the Marchenko–Pastur law.

    At x = ηt this is Paper A's training loss for d_out = 1, α = 1, γ = s = 0 and any λ.
    """
    x = np.asarray(x, dtype=float)
    # I₁(z)/(z/2) → 1; the exponentially scaled I₁ never overflows.
    z = 8.0 * np.sqrt(lambda_) * np.maximum(x, 1e-200)
    lower_edge = ((1.0 - lambda_) / (1.0 + np.sqrt(lambda_))) ** 2
    return np.where(x > 0, np.exp(-4.0 * lower_edge * x) * 2.0 * special.i1e(z) / z, 1.0)


def spectral_mean(g, lambda_):
    """E[g(ν)] of the Marchenko–Pastur law by the package's rule, the atom at ν = 0 included.

    g takes an array (..., K) whose leading axes are those of ``lambda_``; it is called with
    ν = 0 only where λ > 1 gives the atom some weight.
    """
    nodes, weights = marchenko_pastur.quadrature(lambda_)
    result = (g(nodes) / nodes) @ weights
    mass = np.asarray(marchenko_pastur.atom(lambda_))
    if np.any(mass > 0):
        result = result + np.where(mass > 0, mass * g(np.zeros((*mass.shape, 1)))[..., 0], 0.0)
    return result


def closed_weight(tau, lambda_, sigma, eta, s0):
    """S at conformal time τ for λ = 0, ½ or 1 (Paper B, App. E, Eqs. 33-37)."""
    passed, u0 = eta * sigma**2 * tau, sigma * s0
    if lambda_ == 0.0:
        return 2.0 * np.arctanh(np.tanh(0.5 * u0) * np.exp(-passed)) / sigma
    return np.log(np.exp(u0) + lambda_ * passed) / sigma


def settled(lambda_):
    """σS_∞ and ln C_∞ of the two-point model for λ < ½."""
    delta = 1.0 - 2.0 * lambda_
    u = -np.log(delta) / (1.0 + delta)
    return u, np.log(0.5 * (np.exp(-u) + np.exp(delta * u)))


def settled_bias(log_t, lambda_, eta, b0):
    """b(t) of the two-point model with S at S_∞ from the start."""
    return -np.logaddexp(-b0, np.log(eta) + settled(lambda_)[1] + log_t)


def settled_log_time_to_accuracy(accuracy, lambda_, eta):
    """ln t at which A_gen of settled S reaches ``accuracy``, from b = -ln(ηC_∞t)."""
    u, log_c = settled(lambda_)
    return ndtri(accuracy) * u - np.log(eta) - log_c
