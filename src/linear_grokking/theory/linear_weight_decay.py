"""What weight decay does to Paper A's grokking time."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory._domain import Broadcast, within
from linear_grokking.theory._search import root
from linear_grokking.theory.linear import Problem, gen_loss_floor, loss_threshold, train_loss_floor
from linear_grokking.theory.linear_grokking_time import gen_time_to_loss, train_time_to_loss

# Range of log γ in which γ_max is sought.
_LOG_GAMMA = (-60.0, 60.0)


def max_weight_decay(
    problem: Problem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95
) -> Broadcast:
    """Return γ_max, at which the generalization floor meets the loss threshold.

    Δt diverges there; for larger γ the accuracy is never reached, which is the grey region of
    Paper A's Fig. 3 (derived in docs/theory.md).  Below γ_max, Δt grows with γ for d_out = 1,
    ε = 1e-3 and λ ≤ 0.95; but close to λ = 1, with larger ε or with more outputs, a γ somewhat
    below γ_max speeds up the slow directions and shortens Δt (to 0.58 of Δt(0) at λ = 1,
    ε = 1e-3, and to 0.88 at λ = 0.9, ε = 0.1).

    ``inf`` where even the zero student is accurate enough, 0 where (at λ > 1) no weight decay
    is small enough.  The problem's own γ plays no role, nor do η and α.

    Raises
    ------
    ValueError
        With label noise, whose share of the floor falls with γ.
    """
    within("noise", problem.noise, "[0, 0]")
    epsilon, accuracy, problem = problem.checked(epsilon=epsilon, accuracy=accuracy)
    target = loss_threshold(epsilon, d_out=problem.d_out, accuracy=accuracy)
    most = 1.0 / (2.0 * problem.d_out)
    result = np.where(target >= most, np.inf, 0.0)
    some = np.asarray((target < most) & (target > marchenko_pastur.atom(problem.lambda_) * most))

    def excess(log_gamma: np.ndarray, target: np.ndarray, *fields: np.ndarray) -> np.ndarray:
        decayed = replace(Problem(*fields), gamma=np.exp(log_gamma))
        return np.log(gen_loss_floor(decayed) / target)

    low, high = (np.full(result.shape, end)[some] for end in _LOG_GAMMA)
    parameters = (np.asarray(target)[some], *problem[some])
    result[some] = np.exp(root(excess, low, high, parameters, resolution=1e-10))
    return result[()]


def twice_floor_delay(problem: Problem) -> Broadcast:
    """Return the delay between the times at which the losses reach twice their floors, γ > 0.

    `saturation_delay` approximates it within 5 % for γ ≤ 1e-3 (1 − √λ)², λ ≥ 0.3 and α = 1, without
    noise.  For smaller λ or another α the two approach each other with log γ only.
    """
    within("gamma", problem.gamma, "(0, inf)")
    return gen_time_to_loss(2.0 * gen_loss_floor(problem), problem) - train_time_to_loss(
        2.0 * train_loss_floor(problem), problem
    )


def saturation_delay(problem: Problem) -> Broadcast:
    """Return d_out log(1 + √λ)/(2η(1 − √λ)²), λ < 1 (Paper A, Eq. 16, there d_out = 1).

    The paper gives it as the grokking time where ε is so small that the floor keeps the accuracy
    from its threshold.  It depends on neither γ nor ε; read as the delay between the saturation
    of the two losses, it approximates `twice_floor_delay`.
    """
    (problem,) = problem.checked()
    lambda_ = within("lambda_", problem.lambda_, "(0, 1)")
    lower, _ = marchenko_pastur.support(lambda_)
    return problem.d_out * np.log1p(np.sqrt(lambda_)) / (2.0 * problem.eta * lower)
