"""The law of the grokking time where N is d or slightly more: a single slow mode decides.

The smallest eigenvalue ν of Σ = XᵀX/N, X of shape (N, d), is then of order 1/(Nd), and nothing
keeps it away from 0: P(ν < x) ~ x^{(N-d+1)/2}.  Long after the other modes have decayed, its
component g/√d of D leaves L_gen = (g²/d) e^{-4ηνt}, g ~ N(0, 1), which falls to a loss L at

    t_gen = log(g²/(dL))_+/(4ην).

One output, α = 1, γ = s = 0; times in steps.  Ours, based on Edelman (1988); derived in
docs/theory.md.  All arguments broadcast.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from linear_grokking.theory._domain import Broadcast, within
from linear_grokking.theory._search import first_time

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_LARGEST = 12.0
"""Largest |g| in averages: about 1e-32 of the law lies beyond."""


def tail_exponent(n_train: ArrayLike, d_in: ArrayLike) -> Broadcast:
    """Return (N - d + 1)/2, the exponent of P(ν < x) ~ x^… and P(t_gen > T) ~ T^-….

    Moments of t_gen of this order and above are infinite; for N = d and d + 1 its mean is.

    Raises
    ------
    ValueError
        Where N < d: there the training set does not fix the student, and ν = 0.
    """
    n_train, d_in = _sizes(n_train, d_in)
    return ((n_train - d_in + 1.0) / 2.0)[()]


def smallest_eigenvalue_cdf(s: ArrayLike, excess: ArrayLike) -> Broadcast:
    """Return P(Nd ν < s) for N - d = 0 (in the limit of large N) or N - d = 1 (exact).

    1 - e^{-s/2-√s} and 1 - e^{-s/2} (Edelman 1988, Cor. 3.1 and Thm. 3.2).

    Raises
    ------
    ValueError
        Where s is negative, or N - d neither 0 nor 1.
    """
    s = within("s", s, "[0, inf)")
    excess = _excess(excess)
    return -np.expm1(-s / 2.0 - np.where(excess == 0, np.sqrt(s), 0.0))[()]


def smallest_eigenvalue_tail(nu: ArrayLike, n_train: ArrayLike, d_in: ArrayLike) -> Broadcast:
    """Return P(ν_min < ν) to leading order in ν, exact in N ≥ d.

    (2Nν)^{k/2} Γ((N+1)/2)/(Γ(d/2) k!), k = N - d + 1 (Edelman 1988); (Nd ν)^{k/2}/k! when N is
    large.
    """
    nu = within("nu", nu, "[0, inf)")
    n_train, d_in = _sizes(n_train, d_in)
    power = tail_exponent(n_train, d_in)
    return (np.exp(_log_prefactor(n_train, d_in)) * (2.0 * n_train * nu) ** power)[()]


def gen_time_tail(
    t: ArrayLike, loss: ArrayLike, n_train: ArrayLike, d_in: ArrayLike, eta: ArrayLike
) -> Broadcast:
    """Return P(t_gen > t) to leading order in 1/t, exact in N ≥ d.

    `smallest_eigenvalue_tail` at ν = log(g²/(dL))_+/(4ηt), averaged over g.

    Parameters
    ----------
    t
        Steps, above 0.
    loss
        L that generalization is to reach, above 0.
    n_train, d_in, eta
        Sizes N ≥ d, and learning rate.
    """
    t, loss, eta = _positive(t=t, loss=loss, eta=eta)
    n_train, d_in = _sizes(n_train, d_in)
    power = tail_exponent(n_train, d_in)
    scale = smallest_eigenvalue_tail(0.25 / (eta * t), n_train, d_in)
    return (scale * _over_modes(lambda y: y ** power[..., np.newaxis], d_in * loss))[()]


def gen_time_survival(
    t: ArrayLike, loss: ArrayLike, n_train: ArrayLike, d_in: ArrayLike, eta: ArrayLike
) -> Broadcast:
    """Return P(t_gen > t) of the slowest mode alone, for N - d = 0 or 1.

    `smallest_eigenvalue_cdf` at s = Nd log(g²/(dL))_+/(4ηt), averaged over g.  It is the law of
    t_gen at late t, and for dL ≪ 1 at all t that matter; elsewhere other modes contribute.
    Arguments are those of `gen_time_tail`.
    """
    t, loss, eta = _positive(t=t, loss=loss, eta=eta)
    n_train, d_in = _sizes(n_train, d_in)
    excess = _excess(n_train - d_in)[..., np.newaxis]
    s = (0.25 * n_train * d_in / (eta * t))[..., np.newaxis]
    return _over_modes(lambda y: smallest_eigenvalue_cdf(s * y, excess), d_in * loss)[()]


def gen_time_quantile(
    probability: ArrayLike, loss: ArrayLike, n_train: ArrayLike, d_in: ArrayLike, eta: ArrayLike
) -> Broadcast:
    """Return the step by which a given share of draws generalizes, from `gen_time_survival`.

    0 where the slowest mode alone starts below the loss in that share of draws.
    """
    loss, eta = _positive(loss=loss, eta=eta)
    n_train, d_in = _sizes(n_train, d_in)
    late = 1.0 - within("probability", probability, "(0, 1)")
    late, loss, n_train, d_in, eta = np.broadcast_arrays(late, loss, n_train, d_in, eta)

    def passed(log_t: np.ndarray, late: np.ndarray, *fields: np.ndarray) -> np.ndarray:
        return late - gen_time_survival(np.exp(log_t), *fields)

    # At this time no mode of a Wishart matrix of these sizes has decayed yet.
    start = np.log(1e-3 / eta.ravel())
    given = tuple(each.ravel() for each in (late, loss, n_train, d_in, eta))
    return first_time(passed, start, given).reshape(late.shape)[()]


def _over_modes(function: Callable[[np.ndarray], np.ndarray], level: np.ndarray) -> np.ndarray:
    """Return E[function(log(g²/level)); g² > level] over a standard normal g."""
    # With y = v² the half-integer powers of y that occur at 0 are smooth.
    top = np.sqrt(np.log(np.maximum(_LARGEST**2 / level, 1.0)))[..., np.newaxis]
    v = 0.5 * top * (_NODES + 1.0)
    g = np.sqrt(level)[..., np.newaxis] * np.exp(v**2 / 2.0)
    density = g * np.exp(-(g**2) / 2.0) / np.sqrt(2.0 * np.pi)
    return np.sum(function(v**2) * density * 2.0 * v * 0.5 * top * _WEIGHTS, axis=-1)


def _log_prefactor(n_train: np.ndarray, d_in: np.ndarray) -> np.ndarray:
    ratio = special.gammaln((n_train + 1.0) / 2.0) - special.gammaln(d_in / 2.0)
    return ratio - special.gammaln(n_train - d_in + 2.0)


def _positive(**arguments: ArrayLike) -> list[np.ndarray]:
    return [within(name, value, "(0, inf)") for name, value in arguments.items()]


def _excess(value: ArrayLike) -> np.ndarray:
    excess = within("excess", value, "[0, 1]")
    if np.any((excess != 0) & (excess != 1)):
        raise ValueError(f"excess = {excess[(excess != 0) & (excess != 1)][0]:g}: must be 0 or 1")
    return excess


def _sizes(n_train: ArrayLike, d_in: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return N and d; what follows holds for N ≥ d."""
    n_train, d_in = np.broadcast_arrays(
        within("n_train", n_train, "[1, inf)"), within("d_in", d_in, "[1, inf)")
    )
    if np.any(n_train < d_in):
        wrong = n_train < d_in
        raise ValueError(f"n_train = {n_train[wrong][0]:g}: must be at least d_in")
    return n_train, d_in
