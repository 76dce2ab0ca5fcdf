"""Predicted losses and accuracies at the steps that `train` would record."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from linear_grokking.jobs import expected
from linear_grokking.solvers.trajectory import record_steps
from linear_grokking.theory import (
    large_size,
    linear,
    quasi_static,
    structured_inputs,
    two_layer,
)
from linear_grokking.theory.structured_inputs import StructuredProblem
from linear_grokking.workflow.predict import classification_times
from linear_grokking.workflow.predict.times import DESCENTS, gaps, problem_of

_LEVELS = np.linspace(1e-3, 8.0, 2000)
"""Values of Φ⁻¹ of an accuracy; Φ of the last one is 1 up to 6e-16."""
_ALL = 1.0 - 1e-12
"""Accuracy above which Φ⁻¹ loses its digits."""
_PASSAGES = 32
"""Number of values of the bias at which the weights that follow it are computed, for a spline."""
_LARGEST_BIAS = 200.0
"""Largest -b that is considered; `quasi_static` accepts none larger."""


def curve(spec: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return ``step`` and the predictions there, as columns (T,) named as in a history.

    For classification the only prediction is the accuracy on fresh data.  It is NaN until the
    accuracy exceeds chance level and the weights have settled.

    Parameters
    ----------
    spec
        Spec of a run, with λ.

    Raises
    ------
    ValueError
        If theory predicts no curve; the message is one line.
    """
    lacking = gaps(spec, 0.95)
    if lacking:
        raise ValueError(f"theory predicts no curve for this run: it needs {' and '.join(lacking)}")
    steps = record_steps(spec["t_max"], spec["records"])
    if spec["model"] == "logistic":
        return {"step": steps, "gen_accuracy": _gen_accuracy(spec, steps)}
    train, gen = losses(spec, steps)
    accuracies = (linear.accuracy(each, spec["epsilon"], spec["d_out"]) for each in (train, gen))
    names = ("train_loss", "gen_loss", "train_accuracy", "gen_accuracy")
    return {"step": steps, **dict(zip(names, (train, gen, *accuracies), strict=True))}


def losses(spec: Mapping[str, Any], steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the training and generalization losses (T,) of a run that a formula covers.

    Gradient descent on isotropic inputs takes discrete steps here; with power-law inputs and in
    two-layer nets it is replaced by gradient flow.
    """
    if spec["solver"] not in DESCENTS:
        most = expected.most_steps(spec["solver"])
        if steps[-1] > most:
            raise ValueError(
                f"t_max = {steps[-1]:g}: theory follows {spec['solver']} step by step; "
                f"must be at most {most}"
            )
        found = expected.losses_of(spec, spec["lambda"], steps)
        return found.train, found.gen
    problem = problem_of(spec)
    if isinstance(problem, StructuredProblem):
        of: Any = structured_inputs
    elif spec["model"] == "two_layer":
        of = two_layer
    else:
        exact = {"discrete": True}
        return linear.train_loss(steps, problem, **exact), linear.gen_loss(steps, problem, **exact)
    return of.train_loss(steps, problem), of.gen_loss(steps, problem)


def _gen_accuracy(spec: Mapping[str, Any], steps: np.ndarray) -> np.ndarray:
    """Return the accuracy (T,) on fresh data; NaN at steps before the first passage."""
    log_times, levels = _passages(spec)
    with np.errstate(divide="ignore"):
        level = np.interp(np.log(steps), log_times, levels, left=np.nan)
    return ndtr(level)


def _passages(spec: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return ln t, ascending, and Φ⁻¹ of the accuracies that are reached at these times."""
    lambda_ = spec["lambda"]
    below = lambda_ in classification_times.BELOW_HALF
    if spec["solver"] == "adam":
        if below:
            times = classification_times.adam_times(spec, lambda_, _LEVELS)
            if np.any(known := np.isfinite(times)):
                return np.log(times[known]), _LEVELS[known]
    elif spec.get("gamma", 0.0) > 0:
        if spec["decay"] == "weights":
            _check_start(spec)
            return _decayed((lambda_, spec["sigma"], spec["gamma"], spec["eta"]))
    elif below:
        _check_start(spec)
        return _settled(spec)
    raise ValueError(
        f"theory predicts no accuracy curve for this run at lambda = {lambda_:g}, at most the "
        "final accuracy; omit --curve to see that"
    )


def _check_start(spec: Mapping[str, Any]) -> None:
    """Raise an error if gradient descent starts too far from 0."""
    if far := classification_times.far_start(spec, spec["lambda"], 0.95):
        raise ValueError(f"theory predicts no curve for this run: {far}")


def _settled(spec: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return `_passages` from the time at which the weights have settled."""
    lambda_, eta = spec["lambda"], spec["eta"]
    first = classification_times.log_settled(spec, lambda_)
    if np.log(spec["t_max"]) < first:
        settled = f"{np.exp(min(first, 700.0)):.3g}"
        raise ValueError(
            f"t_max = {spec['t_max']:g}: theory predicts the curve only from step {settled} on, "
            "once the weights have settled"
        )
    log_times = _linear(lambda a: large_size.log_time_to_accuracy(lambda_, eta, a))
    settled = log_times >= first
    return log_times[settled], _LEVELS[settled]


def _linear(time: Callable[[float], Any]) -> np.ndarray:
    """Evaluate at `_LEVELS` a function of the accuracy that is linear in Φ⁻¹, from two values."""
    first, last = 0.5, 2.0
    start, end = (float(time(float(ndtr(level)))) for level in (first, last))
    return start + (_LEVELS - first) * (end - start) / (last - first)


def _decayed(problem: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return `_passages` for weights that follow the bias."""
    from scipy.interpolate import CubicSpline

    # Stop where the accuracy is so close to 1 that no digits are left.
    lambda_, sigma, gamma, _ = problem
    last = quasi_static.bias_at_accuracy(lambda_, sigma, gamma, _ALL)
    largest = min(-float(last), _LARGEST_BIAS)
    sizes = largest * np.linspace(1.0 / _PASSAGES, 1.0, _PASSAGES)
    found = quasi_static.passage(-sizes, *problem)
    # The time is proportional to the bias at first; their ratio is smooth.
    ratio_and_level = [np.log(found.time / sizes), ndtri(found.accuracy)]
    between = CubicSpline(sizes, ratio_and_level, axis=1)
    fine = largest * np.geomspace(1e-3, 1.0, _LEVELS.size)
    log_ratios, levels = between(fine)
    return log_ratios + np.log(fine), levels
