"""What Paper A's one-layer and two-layer models share: errors, accuracies, histories.

Array-generic: every function takes NumPy arrays or torch tensors, with any leading axes
(realizations) before those it names.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace

Array = Any
Params = tuple[Array, ...]
Observables = dict[str, Array]


SINGLE_PRECISION_EPSILON = 1e-8


@dataclass(frozen=True)
class TeacherStudentHistory:
    """Observables of one realization along the recorded steps, all float64 (records,).

    Attributes
    ----------
    steps
        Recorded GD steps, 0 the initial state.
    train_loss, gen_loss
        Mean squared error per output on the training set, and on fresh data.
    train_accuracy, gen_accuracy
        Fraction of samples whose squared error per output is at most ε.
    gen_loss_error
        Standard error of `gen_loss` where it is sampled; None where it is exact.
    """

    steps: np.ndarray
    train_loss: np.ndarray
    gen_loss: np.ndarray
    train_accuracy: np.ndarray
    gen_accuracy: np.ndarray
    gen_loss_error: np.ndarray | None = None


def sample_errors(residual: Array) -> Array:
    """Return the squared error per output, (..., n) from residuals (..., n, d_out)."""
    return array_namespace(residual).mean(residual * residual, axis=-1)


def accuracy(errors: Array, epsilon: float) -> Array:
    """Return the fraction (...) of samples with errors (..., n) at most ε (Paper A, Sec. 2)."""
    xp = array_namespace(errors)
    return xp.mean(xp.astype(errors <= epsilon, xp.float64), axis=-1)


def population_loss(deviation: Array) -> Array:
    """Return L_gen = ‖D‖²_F/d_out, (...) from deviations D (..., d_in, d_out).

    The expectation of a linear net's squared error per output over x ~ N(0, I).
    """
    xp = array_namespace(deviation)
    return xp.sum(deviation * deviation, axis=(-2, -1)) / deviation.shape[-1]


def check_epsilon(epsilon: float) -> None:
    """Raise ValueError unless the accuracy threshold ε is a positive finite number."""
    if not 0 < epsilon < float("inf"):
        raise ValueError(f"epsilon = {epsilon}: must be a positive finite number")


def check_rates(eta: float, gamma: float) -> None:
    """Raise ValueError unless η is positive and γ not negative, both finite."""
    if not 0 < eta < float("inf"):
        raise ValueError(f"eta = {eta}: must be a positive finite number")
    if not 0 <= gamma < float("inf"):
        raise ValueError(f"gamma = {gamma}: must be a finite number, at least 0")


def working_precision(epsilon: float) -> type:
    """Return the dtype in which samples' errors are good enough to compare with ε.

    Rounding to float32 moves an error of size ε by about 1e-7 √(ε L_gen), with L_gen at
    most of order 1: negligible unless ε is tiny.
    """
    return np.float32 if epsilon > SINGLE_PRECISION_EPSILON else np.float64


def recorded_steps(steps: np.ndarray) -> np.ndarray:
    """Return the recorded steps as a float64 array.

    Raises
    ------
    ValueError
        Unless they are a non-empty, strictly increasing list of whole numbers from 0 on.
    """
    steps = np.asarray(steps, np.float64)
    if (
        steps.ndim != 1
        or len(steps) == 0
        or not np.all(np.isfinite(steps))
        or steps[0] < 0
        or np.any(np.diff(steps) <= 0)
        or np.any(steps != np.rint(steps))
    ):
        raise ValueError(
            "steps: must be a non-empty, strictly increasing list of whole numbers from 0 on"
        )
    return steps
