"""Lazy approximation of Paper A's two-layer nets (Paper A, Fig. 5).

f(x) = T⁽¹⁾ᵀ φ(T⁽⁰⁾ᵀ x), widths d_in–d_h–d_out, entries of layer 0 of variance 1/(2 d_in d_h)
and of layer 1 of variance 1/(2 d_h d_out), for teacher and student alike.  For wide layers,
d_in ≫ d_h ≫ d_out, the product of the linear student's layers moves as one layer would:
S⁽¹⁾ᵀS⁽¹⁾ stays near I/(2 d_out), which turns the learning rate η into η/(2 d_out²), and the
smaller motion through S⁽⁰⁾S⁽⁰⁾ᵀ is left out.  So

    L(t) = L(0) × L⁽¹⁾(η/(2 d_out²), t),   L_gen(0) = ‖D(0)‖²_F/d_out,  D = S⁽⁰⁾S⁽¹⁾ − T,

L⁽¹⁾ the one-layer loss for d_out = 1.  Erratum: the paper drops the 1/d_out of the prefactor.
Against trained nets the generalization loss is some 10 % off and the training loss up to
30 %; nets with φ = tanh stay within a few per cent of linear ones.  All arguments broadcast;
time is in steps.
"""

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import linear, linear_grokking_time
from linear_grokking.theory._arguments import checked


def initial_gen_loss(d_h: ArrayLike, d_out: ArrayLike) -> np.ndarray:
    """Return the expectation 1/(2 d_h d_out) of ‖D(0)‖²_F/d_out, exact for linear nets."""
    d_h, d_out = checked(d_h=d_h, d_out=d_out).values()
    return (1.0 / (2.0 * d_h * d_out))[()]


def train_loss(
    t: ArrayLike, lambda_: ArrayLike, eta: ArrayLike, d_h: ArrayLike, d_out: ArrayLike
) -> np.ndarray:
    """Return the lazy approximation of the training loss.

    Parameters
    ----------
    t
        Number of steps.
    lambda_
        d_in / N_tr, any positive number.
    eta
        Learning rate.
    d_h, d_out
        Widths of the hidden and the output layer.
    """
    eta_1 = _one_layer_rate(eta, d_out)
    return initial_gen_loss(d_h, d_out) * linear.train_loss(t, lambda_, eta_1)


def gen_loss(
    t: ArrayLike, lambda_: ArrayLike, eta: ArrayLike, d_h: ArrayLike, d_out: ArrayLike
) -> np.ndarray:
    """Return the lazy approximation of the generalization loss; arguments as `train_loss`."""
    eta_1 = _one_layer_rate(eta, d_out)
    return initial_gen_loss(d_h, d_out) * linear.gen_loss(t, lambda_, eta_1)


def train_time(
    lambda_: ArrayLike,
    eta: ArrayLike,
    epsilon: ArrayLike,
    d_h: ArrayLike,
    d_out: ArrayLike,
    *,
    accuracy: ArrayLike = 0.95,
) -> np.ndarray:
    """Return the time at which the training accuracy is ``accuracy``; ``inf`` where never.

    The accuracy is `linear.accuracy` of the lazy loss.  Other arguments as `train_loss`.
    """
    fraction = _remaining_fraction(epsilon, d_h, d_out, accuracy)
    eta_1 = _one_layer_rate(eta, d_out)
    return linear_grokking_time.train_time_to_loss(fraction, lambda_, eta_1)


def gen_time(
    lambda_: ArrayLike,
    eta: ArrayLike,
    epsilon: ArrayLike,
    d_h: ArrayLike,
    d_out: ArrayLike,
    *,
    accuracy: ArrayLike = 0.95,
) -> np.ndarray:
    """Return the time at which the generalization accuracy is ``accuracy``; as `train_time`."""
    fraction = _remaining_fraction(epsilon, d_h, d_out, accuracy)
    eta_1 = _one_layer_rate(eta, d_out)
    return linear_grokking_time.gen_time_to_loss(fraction, lambda_, eta_1)


def _one_layer_rate(eta: ArrayLike, d_out: ArrayLike) -> np.ndarray:
    eta, d_out = checked(eta=eta, d_out=d_out).values()
    return eta / (2.0 * d_out**2)


def _remaining_fraction(
    epsilon: ArrayLike, d_h: ArrayLike, d_out: ArrayLike, accuracy: ArrayLike
) -> np.ndarray:
    """Return the fraction of the initial loss at which the accuracy is ``accuracy``."""
    threshold = linear.loss_threshold(epsilon, d_out=d_out, accuracy=accuracy)
    return threshold / initial_gen_loss(d_h, d_out)
