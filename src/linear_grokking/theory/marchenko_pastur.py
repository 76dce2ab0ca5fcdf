"""Averages over the Marchenko–Pastur law of the eigenvalues of a Gaussian sample covariance.

Σ = XᵀX/N_tr with X of shape (N_tr, d_in) and independent standard-normal entries; both sizes
go to infinity at fixed λ = d_in/N_tr.  The eigenvalues ν then have density

    ρ(ν) = √((λ₊ − ν)(ν − λ₋)) / (2πλν)  on [λ₋, λ₊],  λ± = (1 ± √λ)²,

and for λ > 1 an atom of weight 1 − 1/λ at ν = 0 (Paper A).
"""

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.shapes import Float
from linear_grokking.theory._domain import Broadcast, within


def _graded_angles() -> tuple[np.ndarray, np.ndarray]:
    """Return sin²(θ/2) and the weights (2/π) sin²θ dθ of a rule on 0 < θ < π.

    With ν = λ₋ + 4√λ sin²(θ/2) the law times ν is (2/π) sin²θ dθ, so one set of angles
    serves every λ.  Near the lower edge integrands have small scales in θ of their own (1/√x
    at late times x, |1 − √λ| near λ = 1, √γ with weight decay), so the trapezoidal rule is
    applied in log θ, where all of these scales look alike: θ = π/(1 + e^{-v}).
    A factor e^{-aθ²} is bounded for |Im log θ| < π/4, hence an error of e^{-π²/(2h)} at
    spacing h, whatever a.  Below θ ~ e^{-33} the substitution v(u) closes the sum
    double-exponentially.
    """
    spacing = 1.0 / 6.0
    u = np.arange(-36.0, 13.0, spacing)
    closing = np.exp(-(u + 32.0))
    v = u - closing
    theta = np.pi / (1.0 + np.exp(-v))
    # θ and π − θ both come from an exponential, so that neither end loses digits.
    complement = np.pi / (1.0 + np.exp(v))
    sine = np.where(v < 0, np.sin(theta), np.sin(complement))
    measure = theta * complement / np.pi * (1.0 + closing) * spacing
    return np.sin(theta / 2) ** 2, 2.0 / np.pi * sine**2 * measure


_HALF_SINE_SQUARED, _WEIGHTS = _graded_angles()


def support(lambda_: ArrayLike) -> tuple[Broadcast, Broadcast]:
    """Return the edges λ₋ and λ₊ of the continuous part of the law, shape of ``lambda_``."""
    lambda_ = within("lambda_", lambda_)
    root = np.sqrt(lambda_)
    # 1 − √λ without the cancellation near λ = 1.
    return ((1.0 - lambda_) / (1.0 + root)) ** 2, (1.0 + root) ** 2


def atom(lambda_: ArrayLike) -> Broadcast:
    """Return the probability (1 − 1/λ)₊ of ν = 0, shape of ``lambda_``."""
    lambda_ = within("lambda_", lambda_)
    return np.maximum(0.0, (lambda_ - 1.0) / lambda_)


def quadrature(lambda_: ArrayLike) -> tuple[Float[np.ndarray, "*S K"], Float[np.ndarray, " K"]]:
    """Return nodes ν and weights w of the continuous part: ∫ν g(ν) ρ(ν) dν ≈ Σ w g(ν).

    The weights are those of the law times ν, which do not depend on λ and sum to
    E[ν] = 1; for E[g] itself use g/ν and add ``atom(lambda_) * g(0)``.

    Accuracy is 2e-11 relative or better for products of rational functions of ν and exponentials
    e^{-aν}, at any λ > 0 (λ = 1, where ρ ~ ν^{-1/2}, included), for a ≤ 1e20 and poles no
    closer to 0 than 1e-20.

    Returns
    -------
    nodes, weights
        Leading axes of the nodes are those of ``lambda_``.
    """
    lower, _ = support(lambda_)
    spread = 4.0 * np.sqrt(np.asarray(lambda_, dtype=float))
    return np.multiply.outer(spread, _HALF_SINE_SQUARED) + np.asarray(lower)[..., None], _WEIGHTS


def gauss_quadrature(
    lambda_: float, count: int
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """Return nodes and weights like `quadrature`, exact for polynomials of degree 2 count - 1.

    ν = 1 + λ + 2√λ cos θ turns the law times ν into (2/π) sin²θ dθ, whose rule is that of
    Chebyshev's polynomials of the second kind.  For g/ν, g of degree 2 count at most and λ < 1,
    the sum lacks g(0)(1 - λ)λ^count/(1 - λ^{count+1}), by aliasing of the Fourier series of 1/ν:
    g(0) times `linear_optimizers.least_gen_loss`.
    """
    lower, _ = support(lambda_)
    theta = np.arange(1, count + 1) * np.pi / (count + 1)
    nodes = lower + 4.0 * np.sqrt(lambda_) * np.cos(theta / 2.0) ** 2
    return nodes, 2.0 / (count + 1) * np.sin(theta) ** 2
