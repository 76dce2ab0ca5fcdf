"""Probability that a random set of points is linearly separable from the origin."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, erf

from linear_grokking.theory._domain import Broadcast, checked, within


def separable_probability(n_train: ArrayLike, d: ArrayLike) -> Broadcast:
    """Return Wendel's probability that N points in d dimensions are separable.

    Exact for every law that is symmetric about the origin and puts the points in general
    position: P(Binomial(N-1, ½) ≤ d-1) (Wendel 1962; Paper B, App. A).

    Parameters
    ----------
    n_train, d
        Positive integers, broadcast against each other.

    Raises
    ------
    ValueError
        If a size is below 1 or not an integer.

    Examples
    --------
    >>> separable_probability(400, [160, 192, 200, 208]).round(3)
    array([0.   , 0.212, 0.5  , 0.788])
    """
    n_train = _integers("n_train", n_train)
    d = _integers("d", d)
    # The binomial sum as an incomplete beta function, which loses no digits at large N.
    return np.where(d < n_train, betainc(np.maximum(n_train - d, 1), d, 0.5), 1.0)


def separable_probability_gaussian(n_train: ArrayLike, lambda_: ArrayLike) -> Broadcast:
    """Return the large-N form ½[1 + erf(√(N/2)(2λ-1))] (Paper B, App. A, Eq. 20).

    Parameters
    ----------
    n_train
        Number of points N > 0.
    lambda_
        λ = d/N > 0.
    """
    n_train, lambda_ = checked(n_train=n_train, lambda_=lambda_)
    return 0.5 * (1.0 + erf(np.sqrt(n_train / 2.0) * (2.0 * lambda_ - 1.0)))


def _integers(name: str, value: ArrayLike) -> np.ndarray:
    array = within(name, value, "[1, inf)")
    if np.any(array != np.floor(array)):
        raise ValueError(f"{name} = {array[array != np.floor(array)][0]:g}: must be an integer")
    return array.astype(np.int64)
