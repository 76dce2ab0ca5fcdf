"""Losses of Paper A's one-layer model under other optimizers than gradient descent (ours).

One output, no weight decay and no noise: L_gen = E[a_t(ν)²] and L_tr = E[ν a_t(ν)²] over the
Marchenko–Pastur law, a_t the method's polynomial with a_t(0) = 1 (`first_order`); derived in
docs/theory.md.  λ < 1.  Steps are whole numbers.
"""

from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory._domain import Broadcast, within
from linear_grokking.theory.first_order import Method, residuals

_FORGOTTEN = 1e-16


class Losses(NamedTuple):
    """Training and generalization loss, or the times at which they fall to a value."""

    train: Broadcast
    gen: Broadcast


def losses(t: ArrayLike, lambda_: float, method: Method) -> Losses:
    """Return the losses (T,) of a method with one memory at ascending whole steps t (T,).

    While modes may oscillate, a Gauss rule with more nodes than steps is exact.  Once the memory
    has forgotten the oscillations, only slow modes are left, for which the rule for exponentials
    is suited.

    Raises
    ------
    ValueError
        Where an argument is out of range, or the method diverges at this λ.
    """
    lambda_ = float(_below_one(lambda_))
    limit = divergence_rate(lambda_, method)
    if method.eta >= limit:
        raise ValueError(f"eta = {method.eta:g}: the method diverges; must be below {limit:.6g}")
    t = np.atleast_1d(within("t", t))

    def averages(rule: tuple[np.ndarray, np.ndarray], steps: np.ndarray) -> np.ndarray:
        nodes, weights = rule
        squares = residuals(method, 2.0 * nodes, steps) ** 2
        return np.array([squares @ weights, (squares / nodes) @ weights])

    found = np.empty((2, len(t)))
    # Oscillations of a_t² have the size decayᵗ.
    settled = method.coefficients.decay**t <= _FORGOTTEN
    found[:, settled] = averages(marchenko_pastur.quadrature(lambda_), t[settled])
    for at in np.flatnonzero(~settled):
        count = int(t[at]) + 1
        rule = marchenko_pastur.gauss_quadrature(lambda_, count)
        found[:, at] = averages(rule, t[[at]])[:, 0]
        found[1, at] += least_gen_loss(count, lambda_)
    return Losses(*found)


def divergence_rate(lambda_: ArrayLike, method: Method) -> Broadcast:
    """Return the learning rate above which a method with this memory diverges.

    At that rate its largest stable curvature is that of the upper edge, 2(1 + √λ)².
    """
    _, upper = marchenko_pastur.support(_below_one(lambda_))
    return method.eta * method.largest_curvature / (2.0 * upper)


def tuned_momentum_losses(t: ArrayLike, lambda_: ArrayLike) -> Losses:
    """Return the losses of the heavy ball as tuned by Polyak's rule: η = ½, momentum λ.

    L_gen = λ^t, and L_tr = (1 + λ) λ^t from t = 1 on: generalization comes before training.
    """
    t, lambda_ = np.broadcast_arrays(within("t", t), _below_one(lambda_))
    gen = lambda_**t
    return Losses(np.where(t > 0, 1.0 + lambda_, 1.0) * gen, gen)


def tuned_momentum_times(loss: ArrayLike, lambda_: ArrayLike) -> Losses:
    """Return the times at which `tuned_momentum_losses`, taken at real t, fall to ``loss``.

    log(L)/log λ and log(L/(1 + λ))/log λ for L < 1; their difference is log(1 + λ)/|log λ|.
    """
    loss, lambda_ = np.broadcast_arrays(within("loss", loss, "(0, 1)"), _below_one(lambda_))
    return Losses(np.log(loss / (1.0 + lambda_)) / np.log(lambda_), np.log(loss) / np.log(lambda_))


def least_gen_loss(t: ArrayLike, lambda_: ArrayLike) -> Broadcast:
    """Return the least L_gen that t steps of any Krylov method reach: (1 - λ)λ^t/(1 - λ^{t+1}).

    Any momentum, any schedule, averages of gradients and conjugate gradients are such methods.
    """
    t, lambda_ = np.broadcast_arrays(within("t", t), _below_one(lambda_))
    return (1.0 - lambda_) * lambda_**t / -np.expm1((t + 1.0) * np.log(lambda_))


def least_gen_time(loss: ArrayLike, lambda_: ArrayLike) -> Broadcast:
    """Return the (real) number of steps in which `least_gen_loss` falls to ``loss``."""
    loss, lambda_ = np.broadcast_arrays(within("loss", loss, "(0, 1)"), _below_one(lambda_))
    return np.log(loss / (1.0 - lambda_ + lambda_ * loss)) / np.log(lambda_)


def conjugate_gradient_losses(t: ArrayLike, lambda_: float) -> Losses:
    """Return the losses (T,) of conjugate gradients on the training loss at whole t (T,).

    With g_k = (1 - λ^{k+1})/(1 - λ), u_k = λ^{-k/2} g_k and W_t = Σ_{k≤t} u_k²,

        L_tr = 1/W_t,   L_gen = Σ_{k≤t} [u_k² g_k + 2 g_k W_{k-1}]/W_t².
    """
    lambda_ = float(_below_one(lambda_))
    t = np.asarray(within("t", t), int)
    k = np.arange(t.max() + 1)
    g = (1.0 - lambda_ ** (k + 1)) / (1.0 - lambda_)

    # Sums of terms that grow like λ^{-k}, in units of λ^{-t}.
    def summed(terms: np.ndarray) -> np.ndarray:
        return np.array(list(accumulate(terms.tolist(), lambda sum_, term: lambda_ * sum_ + term)))

    sums = summed(g**2)
    before = np.concatenate([[0.0], lambda_ * sums[:-1]])
    mixed = summed(g**3 + 2.0 * g * before)
    scale = lambda_**k
    return Losses((scale / sums)[t], (scale * mixed / sums**2)[t])


def conjugate_gradient_times(loss: float, lambda_: float) -> Losses:
    """Return the first whole steps at which `conjugate_gradient_losses` are at most ``loss``."""
    lambda_ = float(_below_one(lambda_))
    # Training is below the heavy ball's loss; generalization lags by the sum over modes.
    slowest = tuned_momentum_times(0.1 * loss * (1.0 - lambda_) ** 3, lambda_).train
    found = conjugate_gradient_losses(np.arange(int(np.ceil(slowest)) + 2), lambda_)
    return Losses(*(float(np.argmax(each <= loss)) for each in found))


def _below_one(lambda_: ArrayLike) -> np.ndarray:
    return within("lambda_", lambda_, "(0, 1)")
