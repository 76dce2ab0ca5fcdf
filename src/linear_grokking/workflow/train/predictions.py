"""What theory says about one run, for comparison with what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linear_grokking.jobs import expected
from linear_grokking.solvers.trajectory import record_steps
from linear_grokking.theory import (
    adam_limit,
    elliptical,
    large_size,
    linear,
    linear_grokking_time,
    linear_scatter,
    logistic_weight_decay,
    margin,
    quasi_static,
    structured_times,
    two_layer,
)
from linear_grokking.theory.structured_inputs import StructuredProblem

_STEADY = 0.9
"""The least speed of the bias, in units of the learning rate, at which it falls steadily."""


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


_UNCOVERED = Prediction(None, None, "no formula covers this run")


def predict(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Return the theory's times for the accuracy level of a run."""
    if spec["model"] == "logistic":
        return _logistic(spec, accuracy)
    lambda_ = spec["d_in"] / spec["n_train"]
    if spec["solver"] not in _DESCENTS:
        return _other_method(spec, lambda_, accuracy)
    deviation = None
    if spec["model"] == "linear":
        fields = (spec[key] for key in ("eta", "gamma", "d_out", "alpha", "noise"))
        problem: Any = linear.Problem(lambda_, *fields)
        times: Any = linear_grokking_time
        source = "gradient flow at large size (Paper A)"
        if spec.get("law") == "power_law":
            if spec["noise"] > 0:
                return _UNCOVERED
            exponent = spec["spectral_exponent"]
            problem = StructuredProblem(**vars(problem), exponent=exponent)
            times = structured_times
            source = "gradient flow at large size, power-law inputs (Silverstein's equation)"
        else:
            deviation = _deviation(problem, spec, accuracy)
    else:
        fields = (spec[key] for key in ("eta", "d_h", "d_out"))
        problem, times = two_layer.Problem(lambda_, *fields), two_layer
        source = "lazy approximation of wide linear nets (Paper A, Sec. 4.1)"
        if spec["gamma"] > 0:
            source += ", which leaves out the weight decay"
    return Prediction(
        float(times.train_time(problem, spec["epsilon"], accuracy=accuracy)),
        float(times.gen_time(problem, spec["epsilon"], accuracy=accuracy)),
        source,
        deviation,
    )


_DESCENTS = ("spectral", "gradient_flow", "gradient_descent")


def _other_method(spec: Mapping[str, Any], lambda_: float, accuracy: float) -> Prediction:
    """Predict the times of linear regression by another method than gradient descent."""
    plain = all(spec.get(key, value) == value for key, value in expected.PLAIN.items())
    if not plain or lambda_ >= 1:
        return _UNCOVERED
    steps = record_steps(spec["t_max"], spec["records"])
    times = expected.times_of(spec, lambda_, steps, accuracy)
    return Prediction(*times, "the method's polynomial at large size (docs/theory.md)")


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


def _logistic(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Predict the time of the generalization accuracy at large size, where a formula does."""
    lambda_ = spec["d"] / spec["n_train"]
    settles = (
        spec["loss"] in ("cross_entropy", "exponential")  # the tail e^m of both
        and spec["bias"]
        and spec["label_fraction"] == 1
        and accuracy > 0.5
    )
    if spec["law"] in _OTHER_LAWS and settles and spec["solver"] != "adam":
        return _other_law(spec, lambda_, accuracy)
    covered = settles and spec["law"] == "gaussian"
    if spec["solver"] == "adam":
        covered = covered and spec["adam_epsilon"] == 0 and spec["beta1"] <= spec["beta2"]
        return _adam(spec, accuracy, lambda_) if covered else _UNCOVERED
    if covered and spec.get("gamma", 0.0) > 0:
        return _logistic_with_decay(spec, lambda_, accuracy)
    if covered and 1e-4 <= lambda_ <= 0.4999:
        log_time = large_size.log_time_to_accuracy(lambda_, spec["eta"], accuracy)
        source = "large size, once the weights have settled (Paper B, Sec. 3)"
        return Prediction(None, float(np.exp(log_time)), source)
    if covered and lambda_ > 0.5:
        limit = float(margin.limit_gen_accuracy(lambda_, spec["sigma"]))
        source = f"limit of the accuracy at large size: {limit:.4g} (Paper B, Sec. 3)"
        return Prediction(None, np.inf if limit < accuracy else None, source)
    return _UNCOVERED


_OTHER_LAWS = ("rademacher", "uniform", "student_t", "elliptical")
"""Laws beyond the papers' whose times below λ = ½ are known."""


def _other_law(spec: Mapping[str, Any], lambda_: float, accuracy: float) -> Prediction:
    """Predict the time of inputs with other entries, or with a random radius."""
    if spec.get("gamma", 0.0) > 0 or not 1e-4 <= lambda_ <= 0.4999:
        return _UNCOVERED
    if spec["law"] == "elliptical":
        radius = spec["radius_ratio"], spec["far_share"]
        log_time = elliptical.log_time_to_accuracy(lambda_, *radius, spec["eta"], accuracy)
        source = "large size and random radius, once the weights have settled (Fig. B22)"
    else:
        log_time = large_size.log_time_to_accuracy(lambda_, spec["eta"], accuracy)
        source = "large size, as for Gaussian entries, once the weights have settled (Fig. B22)"
    return Prediction(None, float(np.exp(min(log_time, 700.0))), source)


def _adam(spec: Mapping[str, Any], accuracy: float, lambda_: float) -> Prediction:
    """Predict the same of Adam, where its bias falls steadily and its steps are small."""
    eta, beta1, beta2 = (spec[key] for key in ("eta", "beta1", "beta2"))
    if 1e-4 <= lambda_ <= 0.4999:
        speed = float(adam_limit.bias_speed(eta, beta1, beta2))
        if speed < _STEADY * eta:
            source = f"none; the bias slows down to {speed:.3g} a step, as beta2 forgets so slowly"
            return Prediction(None, None, source)
        time = float(adam_limit.time_to_accuracy(lambda_, eta, beta1, beta2, accuracy))
        return Prediction(None, time, f"large size, the bias falling by {speed:.3g} a step (ours)")
    if not 0.5001 <= lambda_ <= 1000:
        return _UNCOVERED
    limit = float(adam_limit.limit_gen_accuracy(lambda_, spec["sigma"], spec["d"]))
    step = float(adam_limit.output_step(eta, spec["sigma"], spec["d"]))
    source = f"limit of the accuracy at large size and small steps: {limit:.4g} (ours)"
    if step > 1.0:
        source += f"; here a step moves an output by up to {step:.2g}, more than 1"
        return Prediction(None, None, source)
    return Prediction(None, np.inf if limit < accuracy else None, source)


def _logistic_with_decay(spec: Mapping[str, Any], lambda_: float, accuracy: float) -> Prediction:
    """Predict the time where the weights alone decay, and whether it exists where all do."""
    sigma, gamma, eta = (spec[key] for key in ("sigma", "gamma", "eta"))
    if spec["decay"] == "weights":
        time = quasi_static.time_to_accuracy(lambda_, sigma, gamma, eta, accuracy)
        source = (
            "weights that follow the bias at large size (Fig. B18); the true time is later by a "
            f"share of about 1/(lr g t) = {1 / (eta * gamma * time):.2g}"
        )
        return Prediction(None, float(time), source)
    end = logistic_weight_decay.minimum(lambda_, sigma, gamma, spec["loss"])
    source = f"accuracy at the end at large size: {end.accuracy:.4g} (Fig. B18)"
    return Prediction(None, np.inf if end.accuracy < accuracy else None, source)
