"""Losses of the linear model at large size whose inputs have a power-law covariance (ours).

Inputs are x ~ N(0, C); the eigenvalues of C are τ = (p+1)u^p, u uniform on [0, 1], with mean 1.
Teacher and student are isotropic as in `linear`, and the dynamics in the eigenbasis of
Σ = XᵀX/N are the same,

    D(t) = α e S₀ − h T,   e = e^{−2η(ν+γ/2)t/d_out},   h = (ν e + γ/2)/(ν + γ/2).

Both losses are averages of |D|², over the spectrum of Σ weighted by ν and by C.  Their laws
follow from Silverstein's equation (``_silverstein``; derived in docs/theory.md).  p = 0 is the
case of `linear`, which also has discrete steps, label noise, and all digits at late times.

Gradient flow; time is in steps.  All arguments and the fields of a problem broadcast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import linear
from linear_grokking.theory._domain import Broadcast, Numbers, checked, within
from linear_grokking.theory._silverstein import (
    PathRule,
    null_ridge,
    path_rule,
    power_law_rule,
    upper_edge,
)

# Points evaluated together: their values at all nodes should stay in cache.
_CHUNK = 64


@dataclass(frozen=True)
class StructuredProblem(linear.Problem):
    """One-layer teacher-student regression on inputs with a power-law covariance.

    Attributes
    ----------
    exponent
        p of the eigenvalues (p+1)u^p, from 0 (isotropic) to 10.
    """

    exponent: Numbers = 0.0


def train_loss(t: ArrayLike, problem: StructuredProblem) -> Broadcast:
    """Return the training loss, (1/2d_out) ∫ν (α²e² + h²) dF(ν), F the law of Σ's eigenvalues.

    Parameters
    ----------
    t
        Number of steps, up to ηt/d_out of 1e20; ``inf`` for the limit.
    problem
        See `StructuredProblem`; without label noise.

    Returns
    -------
    array of the shape that ``t`` and the problem's fields broadcast to

        The relative error is about 1e-13 (ηt/d_out)^{1/p}; where the loss falls
        exponentially (λ > 1, or p = 0) that is the absolute error.

    Raises
    ------
    ValueError
        Where an argument is out of range, or the labels have noise.
    """
    return _average(t, problem, generalization=False)


def gen_loss(t: ArrayLike, problem: StructuredProblem) -> Broadcast:
    """Return the generalization loss E[DᵀCD]/d_out = (1/2d_out) ∫(α²e² + h²) dF_C(ν).

    F_C is the law of Σ's eigenvalues weighted by C, with an atom κ₀/λ at 0 for λ > 1
    (`effective_ridge`), where the student only decays.  Arguments, result and errors are those
    of `train_loss`.
    """
    return _average(t, problem, generalization=True)


def train_loss_floor(problem: StructuredProblem) -> Broadcast:
    """Return the training loss at t → ∞; 0 without weight decay."""
    return train_loss(np.inf, problem)


def gen_loss_floor(problem: StructuredProblem) -> Broadcast:
    """Return the generalization loss at t → ∞.

    Without weight decay 0 for λ ≤ 1 and (1 + α²)κ₀/(2λ d_out) for λ > 1; with any weight decay
    the initial student is eventually forgotten, and the α² is absent.
    """
    return gen_loss(np.inf, problem)


def effective_ridge(lambda_: ArrayLike, exponent: ArrayLike) -> Broadcast:
    """Return κ₀, which solves 1 = λ ∫τ/(τ + κ₀) dH for λ > 1; 0 for λ ≤ 1.

    The null space of Σ holds the share κ₀/λ of the loss.
    """
    lambda_, exponent = checked(lambda_=lambda_, exponent=exponent)
    return _of_each(null_ridge, lambda_, exponent)[()]


def divergence_rate(problem: StructuredProblem) -> Broadcast:
    """Return the learning rate above which gradient descent diverges, d_out/(ν + γ/2).

    ν is the upper edge of Σ's spectrum; as `linear.divergence_rate`.
    """
    (problem,) = problem.checked()
    upper = _of_each(upper_edge, problem.lambda_, problem.exponent)
    return problem.d_out / (upper + problem.gamma / 2.0)


def _of_each(function: Callable[..., float], lambda_: np.ndarray, exponent: np.ndarray) -> Any:
    """Evaluate a function of λ and a power law's rule for each pair of λ and p."""
    pairs = zip(lambda_.flat, exponent.flat, strict=True)
    found = [function(float(one), *power_law_rule(float(p))) for one, p in pairs]
    return np.reshape(found, lambda_.shape)


def _average(t: ArrayLike, problem: StructuredProblem, *, generalization: bool) -> np.ndarray:
    """Return a loss, evaluated a few points at a time."""
    within("noise", problem.noise, "[0, 0]")
    steps = np.asarray(t, dtype=float)
    endless = np.isposinf(steps)
    steps, problem = problem.checked(t=np.where(endless, 0.0, steps))
    endless = np.broadcast_to(endless, steps.shape)
    flat = [np.ravel(values) for values in (endless, steps, *problem)]
    result = np.empty(steps.size)
    for start in range(0, steps.size, _CHUNK):
        ends, some, *fields = (values[start : start + _CHUNK] for values in flat)
        chunk = ends, some, StructuredProblem(*fields)
        result[start : start + _CHUNK] = _loss(*chunk, generalization)
    return result.reshape(steps.shape)[()]


def _loss(
    endless: np.ndarray, t: np.ndarray, problem: StructuredProblem, generalization: bool
) -> np.ndarray:
    """Return a loss (n,); ``endless`` says where t is to be inf."""
    rules = [_rule(*map(float, at)) for at in zip(problem.lambda_, problem.exponent, strict=True)]
    nodes = np.stack([rule.nodes for rule in rules])
    weights = np.stack([rule.gen if generalization else rule.train for rule in rules])
    half, rate = problem.gamma / 2.0, 2.0 * problem.eta / problem.d_out
    # Later than this nothing is left of any positive node's part.
    passed = np.minimum(rate * t, 1e100)[:, None]
    shifted = nodes + half[:, None]
    left = np.where(endless[:, None], 0.0, np.exp(-passed * shifted))
    h = left + (1.0 - left) * half[:, None] / shifted
    square = (problem.alpha[:, None] * left) ** 2 + h**2
    result = np.sum(square * weights, axis=1).imag
    if generalization:
        # On the atom only weight decay acts.
        kept = np.where(endless & (half > 0), 0.0, np.exp(-passed[:, 0] * half))
        atom = np.array([rule.atom for rule in rules])
        result = result + atom * ((problem.alpha * kept) ** 2 + 1.0)
    # Rounding may make a loss that has vanished slightly negative.
    return np.maximum(result, 0.0) / (2.0 * problem.d_out)


@lru_cache(maxsize=1000)
def _rule(lambda_: float, exponent: float) -> PathRule:
    return path_rule(lambda_, *power_law_rule(exponent))
