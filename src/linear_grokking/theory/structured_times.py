"""When losses and accuracies on power-law inputs reach their thresholds (`structured_inputs`).

As in `linear_grokking_time`, times are in steps of gradient flow, ``inf`` where a threshold is
never reached; all arguments broadcast.  Without label noise the losses fall monotonically.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import structured_inputs
from linear_grokking.theory._domain import Broadcast
from linear_grokking.theory._search import time_below
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
    reached = loss_function(np.inf, problem) < target
    # No loss falls faster than its fastest mode, whose eigenvalue is below this edge.
    largest = (problem.exponent + 1.0) * (1.0 + np.sqrt(problem.lambda_)) ** 2
    return time_below(loss_function, target, reached, largest, problem)
