"""The minimum that Paper A's generalization loss passes when training labels are noisy."""

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory._arguments import checked
from linear_grokking.theory._log_time import first_zero
from linear_grokking.theory.linear import gen_loss, gen_loss_floor


def gen_loss_minimum(
    lambda_: ArrayLike,
    eta: ArrayLike,
    *,
    noise: ArrayLike,
    gamma: ArrayLike = 0.0,
    d_out: ArrayLike = 1,
    alpha: ArrayLike = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return when and how low the generalization loss is before the student overfits.

    With label noise of variance s² the loss passes a minimum if γ < 4 λ d_out s²; with as
    much weight decay or more it decreases for ever, and the time returned is ``inf``, the
    loss its floor.  (At γ = 4 λ d_out s² the floor is the ridge estimator's optimum.)  For
    λ > 1 with γ > 0 the loss may fall again later, or never rise, as weight decay forgets the
    initial student; a rise is seen if it lasts for a factor of 4 in time.  Gradient flow;
    derived in docs/theory.md.  See `linear.train_loss` for the arguments.

    Returns
    -------
    time, loss
        Each of the shape that the arguments broadcast to; time in steps.
    """
    arguments = checked(
        lambda_=lambda_, eta=eta, noise=noise, gamma=gamma, d_out=d_out, alpha=alpha
    )
    lambda_, eta, noise, gamma, d_out, alpha = arguments.values()
    time = np.full(lambda_.shape, np.inf)
    loss = np.array(gen_loss_floor(lambda_, gamma=gamma, d_out=d_out, alpha=alpha, noise=noise))
    some = np.asarray(gamma < 4.0 * lambda_ * d_out * noise)
    parameters = tuple(values[some] for values in arguments.values())
    time[some] = first_zero(_descent, np.log(_before_overfitting(*parameters)), parameters)
    turns = np.isfinite(time)
    loss[turns] = gen_loss(time[turns], **{name: x[turns] for name, x in arguments.items()})
    return time[()], loss[()]


def _before_overfitting(
    lambda_: np.ndarray,
    eta: np.ndarray,
    noise: np.ndarray,
    gamma: np.ndarray,
    d_out: np.ndarray,
    _alpha: np.ndarray,
) -> np.ndarray:
    """Return a time before which the loss falls in every eigendirection."""
    fastest = 2.0 * (marchenko_pastur.support(lambda_)[1] + gamma / 2.0)
    return d_out / eta / np.maximum(fastest, 7.0 * lambda_ * noise * d_out)


def _descent(
    log_t: np.ndarray,
    lambda_: np.ndarray,
    eta: np.ndarray,
    noise: np.ndarray,
    gamma: np.ndarray,
    d_out: np.ndarray,
    alpha: np.ndarray,
) -> np.ndarray:
    """Return −dL_gen/dt up to a positive factor; all arguments of shape (n,)."""
    nodes, weights = marchenko_pastur.quadrature(lambda_)
    half = gamma[:, None] / 2.0
    shifted = nodes + half
    twice_x = 2.0 * (np.exp(log_t) * eta / d_out)[:, None]
    lost = -np.expm1(-twice_x * shifted)
    decay = 1.0 - lost
    wiggle = alpha[:, None] ** 2 * decay / nodes + (decay + half * lost / shifted) / shifted
    fit = 2.0 * (lambda_ * noise * d_out)[:, None] * lost / shifted**2
    # The slowest decay is taken out as a factor, or all terms would underflow at late times.
    atom = marchenko_pastur.atom(lambda_)[:, None] * half
    edge = marchenko_pastur.support(lambda_)[0][:, None] + half
    slowest = np.where(atom > 0, np.minimum(edge, 2.0 * half), edge)
    slope = (shifted * np.exp(-twice_x * (shifted - slowest)) * (wiggle - fit)) @ weights
    # Where there is no atom the exponent below may be positive.
    forgetting = np.where(atom > 0, 2.0 * half - slowest, 0.0)
    return slope + (atom * alpha[:, None] ** 2 * np.exp(-twice_x * forgetting))[:, 0]
