"""When losses and accuracies on power-law inputs reach their thresholds (`structured_inputs`).

As in `linear_grokking_time`, times are in steps of gradient flow, ``inf`` where a threshold is
never reached; all arguments broadcast.  Without label noise the losses fall monotonically.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import structured_inputs
from linear_grokking.theory._domain import Broadcast
from linear_grokking.theory._search import first_time
from linear_grokking.theory.linear import loss_threshold
from linear_grokking.theory.structured_inputs import StructuredProblem


def train_time_to_loss(loss: ArrayLike, problem: StructuredProblem) -> Broadcast:
    """Return the time at which the training loss falls to ``loss``; 0 where it starts there."""
    return _first_time(structured_inputs.train_loss, loss, problem)


def gen_time_to_loss(loss: ArrayLike, problem: StructuredProblem) -> Broadcast:
    """Return the time at which the generalization loss falls to ``loss``."""
    return _first_time(structured_inputs.gen_loss, loss, problem)


def train_time(
    problem: StructuredProblem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95
) -> Broadcast:
    """Return t*_tr, when the training accuracy is ``accuracy``; ε as in `linear.accuracy`."""
    threshold = loss_threshold(epsilon, d_out=problem.d_out, accuracy=accuracy)
    return train_time_to_loss(threshold, problem)


def gen_time(
    problem: StructuredProblem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95
) -> Broadcast:
    """Return t*_gen, when the generalization accuracy is ``accuracy``."""
    threshold = loss_threshold(epsilon, d_out=problem.d_out, accuracy=accuracy)
    return gen_time_to_loss(threshold, problem)


def _first_time(
    loss_function: Callable[..., np.ndarray], loss: ArrayLike, problem: StructuredProblem
) -> np.ndarray:
    target, problem = problem.checked(loss=loss)
    initial = np.asarray(loss_function(0.0, problem))
    time = np.where(initial <= target, 0.0, np.inf)
    some = np.asarray((loss_function(np.inf, problem) < target) & (initial > target))
    left, target = problem[some], target[some]
    # No loss falls faster than its fastest mode, whose eigenvalue is below this edge.
    largest = (left.exponent + 1.0) * (1.0 + np.sqrt(left.lambda_)) ** 2
    rate = 4.0 * left.eta * (largest + left.gamma / 2.0) / left.d_out
    start = np.log(0.99 * np.log(initial[some] / target) / rate)

    def excess(log_t: np.ndarray, target: np.ndarray, *fields: np.ndarray) -> np.ndarray:
        reached = loss_function(np.exp(log_t), StructuredProblem(*fields))
        return -np.log(np.maximum(reached, np.finfo(float).tiny) / target)

    time[some] = first_time(excess, start, (target, *left))
    return time[()]
