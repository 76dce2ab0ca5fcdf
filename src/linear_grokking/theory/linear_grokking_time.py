"""Grokking times of Paper A's one-layer model: when the losses cross their thresholds.

An accuracy falls monotonically with the loss, so it first reaches its threshold when the
loss first falls to `linear.loss_threshold`.  Times are in steps of gradient flow, ``inf``
where the threshold is never reached.  All arguments broadcast; a phase diagram is a problem
with two axes, such as ``Problem(lambda_[:, None], eta, gamma)``.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import linear
from linear_grokking.theory._domain import Broadcast
from linear_grokking.theory._search import first_time
from linear_grokking.theory.linear import Problem, loss_threshold
from linear_grokking.theory.linear_overfitting import gen_loss_minimum


def train_time_to_loss(loss: ArrayLike, problem: Problem) -> Broadcast:
    """Return the time at which the training loss falls to ``loss``.

    0 where it starts there or below, ``inf`` where its floor is not below ``loss``.
    """
    target, problem = problem.checked(loss=loss)
    reached = linear.train_loss_floor(problem) < target
    return _first_time(linear.train_loss, target, reached, np.inf, problem)


def gen_time_to_loss(loss: ArrayLike, problem: Problem) -> Broadcast:
    """Return the first time at which the generalization loss falls to ``loss``.

    As `train_time_to_loss`, but with label noise the loss may stay below ``loss`` only for a
    while, on its way to a higher floor.
    """
    target, problem = problem.checked(loss=loss)
    turn, lowest = gen_loss_minimum(problem)
    passed = lowest < target
    reached = passed | (linear.gen_loss_floor(problem) < target)
    return _first_time(linear.gen_loss, target, reached, np.where(passed, turn, np.inf), problem)


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


def _first_time(
    loss_function: Callable[..., np.ndarray],
    target: np.ndarray,
    reached: np.ndarray,
    turn: ArrayLike,
    problem: Problem,
) -> np.ndarray:
    """Return the first time at which a loss equals ``target``.

    ``reached`` says where it ever does.  The loss must decrease up to that time; ``turn`` is
    a time at which it is known to be below ``target``, ``inf`` where none is known.
    """
    initial = np.asarray(loss_function(0.0, problem))
    time = np.where(initial <= target, 0.0, np.inf)
    some = np.asarray(reached & (initial > target))
    left, target, turn = problem[some], target[some], np.broadcast_to(turn, time.shape)[some]
    # By Jensen's inequality no loss falls faster than at this rate; 1 % earlier is safely above
    # the target where the spectrum is a point (λ → 0).
    rate = 4.0 * left.eta * (1.0 + left.lambda_ + left.gamma / 2.0) / left.d_out
    start = np.log(0.99 * np.log(initial[some] / target) / rate)

    def excess(log_t: np.ndarray, target: np.ndarray, *fields: np.ndarray) -> np.ndarray:
        loss = loss_function(np.exp(log_t), Problem(*fields))
        return -np.log(np.maximum(loss, np.finfo(float).tiny) / target)

    time[some] = first_time(excess, start, (target, *left), np.log(turn))
    return time[()]
