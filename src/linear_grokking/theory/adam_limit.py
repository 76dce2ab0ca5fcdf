"""Adam on sets of one label, at large size: where its small steps lead, and how fast (ours).

Full-batch Adam tends to the direction of the largest margin in the box max(|S_j|, |b|) ≤ 1
(Zhang, Zou and Cao 2024).  With one label that direction has b = -1, and its S has the largest m
with S·x_i ≤ -m for all i.  Above λ = ½ this m is positive, and S is so long, ‖S‖ = ρ√d, that the
accuracy stays near chance.  Below ½, S tends to S_∞ as with any descent, while b falls by the
same amount in every step.  All of it is derived in docs/theory.md.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from linear_grokking.theory import large_size
from linear_grokking.theory._domain import Broadcast, checked, within
from linear_grokking.theory._search import root
from linear_grokking.theory.margin import mean_margin, normal_density, truncated_second_moment

_RESOLUTION = 1e-14


class BoxMargin(NamedTuple):
    """The largest margin in the box |S_j| ≤ 1 for N → ∞, arrays of one shape.

    Attributes
    ----------
    margin
        m/(σ√d), m the least -S·x_i.
    size
        ρ = ‖S‖/√d, the root mean square of the entries of the S that has it.
    """

    margin: np.ndarray
    size: np.ndarray


def box_margin(lambda_: ArrayLike) -> BoxMargin:
    """Return the largest margin in the box, and the size of the direction that has it.

    Entries are S_j = clip(g_j/θ, -1, 1), g normal.  With κ = m/(σρ√d), P = 2Φ(θ) - 1 and G of
    `margin.truncated_second_moment`

        G(κ) ρ² = λ P²/θ²,    Φ(κ) = λ P,

    where the second says that as many points lie on the margin as entries lie inside the box.

    Parameters
    ----------
    lambda_
        λ = d/N in [0.5001, 1000].
    """
    lambda_ = within("lambda_", lambda_, "[0.5001, 1000]")

    def excess(kappa: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
        theta, inside, square = _entries(kappa, lambda_)
        moment = truncated_second_moment(kappa)
        return np.log(moment * square / lambda_) - 2.0 * np.log(inside / theta)

    # At 0 it is negative by Mills' ratio; where G(κ) = λ it is positive, as ρ² > P²/θ² there.
    low, high = np.zeros_like(lambda_), mean_margin(lambda_)
    each = tuple(values.ravel() for values in (low, high, lambda_))
    kappa = root(excess, each[0], each[1], each[2:], _RESOLUTION).reshape(lambda_.shape)
    size = np.sqrt(_entries(kappa, lambda_)[2])
    return BoxMargin(kappa * size, size)


def _entries(kappa: np.ndarray, lambda_: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return θ, the share P of entries inside the box, and ρ²."""
    inside = ndtr(kappa) / lambda_
    theta = -ndtri(0.5 * (1.0 - inside))
    square = (inside - 2.0 * theta * normal_density(theta)) / theta**2 + 1.0 - inside
    return theta, inside, square


def box_gen_accuracy(norm: ArrayLike, sigma: ArrayLike) -> Broadcast:
    """Return A_gen = Φ(1/(σ‖S‖)) for b = -1 and a direction in the box.

    Parameters
    ----------
    norm
        ‖S‖ > 0, with entries of modulus 1 at most.
    sigma
        Standard deviation of the inputs.
    """
    return ndtr(1.0 / (within("sigma", sigma) * within("norm", norm, "(0, inf)")))


def limit_gen_accuracy(lambda_: ArrayLike, sigma: ArrayLike, d: ArrayLike) -> Broadcast:
    """Return Φ(1/(σρ√d)), the A_gen to which Adam's small steps lead on a large separable set.

    Parameters
    ----------
    lambda_
        λ = d/N in [0.5001, 1000].
    sigma
        Standard deviation of the inputs.
    d
        Input dimension.
    """
    norm = box_margin(lambda_).size * np.sqrt(within("d", d))
    return box_gen_accuracy(norm, sigma)


def bias_speed(eta: ArrayLike, beta1: ArrayLike, beta2: ArrayLike) -> Broadcast:
    """Return by how much b falls in each step once S has settled: about η, but less.

    The gradient then falls as e^b, and both moments are averages over a past in which it was
    larger.  The speed u solves

        u = η (1-β₁)/(1-β₁e^u) √((1-β₂e^{2u})/(1-β₂)) :

    b cannot fall faster than the second moment forgets, u < log(1/β₂)/2.

    Parameters
    ----------
    eta
        Learning rate.
    beta1, beta2
        Decay of the moments, β₁ ≤ β₂.

    Raises
    ------
    ValueError
        For an argument out of range.
    """
    eta, beta1, beta2 = checked(eta=eta, beta1=beta1, beta2=beta2)
    if np.any(beta1 > beta2):
        raise ValueError("beta1: must not exceed beta2")

    def excess(u: np.ndarray, eta: np.ndarray, beta1: np.ndarray, beta2: np.ndarray) -> np.ndarray:
        # 1 - βe^u = 1 - β - β(e^u - 1), which is exact where β is near 1.
        mean = 1.0 - beta1 * np.expm1(u) / (1.0 - beta1)
        square = np.maximum(1.0 - beta2 * np.expm1(2.0 * u) / (1.0 - beta2), 0.0)
        return u / eta - np.sqrt(square) / mean

    fastest = -0.5 * np.log(beta2)
    each = [values.ravel() for values in (np.zeros_like(eta), fastest, eta, beta1, beta2)]
    return root(excess, each[0], each[1], each[2:], 1e-15).reshape(eta.shape)


def time_to_accuracy(
    lambda_: ArrayLike, eta: ArrayLike, beta1: ArrayLike, beta2: ArrayLike, accuracy: float = 0.95
) -> Broadcast:
    """Return the step at which A_gen reaches ``accuracy`` below λ = ½: Φ⁻¹(accuracy) r/u.

    From A_gen = Φ(-b/(σ‖S_∞‖)), r = σ‖S_∞‖ of `large_size.limit_norm` and b = -ut with u of
    `bias_speed`: linear in r where gradient descent's time is exponential.

    Parameters
    ----------
    lambda_
        λ in [1e-4, 0.4999].
    eta, beta1, beta2
        See `bias_speed`.
    accuracy
        Above ½ and below 1.
    """
    within("accuracy", accuracy, "(0.5, 1)")
    return ndtri(accuracy) * large_size.limit_norm(lambda_) / bias_speed(eta, beta1, beta2)


def output_step(eta: ArrayLike, sigma: ArrayLike, d: ArrayLike) -> Broadcast:
    """Return the largest change of an output in a step, ησd√(2/π); steps are small below 1.

    Every coordinate moves by up to η, so an output moves by up to ηΣ|x_j|.

    Parameters
    ----------
    eta
        Learning rate.
    sigma
        Standard deviation of the inputs.
    d
        Input dimension.
    """
    eta, sigma, d = checked(eta=eta, sigma=sigma, d=d)
    return np.sqrt(2.0 / np.pi) * eta * sigma * d
