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
(1 − 2η(ν+γ/2)/d_out)^t.  Time is in steps in both.  All arguments, and the fields of a
problem, broadcast.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory._domain import Broadcast, Numbers, Parameters, checked

# Points evaluated together: their values at all nodes should stay in cache.
_CHUNK = 256


@dataclass(frozen=True)
class Problem(Parameters):
    """One-layer teacher–student regression at large size (Paper A, Sec. 3).

    Fields are checked where they are used: ValueError names one that is out of range.

    Attributes
    ----------
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
    """

    lambda_: Numbers
    eta: Numbers
    gamma: Numbers = 0.0
    d_out: Numbers = 1
    alpha: Numbers = 1.0
    noise: Numbers = 0.0


def train_loss(t: ArrayLike, problem: Problem, *, discrete: bool = False) -> Broadcast:
    """Return the training loss, measured against the noisy labels.

    L_tr = (1/d_out) E[ν (α²e² + h²)/2] + s² (1 − λ E[1 − h²]); for d_out = 1, α = 1,
    γ = s = 0 this is Paper A's E[ν e^{−4ηνt}] = e^{−4(1+λ)x} I₁(z)/(z/2), x = ηt, z = 8√λ x.
    It decreases with t for all arguments.  With several outputs, the noise-free loss at the same
    γ is that of one output divided by d_out, and slower by the factor d_out.

    Parameters
    ----------
    t
        Number of steps, not necessarily an integer.
    problem
        See `Problem`.
    discrete
        Gradient descent in place of gradient flow.

    Returns
    -------
    array of the shape that ``t`` and the problem's fields broadcast to

    Raises
    ------
    ValueError
        Where an argument is out of range; with ``discrete``, also where
        2η(λ₊ + γ/2)/d_out ≥ 1, as D then alternates in sign (or diverges).
    """
    steps, problem = problem.checked(t=t)
    return _average(steps, problem, generalization=False, discrete=discrete)


def gen_loss(t: ArrayLike, problem: Problem, *, discrete: bool = False) -> Broadcast:
    """Return the generalization loss, measured against noise-free fresh labels.

    L_gen = (1/d_out) E[(α²e² + h²)/2] + λs² E[ν k²]; for d_out = 1, α = 1, γ = s = 0 this
    is Paper A's E[e^{−4ηνt}].  Without noise it decreases with t.  With noise it passes
    through a minimum if γ = 0, or if λ < 1 and γ < 4 λ d_out s²
    (`linear_overfitting.gen_loss_minimum`); the paper's remark that label noise does not
    change the dynamics is an erratum.

    Arguments, result and errors are those of `train_loss`.
    """
    steps, problem = problem.checked(t=t)
    return _average(steps, problem, generalization=True, discrete=discrete)


def train_loss_floor(problem: Problem) -> Broadcast:
    """Return the training loss at t → ∞: (γ²/8d_out) E[ν/(ν+γ/2)²] + the noise term.

    γ²/(8 d_out (1 − λ)) for γ ≪ (1 − √λ)², λ < 1 and no noise; s²(1 − λ)₊ without weight decay.
    """
    (problem,) = problem.checked()
    undamped = problem.noise * np.maximum(0.0, 1.0 - problem.lambda_)
    return _floor(problem, undamped, generalization=False)


def gen_loss_floor(problem: Problem) -> Broadcast:
    """Return the generalization loss at t → ∞: (γ²/8d_out) E[1/(ν+γ/2)²] + the noise term.

    γ²/(8 d_out (1 − λ)³) for γ ≪ (1 − √λ)², λ < 1 and no noise.  Erratum: Paper A, Eq. 16, has
    4 in place of 8, here and in the training loss; its Eq. 15 gives 8.

    Without weight decay: s²λ/(1 − λ) for λ < 1, (1 − 1/λ)(1 + α²)/(2 d_out) + s²/(λ − 1) for
    λ > 1, and ``inf`` for λ = 1 with noise.  For λ > 1 the limit γ → 0 differs from γ = 0 in
    the term α²: with any weight decay the initial student is eventually forgotten.
    """
    (problem,) = problem.checked()
    lambda_, noise = problem.lambda_, problem.noise
    still = marchenko_pastur.atom(lambda_) * (1.0 + problem.alpha**2) / (2.0 * problem.d_out)
    gap = np.abs(1.0 - lambda_)
    inverse = np.where(gap > 0, np.minimum(lambda_, 1.0) / np.where(gap > 0, gap, 1.0), np.inf)
    undamped = still + noise * np.where(noise > 0, inverse, 0.0)
    return _floor(problem, undamped, generalization=True)


def accuracy(loss: ArrayLike, epsilon: ArrayLike, d_out: ArrayLike = 1) -> Broadcast:
    """Return the fraction of samples whose error (1/d_out)‖Dᵀx‖² is at most ε.

    P(d_out/2, d_out ε/(2L)), P the regularized lower incomplete gamma function; erf √(ε/2L)
    for d_out = 1 (Paper A).  The outputs' errors are taken as independent normal variables
    of equal variance L.  For several outputs that requires d_out ≪ n_eff, the number of modes
    that carry the loss (docs/theory.md): at d_in = 1000, λ = 0.9, ε = 1e-3, where n_eff is 23
    for d_out = 10 and 852 for 700, a trained student generalizes some 10 % later than this
    formula says.
    """
    loss, epsilon, d_out = checked(loss=loss, epsilon=epsilon, d_out=d_out)
    ratio = np.full(loss.shape, np.inf)
    with np.errstate(over="ignore"):
        np.divide(epsilon, loss, out=ratio, where=loss > 0)
        ratio = d_out / 2.0 * ratio
    return special.gammainc(d_out / 2.0, ratio)


def loss_threshold(
    epsilon: ArrayLike, *, d_out: ArrayLike = 1, accuracy: ArrayLike = 0.95
) -> Broadcast:
    """Return the loss at which `accuracy` takes the given value; for d_out = 1, 95 %: 0.2603 ε.

    Where Paper A writes L = ε/4 the accuracy is erf √2 = 95.45 % (d_out = 1).
    """
    epsilon, d_out, accuracy = checked(epsilon=epsilon, d_out=d_out, accuracy=accuracy)
    return d_out * epsilon / (2.0 * special.gammaincinv(d_out / 2.0, accuracy))


def alternation_rate(problem: Problem) -> Broadcast:
    """Return the learning rate above which a step reverses the sign of a mode (ours).

    Half of `divergence_rate`.
    """
    return 0.5 * divergence_rate(problem)


def divergence_rate(problem: Problem) -> Broadcast:
    """Return the learning rate above which gradient descent diverges, d_out/(ν + γ/2) (ours).

    There a step multiplies the mode at the upper edge ν = (1 + √λ)² of the spectrum by -1.
    """
    (problem,) = problem.checked()
    _, upper = marchenko_pastur.support(problem.lambda_)
    return problem.d_out / (upper + problem.gamma / 2.0)


def _average(
    t: np.ndarray, problem: Problem, *, generalization: bool, discrete: bool = False
) -> np.ndarray:
    """Return a loss for arguments of one shape, evaluated a few points at a time."""
    if discrete:
        _check_step(problem)
    flat = [np.ravel(values) for values in (t, *problem)]
    result = np.empty(t.size)
    for start in range(0, t.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        # Columns, against the nodes along the rows.
        steps, *fields = (values[part, None] for values in flat)
        result[part] = _loss(steps, Problem(*fields), generalization, discrete)
    return result.reshape(t.shape)[()]


def _check_step(problem: Problem) -> None:
    limit = np.asarray(alternation_rate(problem))
    worst = np.argmax(problem.eta / limit)
    if problem.eta.flat[worst] >= limit.flat[worst]:
        raise ValueError(
            f"eta = {problem.eta.flat[worst]:g}: gradient descent alternates in sign; "
            f"must be below {limit.flat[worst]:.6g}"
        )


def _loss(t: np.ndarray, problem: Problem, generalization: bool, discrete: bool) -> np.ndarray:
    """Return a loss (n,) at times and for problems that are columns (n, 1)."""

    def exponent_of(shifted: np.ndarray) -> np.ndarray:
        """Return ln e at ν + γ/2."""
        rate = 2.0 * problem.eta / problem.d_out * shifted
        return t * (np.log1p(-rate) if discrete else -rate)

    def square(decay: np.ndarray, h: np.ndarray | float) -> np.ndarray:
        """Return the mean square of D in an eigendirection, per output, without label noise."""
        return ((problem.alpha * decay) ** 2 + h**2) / (2.0 * problem.d_out)

    half = problem.gamma / 2.0
    lambda_, noise = problem.lambda_[:, 0], problem.noise[:, 0]
    nodes, weights = marchenko_pastur.quadrature(lambda_)
    shifted = nodes + half
    exponent = exponent_of(shifted)
    decay = np.exp(exponent)
    h = decay + (1.0 - decay) * half / shifted if np.any(half) else decay
    if not generalization:
        result = square(decay, h) @ weights
        if np.any(noise):
            # 1 − λE[1 − h²] without its cancellations: h = 1 on the atom.
            unfitted = lambda_ * ((h**2 / nodes) @ weights)
            result = result + noise * (np.maximum(0.0, 1.0 - lambda_) + unfitted)
        return result
    result = (square(decay, h) / nodes) @ weights
    if np.any(noise):
        # Here 1 − e must keep its digits for small ν.
        k = np.expm1(exponent) / shifted
        result = result + lambda_ * noise * (k**2 @ weights)
    if np.any(lambda_ > 1):
        # On the atom only weight decay acts.
        still = square(np.exp(exponent_of(half)), 1.0)[:, 0]
        result = result + marchenko_pastur.atom(lambda_) * still
    return result


def _floor(problem: Problem, undamped: np.ndarray, *, generalization: bool) -> np.ndarray:
    """Return the limit t → ∞, given its value where there is no weight decay."""
    gamma = problem.gamma
    damped = replace(problem, gamma=np.where(gamma > 0, gamma, 1.0))
    end = _average(np.full(gamma.shape, np.inf), damped, generalization=generalization)
    return np.where(gamma > 0, end, undamped)[()]
