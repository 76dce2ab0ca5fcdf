"""Stochastic gradient descent on Paper A's one-layer model: second moments of its modes (ours).

A step takes the gradient of B samples drawn without replacement from the N of the training set,
anew at each step.  For many modes and one output the second moment v(ν) of a mode obeys

    v ← (1 - 2ην)² v + (4η²d/B) (1 - B/N) N/(N - 1) ν L_tr,   L_tr = E[νv],   L_gen = E[v],

averages over the Marchenko–Pastur law (derived in docs/theory.md; Paquette et al. 2021 prove
similar results).  Moments are means over batches: near the limit of stability single runs lie
below them.
"""

import numpy as np
from numpy.typing import ArrayLike

from linear_grokking.theory import marchenko_pastur
from linear_grokking.theory._domain import Broadcast, within
from linear_grokking.theory.linear import Problem, divergence_rate
from linear_grokking.theory.linear_optimizers import Losses


def mini_batch_losses(
    t: ArrayLike, lambda_: float, eta: float, d_in: int, batch_size: float
) -> Losses:
    """Return the mean losses (T,) at ascending whole steps t (T,); they may grow.

    Raises
    ------
    ValueError
        Where an argument is out of range; a batch is at most the training set, d_in/λ.
    """
    t = within("t", t)
    noise = _noise(lambda_, eta, d_in, batch_size)
    nodes, weights = marchenko_pastur.quadrature(lambda_)
    kept, moved = (1.0 - 2.0 * within("eta", eta) * nodes) ** 2, noise * nodes
    moments = np.ones_like(nodes)
    found, wanted = {}, set(t.tolist())
    for step in range(int(t[-1]) + 1):
        train = moments @ weights
        if step in wanted:
            found[step] = train, (moments / nodes) @ weights
        moments = kept * moments + moved * train
    return Losses(*np.array([found[int(step)] for step in t]).T)


def instability(lambda_: float, eta: float, d_in: int, batch_size: float) -> Broadcast:
    """Return the gain of the noise, (ηd/B)(1 - B/N) N/(N-1) E[ν/(1 - ην)].

    The mean losses fall to 0 where it is below 1, and grow where it is above: about B < ηd.
    ``inf`` where already steps of the full batch diverge, η ≥ 1/(1 + √λ)².
    """
    noise = _noise(lambda_, eta, d_in, batch_size)
    if eta >= divergence_rate(Problem(lambda_, eta)):
        return np.float64(np.inf)
    nodes, weights = marchenko_pastur.quadrature(lambda_)
    return noise / (4.0 * eta) * ((1.0 / (1.0 - eta * nodes)) @ weights)


def _noise(lambda_: float, eta: float, d_in: int, batch_size: float) -> float:
    """Return (4η²d/B)(1 - B/N) N/(N - 1)."""
    within("lambda_", lambda_, "(0, 1)")
    n_train = within("d_in", d_in, "(0, inf)") / lambda_
    if not 1 <= batch_size <= n_train:
        raise ValueError(f"batch_size = {batch_size:g}: must lie in [1, {n_train:g}]")
    rest = (1.0 - batch_size / n_train) * n_train / (n_train - 1.0)
    return float(4.0 * within("eta", eta) ** 2 * d_in / batch_size * rest)
