"""Grokking times of Paper A's one-layer model: when the losses cross their thresholds.

An accuracy falls monotonically with the loss, so it first reaches its threshold when the
loss first falls to `linear.loss_threshold`.  Times are in steps of gradient flow, ``inf``
where the threshold is never reached.  All arguments broadcast; a phase diagram is a call
with two axes, such as ``grokking_time(lambda_[:, None], eta, epsilon, gamma=gamma)``.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory._arguments import checked
from linear_grokking.theory._log_time import first_zero
from linear_grokking.theory.linear import (
    gen_loss,
    gen_loss_floor,
    loss_threshold,
    train_loss,
    train_loss_floor,
)
from linear_grokking.theory.linear_overfitting import gen_loss_minimum


def train_time_to_loss(
    loss: ArrayLike,
    lambda_: ArrayLike,
    eta: ArrayLike,
    *,
    gamma: ArrayLike = 0.0,
    d_out: ArrayLike = 1,
    alpha: ArrayLike = 1.0,
    noise: ArrayLike = 0.0,
) -> np.ndarray:
    """Return the time at which the training loss falls to ``loss``.

    0 where it starts there or below, ``inf`` where its floor is not below ``loss``.  See
    `linear.train_loss` for the other arguments.
    """
    arguments = checked(
        loss=loss, lambda_=lambda_, eta=eta, gamma=gamma, d_out=d_out, alpha=alpha, noise=noise
    )
    target = arguments.pop("loss")
    lambda_, _, gamma, d_out, _, noise = arguments.values()
    floor = train_loss_floor(lambda_, gamma=gamma, d_out=d_out, noise=noise)
    return _first_time(train_loss, target, floor < target, arguments)


def gen_time_to_loss(
    loss: ArrayLike,
    lambda_: ArrayLike,
    eta: ArrayLike,
    *,
    gamma: ArrayLike = 0.0,
    d_out: ArrayLike = 1,
    alpha: ArrayLike = 1.0,
    noise: ArrayLike = 0.0,
) -> np.ndarray:
    """Return the first time at which the generalization loss falls to ``loss``.

    As `train_time_to_loss`; but label noise may let the loss pass below ``loss`` for a while
    only, on its way to a higher floor.
    """
    arguments = checked(
        loss=loss, lambda_=lambda_, eta=eta, gamma=gamma, d_out=d_out, alpha=alpha, noise=noise
    )
    target = arguments.pop("loss")
    lambda_, _, gamma, d_out, alpha, noise = arguments.values()
    floor = gen_loss_floor(lambda_, gamma=gamma, d_out=d_out, alpha=alpha, noise=noise)
    if not np.any(noise):
        return _first_time(gen_loss, target, floor < target, arguments)
    turn, lowest = gen_loss_minimum(**arguments)
    passed = lowest < target
    return _first_time(
        gen_loss, target, passed | (floor < target), arguments, np.where(passed, turn, np.inf)
    )


def train_time(
    lambda_: ArrayLike,
    eta: ArrayLike,
    epsilon: ArrayLike,
    *,
    gamma: ArrayLike = 0.0,
    d_out: ArrayLike = 1,
    alpha: ArrayLike = 1.0,
    noise: ArrayLike = 0.0,
    accuracy: ArrayLike = 0.95,
) -> np.ndarray:
    """Return t*_tr, the first time at which the training accuracy is ``accuracy``.

    Paper A's definition.  ``epsilon`` is the largest error of a sample that counts as right;
    see `linear.train_loss` for the other arguments.
    """
    threshold = loss_threshold(epsilon, d_out=d_out, accuracy=accuracy)
    return train_time_to_loss(
        threshold, lambda_, eta, gamma=gamma, d_out=d_out, alpha=alpha, noise=noise
    )


def gen_time(
    lambda_: ArrayLike,
    eta: ArrayLike,
    epsilon: ArrayLike,
    *,
    gamma: ArrayLike = 0.0,
    d_out: ArrayLike = 1,
    alpha: ArrayLike = 1.0,
    noise: ArrayLike = 0.0,
    accuracy: ArrayLike = 0.95,
) -> np.ndarray:
    """Return t*_gen, the first time at which the generalization accuracy is ``accuracy``.

    As `train_time`.  For λ > 1 it is finite only if d_out exceeds about (1 − 1/λ)/ε.
    """
    threshold = loss_threshold(epsilon, d_out=d_out, accuracy=accuracy)
    return gen_time_to_loss(
        threshold, lambda_, eta, gamma=gamma, d_out=d_out, alpha=alpha, noise=noise
    )


def grokking_time(
    lambda_: ArrayLike, eta: ArrayLike, epsilon: ArrayLike, **options: ArrayLike
) -> np.ndarray:
    """Return Δt = t*_gen − t*_tr (Paper A, Figs. 1–4).

    ``inf`` where generalization never comes; −``inf`` where label noise keeps only the
    training accuracy from its threshold.  ``options`` are the keywords of `train_time`.
    """
    generalized = np.asarray(gen_time(lambda_, eta, epsilon, **options))
    trained = np.asarray(train_time(lambda_, eta, epsilon, **options))
    never = np.isinf(generalized)
    return np.where(never, np.inf, generalized - np.where(never, 0.0, trained))[()]


def slowest_d_out(lambda_: float, epsilon: float, *, largest: int, accuracy: float = 0.95) -> int:
    """Return the output dimension up to ``largest`` with the longest finite grokking time.

    The learning rate only scales time and does not matter.  Paper A's Fig. 2 places it near
    50 for λ = 0.9, ε = 1e-3; its formulas have it at 26, with a broad maximum.

    Raises
    ------
    ValueError
        Where generalization never comes for any of them.
    """
    d_out = np.arange(1, largest + 1)
    times = grokking_time(lambda_, 1.0, epsilon, d_out=d_out, accuracy=accuracy)
    if not np.any(np.isfinite(times)):
        raise ValueError(f"largest = {largest}: no d_out up to it generalizes at these values")
    return int(d_out[np.argmax(np.where(np.isfinite(times), times, -1.0))])


def _first_time(
    loss_function: Callable[..., np.ndarray],
    target: np.ndarray,
    reached: np.ndarray,
    arguments: Mapping[str, np.ndarray],
    turn: np.ndarray | None = None,
) -> np.ndarray:
    """Return the first time at which a loss equals ``target``.

    ``reached`` says where it ever does.  The loss must decrease up to that time; ``turn`` is
    a time at which it is known to be below ``target``, ``inf`` where none is known.
    """
    initial = np.asarray(loss_function(0.0, **arguments))
    time = np.where(initial <= target, 0.0, np.inf)
    some = np.asarray(reached & (initial > target))
    names = {name: values[some] for name, values in arguments.items()}
    # By Jensen's inequality no loss falls faster than at this rate; 1 % earlier is safely above
    # the target where the spectrum is a point (λ → 0).
    rate = 4.0 * names["eta"] * (1.0 + names["lambda_"] + names["gamma"] / 2.0) / names["d_out"]
    start = np.log(0.99 * np.log(initial[some] / target[some]) / rate)

    def excess(log_t: np.ndarray, target: np.ndarray, *values: np.ndarray) -> np.ndarray:
        loss = loss_function(np.exp(log_t), **dict(zip(names, values, strict=True)))
        return np.log(np.maximum(loss, np.finfo(float).tiny) / target)

    ceiling = None if turn is None else np.log(turn[some])
    time[some] = first_zero(excess, start, (target[some], *names.values()), ceiling)
    return time[()]
