"""Grokking times of Paper A's one-layer model: when the losses cross their thresholds.

An accuracy falls monotonically with the loss, so it first reaches its threshold when the
loss first falls to `linear.loss_threshold`.  Times are in steps of gradient flow, ``inf``
where the threshold is never reached.  All arguments broadcast; a phase diagram is a problem
with two axes, such as ``Problem(lambda_[:, None], eta, gamma)``.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import linear
from linear_grokking.theory._domain import Broadcast
from linear_grokking.theory._search import time_below
from linear_grokking.theory.linear import Problem, loss_threshold
from linear_grokking.theory.linear_overfitting import gen_loss_minimum


def train_time_to_loss(loss: ArrayLike, problem: Problem) -> Broadcast:
    """Return the time at which the training loss falls to ``loss``.

    0 where it starts there or below, ``inf`` where its floor is not below ``loss``.
    """
    target, problem = problem.checked(loss=loss)
    reached = linear.train_loss_floor(problem) < target
    return time_below(linear.train_loss, target, reached, _fastest(problem), problem)


def gen_time_to_loss(loss: ArrayLike, problem: Problem) -> Broadcast:
    """Return the first time at which the generalization loss falls to ``loss``.

    As `train_time_to_loss`, but with label noise the loss may stay below ``loss`` only for a
    while, on its way to a higher floor.
    """
    target, problem = problem.checked(loss=loss)
    turn, lowest = gen_loss_minimum(problem)
    passed = lowest < target
    reached = passed | (linear.gen_loss_floor(problem) < target)
    turn = np.where(passed, turn, np.inf)
    return time_below(linear.gen_loss, target, reached, _fastest(problem), problem, turn)


def train_time(problem: Problem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95) -> Broadcast:
    """Return t*_tr, the first time at which the training accuracy is ``accuracy``.

    Paper A's definition.  ``epsilon`` is the largest error of a sample that counts as right.
    """
    threshold = loss_threshold(epsilon, d_out=problem.d_out, accuracy=accuracy)
    return train_time_to_loss(threshold, problem)


def gen_time(problem: Problem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95) -> Broadcast:
    """Return t*_gen, the first time at which the generalization accuracy is ``accuracy``.

    As `train_time`.  For λ > 1 it is finite only if d_out exceeds about (1 − 1/λ)/ε.
    """
    threshold = loss_threshold(epsilon, d_out=problem.d_out, accuracy=accuracy)
    return gen_time_to_loss(threshold, problem)


def grokking_time(problem: Problem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95) -> Broadcast:
    """Return Δt = t*_gen − t*_tr (Paper A, Figs. 1–4).

    ``inf`` where generalization never comes; −``inf`` where label noise keeps only the
    training accuracy from its threshold.

    Examples
    --------
    The time diverges towards λ = 1, and is infinite beyond.

    >>> grokking_time(Problem([0.5, 0.9, 1.5], eta=0.01), epsilon=1e-3).round()
    array([  430., 20281.,    inf])
    """
    generalized = gen_time(problem, epsilon, accuracy=accuracy)
    trained = train_time(problem, epsilon, accuracy=accuracy)
    never = np.isinf(generalized)
    return np.where(never, np.inf, generalized - np.where(never, 0.0, trained))[()]


def slowest_d_out(problem: Problem, epsilon: float, *, largest: int, accuracy: float = 0.95) -> int:
    """Return the output dimension up to ``largest`` with the longest finite grokking time.

    It replaces the problem's own d_out; the problem's fields must be single numbers.  The
    learning rate only scales time and does not matter.  Paper A's Fig. 2 places the maximum near
    50 for λ = 0.9, ε = 1e-3; its formulas give 26, with a broad maximum, and 52 at ε = 5e-4.

    Raises
    ------
    ValueError
        Where generalization never comes for any of them.
    """
    d_out = np.arange(1, largest + 1)
    times = grokking_time(replace(problem, d_out=d_out), epsilon, accuracy=accuracy)
    if not np.any(np.isfinite(times)):
        raise ValueError(f"largest = {largest}: no d_out up to it generalizes at these values")
    return int(d_out[np.argmax(np.where(np.isfinite(times), times, -1.0))])


def _fastest(problem: Problem) -> np.ndarray:
    """Return the mean eigenvalue in the training loss: by Jensen's inequality none falls faster."""
    return 1.0 + problem.lambda_
