"""What theory says about one run, for comparison with what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linear_grokking.jobs import expected
from linear_grokking.theory import (
    adam_limit,
    elliptical,
    large_rates,
    large_size,
    linear,
    linear_grokking_time,
    linear_optimizers,
    linear_scatter,
    logistic_weight_decay,
    margin,
    mini_batches,
    quasi_static,
    structured_inputs,
    structured_times,
    two_layer,
)
from linear_grokking.theory.structured_inputs import StructuredProblem

STEADY = 0.9
"""The least speed of the bias, in units of the learning rate, at which it falls steadily."""
_UNIT_OF_TIME: Mapping[str, float] = {"cross_entropy": 2.5, "exponential": 1.0}
"""Learning rates up to which they are a unit of time, over the largest stable one (Fig. B20)."""


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


MANY_MODES = f"at least {linear_scatter.MANY_MODES} modes per output that carry the loss then"
SMALL_DEVIATION = f"a deviation of at most {linear_scatter.MOST_PERCENT} % of that time"
"""What the scatter of t*_gen needs."""

UNCOVERED = Prediction(None, None, "no formula covers this run")


def predict(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Return the theory's times for the accuracy level of a run.

    Parameters
    ----------
    spec
        Of the run; it may hold λ besides, where that is to be another than the sizes'.
    """
    lacking = gaps(spec, accuracy)
    if lacking == [_GAUSSIAN] and spec["law"] in OTHER_LAWS and spec["solver"] != "adam":
        return _other_law(spec, lambda_of(spec), accuracy)
    if lacking:
        source = f"{UNCOVERED.source}; it would need {', '.join(lacking)}"
        return Prediction(None, None, source)
    if spec["model"] == "logistic":
        return _logistic(spec, accuracy)
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
            source += ", which leaves out the weight decay"
    return Prediction(
        float(times.train_time(problem, spec["epsilon"], accuracy=accuracy)),
        float(times.gen_time(problem, spec["epsilon"], accuracy=accuracy)),
        source,
        deviation,
    )


_GAUSSIAN = "Gaussian inputs"
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


def gaps(spec: Mapping[str, Any], accuracy: float) -> list[str]:
    """Return what a run would need for a formula to cover it; empty where one does."""
    if spec["model"] == "logistic":
        needs = {
            _GAUSSIAN: spec["law"] == "gaussian",
            "a loss with the tail e^m": spec["loss"] in ("cross_entropy", "exponential"),
            "a bias": spec["bias"],
            "one label (label_fraction 1)": spec["label_fraction"] == 1,
            "an accuracy above 0.5": accuracy > 0.5,
        }
        if spec["solver"] == "adam":
            needs["adam_epsilon 0"] = spec["adam_epsilon"] == 0
            needs["beta1 <= beta2"] = spec["beta1"] <= spec["beta2"]
        elif spec.get("gamma", 0.0) == 0 and all(needs.values()):
            largest = _largest_rate(spec)
            needs[f"a learning rate up to {largest:.3g}"] = spec["eta"] <= largest
    elif spec["solver"] == "adam":
        needs = {"another solver than adam": False}
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
    return [need for need, met in needs.items() if not met]


_PLAIN = expected.PLAIN.items()


def _largest_rate(spec: Mapping[str, Any]) -> float:
    """Return the learning rate up to which it is no more than a unit of time."""
    if abs(spec["b0"]) > 700 or (spec["solver"] == "gradient_flow" and spec["gd_steps"] == 0):
        return np.inf
    problem = lambda_of(spec), spec["sigma"], spec["b0"], spec["loss"]
    return _UNIT_OF_TIME[spec["loss"]] * float(large_rates.critical_rate(*problem))


def _stability(spec: Mapping[str, Any]) -> dict[str, bool]:
    """Return what steps of regression need not to diverge."""
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
    """Return what mini-batches of stable steps need for their mean losses to fall."""
    sizes = lambda_of(spec), spec["eta"], spec["d_in"], spec["batch_size"]
    return {"noise of the batches with a gain below 1": bool(mini_batches.instability(*sizes) < 1)}


def _other_method(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Predict the times of linear regression by another method than gradient descent."""
    found = expected.first_times(spec, lambda_of(spec), accuracy)
    train, gen = (time if np.isfinite(time) else None for time in found)
    source = "the method's polynomial at large size (docs/theory.md)"
    if None in (train, gen):
        source += f", not within {expected.most_steps(spec['solver'])} steps"
    return Prediction(train, gen, source)


def scatter_of(
    problem: linear.Problem, spec: Mapping[str, Any], accuracy: float
) -> tuple[float | None, dict[str, bool]]:
    """Return how much t*_gen differs between draws, and what the formula for that needs."""
    at = {"epsilon": spec["epsilon"], "accuracy": accuracy}
    time = linear_grokking_time.gen_time(problem, **at)
    if not 0 < time < np.inf:
        return None, {"a time that comes, and not at once": False}
    deviation = float(linear_scatter.gen_time_deviation(problem, spec["d_in"], **at))
    modes = linear_scatter.effective_modes(time, problem, spec["d_in"])
    needs = {MANY_MODES: modes >= linear_scatter.MANY_MODES * spec["d_out"]}
    needs[SMALL_DEVIATION] = deviation <= linear_scatter.MOST_PERCENT / 100 * time
    return deviation if all(needs.values()) else None, needs


def _logistic(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Predict the time of the generalization accuracy at large size, where a formula does."""
    lambda_ = lambda_of(spec)
    if spec["solver"] == "adam":
        return _adam(spec, accuracy, lambda_)
    if spec.get("gamma", 0.0) > 0:
        return _logistic_with_decay(spec, lambda_, accuracy)
    if 1e-4 <= lambda_ <= 0.4999:
        return _settled(
            spec, accuracy, "large size, once the weights have settled (Paper B, Sec. 3)"
        )
    if lambda_ > 0.5:
        limit = float(margin.limit_gen_accuracy(lambda_, spec["sigma"]))
        source = f"limit of the accuracy at large size: {limit:.4g} (Paper B, Sec. 3)"
        return Prediction(None, np.inf if limit < accuracy else None, source)
    return UNCOVERED


def _settled(spec: Mapping[str, Any], accuracy: float, source: str) -> Prediction:
    """Predict the time below ½ where the weights have settled by then."""
    log_time = float(large_size.log_time_to_accuracy(lambda_of(spec), spec["eta"], accuracy))
    settled = large_size.SETTLED / settling_rate(spec)
    if log_time < settled:
        source = (
            f"none; settled weights would take {np.exp(log_time):.3g} steps, but settle by "
            f"step {np.exp(min(settled, 700.0)):.3g}: it comes sooner (Fig. B21)"
        )
        return Prediction(None, None, source)
    return Prediction(None, float(np.exp(log_time)), source)


def settling_rate(spec: Mapping[str, Any]) -> float:
    """Return the power of 1/t with which weights of a Gaussian set below ½ settle, σ²p₋."""
    return spec["sigma"] ** 2 * float(large_size.settling_exponent(lambda_of(spec)))


OTHER_LAWS = ("rademacher", "uniform", "student_t", "elliptical")
"""Laws beyond the papers' whose times below λ = ½ are known."""


def _other_law(spec: Mapping[str, Any], lambda_: float, accuracy: float) -> Prediction:
    """Predict the time of inputs with other entries, or with a random radius."""
    if spec.get("gamma", 0.0) > 0 or not 1e-4 <= lambda_ <= 0.4999:
        return UNCOVERED
    if spec["law"] == "elliptical":
        radius = spec["radius_ratio"], spec["far_share"]
        log_time = elliptical.log_time_to_accuracy(lambda_, *radius, spec["eta"], accuracy)
        source = "large size and random radius, once the weights have settled (Fig. B22)"
        return Prediction(None, float(np.exp(min(log_time, 700.0))), source)
    source = "large size, as for Gaussian entries, once the weights have settled (Fig. B22)"
    return _settled(spec, accuracy, source)


def _adam(spec: Mapping[str, Any], accuracy: float, lambda_: float) -> Prediction:
    """Predict the same of Adam, where its bias falls steadily and its steps are small."""
    eta, beta1, beta2 = (spec[key] for key in ("eta", "beta1", "beta2"))
    if 1e-4 <= lambda_ <= 0.4999:
        speed = float(adam_limit.bias_speed(eta, beta1, beta2))
        if speed < STEADY * eta:
            source = f"none; the bias slows down to {speed:.3g} a step, as beta2 forgets so slowly"
            return Prediction(None, None, source)
        time = float(adam_limit.time_to_accuracy(lambda_, eta, beta1, beta2, accuracy))
        return Prediction(None, time, f"large size, the bias falling by {speed:.3g} a step (ours)")
    if not 0.5001 <= lambda_ <= 1000:
        return UNCOVERED
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
