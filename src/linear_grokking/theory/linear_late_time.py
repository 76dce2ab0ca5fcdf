"""Late-time approximations of Paper A's one-layer losses and grokking time.

With x = ηt/d_out and q = |1 − √λ|, only eigenvalues near the lower edge q² of the spectrum
survive at x ≫ 1/√λ.  λ < 1 except where said otherwise; a problem with γ ≠ 0, noise or
α ≠ 1 raises ValueError.  Arguments broadcast; time is in steps.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory._domain import Broadcast, within
from linear_grokking.theory._search import root
from linear_grokking.theory.linear import Problem, loss_threshold


def late_time_train_loss(t: ArrayLike, problem: Problem) -> Broadcast:
    """Return e^{−4q²x}/(16 √π λ^{3/4} x^{3/2} d_out), for any λ (Paper A).

    The relative error is about 3/(64 √λ x); at t = 0 the approximation is ``inf``.
    """
    steps, problem = _plain(problem, t=t)
    return _train(problem.eta * steps / problem.d_out, problem.lambda_) / problem.d_out


def late_time_gen_loss(t: ArrayLike, problem: Problem) -> Broadcast:
    """Return the integral of `late_time_train_loss`, for any λ.

    λ^{−3/4} [e^{−4q²x}/(2√(πx)) − q erfc(2q√x)]/d_out, plus (1 − 1/λ)/d_out for λ > 1
    (derived in docs/theory.md from dL_gen/dt = −4η L_tr).  Its relative error is below 1 % for
    x > 10 and λ ≥ 0.5, however close to 1, unlike that of `paper_late_time_gen_loss`.
    """
    steps, problem = _plain(problem, t=t)
    learned = _gen(problem.eta * steps / problem.d_out, problem.lambda_)
    return (learned + marchenko_pastur.atom(problem.lambda_)) / problem.d_out


def paper_late_time_gen_loss(t: ArrayLike, problem: Problem) -> Broadcast:
    """Return `late_time_train_loss`/q², Paper A's simplest form, for λ < 1.

    It needs q²x ≫ 1, which comes very late near λ = 1: at λ = 0.9, η = 0.01 it is 8 times
    too large at t = 1e3 and still twice at 1e4.
    """
    return late_time_train_loss(t, problem) / _lower_edge(problem.lambda_)


def small_epsilon_delay(problem: Problem) -> Broadcast:
    """Return the grokking time d_out log(1/q)/(2ηq²) of the limit ε → 0, for λ < 1.

    Paper A (there d_out = 1), from `paper_late_time_gen_loss`.  The limit is
    approached slowly: the exact time is 0.36, 0.76 and 0.91 of it at λ = 0.9 for
    ε = 1e-3, 1e-6 and 1e-12.  `late_time_delay` is the sharper formula.
    """
    (problem,) = _plain(problem)
    lower = _lower_edge(problem.lambda_)
    return -problem.d_out * np.log(lower) / (4.0 * problem.eta * lower)


def late_time_delay(
    problem: Problem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95
) -> Broadcast:
    """Return the grokking time between the two late-time losses' crossings, for λ < 1.

    The training time is explicit, x = (3/8q²) W((8q²/3)(16√π λ^{3/4} L)^{−2/3}) with Lambert's
    W and L = d_out times the loss threshold; the generalization time is the root of
    `late_time_gen_loss` (derived in docs/theory.md).  For d_out = 1 and ε = 1e-3 it is
    within 2 % of the exact grokking time for λ ≥ 0.1, and within 0.2 % for λ ≥ 0.5.
    """
    epsilon, accuracy, problem = _plain(problem, epsilon=epsilon, accuracy=accuracy)
    lambda_, d_out = problem.lambda_, problem.d_out
    loss = d_out * loss_threshold(epsilon, d_out=d_out, accuracy=accuracy)
    return d_out / problem.eta * (_gen_time(loss, lambda_) - _train_time(loss, lambda_))


def _plain(problem: Problem, **others: ArrayLike) -> list[Any]:
    """Return what `Problem.checked` does, if there is nothing beside λ, η and d_out."""
    for name, only in (("gamma", "[0, 0]"), ("alpha", "[1, 1]"), ("noise", "[0, 0]")):
        within(name, getattr(problem, name), only)
    return problem.checked(**others)


def _lower_edge(lambda_: ArrayLike) -> np.ndarray:
    return marchenko_pastur.support(within("lambda_", lambda_, "(0, 1)"))[0]


def _train(x: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
    lower, _ = marchenko_pastur.support(lambda_)
    with np.errstate(divide="ignore", over="ignore"):
        scale = 16.0 * np.sqrt(np.pi) * lambda_**0.75 * x**1.5
        return np.exp(-4.0 * lower * x) / scale


def _gen(x: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
    lower, _ = marchenko_pastur.support(lambda_)
    q = np.sqrt(lower)
    with np.errstate(divide="ignore"):
        bracket = 0.5 / np.sqrt(np.pi) / np.sqrt(x) - q * special.erfcx(2.0 * q * np.sqrt(x))
    return lambda_**-0.75 * np.exp(-4.0 * lower * x) * bracket


def _train_time(loss: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
    """Return x at which the late-time training loss (d_out = 1) is ``loss``, for λ < 1."""
    rate = 8.0 / 3.0 * _lower_edge(lambda_)
    algebraic = (16.0 * np.sqrt(np.pi) * lambda_**0.75 * loss) ** (-2.0 / 3.0)
    return special.lambertw(rate * algebraic).real / rate


def _gen_time(loss: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
    """Return x at which the late-time generalization loss (d_out = 1) is ``loss``, for λ < 1."""
    lower = _lower_edge(lambda_)
    # Above the root: the simplest form, or the one for q = 0, are both larger.  Below it:
    # a time at which the loss still is more than half of that for q = 0.
    algebraic = (lambda_**-0.75 / (2.0 * np.sqrt(np.pi) * loss)) ** 2
    upper = np.minimum(_train_time(loss * lower, lambda_), algebraic)
    first = 1e-3 * np.minimum(1.0 / lower, algebraic)

    def excess(log_x: np.ndarray, loss: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
        return -np.log(np.maximum(_gen(np.exp(log_x), lambda_), np.finfo(float).tiny) / loss)

    ends = np.log(first), np.log(upper) + 1e-9
    return np.exp(root(excess, *ends, (loss, lambda_), resolution=1e-12))
