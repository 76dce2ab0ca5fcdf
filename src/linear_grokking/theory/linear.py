"""Losses and accuracies of Paper A's one-layer teacher–student model at large size.

Teacher T and initial student αS₀ have independent normal entries of variance
1/(2 d_in d_out); labels carry noise of variance s² per output.  In an eigendirection ν of
the training inputs' covariance the difference D = S − T evolves linearly, so that

    D(t) = α e S₀ − h T + k ξ,   e = e^{−2η(ν+γ/2)t/d_out},
    h = (ν e + γ/2)/(ν + γ/2),   k = (1 − e)/(ν + γ/2),

ξ the projected label noise, of variance λs²ν/d_in.  The losses are averages of |D|² over
the Marchenko–Pastur law: Paper A's one-layer theory with d_out > 1, weight decay,
initialization scale and label noise together (derived in docs/theory.md).

Gradient flow is used unless ``discrete`` asks for gradient descent, where e is replaced by
(1 − 2η(ν+γ/2)/d_out)^t.  Time is in steps in both.  All arguments broadcast.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory._arguments import checked

Arguments = Mapping[str, np.ndarray]

# Points evaluated together: their values at all nodes should stay in cache.
_CHUNK = 256


def train_loss(
    t: ArrayLike,
    lambda_: ArrayLike,
    eta: ArrayLike,
    *,
    gamma: ArrayLike = 0.0,
    d_out: ArrayLike = 1,
    alpha: ArrayLike = 1.0,
    noise: ArrayLike = 0.0,
    discrete: bool = False,
) -> np.ndarray:
    """Return the training loss, measured against the noisy labels.

    L_tr = (1/d_out) E[ν (α²e² + h²)/2] + s² (1 − λ E[1 − h²]); for d_out = 1, α = 1,
    γ = s = 0 this is Paper A's E[ν e^{−4ηνt}].  It decreases with t for all arguments.  A
    larger d_out divides the noise-free loss by d_out and slows it by d_out, at the same γ.

    Parameters
    ----------
    t
        Number of steps, not necessarily an integer.
    lambda_
        d_in / N_tr, any positive number.
    eta
        Learning rate.
    gamma
        Weight decay: a step takes (ηγ/d_out) S from the student S.
    d_out
        Output dimension, much smaller than d_in.
    alpha
        Factor on the initial student.
    noise
        Variance s² of the noise on each training label.
    discrete
        Gradient descent in place of gradient flow.

    Returns
    -------
    array of the shape that the arguments broadcast to

    Raises
    ------
    ValueError
        Where an argument is out of range; with ``discrete``, also where
        2η(λ₊ + γ/2)/d_out ≥ 1, as D then alternates in sign (or diverges).
    """
    arguments = checked(
        t=t, lambda_=lambda_, eta=eta, gamma=gamma, d_out=d_out, alpha=alpha, noise=noise
    )
    return _average(_train, arguments, discrete)


def gen_loss(
    t: ArrayLike,
    lambda_: ArrayLike,
    eta: ArrayLike,
    *,
    gamma: ArrayLike = 0.0,
    d_out: ArrayLike = 1,
    alpha: ArrayLike = 1.0,
    noise: ArrayLike = 0.0,
    discrete: bool = False,
) -> np.ndarray:
    """Return the generalization loss, measured against noise-free fresh labels.

    L_gen = (1/d_out) E[(α²e² + h²)/2] + λs² E[ν k²]; for d_out = 1, α = 1, γ = s = 0 this
    is Paper A's E[e^{−4ηνt}].  Without noise it decreases with t.  With noise it
    passes a minimum if γ < 4 λ d_out s² (`linear_overfitting.gen_loss_minimum`); the
    paper's remark that label noise does not change the dynamics is an erratum.

    Arguments, result and errors are those of `train_loss`.
    """
    arguments = checked(
        t=t, lambda_=lambda_, eta=eta, gamma=gamma, d_out=d_out, alpha=alpha, noise=noise
    )
    return _average(_gen, arguments, discrete)


def train_loss_closed_form(t: ArrayLike, lambda_: ArrayLike, eta: ArrayLike) -> np.ndarray:
    """Return E[ν e^{−4ηνt}] = e^{−4(1+λ)x} I₁(z)/(z/2), x = ηt, z = 8√λ x.

    The training loss of gradient flow for d_out = 1, α = 1, γ = s = 0, any λ
    (Paper A's closed form).  Its integral gives the other loss: dL_gen/dt = −4η L_tr.
    """
    t, lambda_, eta = checked(t=t, lambda_=lambda_, eta=eta).values()
    x = eta * t
    z = 8.0 * np.sqrt(lambda_) * x
    # I₁(z)/(z/2) → 1; the exponentially scaled I₁ never overflows.
    bessel = np.where(z > 1e-8, 2.0 * special.i1e(z) / np.where(z > 1e-8, z, 1.0), np.exp(-z))
    lower, _ = marchenko_pastur.support(lambda_)
    return (np.exp(-4.0 * lower * x) * bessel)[()]


def train_loss_floor(
    lambda_: ArrayLike,
    *,
    gamma: ArrayLike = 0.0,
    d_out: ArrayLike = 1,
    noise: ArrayLike = 0.0,
) -> np.ndarray:
    """Return the training loss at t → ∞: (γ²/8d_out) E[ν/(ν+γ/2)²] + the noise term.

    Without weight decay s²(1 − λ)₊.  See `train_loss` for the arguments.
    """
    arguments = checked(lambda_=lambda_, gamma=gamma, d_out=d_out, noise=noise)
    lambda_, noise = arguments["lambda_"], arguments["noise"]
    undamped = noise * np.maximum(0.0, 1.0 - lambda_)
    return _floor(_train, arguments, undamped)


def gen_loss_floor(
    lambda_: ArrayLike,
    *,
    gamma: ArrayLike = 0.0,
    d_out: ArrayLike = 1,
    alpha: ArrayLike = 1.0,
    noise: ArrayLike = 0.0,
) -> np.ndarray:
    """Return the generalization loss at t → ∞: (γ²/8d_out) E[1/(ν+γ/2)²] + the noise term.

    Without weight decay: s²λ/(1 − λ) for λ < 1, (1 − 1/λ)(1 + α²)/(2 d_out) + s²/(λ − 1) for
    λ > 1, and ``inf`` for λ = 1 with noise.  For λ > 1 the limit γ → 0 differs from γ = 0 in
    the term α²: any weight decay in the end forgets the initial student.  See `train_loss`
    for the arguments.
    """
    arguments = checked(lambda_=lambda_, gamma=gamma, d_out=d_out, alpha=alpha, noise=noise)
    lambda_, d_out, alpha, noise = (arguments[k] for k in ("lambda_", "d_out", "alpha", "noise"))
    undamped = np.asarray(marchenko_pastur.atom(lambda_) * (1.0 + alpha**2) / (2.0 * d_out))
    gap = np.abs(1.0 - lambda_)
    inverse = np.where(gap > 0, np.minimum(lambda_, 1.0) / np.where(gap > 0, gap, 1.0), np.inf)
    undamped = undamped + noise * np.where(noise > 0, inverse, 0.0)
    return _floor(_gen, arguments, undamped)


def accuracy(loss: ArrayLike, epsilon: ArrayLike, d_out: ArrayLike = 1) -> np.ndarray:
    """Return the fraction of samples whose error (1/d_out)‖Dᵀx‖² is at most ε.

    P(d_out/2, d_out ε/(2L)), P the regularized lower incomplete gamma function; erf √(ε/2L)
    for d_out = 1 (Paper A).  The outputs' errors are taken as independent normal variables
    of equal variance L, which asks for d_out ≪ d_in: at d_in = 1000, d_out = 700, λ = 0.9 a
    trained student generalizes about 10 % later than this says.
    """
    loss, epsilon, d_out = checked(loss=loss, epsilon=epsilon, d_out=d_out).values()
    ratio = np.full(loss.shape, np.inf)
    np.divide(epsilon, loss, out=ratio, where=loss > 0)
    return special.gammainc(d_out / 2.0, d_out / 2.0 * ratio)[()]


def loss_threshold(
    epsilon: ArrayLike, *, d_out: ArrayLike = 1, accuracy: ArrayLike = 0.95
) -> np.ndarray:
    """Return the loss at which `accuracy` takes the given value; for d_out = 1, 95 %: 0.2603 ε.

    Where Paper A writes L = ε/4 the accuracy is erf √2 = 95.45 % (d_out = 1).
    """
    arguments = checked(epsilon=epsilon, d_out=d_out, accuracy=accuracy)
    epsilon, d_out, accuracy = arguments.values()
    return (d_out * epsilon / (2.0 * special.gammaincinv(d_out / 2.0, accuracy)))[()]


# From (nodes, weights, exponent of e as a function of ν + γ/2, arguments as columns).
Combine = Callable[[np.ndarray, np.ndarray, Callable, Arguments], np.ndarray]


def _average(combine: Combine, arguments: Arguments, discrete: bool) -> np.ndarray:
    """Evaluate a loss for broadcast arguments, a few points at a time."""
    if discrete:
        _check_step(arguments)
    flat = {name: values.ravel() for name, values in arguments.items()}
    result = np.empty(flat["t"].size)
    for start in range(0, result.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        # Columns, against the nodes along the rows.
        some = {name: values[part, None] for name, values in flat.items()}
        nodes, weights = marchenko_pastur.quadrature(flat["lambda_"][part])

        def exponent_of(shifted: np.ndarray, some: Arguments = some) -> np.ndarray:
            rate = 2.0 * some["eta"] / some["d_out"] * shifted
            return some["t"] * (np.log1p(-rate) if discrete else -rate)

        result[part] = combine(nodes, weights, exponent_of, some)
    return result.reshape(arguments["t"].shape)[()]


def _check_step(arguments: Arguments) -> None:
    _, upper = marchenko_pastur.support(arguments["lambda_"])
    step = 2.0 * arguments["eta"] * (upper + arguments["gamma"] / 2.0) / arguments["d_out"]
    if np.any(step >= 1):
        eta = arguments["eta"].flat[np.argmax(step)]
        raise ValueError(
            f"eta = {eta:g}: gradient descent alternates in sign; 2 eta (lambda_+ + gamma/2)/d_out"
            f" is {np.max(step):g} and must be below 1"
        )


def _square(decay: np.ndarray, teacher: np.ndarray, some: Arguments) -> np.ndarray:
    """Return the mean square of D in an eigendirection, per output, without label noise."""
    return ((some["alpha"] * decay) ** 2 + teacher**2) / (2.0 * some["d_out"])


def _teacher_factor(decay: np.ndarray, shifted: np.ndarray, some: Arguments) -> np.ndarray:
    """Return h."""
    if not np.any(some["gamma"]):
        return decay
    return decay + (1.0 - decay) * (some["gamma"] / 2.0) / shifted


def _train(
    nodes: np.ndarray, weights: np.ndarray, exponent_of: Callable, some: Arguments
) -> np.ndarray:
    shifted = nodes + some["gamma"] / 2.0
    decay = np.exp(exponent_of(shifted))
    teacher = _teacher_factor(decay, shifted, some)
    result = _square(decay, teacher, some) @ weights
    if np.any(some["noise"]):
        lambda_, noise = some["lambda_"][:, 0], some["noise"][:, 0]
        # 1 − λE[1 − h²] without its cancellations: h = 1 on the atom.
        unfitted = lambda_ * ((teacher**2 / nodes) @ weights)
        result = result + noise * (np.maximum(0.0, 1.0 - lambda_) + unfitted)
    return result


def _gen(
    nodes: np.ndarray, weights: np.ndarray, exponent_of: Callable, some: Arguments
) -> np.ndarray:
    shifted = nodes + some["gamma"] / 2.0
    exponent = exponent_of(shifted)
    decay = np.exp(exponent)
    teacher = _teacher_factor(decay, shifted, some)
    result = (_square(decay, teacher, some) / nodes) @ weights
    lambda_, noise = some["lambda_"][:, 0], some["noise"][:, 0]
    if np.any(noise):
        # Here 1 − e must keep its digits for small ν.
        k = np.expm1(exponent) / shifted
        result = result + lambda_ * noise * (k**2 @ weights)
    if np.any(lambda_ > 1):
        # On the atom only weight decay acts.
        decay = np.exp(exponent_of(some["gamma"] / 2.0))
        still = _square(decay, np.ones_like(decay), some)[:, 0]
        result = result + marchenko_pastur.atom(lambda_) * still
    return result


def _floor(combine: Combine, arguments: Arguments, undamped: np.ndarray) -> np.ndarray:
    """Return the limit t → ∞, given its value where there is no weight decay."""
    gamma = arguments["gamma"]
    damped = {**arguments, "gamma": np.where(gamma > 0, gamma, 1.0)}
    damped.setdefault("alpha", np.ones(gamma.shape))
    damped.update(t=np.full(gamma.shape, np.inf), eta=np.ones(gamma.shape))
    return np.where(gamma > 0, _average(combine, damped, discrete=False), undamped)[()]
