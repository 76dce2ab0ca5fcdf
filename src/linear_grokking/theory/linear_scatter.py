"""How much one draw of Paper A's one-layer problem differs from the next, at finite d_in.

In the eigenbasis of Σ the entries of D are independent normal numbers, of variance V_ν/d_in by
the large-size theory (`linear`); the generalization loss L = ‖D‖²/d_out therefore has, at a
given spectrum, mean E[V] and variance 2 E[V²]/(d_in d_out).  Fluctuations of the spectrum are left
out.  They matter where few modes carry the loss (`effective_modes`) and, as their contribution
does not fall with d_out, also where the outputs are several and not far fewer than the modes.
Ours; derived in docs/theory.md.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import linear, linear_grokking_time, marchenko_pastur
from linear_grokking.theory._domain import Broadcast, within
from linear_grokking.theory.linear import Problem

MANY_MODES = 5
"""Effective modes per output above which the first order holds, within 10 % for deviations and
5 % for medians."""
MOST_PERCENT = 25
"""Largest deviation of t_gen, in per cent of t_gen, for which the first order holds: beyond it, as
near the weight decay at which t_gen becomes infinite, t_gen is finite only for some draws."""


def effective_modes(t: ArrayLike, problem: Problem, d_in: ArrayLike) -> Broadcast:
    """Return how many modes carry the generalization loss, n = d_in E[V]²/E[V²].

    For γ = s = 0 it is d_in L(t)²/(L(0) L(2t)): d_in at the start, and few at late times.

    Parameters
    ----------
    t
        Number of steps.
    problem
        See `linear.Problem`; with its fields, ``t`` and ``d_in`` broadcast.
    d_in
        Input dimension.

    Raises
    ------
    ValueError
        Where an argument is out of range.
    """
    d_in = within("d_in", d_in, "[1, inf)")
    steps, problem = problem.checked(t=t)
    return d_in * linear.gen_loss(steps, problem) ** 2 / _square_mean(steps, problem)


def gen_loss_deviation(t: ArrayLike, problem: Problem, d_in: ArrayLike) -> Broadcast:
    """Return the standard deviation of the generalization loss over draws, L √(2/(n d_out)).

    √(2 L(2t)/d_in) for d_out = 1, α = 1 and γ = s = 0.  Arguments and errors are those of
    `effective_modes`.
    """
    steps, checked = problem.checked(t=t)
    modes = effective_modes(steps, checked, d_in)
    return linear.gen_loss(steps, checked) * np.sqrt(2.0 / (modes * checked.d_out))


def gen_time_deviation(
    problem: Problem, d_in: ArrayLike, epsilon: ArrayLike, *, accuracy: ArrayLike = 0.95
) -> Broadcast:
    """Return the standard deviation of t*_gen over draws, in steps, to first order.

    It is the loss's deviation over its slope, where the mean loss reaches the threshold:
    √(2 L(2t)/d_in)/(4η L_tr(t)) for d_out = 1, α = 1 and γ = s = 0.  0 where the mean starts
    there, inf where it never gets there.

    Parameters
    ----------
    problem, d_in
        As in `effective_modes`.
    epsilon, accuracy
        As in `linear_grokking_time.gen_time`.
    """
    time = linear_grokking_time.gen_time(problem, epsilon, accuracy=accuracy)
    steps, problem = problem.checked(t=np.where(np.isfinite(time), time, 0.0))
    deviation = gen_loss_deviation(steps, problem, d_in) / -_mean(_slopes, steps, problem)
    return np.where(np.isinf(time), np.inf, np.where(time > 0, deviation, 0.0))[()]


def _square_mean(t: np.ndarray, problem: Problem) -> np.ndarray:
    return _mean(lambda *given: _variances(*given) ** 2, t, problem)


def _mean(function: Any, t: np.ndarray, problem: Problem) -> np.ndarray:
    """Return the average of function(ν, t, problem) over the Marchenko–Pastur law."""
    nodes, weights = marchenko_pastur.quadrature(problem.lambda_)
    inner = problem[..., np.newaxis]
    average = (function(nodes, t[..., np.newaxis], inner) / nodes) @ weights
    atom = marchenko_pastur.atom(problem.lambda_)
    at_zero = function(np.zeros_like(t), t, problem)
    return average + np.where(atom > 0, atom * at_zero, 0.0)


def _parts(nu: np.ndarray, t: np.ndarray, problem: Problem) -> tuple[np.ndarray, ...]:
    """Return e, h and k: D(t) = αe S₀ - hT + kξ in the eigendirection ν (see `linear`)."""
    half = problem.gamma / 2.0
    shifted = nu + half
    exponent = -2.0 * problem.eta / problem.d_out * shifted * t
    decay = np.exp(exponent)
    # Where neither data nor decay acts (ν = γ = 0) nothing of the teacher is learned.
    acts = shifted > 0
    k = np.divide(-np.expm1(exponent), shifted, out=np.zeros_like(decay), where=acts)
    # h is 1 - νk, without its cancellation at late times.
    return decay, decay + half * k, k


def _variances(nu: np.ndarray, t: np.ndarray, problem: Problem) -> np.ndarray:
    """Return V = d_in times the variance of an entry of D along ν."""
    decay, h, k = _parts(nu, t, problem)
    drawn = ((problem.alpha * decay) ** 2 + h**2) / (2.0 * problem.d_out)
    return drawn + problem.lambda_ * problem.noise * nu * k**2


def _slopes(nu: np.ndarray, t: np.ndarray, problem: Problem) -> np.ndarray:
    """Return dV/dt."""
    decay, h, k = _parts(nu, t, problem)
    forgotten = problem.alpha**2 * (nu + problem.gamma / 2.0) * decay**2
    drawn = -(forgotten + nu * h * decay) / problem.d_out
    noise = 2.0 * problem.lambda_ * problem.noise * nu * k * decay
    return 2.0 * problem.eta / problem.d_out * (drawn + noise)
