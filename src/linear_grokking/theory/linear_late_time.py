"""Late-time approximations of Paper A's one-layer losses and grokking time.

With x = ηt/d_out and q = |1 − √λ|, only eigenvalues near the lower edge q² of the spectrum
survive at x ≫ 1/√λ.  All formulas are for α = 1 and no noise or weight decay; λ < 1 except
where said otherwise.  Arguments broadcast; time is in steps.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special
from scipy.optimize import elementwise

from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory._arguments import below_critical, checked
from linear_grokking.theory.linear import loss_threshold


def late_time_train_loss(
    t: ArrayLike, lambda_: ArrayLike, eta: ArrayLike, *, d_out: ArrayLike = 1
) -> np.ndarray:
    """Return e^{−4q²x}/(16 √π λ^{3/4} x^{3/2} d_out), for any λ (Paper A).

    The relative error is about 3/(64 √λ x); at t = 0 the approximation is ``inf``.
    """
    t, lambda_, eta, d_out = checked(t=t, lambda_=lambda_, eta=eta, d_out=d_out).values()
    return (_train(eta * t / d_out, lambda_) / d_out)[()]


def late_time_gen_loss(
    t: ArrayLike, lambda_: ArrayLike, eta: ArrayLike, *, d_out: ArrayLike = 1
) -> np.ndarray:
    """Return the integral of `late_time_train_loss`, for any λ.

    λ^{−3/4} [e^{−4q²x}/(2√(πx)) − q erfc(2q√x)]/d_out, plus (1 − 1/λ)/d_out for λ > 1
    (derived in docs/theory.md from dL_gen/dt = −4η L_tr).  Its relative error is below 1 % for
    x > 10 and λ ≥ 0.5, however close to 1, unlike that of `paper_late_time_gen_loss`.
    """
    t, lambda_, eta, d_out = checked(t=t, lambda_=lambda_, eta=eta, d_out=d_out).values()
    atom = marchenko_pastur.atom(lambda_)
    return ((_gen(eta * t / d_out, lambda_) + atom) / d_out)[()]


def paper_late_time_gen_loss(
    t: ArrayLike, lambda_: ArrayLike, eta: ArrayLike, *, d_out: ArrayLike = 1
) -> np.ndarray:
    """Return `late_time_train_loss`/q², Paper A's simplest form, for λ < 1.

    It needs q²x ≫ 1, which comes very late near λ = 1: at λ = 0.9, η = 0.01 it is 8 times
    too large at t = 1e3 and still twice at 1e4.
    """
    t, lambda_, eta, d_out = checked(t=t, lambda_=lambda_, eta=eta, d_out=d_out).values()
    lower = _lower_edge(lambda_)
    return (_train(eta * t / d_out, lambda_) / lower / d_out)[()]


def small_epsilon_delay(lambda_: ArrayLike, eta: ArrayLike, *, d_out: ArrayLike = 1) -> np.ndarray:
    """Return the grokking time d_out log(1/q)/(2ηq²) of the limit ε → 0, for λ < 1.

    Paper A (there d_out = 1), from `paper_late_time_gen_loss`.  The limit is
    approached slowly: the exact time is 0.36, 0.76 and 0.91 of it at λ = 0.9 for
    ε = 1e-3, 1e-6 and 1e-12.  `late_time_delay` is the sharper formula.
    """
    lambda_, eta, d_out = checked(lambda_=lambda_, eta=eta, d_out=d_out).values()
    lower = _lower_edge(lambda_)
    return (-d_out * np.log(lower) / (4.0 * eta * lower))[()]


def late_time_delay(
    lambda_: ArrayLike,
    eta: ArrayLike,
    epsilon: ArrayLike,
    *,
    d_out: ArrayLike = 1,
    accuracy: ArrayLike = 0.95,
) -> np.ndarray:
    """Return the grokking time between the two late-time losses' crossings, for λ < 1.

    The training time is explicit, x = (3/8q²) W((8q²/3)(16√π λ^{3/4} L)^{−2/3}) with Lambert's
    W and L = d_out times the loss threshold; the generalization time is the root of
    `late_time_gen_loss` (derived in docs/theory.md).  For d_out = 1 and ε = 1e-3 it is
    within 2 % of the exact grokking time for λ ≥ 0.1, and within 0.2 % for λ ≥ 0.5.
    """
    arguments = checked(lambda_=lambda_, eta=eta, epsilon=epsilon, d_out=d_out, accuracy=accuracy)
    lambda_, eta, epsilon, d_out, accuracy = arguments.values()
    loss = d_out * loss_threshold(epsilon, d_out=d_out, accuracy=accuracy)
    return (d_out / eta * (_gen_time(loss, lambda_) - _train_time(loss, lambda_)))[()]


def _lower_edge(lambda_: np.ndarray) -> np.ndarray:
    below_critical(lambda_)
    return np.asarray(marchenko_pastur.support(lambda_)[0])


def _train(x: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
    lower, _ = marchenko_pastur.support(lambda_)
    scale = 16.0 * np.sqrt(np.pi) * lambda_**0.75 * x**1.5
    result = np.full(x.shape, np.inf)
    return np.divide(np.exp(-4.0 * lower * x), scale, out=result, where=x > 0)


def _gen(x: np.ndarray, lambda_: np.ndarray) -> np.ndarray:
    lower, _ = marchenko_pastur.support(lambda_)
    q = np.sqrt(lower)
    inverse_root = np.full(x.shape, np.inf)
    np.divide(0.5 / np.sqrt(np.pi), np.sqrt(x), out=inverse_root, where=x > 0)
    bracket = inverse_root - q * special.erfcx(2.0 * q * np.sqrt(x))
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
        value = _gen(np.exp(log_x), lambda_)
        return np.log(np.maximum(value, np.finfo(float).tiny) / loss)

    bracket = (np.log(first), np.log(upper) + 1e-9)
    tolerances = {"xatol": 1e-12, "xrtol": 1e-14}
    return np.exp(
        elementwise.find_root(excess, bracket, args=(loss, lambda_), tolerances=tolerances).x
    )
