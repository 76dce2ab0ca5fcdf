"""Predicted times of logistic classification, and the conditions of their formulas (Paper B)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from linear_grokking.theory import (
    adam_limit,
    elliptical,
    large_rates,
    large_size,
    logistic_weight_decay,
    margin,
    quasi_static,
)


@dataclass(frozen=True)
class Range:
    """A closed range of λ."""

    first: float
    last: float

    def __contains__(self, lambda_: float) -> bool:
        return self.first <= lambda_ <= self.last

    def __str__(self) -> str:
        return f"{self.first:g} <= lambda <= {self.last:g}"


BELOW_HALF = Range(1e-4, 0.4999)
"""Range in which `large_size` and `elliptical` know the limit direction."""
ABOVE_HALF = Range(0.5001, 1000)
"""Range in which `adam_limit` knows the largest margin in the box."""
OTHER_LAWS = ("rademacher", "uniform", "student_t", "elliptical")
"""Laws beyond the papers' whose times below λ = ½ are known."""
STEADY = 0.9
"""Smallest speed of the bias, in units of the learning rate, that counts as a steady fall."""

_UNIT_OF_TIME: Mapping[str, float] = {"cross_entropy": 2.5, "exponential": 1.0}
"""Largest rates that only set the unit of time, over the largest stable rate (Fig. B20)."""
_START_BIAS, _START_NORM = 0.3, 3.0
"""Largest |b₀| and σ‖S₀‖ that hardly matter, relative to |b| and σ‖S‖ at the accuracy."""
_LEAST_B0 = -1.0
"""From this b₀ on, the accuracy exceeds its limit on the way only if it does so at the start."""

Time = tuple[float | None, str]
"""A time in steps (inf if never, None if no formula applies), and its origin or why it is None."""


def needs(
    spec: Mapping[str, Any], lambda_: float, accuracy: float, *, of_time: bool
) -> dict[str, bool]:
    """Return the conditions for formulas to cover a run, and whether it meets each.

    With ``of_time``, those for its times alone: below λ = ½ some other laws have times, too.
    """
    descends = spec["solver"] != "adam" and spec.get("gamma", 0.0) == 0
    gaussian = spec["law"] == "gaussian"
    has_times = spec["law"] in OTHER_LAWS and descends and lambda_ in BELOW_HALF
    others = {
        "a loss with the tail e^m": spec["loss"] in ("cross_entropy", "exponential"),
        "a bias": spec["bias"],
        "one label (label_fraction 1)": spec["label_fraction"] == 1,
        "an accuracy above 0.5": accuracy > 0.5,
    }
    found = {"Gaussian inputs": gaussian or (of_time and has_times), **others}
    if spec["solver"] == "adam":
        found["adam_epsilon 0"] = spec["adam_epsilon"] == 0
        found["beta1 <= beta2"] = spec["beta1"] <= spec["beta2"]
    elif (gaussian or has_times) and all(others.values()):
        largest = _largest_rate(spec, lambda_)
        found[f"a learning rate up to {largest:.3g}"] = spec["eta"] <= largest
    return found


def _largest_rate(spec: Mapping[str, Any], lambda_: float) -> float:
    """Return the largest learning rate that only sets the unit of time."""
    sigma, loss, gamma = spec["sigma"], spec["loss"], spec.get("gamma", 0.0)
    b0 = np.clip(spec["b0"], -700.0, 700.0)
    if spec["solver"] == "gradient_flow" and spec["gd_steps"] == 0:
        return np.inf
    if gamma > 0 and spec["decay"] == "all":
        return float(large_rates.stable_rate(lambda_, sigma, gamma, b0, loss))
    if spec["law"] == "elliptical":
        radius = spec["radius_ratio"], spec["far_share"]
        wider = elliptical.largest_eigenvalue(lambda_, *radius)
        sigma = sigma * np.sqrt(wider / elliptical.largest_eigenvalue(lambda_, 1.0, 0.0))
    unit = _UNIT_OF_TIME[loss] * float(large_rates.critical_rate(lambda_, sigma, b0, loss))
    return 2.0 / (2.0 / unit + gamma)


def gen_time(spec: Mapping[str, Any], lambda_: float, accuracy: float) -> Time | None:
    """Return when a run that meets its conditions reaches an accuracy on fresh data, at large size.

    The result is None if no formula covers it.
    """
    if _starts_there(spec, accuracy):
        return 0.0, f"the accuracy at the start, with b0 = {spec['b0']:g}"
    if spec["solver"] == "adam":
        return _of_adam(spec, lambda_, accuracy)
    if spec.get("gamma", 0.0) > 0:
        return _with_decay(spec, lambda_, accuracy)
    if lambda_ in BELOW_HALF:
        return _settled(spec, lambda_, accuracy)
    if lambda_ > 0.5:
        limit = float(margin.limit_gen_accuracy(lambda_, spec["sigma"]))
        source = f"limit of the accuracy at large size: {limit:.4g} (Paper B, Sec. 3)"
        return _never(spec, limit < accuracy, source)
    return None


def _starts_there(spec: Mapping[str, Any], accuracy: float) -> bool:
    """Return whether Φ(-b₀/(σ‖S₀‖)), averaged over the radius of an input, is high enough."""
    b0, deviation = spec["b0"], spec["sigma"] * spec["s0_norm"]
    if b0 >= 0:
        return False
    radii, shares = np.ones(1), np.ones(1)
    if spec["law"] == "elliptical":
        far = spec["far_share"]
        radii, shares = elliptical.radii(spec["radius_ratio"], far), np.array([1.0 - far, far])
    with np.errstate(divide="ignore"):
        return float(shares @ ndtr(-b0 / (np.array(radii) * deviation))) >= accuracy


def _never(spec: Mapping[str, Any], below: bool, source: str) -> Time:
    """Return inf if the limit is below the accuracy, or None if no formula gives the time."""
    if below and spec["b0"] < _LEAST_B0:
        return None, f"{source}; with b0 below {_LEAST_B0:g} the accuracy may exceed it on the way"
    return np.inf if below else None, source


def far_start(spec: Mapping[str, Any], lambda_: float, accuracy: float) -> str:
    """Return why gradient descent starts too far from 0 for its formula; empty if it does not.

    The start is compared with -b and σ‖S‖ at the time of the accuracy.
    """
    if spec.get("gamma", 0.0) > 0:
        problem = lambda_, spec["sigma"], spec["gamma"], accuracy
        fall = -float(quasi_static.bias_at_accuracy(*problem))
        norm = fall / float(ndtri(accuracy))
    else:
        theory, law = _theory_of(spec, lambda_)
        log_time = float(theory.log_time_to_accuracy(*law, spec["eta"], accuracy))
        fall = log_time + float(np.log(spec["eta"] * theory.limit_loss(*law)))
        norm = float(theory.limit_norm(*law))
    largest = _START_BIAS * fall, _START_NORM * norm / spec["sigma"]
    if abs(spec["b0"]) <= largest[0] and spec["s0_norm"] <= largest[1]:
        return ""
    return (
        f"the initial values are too far from 0 (the formula needs |b0| <= {largest[0]:.2g} and "
        f"s0_norm <= {largest[1]:.2g})"
    )


def _theory_of(spec: Mapping[str, Any], lambda_: float) -> tuple[Any, tuple[float, ...]]:
    """Return the module for the limit direction below ½, and the arguments of its functions."""
    if spec["law"] == "elliptical":
        return elliptical, (lambda_, spec["radius_ratio"], spec["far_share"])
    return large_size, (lambda_,)


def settling_rate(spec: Mapping[str, Any], lambda_: float) -> float:
    """Return σ²p, the power of 1/t with which the slowest part of the weights settles below ½."""
    theory, law = _theory_of(spec, lambda_)
    return spec["sigma"] ** 2 * float(theory.settling_exponent(*law))


def log_settled(spec: Mapping[str, Any], lambda_: float) -> float:
    """Return ln t from which on the weights have settled below ½."""
    theory, law = _theory_of(spec, lambda_)
    start = -float(np.log(spec["eta"] * theory.limit_loss(*law)))
    return start + large_size.SETTLED / settling_rate(spec, lambda_)


def _settled(spec: Mapping[str, Any], lambda_: float, accuracy: float) -> Time:
    """Return the time below ½, if the weights have settled by then."""
    theory, law = _theory_of(spec, lambda_)
    log_time = float(theory.log_time_to_accuracy(*law, spec["eta"], accuracy))
    settled = log_settled(spec, lambda_)
    if log_time < settled:
        return None, (
            f"none; with settled weights it would take {np.exp(min(log_time, 700.0)):.3g} steps, "
            f"but the weights settle only by step {np.exp(min(settled, 700.0)):.3g}; the actual "
            "time is shorter (Fig. B21)"
        )
    if far := far_start(spec, lambda_, accuracy):
        return None, f"none; {far}"
    source = "large size, once the weights have settled (Paper B, Sec. 3)"
    if spec["law"] == "elliptical":
        source = "large size and random radius, once the weights have settled (Fig. B22)"
    elif spec["law"] != "gaussian":
        source = "large size, as for Gaussian entries, once the weights have settled (Fig. B22)"
    return float(np.exp(min(log_time, 700.0))), source


def adam_times(spec: Mapping[str, Any], lambda_: float, levels: np.ndarray) -> np.ndarray:
    """Return the steps (L,) at which Adam reaches the accuracies Φ(levels), for λ below ½.

    The bias is assumed to fall steadily from b₀.  The result is NaN if the bias falls too slowly
    for that, or if a weight may have as far to go as the bias.
    """
    eta, beta1, beta2 = (spec[key] for key in ("eta", "beta1", "beta2"))
    speed = float(adam_limit.bias_speed(eta, beta1, beta2))
    falls = levels * float(large_size.limit_norm(lambda_)) + spec["b0"]
    held = spec["s0_norm"] <= _START_BIAS * falls * np.sqrt(spec["d"])
    return np.where(held & (speed >= STEADY * eta), falls / speed, np.nan)


def _of_adam(spec: Mapping[str, Any], lambda_: float, accuracy: float) -> Time | None:
    """Return the time with Adam, if the bias falls steadily and the steps are small."""
    eta, beta1, beta2 = (spec[key] for key in ("eta", "beta1", "beta2"))
    if lambda_ in BELOW_HALF:
        speed = float(adam_limit.bias_speed(eta, beta1, beta2))
        if speed < STEADY * eta:
            return None, (
                f"none; the bias slows down to {speed:.3g} per step because beta2 is so close to 1"
            )
        (time,) = adam_times(spec, lambda_, np.array([ndtri(accuracy)]))
        if np.isnan(time):
            return None, "none; s0_norm is so large that the weights may need as long as the bias"
        return float(time), f"large size, the bias falling by {speed:.3g} per step (ours)"
    if lambda_ not in ABOVE_HALF:
        return None
    limit = float(adam_limit.limit_gen_accuracy(lambda_, spec["sigma"], spec["d"]))
    step = float(adam_limit.output_step(eta, spec["sigma"], spec["d"]))
    source = f"limit of the accuracy at large size and small steps: {limit:.4g} (ours)"
    if step > 1.0:
        return None, f"{source}; here an output changes by up to {step:.2g} per step, more than 1"
    return _never(spec, limit < accuracy, source)


def _with_decay(spec: Mapping[str, Any], lambda_: float, accuracy: float) -> Time:
    """Return the time if only the weights decay; if all parameters do, inf or None."""
    sigma, gamma, eta = (spec[key] for key in ("sigma", "gamma", "eta"))
    if spec["decay"] == "weights":
        if far := far_start(spec, lambda_, accuracy):
            return None, f"none; {far}"
        time = float(quasi_static.time_to_accuracy(lambda_, sigma, gamma, eta, accuracy))
        return time, (
            "weights that follow the bias at large size (Fig. B18); the true time is longer by a "
            f"fraction of about 1/(lr g t) = {1 / (eta * gamma * time):.2g}"
        )
    end = logistic_weight_decay.minimum(lambda_, sigma, gamma, spec["loss"])
    source = f"final accuracy at large size: {end.accuracy:.4g} (Fig. B18)"
    return _never(spec, bool(end.accuracy < accuracy), source)
