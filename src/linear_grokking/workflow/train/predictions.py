"""What theory says about one run, for comparison with what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.jobs import expected
from linear_grokking.solvers.trajectory import record_steps
from linear_grokking.theory import (
    linear,
    linear_grokking_time,
    linear_optimizers,
    linear_scatter,
    mini_batches,
    structured_times,
    two_layer,
)
from linear_grokking.theory.first_order import Momentum
from linear_grokking.theory.structured_inputs import StructuredProblem
from linear_grokking.workflow.train import classification_times


@dataclass(frozen=True)
class Prediction:
    """Predicted first times at which the accuracies reach a level, in steps.

    Attributes
    ----------
    train_time, gen_time
        inf where never, None where no formula says.
    source
        What the prediction is.
    gen_time_deviation
        Standard deviation of the second time over draws, None where no formula says.
    """

    train_time: float | None
    gen_time: float | None
    source: str
    gen_time_deviation: float | None = None


UNCOVERED = Prediction(None, None, "no formula covers this run")


def predict(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Return the theory's times for the accuracy level of a run.

    Parameters
    ----------
    spec
        Of the run; it may hold λ besides, where that is to be another than the sizes'.
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
            deviation = _deviation(problem, spec, accuracy)
    else:
        times = two_layer
        source = "lazy approximation of wide linear nets (Paper A, Sec. 4.1)"
        if spec["gamma"] > 0:
            source += ", which leaves out the weight decay"
    return Prediction(
        float(times.train_time(problem, spec["epsilon"], accuracy=accuracy)),
        float(times.gen_time(problem, spec["epsilon"], accuracy=accuracy)),
        source,
        deviation,
    )


DESCENTS = ("spectral", "gradient_flow", "gradient_descent")
"""The solvers that descend along the gradient, in steps or as a flow."""


def lambda_of(spec: Mapping[str, Any]) -> float:
    """Return λ of a run: as it is given, or what the sizes make."""
    d_in = spec["d"] if spec["model"] == "logistic" else spec["d_in"]
    return spec.get("lambda", d_in / spec["n_train"])


def problem_of(spec: Mapping[str, Any]) -> Any:
    """Return the problem of theory that a run of regression, or of a two-layer net, poses."""
    lambda_ = lambda_of(spec)
    if spec["model"] == "two_layer":
        return two_layer.Problem(lambda_, *(spec[key] for key in ("eta", "d_h", "d_out")))
    fields = (spec[key] for key in ("eta", "gamma", "d_out", "alpha", "noise"))
    problem = linear.Problem(lambda_, *fields)
    if spec.get("law") == "power_law":
        return StructuredProblem(**vars(problem), exponent=spec["spectral_exponent"])
    return problem


def gaps(spec: Mapping[str, Any], accuracy: float, *, of_time: bool = False) -> list[str]:
    """Return what a run would need for a formula to cover it; empty where one does.

    ``of_time`` asks for that of its times alone, which may need less.
    """
    if spec["model"] == "logistic":
        needs = classification_times.needs(spec, lambda_of(spec), accuracy)
        if of_time and classification_times.has_time_of_its_own(spec, lambda_of(spec)):
            del needs[classification_times.GAUSSIAN]
    elif spec["solver"] == "adam":
        needs = {"another solver than adam": False}
    elif spec["model"] == "two_layer":
        needs = {}
    elif spec["solver"] in DESCENTS:
        structured = spec.get("law") == "power_law"
        needs = {"labels without noise, as the inputs follow a power law": not structured}
        needs = needs if spec["noise"] > 0 else {}
    else:
        needs = {f"{key} {value}": spec.get(key, value) == value for key, value in _PLAIN}
        needs["lambda below 1"] = lambda_of(spec) < 1
        if spec["solver"] == "sgd" and all(needs.values()):
            needs |= _stability(spec)
    return [need for need, met in needs.items() if not met]


_PLAIN = expected.PLAIN.items()


def _stability(spec: Mapping[str, Any]) -> dict[str, bool]:
    """Return what mini-batches need for their mean losses to fall."""
    lambda_, eta = lambda_of(spec), spec["eta"]
    limit = linear_optimizers.divergence_rate(lambda_, Momentum(eta, 0.0))
    if eta >= limit:
        return {f"eta below {limit:.6g}": False}
    gain = mini_batches.instability(lambda_, eta, spec["d_in"], spec["batch_size"])
    return {"noise of the batches with a gain below 1": bool(gain < 1)}


def _other_method(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Predict the times of linear regression by another method than gradient descent."""
    steps = record_steps(spec["t_max"], spec["records"])
    times = expected.times_of(spec, lambda_of(spec), steps, accuracy)
    train, gen = (float(time) for time in times)
    return Prediction(train, gen, "the method's polynomial at large size (docs/theory.md)")


def _deviation(problem: linear.Problem, spec: Mapping[str, Any], accuracy: float) -> float | None:
    """Return how much t*_gen differs between draws, where enough modes carry the loss."""
    at = {"epsilon": spec["epsilon"], "accuracy": accuracy}
    time = linear_grokking_time.gen_time(problem, **at)
    if not 0 < time < np.inf:
        return None
    modes = linear_scatter.effective_modes(time, problem, spec["d_in"])
    if modes < linear_scatter.MANY_MODES:
        return None
    return float(linear_scatter.gen_time_deviation(problem, spec["d_in"], **at))
