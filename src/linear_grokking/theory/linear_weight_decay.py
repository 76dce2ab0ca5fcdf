"""What weight decay does to Paper A's grokking time."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import elementwise

from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory._arguments import below_critical, checked
from linear_grokking.theory._domain import within
from linear_grokking.theory.linear import gen_loss_floor, loss_threshold, train_loss_floor
from linear_grokking.theory.linear_grokking_time import gen_time_to_loss, train_time_to_loss

# Range of log γ in which γ_max is sought.
_LOG_GAMMA = (-60.0, 60.0)


def small_gamma_floors(
    lambda_: ArrayLike, gamma: ArrayLike, *, d_out: ArrayLike = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return the leading order in γ of the losses at t → ∞, training and generalization.

    γ²/(8 d_out (1 − λ)) and γ²/(8 d_out (1 − λ)³), for λ < 1 and γ ≪ (1 − √λ)², without
    noise.  Erratum: Paper A, Eq. 16, has 4 in place of 8.

    Raises
    ------
    ValueError
        For λ ≥ 1 (see `linear.train_loss` for the other arguments).
    """
    lambda_, gamma, d_out = checked(lambda_=lambda_, gamma=gamma, d_out=d_out).values()
    below_critical(lambda_)
    scale = gamma**2 / (8.0 * d_out)
    return (scale / (1.0 - lambda_))[()], (scale / (1.0 - lambda_) ** 3)[()]


def max_weight_decay(
    lambda_: ArrayLike,
    epsilon: ArrayLike,
    *,
    d_out: ArrayLike = 1,
    accuracy: ArrayLike = 0.95,
) -> np.ndarray:
    """Return γ_max, at which the generalization floor meets the loss threshold.

    Δt diverges there; from there on the accuracy is never reached, which is the grey region of
    Paper A's Fig. 3 (derived in docs/theory.md).  Up to there Δt grows with γ for d_out = 1
    and λ ≤ 0.95, but close to λ = 1 or with more outputs a γ somewhat smaller speeds up the
    slow directions and shortens Δt (to 0.58 of Δt(0) at λ = 1; at ε = 1e-3).

    ``inf`` where even the zero student is accurate enough, 0 where (at λ > 1) no weight decay
    is small enough.
    """
    arguments = checked(lambda_=lambda_, epsilon=epsilon, d_out=d_out, accuracy=accuracy)
    lambda_, epsilon, d_out, accuracy = arguments.values()
    target = np.asarray(loss_threshold(epsilon, d_out=d_out, accuracy=accuracy))
    least = marchenko_pastur.atom(lambda_) / (2.0 * d_out)
    most = 1.0 / (2.0 * d_out)
    result = np.where(target >= most, np.inf, 0.0)
    some = (target < most) & (target > least)

    def excess(log_gamma: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
        target, lambda_, d_out = parameters
        return np.log(gen_loss_floor(lambda_, gamma=np.exp(log_gamma), d_out=d_out) / target)

    if np.any(some):
        root = elementwise.find_root(
            excess,
            _LOG_GAMMA,
            args=(target[some], lambda_[some], d_out[some]),
            tolerances={"xatol": 1e-10, "xrtol": 0.0},
        )
        result[some] = np.exp(root.x)
    return result[()]


def twice_floor_delay(
    lambda_: ArrayLike, eta: ArrayLike, gamma: ArrayLike, *, d_out: ArrayLike = 1
) -> np.ndarray:
    """Return the time between the two losses' reaching twice their floors, for γ > 0.

    `paper_weight_decay_delay` approximates it within 5 % for γ ≪ (1 − √λ)².
    """
    within("gamma", gamma, 0.0, np.inf, open_low=True, open_high=True)
    options = {"gamma": gamma, "d_out": d_out}
    gen_target = 2.0 * gen_loss_floor(lambda_, **options)
    train_target = 2.0 * train_loss_floor(lambda_, **options)
    return gen_time_to_loss(gen_target, lambda_, eta, **options) - train_time_to_loss(
        train_target, lambda_, eta, **options
    )


def paper_weight_decay_delay(
    lambda_: ArrayLike, eta: ArrayLike, *, d_out: ArrayLike = 1
) -> np.ndarray:
    """Return d_out log(1 + √λ)/(2η(1 − √λ)²), the paper's time with weight decay, λ < 1.

    Erratum: Paper A quotes it (for d_out = 1) as the grokking time.  It depends on neither γ
    nor ε and is no time between crossings of a threshold; it approximates
    `twice_floor_delay`.
    """
    lambda_, eta, d_out = checked(lambda_=lambda_, eta=eta, d_out=d_out).values()
    below_critical(lambda_)
    lower, _ = marchenko_pastur.support(lambda_)
    return (d_out * np.log1p(np.sqrt(lambda_)) / (2.0 * eta * lower))[()]
