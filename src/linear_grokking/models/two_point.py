"""Paper B's one-dimensional model: two training points, exponential loss (Sec. 4).

Points x₁ = -σ and x₂ = σ(1-2λ), labels -1, output f = Sx + b, loss ½(e^{f₁} + e^{f₂}).  The
points lie on one side of the origin, and so are separable, if λ > ½.  Fresh data are
x ~ N(0, σ²).  Losses are also given as logarithms, because e^b leaves the range of
floating-point numbers long before the model's behaviour settles.  S, b and the fields of a
problem broadcast.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from linear_grokking.runtime.arrays import Array
from linear_grokking.shapes import Float
from linear_grokking.theory.two_point import TwoPoint, log_mean


def log_train_loss(weight: ArrayLike, bias: ArrayLike, problem: TwoPoint) -> Float[Array, "*S"]:
    """Return ln of the training loss at S, b."""
    return np.add(bias, log_mean(np.multiply(problem.sigma, weight), problem.distance))


def log_gen_loss(weight: ArrayLike, bias: ArrayLike, problem: TwoPoint) -> Float[Array, "*S"]:
    """Return ln of the population loss: b + σ²S²/2."""
    return np.add(bias, 0.5 * np.multiply(problem.sigma, weight) ** 2)


def train_accuracy(weight: ArrayLike, bias: ArrayLike, problem: TwoPoint) -> Float[Array, "*S"]:
    """Return the fraction of the two points with f < 0: 0, ½ or 1."""
    u = np.multiply(problem.sigma, weight)
    outputs = (np.subtract(bias, u), np.add(bias, problem.distance * u))
    return np.mean([np.less(output, 0.0) for output in outputs], axis=0)


def gen_accuracy(weight: ArrayLike, bias: ArrayLike, problem: TwoPoint) -> Float[Array, "*S"]:
    """Return the population accuracy Φ(-b/(σ|S|)); the sign of b decides at S = 0, ½ at b = 0."""
    spread, bias = np.broadcast_arrays(
        np.abs(np.multiply(problem.sigma, weight)), np.asarray(bias, dtype=float)
    )
    limit = np.where(bias == 0.0, 0.0, -np.copysign(np.inf, bias))
    with np.errstate(over="ignore"):
        return ndtr(np.divide(-bias, spread, out=limit, where=spread > 0.0))


def observables(
    weight: ArrayLike, bias: ArrayLike, problem: TwoPoint
) -> dict[str, Float[Array, "*S"]]:
    """Return losses and accuracies by their column names in a history.

    A loss beyond the range of floating-point numbers is 0 or inf; use the logarithms there.
    """
    with np.errstate(over="ignore"):
        return {
            "train_loss": np.exp(log_train_loss(weight, bias, problem)),
            "gen_loss": np.exp(log_gen_loss(weight, bias, problem)),
            "train_accuracy": train_accuracy(weight, bias, problem),
            "gen_accuracy": gen_accuracy(weight, bias, problem),
        }
