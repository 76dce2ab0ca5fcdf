"""Lazy approximation of Paper A's two-layer nets (Paper A, Fig. 5).

f(x) = T⁽¹⁾ᵀ φ(T⁽⁰⁾ᵀ x), widths d_in–d_h–d_out, entries of layer 0 of variance 1/(2 d_in d_h)
and of layer 1 of variance 1/(2 d_h d_out), for teacher and student alike.  For wide layers,
d_in ≫ d_h ≫ d_out, the product of the linear student's layers moves as one layer would:
S⁽¹⁾ᵀS⁽¹⁾ stays near I/(2 d_out), which turns the learning rate η into η/(2 d_out²), and the
smaller motion through S⁽⁰⁾S⁽⁰⁾ᵀ is left out.  (The paper's rate is h = (‖S⁽⁰⁾‖² + ‖S⁽¹⁾‖²)/2, which
equals ‖S⁽¹⁾‖² from this start on, not from others: docs/errata.md.)  So

    L(t) = L(0) × L⁽¹⁾(η/(2 d_out²), t),   L_gen(0) = ‖D(0)‖²_F/d_out,  D = S⁽⁰⁾S⁽¹⁾ − T,

where L⁽¹⁾ is the one-layer loss for d_out = 1.  (The paper's Eq. 19 has ‖D(0)‖² times a loss, and
leaves open whether that loss includes 1/d_out; with the mean over outputs of its Eq. 17 it agrees
with the form here.)  Compared with trained nets the generalization loss is some 10 % off and the
training loss up to 30 %; nets with φ = tanh stay within a few per cent of linear ones.  All
arguments broadcast; time is in steps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import linear, linear_grokking_time
from linear_grokking.theory._domain import Broadcast, Numbers, Parameters


@dataclass(frozen=True)
class Problem(Parameters):
    """Two-layer teacher–student regression (Paper A, Sec. 4.1), checked where it is used.

    Attributes
    ----------
    lambda_
        d_in / N_tr, any positive number.
    eta
        Learning rate.
    d_h, d_out
        Widths of the hidden and the output layer.
    """

    lambda_: Numbers
    eta: Numbers
    d_h: Numbers
    d_out: Numbers


def initial_gen_loss(problem: Problem) -> Broadcast:
    """Return the expectation 1/(2 d_h d_out) of ‖D(0)‖²_F/d_out, exact for linear nets."""
    (problem,) = problem.checked()
    return 1.0 / (2.0 * problem.d_h * problem.d_out)


def train_loss(t: ArrayLike, problem: Problem) -> Broadcast:
    """Return the lazy approximation of the training loss after t steps."""
    return initial_gen_loss(problem) * linear.train_loss(t, _one_layer(problem))


def gen_loss(t: ArrayLike, problem: Problem) -> Broadcast:
    """Return the lazy approximation of the generalization loss after t steps."""
    return initial_gen_loss(problem) * linear.gen_loss(t, _one_layer(problem))


def train_time(problem: Problem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95) -> Broadcast:
    """Return the time at which the training accuracy is ``accuracy``; ``inf`` where never.

    The accuracy is `linear.accuracy` of the lazy loss with the error threshold ``epsilon``.
    """
    fraction = _remaining_fraction(problem, epsilon, accuracy)
    return linear_grokking_time.train_time_to_loss(fraction, _one_layer(problem))


def gen_time(problem: Problem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95) -> Broadcast:
    """Return the time at which the generalization accuracy is ``accuracy``; as `train_time`."""
    fraction = _remaining_fraction(problem, epsilon, accuracy)
    return linear_grokking_time.gen_time_to_loss(fraction, _one_layer(problem))


def divergence_rate(problem: Problem) -> Broadcast:
    """Return the learning rate above which lazy steps diverge, 2d_out²/(1 + √λ)² (ours).

    There the loss of a net may grow for a while and then settle at smaller weights, outside the
    range of the approximation.
    """
    one_layer = _one_layer(problem)
    return problem.eta / one_layer.eta * linear.divergence_rate(one_layer)


def _one_layer(problem: Problem) -> linear.Problem:
    (problem,) = problem.checked()
    return linear.Problem(problem.lambda_, problem.eta / (2.0 * problem.d_out**2))


def _remaining_fraction(problem: Problem, epsilon: ArrayLike, accuracy: ArrayLike) -> np.ndarray:
    """Return the fraction of the initial loss at which the accuracy is ``accuracy``."""
    threshold = linear.loss_threshold(epsilon, d_out=problem.d_out, accuracy=accuracy)
    return threshold / initial_gen_loss(problem)
