"""Paper B's one-dimensional model: two training points, exponential loss (Sec. 4).

Points x₁ = -σ and x₂ = σ(1-2λ), labels -1, output f = Sx + b, loss ½(e^{Sx₁+b} + e^{Sx₂+b}).
Fresh data are x ~ N(0, σ²).  Losses come as logarithms too, because e^b leaves the range of
floating-point numbers long before the model's behaviour settles.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr


def points(lambda_: ArrayLike, sigma: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return x₁ and x₂: on one side of the origin, so separable, if λ > ½.

    Raises
    ------
    ValueError
        If λ is outside [0, 1] or σ is not positive and finite.
    """
    lambda_, sigma = np.asarray(lambda_, dtype=float), np.asarray(sigma, dtype=float)
    if not np.all((lambda_ >= 0.0) & (lambda_ <= 1.0)):
        raise ValueError(f"lambda_ = {lambda_}: must lie in [0, 1]")
    if not np.all((sigma > 0.0) & (sigma < np.inf)):
        raise ValueError(f"sigma = {sigma}: must be positive and finite")
    return -sigma * np.ones_like(lambda_), sigma * (1.0 - 2.0 * lambda_)


def log_train_loss(
    weight: ArrayLike, bias: ArrayLike, lambda_: ArrayLike, sigma: ArrayLike
) -> np.ndarray:
    """Return ln of the training loss at S, b."""
    x1, x2 = points(lambda_, sigma)
    weight = np.asarray(weight, dtype=float)
    return bias + np.logaddexp(weight * x1, weight * x2) - np.log(2.0)


def gradient(
    weight: ArrayLike, bias: ArrayLike, lambda_: ArrayLike, sigma: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Return the derivatives of the training loss by S and by b."""
    x1, x2 = points(lambda_, sigma)
    weight = np.asarray(weight, dtype=float)
    first, second = 0.5 * np.exp(weight * x1 + bias), 0.5 * np.exp(weight * x2 + bias)
    return x1 * first + x2 * second, first + second


def train_accuracy(
    weight: ArrayLike, bias: ArrayLike, lambda_: ArrayLike, sigma: ArrayLike
) -> np.ndarray:
    """Return the fraction of the two points with f < 0: 0, ½ or 1."""
    x1, x2 = points(lambda_, sigma)
    weight = np.asarray(weight, dtype=float)
    return 0.5 * ((weight * x1 + bias < 0.0).astype(float) + (weight * x2 + bias < 0.0))


def log_gen_loss(weight: ArrayLike, bias: ArrayLike, sigma: ArrayLike) -> np.ndarray:
    """Return ln of the population loss: b + σ²S²/2."""
    return bias + 0.5 * (np.asarray(sigma, dtype=float) * weight) ** 2


def gen_accuracy(weight: ArrayLike, bias: ArrayLike, sigma: ArrayLike) -> np.ndarray:
    """Return the population accuracy Φ(-b/(σ|S|)); the sign of b decides at S = 0, ½ at b = 0."""
    spread, bias = np.broadcast_arrays(
        np.abs(np.asarray(sigma, dtype=float) * weight), np.asarray(bias, dtype=float)
    )
    limit = np.where(bias == 0.0, 0.0, -np.copysign(np.inf, bias))
    with np.errstate(over="ignore"):
        return ndtr(np.divide(-bias, spread, out=limit, where=spread > 0.0))


def observables(
    weight: ArrayLike, bias: ArrayLike, lambda_: ArrayLike, sigma: ArrayLike
) -> dict[str, np.ndarray]:
    """Return losses and accuracies by their column names in a history.

    A loss beyond the range of floating-point numbers is 0 or inf; see the logarithms.
    """
    with np.errstate(over="ignore"):
        return {
            "train_loss": np.exp(log_train_loss(weight, bias, lambda_, sigma)),
            "gen_loss": np.exp(log_gen_loss(weight, bias, sigma)),
            "train_accuracy": train_accuracy(weight, bias, lambda_, sigma),
            "gen_accuracy": gen_accuracy(weight, bias, sigma),
        }
