"""What the theory expects of runs of linear regression, by any of its methods."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from linear_grokking.results.crossings import first_crossing
from linear_grokking.solvers.trajectory import record_steps
from linear_grokking.theory import linear, linear_optimizers, mini_batches
from linear_grokking.theory.first_order import Grokfast, Method, Momentum
from linear_grokking.theory.linear_optimizers import Losses

PLAIN: Mapping[str, Any] = {"d_out": 1, "gamma": 0, "alpha": 1, "noise": 0, "law": "gaussian"}
"""Parameters for which the losses of methods other than gradient descent are known, at λ < 1."""

METHODS = ("momentum", "grokfast", "conjugate_gradients", "sgd")
"""The solvers that `losses_of` knows, besides those of plain gradient descent."""

_RECORDS, _REFINED = 200, 64
"""Number of steps among which a first time is sought, and then again between two of them."""


def most_steps(solver: str) -> int:
    """Return the last step to which the theory follows a method.

    Losses that are found step after step take time; for the others, float64 holds all whole
    numbers up to here.
    """
    return {"sgd": 200_000, "conjugate_gradients": 1_000_000}.get(solver, 10**15)


def losses_of(parameters: Mapping[str, Any], lambda_: float, steps: np.ndarray) -> Losses:
    """Return the large-size losses (T,) of a run's method, at ascending steps (T,).

    Parameters
    ----------
    parameters
        Parameters of the run, under their configuration keys, with the values of `PLAIN`.
    """
    solver = parameters["solver"]
    if solver == "conjugate_gradients":
        return linear_optimizers.conjugate_gradient_losses(steps, lambda_)
    if solver == "sgd":
        sizes = (parameters["eta"], parameters["d_in"], parameters["batch_size"])
        return mini_batches.mini_batch_losses(steps, lambda_, *sizes)
    return linear_optimizers.losses(steps, lambda_, method_of(parameters))


def method_of(parameters: Mapping[str, Any]) -> Method:
    """Return the first-order method of a run; for mini-batches, that of the full batch."""
    eta, solver = parameters["eta"], parameters["solver"]
    if solver == "momentum":
        return Momentum(eta, parameters["momentum"], parameters["nesterov"])
    if solver == "grokfast":
        return Grokfast(eta, parameters["grokfast_alpha"], parameters["grokfast_lamb"])
    return Momentum(eta, 0.0)


def times_of(
    parameters: Mapping[str, Any], lambda_: float, steps: np.ndarray, accuracy: float
) -> Losses:
    """Return when the accuracies of `losses_of` reach a level, read off at the steps (T,)."""
    found = losses_of(parameters, lambda_, steps)
    levels = (linear.accuracy(loss, parameters["epsilon"]) for loss in found)
    return Losses(*(first_crossing(steps, level, accuracy) for level in levels))


def first_times(parameters: Mapping[str, Any], lambda_: float, accuracy: float) -> Losses:
    """Return when the accuracies of `losses_of` reach a level, however late; inf past `most_steps`.

    They are read off at log-spaced steps, ever further, and then again at steps between two.
    """
    last = most_steps(parameters["solver"])
    horizon = 64
    while True:
        steps = record_steps(min(horizon, last), _RECORDS)
        rough = times_of(parameters, lambda_, steps, accuracy)
        if horizon >= last or np.all(np.isfinite(rough)):
            break
        horizon *= 16
    times = []
    for which, time in enumerate(rough):
        after = int(np.searchsorted(steps, time))
        if 0 < after < len(steps):
            inside = np.unique(np.rint(np.linspace(steps[after - 1], steps[after], _REFINED + 1)))
            fine = times_of(parameters, lambda_, inside, accuracy)[which]
            time = fine if np.isfinite(fine) else time
        times.append(float(time))
    return Losses(*times)
