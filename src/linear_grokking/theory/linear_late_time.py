"""Late-time approximations of Paper A's one-layer losses and grokking time.

With x = ηt/d_out and q = |1 − √λ|, only eigenvalues near the lower edge q² of the spectrum
survive at x ≫ 1/√λ.  λ < 1 except where said otherwise; a problem with γ ≠ 0, noise or
α ≠ 1 raises ValueError.  Arguments broadcast; time is in steps.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory._domain import Broadcast, within
from linear_grokking.theory._search import root
from linear_grokking.theory.linear import Problem, loss_threshold


def late_time_train_loss(t: ArrayLike, problem: Problem) -> Broadcast:
    """Return e^{−4q²x}/(16 √π λ^{3/4} x^{3/2} d_out), for any λ (Paper A, Eq. 22).

    The relative error is about 3/(64 √λ x); at t = 0 the approximation is ``inf``.
    """
    steps, problem = _plain(problem, t=t)
    return _train(problem.eta * steps / problem.d_out, problem.lambda_) / problem.d_out


def late_time_gen_loss(t: ArrayLike, problem: Problem) -> Broadcast:
    """Return the integral of `late_time_train_loss`, for any λ (Paper A, Eq. 23, for λ < 1).

    λ^{−3/4} [e^{−4q²x}/(2√(πx)) − q erfc(2q√x)]/d_out, plus (1 − 1/λ)/d_out for λ > 1, from
    dL_gen/dt = −4η L_tr (Eq. 21).  Its relative error is below 1 % for x > 10 and λ ≥ 0.5,
    however close to 1, unlike that of `edge_gen_loss`.
    """
    steps, problem = _plain(problem, t=t)
    learned = _gen(problem.eta * steps / problem.d_out, problem.lambda_)
    return (learned + marchenko_pastur.atom(problem.lambda_)) / problem.d_out


def edge_gen_loss(t: ArrayLike, problem: Problem) -> Broadcast:
    """Return `late_time_train_loss`/q², all modes at the spectrum's edge (Paper A, Eq. 11), λ < 1.

    It needs 4q²x ≫ 1, which comes very late near λ = 1: at λ = 0.9, η = 0.01 it is 8 times too
    large at t = 1e3 and still twice too large at 1e4.  The paper's condition, x ≫ √λ, does not
    suffice.
    """
    return late_time_train_loss(t, problem) / _lower_edge(problem.lambda_)


def small_epsilon_delay(problem: Problem) -> Broadcast:
    """Return the grokking time d_out log(1/q)/(2ηq²) of the limit ε → 0, for λ < 1.

    Paper A, Eq. 12 (there d_out = 1), from `edge_gen_loss`.  The limit is approached slowly:
    the exact time is 0.36, 0.76 and 0.91 of it at λ = 0.9 for ε = 1e-3, 1e-6 and 1e-12.
    `lambert_times` and `late_time_delay` are sharper.
    """
    (problem,) = _plain(problem)
    lower = _lower_edge(problem.lambda_)
    return -problem.d_out * np.log(lower) / (4.0 * problem.eta * lower)


class Times(NamedTuple):
    """When the two losses fall to one value, in steps."""

    train: Broadcast
    gen: Broadcast


def lambert_times(problem: Problem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95) -> Times:
    """Return t*_tr and t*_gen of Paper A's Eqs. 24 and 25, for λ < 1.

    `late_time_train_loss` and `edge_gen_loss` reach the loss threshold L/d_out, where L = d_out
    times `loss_threshold`, at t* = 3 d_out/(8ηq²) W(z), W Lambert's function, with

        z_tr = (8q²/3)(16√π λ^{3/4} L)^{−2/3},   z_gen = z_tr q^{−4/3}.

    The paper has d_out = 1 and L = ε/4, an ``accuracy`` of erf √2.  At λ = 0.9, ε = 1e-3 the
    difference of the two times is 1.12 times the exact delay.
    """
    loss, problem = _target(problem, epsilon, accuracy)
    unit = problem.d_out / problem.eta
    train = _train_time(loss, problem.lambda_)
    gen = _train_time(loss * _lower_edge(problem.lambda_), problem.lambda_)
    return Times(unit * train, unit * gen)


def expanded_delay(
    problem: Problem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95
) -> Broadcast:
    """Return the difference of `lambert_times` to the next order in ε (Paper A, Eq. 26), λ < 1.

    With W(z) ≈ log z − log log z it is `small_epsilon_delay` plus
    3 d_out/(8ηq²) log(1 + log(q^{4/3})/log z_gen).  NaN where the argument log z_tr/log z_gen of
    the outer logarithm is not positive, as at λ = 0.9 for ε = 1e-3, where z_tr is 0.2.
    """
    loss, problem = _target(problem, epsilon, accuracy)
    lower = _lower_edge(problem.lambda_)
    z_train = _lambert_argument(loss, problem.lambda_)
    z_gen = _lambert_argument(loss * lower, problem.lambda_)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(z_train) / np.log(z_gen)
        double_logarithm = np.log(np.where(ratio > 0, ratio, np.nan))
    unit = problem.d_out / problem.eta
    return small_epsilon_delay(problem) + unit * 0.375 / lower * double_logarithm


def late_time_delay(
    problem: Problem, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95
) -> Broadcast:
    """Return the grokking time as the delay between the late-time losses' crossings, for λ < 1.

    The training time is that of `lambert_times`, Paper A's Eq. 24; the generalization time is
    the root of `late_time_gen_loss`, its Eq. 23, which the paper does not solve.  For d_out = 1
    and ε = 1e-3 it is within 2 % of the exact grokking time for λ ≥ 0.1, and within 0.2 % for
    λ ≥ 0.5.
    """
    loss, problem = _target(problem, epsilon, accuracy)
    lambda_ = problem.lambda_
    delay = _gen_time(loss, lambda_) - _train_time(loss, lambda_)
    return problem.d_out / problem.eta * delay


def _target(problem: Problem, epsilon: ArrayLike, accuracy: ArrayLike) -> tuple[Any, Problem]:
    """Return d_out times the threshold loss, and the problem."""
    epsilon, accuracy, problem = _plain(problem, epsilon=epsilon, accuracy=accuracy)
    d_out = problem.d_out
    return d_out * loss_threshold(epsilon, d_out=d_out, accuracy=accuracy), problem


def _plain(problem: Problem, **others: ArrayLike) -> list[Any]:
    """Return what `Problem.checked` does; refuse γ ≠ 0, α ≠ 1 and noise."""
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
    return special.lambertw(_lambert_argument(loss, lambda_)).real / rate


def _lambert_argument(loss: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
    """Return z of Paper A's Eq. 24, for any loss in place of its ε/4."""
    algebraic = (16.0 * np.sqrt(np.pi) * lambda_**0.75 * loss) ** (-2.0 / 3.0)
    return 8.0 / 3.0 * _lower_edge(lambda_) * algebraic


def _gen_time(loss: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
    """Return x at which the late-time generalization loss (d_out = 1) is ``loss``, for λ < 1."""
    lower = _lower_edge(lambda_)
    # Upper end: both the loss at the edge and the form for q = 0 are larger than the loss.
    # Lower end: a time at which the loss is still more than half of that for q = 0.
    algebraic = (lambda_**-0.75 / (2.0 * np.sqrt(np.pi) * loss)) ** 2
    upper = np.minimum(_train_time(loss * lower, lambda_), algebraic)
    first = 1e-3 * np.minimum(1.0 / lower, algebraic)

    def excess(log_x: np.ndarray, loss: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
        return -np.log(np.maximum(_gen(np.exp(log_x), lambda_), np.finfo(float).tiny) / loss)

    ends = np.log(first), np.log(upper) + 1e-9
    return np.exp(root(excess, *ends, (loss, lambda_), resolution=1e-12))
