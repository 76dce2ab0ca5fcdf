"""Predicted times at which a run reaches an accuracy, for `train` and the table of `predict`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.jobs import expected
from linear_grokking.theory import (
    linear,
    linear_grokking_time,
    linear_optimizers,
    linear_scatter,
    mini_batches,
    structured_inputs,
    structured_times,
    two_layer,
)
from linear_grokking.theory.structured_inputs import StructuredProblem
from linear_grokking.workflow.predict import classification_times


@dataclass(frozen=True)
class Prediction:
    """Predicted first times at which the accuracies reach a level, in steps.

    Attributes
    ----------
    train_time, gen_time
        inf if the accuracy is never reached, None if no formula applies.
    source
        Origin of the prediction, or why there is none.
    gen_time_deviation
        Standard deviation of ``gen_time`` over draws, None if no formula applies.
    """

    train_time: float | None
    gen_time: float | None
    source: str
    gen_time_deviation: float | None = None


MANY_MODES = f"at least {linear_scatter.MANY_MODES} modes per output carrying the loss at t_gen"
SMALL_DEVIATION = f"a deviation of at most {linear_scatter.MOST_PERCENT} % of t_gen"
"""The conditions for the scatter of t*_gen."""

UNCOVERED = Prediction(None, None, "no formula covers this run")


def predicted_times(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Return the predicted times at which a run reaches an accuracy.

    Parameters
    ----------
    spec
        Spec of the run; it may also hold λ, which then overrides the λ of the sizes.
    """
    lacking = gaps(spec, accuracy, of_time=True)
    if lacking:
        source = f"{UNCOVERED.source}; it would need {', '.join(lacking)}"
        return Prediction(None, None, source)
    if spec["model"] == "logistic":
        try:
            found = classification_times.gen_time(spec, lambda_of(spec), accuracy)
        except LinearGrokkingError as error:  # where an iteration does not converge
            found = None, f"none; {error}"
        return UNCOVERED if found is None else Prediction(None, *found)
    if spec["solver"] not in DESCENTS:
        return _other_method(spec, accuracy)
    deviation = None
    problem = problem_of(spec)
    if spec["model"] == "linear":
        times: Any = linear_grokking_time
        source = "gradient flow at large size (Paper A)"
        if isinstance(problem, StructuredProblem):
            times = structured_times
            source = "gradient flow at large size, power-law inputs (Silverstein's equation)"
        else:
            deviation, _ = scatter_of(problem, spec, accuracy)
    else:
        times = two_layer
        source = "lazy approximation of wide linear nets (Paper A, Sec. 4.1)"
        if spec["gamma"] > 0:
            source += ", which neglects the weight decay"
    return Prediction(
        float(times.train_time(problem, spec["epsilon"], accuracy=accuracy)),
        float(times.gen_time(problem, spec["epsilon"], accuracy=accuracy)),
        source,
        deviation,
    )


DESCENTS = ("spectral", "gradient_flow", "gradient_descent")
"""The solvers of plain gradient descent, in steps or as a flow."""
_COVERED: Mapping[str, tuple[str, ...]] = {
    "linear": (*DESCENTS, *expected.METHODS),
    "two_layer": DESCENTS,
    "logistic": (*DESCENTS, "adam"),
}
"""The solvers that the theory of a model knows."""


def lambda_of(spec: Mapping[str, Any]) -> float:
    """Return λ of a run: the given value, or the ratio of the sizes."""
    d_in = spec["d"] if spec["model"] == "logistic" else spec["d_in"]
    return spec.get("lambda", d_in / spec["n_train"])


def problem_of(spec: Mapping[str, Any]) -> Any:
    """Return the theory's problem for a run of regression or of a two-layer net."""
    lambda_ = lambda_of(spec)
    if spec["model"] == "two_layer":
        return two_layer.Problem(lambda_, *(spec[key] for key in ("eta", "d_h", "d_out")))
    fields = (spec[key] for key in ("eta", "gamma", "d_out", "alpha", "noise"))
    problem = linear.Problem(lambda_, *fields)
    if spec.get("law") == "power_law":
        return StructuredProblem(**vars(problem), exponent=spec["spectral_exponent"])
    return problem


def gaps(spec: Mapping[str, Any], accuracy: float, *, of_time: bool = False) -> dict[str, bool]:
    """Return the conditions that a run fails to meet for a formula to cover it, each with False.

    With ``of_time``, return only those for a formula of its times, which may need less.
    """
    if spec["solver"] not in _COVERED[spec["model"]]:
        needs = {f"a solver other than {spec['solver']}": False}
    elif spec["model"] == "logistic":
        needs = classification_times.needs(spec, lambda_of(spec), accuracy, of_time=of_time)
    elif spec["model"] == "two_layer":
        needs = _stability(spec)
    elif spec["solver"] in DESCENTS:
        structured = spec.get("law") == "power_law"
        needs = {"labels without noise, as the inputs follow a power law": not structured}
        needs = _stability(spec) | (needs if spec["noise"] > 0 else {})
    else:
        needs = {f"{key} {value}": spec.get(key, value) == value for key, value in _PLAIN}
        needs["lambda below 1"] = lambda_of(spec) < 1
        if all(needs.values()):
            needs |= _stability(spec)
        if spec["solver"] == "sgd" and all(needs.values()):
            needs |= _quiet_batches(spec)
    return {need: False for need, met in needs.items() if not met}


_PLAIN = expected.PLAIN.items()


def _stability(spec: Mapping[str, Any]) -> dict[str, bool]:
    """Return the condition for the steps of a regression not to diverge."""
    if spec["solver"] in ("gradient_flow", "conjugate_gradients"):
        return {}
    problem = problem_of(spec)
    if spec["solver"] not in DESCENTS:
        limit = linear_optimizers.divergence_rate(problem.lambda_, expected.method_of(spec))
    elif isinstance(problem, two_layer.Problem):
        limit = two_layer.divergence_rate(problem)
    elif isinstance(problem, StructuredProblem):
        limit = structured_inputs.divergence_rate(problem)
    else:
        limit = linear.divergence_rate(problem)
    return {f"eta below {limit:.6g}": bool(spec["eta"] < limit)}


def _quiet_batches(spec: Mapping[str, Any]) -> dict[str, bool]:
    """Return the condition for the mean losses of mini-batches to fall if the steps are stable."""
    sizes = lambda_of(spec), spec["eta"], spec["d_in"], spec["batch_size"]
    return {"a mini-batch noise gain below 1": bool(mini_batches.instability(*sizes) < 1)}


def _other_method(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Predict the times of linear regression by a method other than gradient descent."""
    found = expected.first_times(spec, lambda_of(spec), accuracy)
    train, gen = (time if np.isfinite(time) else None for time in found)
    source = "the method's polynomial at large size (docs/theory.md)"
    if None in (train, gen):
        source += f", not within {expected.most_steps(spec['solver'])} steps"
    return Prediction(train, gen, source)


def scatter_of(
    problem: linear.Problem, spec: Mapping[str, Any], accuracy: float
) -> tuple[float | None, dict[str, bool]]:
    """Return the standard deviation of t*_gen between draws, and the conditions of its formula."""
    at = {"epsilon": spec["epsilon"], "accuracy": accuracy}
    time = linear_grokking_time.gen_time(problem, **at)
    if not 0 < time < np.inf:
        return None, {"a t_gen that is finite and not 0": False}
    deviation = float(linear_scatter.gen_time_deviation(problem, spec["d_in"], **at))
    modes = linear_scatter.effective_modes(time, problem, spec["d_in"])
    needs = {MANY_MODES: modes >= linear_scatter.MANY_MODES * spec["d_out"]}
    needs[SMALL_DEVIATION] = deviation <= linear_scatter.MOST_PERCENT / 100 * time
    return deviation if all(needs.values()) else None, needs
