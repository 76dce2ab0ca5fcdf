"""Predictions for logistic classification (Paper B)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from linear_grokking.theory import (
    adam_limit,
    large_size,
    logistic_weight_decay,
    margin,
)
from linear_grokking.workflow.predict import classification_times
from linear_grokking.workflow.predict.classification_times import ABOVE_HALF, BELOW_HALF
from linear_grokking.workflow.predict.curves import curve
from linear_grokking.workflow.predict.other_sets import add_limit
from linear_grokking.workflow.predict.quantities import Needs, Rows
from linear_grokking.workflow.predict.times import gaps, predicted_times

_ABOVE = "lambda > 0.5"
_LARGE = "large d_in, Gaussian inputs of one label"


def add(rows: Rows, spec: Mapping[str, Any], accuracy: float) -> None:
    """Add the predictions for sets of one label: times, limits, and their ingredients."""
    lambda_ = spec["lambda"]
    covered = gaps(spec, accuracy)
    below = covered | {str(BELOW_HALF): lambda_ in BELOW_HALF}
    above = covered | {_ABOVE: lambda_ > 0.5}
    _add_time(rows, spec, accuracy)
    if spec["solver"] == "adam":
        _add_adam(rows, spec, below, covered)
    elif spec.get("gamma", 0.0) > 0:
        _add_decayed(rows, spec, accuracy, covered)
        return
    else:
        _add_separable(rows, spec, above, covered)
    _add_limit_direction(rows, spec, below)


def _add_time(rows: Rows, spec: Mapping[str, Any], accuracy: float) -> None:
    """Add t_train, t_gen and the accuracy at the last step."""
    found = predicted_times(spec, accuracy)
    covered = gaps(spec, accuracy, of_time=True)
    solver, decay = spec["solver"], spec.get("gamma", 0.0) > 0
    if solver == "adam":
        source = "ours (docs/theory.md, Below one half: the speed of the bias)"
        holds = f"{BELOW_HALF}, {_LARGE}; small steps, weights that have settled"
    elif decay:
        source = "ours (docs/theory.md, Weight decay of all parameters, or of the weights alone)"
        slow = "slow weight decay (t >> 1/(lr g)), a start near 0"
        holds = f"any lambda, {_LARGE}; decay: weights, {slow}"
    elif spec["law"] in classification_times.OTHER_LAWS:
        title = "What does not depend on the law of the inputs"
        if spec["law"] == "elliptical":
            title = "A random radius"
        source = f"ours (docs/theory.md, {title})"
        holds = f"{BELOW_HALF}, large d_in, one label; weights that have settled; a start near 0"
    else:
        source = "Paper B, Sec. 3.4; docs/theory.md, The time of an accuracy"
        settled = f"weights settled, settling_rate ln(lr limit_loss t) >= {large_size.SETTLED:g}"
        holds = f"{BELOW_HALF}, {_LARGE}; {settled}; a start near 0"
    where: dict[str, Any] = {"source": source, "holds": holds}
    note = "" if found.gen_time is not None and np.isfinite(found.gen_time) else found.source
    if decay and spec.get("decay") == "weights":
        note = found.source
        if found.gen_time and spec["eta"] * spec["gamma"] * found.gen_time < 1:
            note = f"outside: {note}"
    level = f"{100 * accuracy:g} %"
    rows.add(
        "t_train",
        f"training accuracy reaches {level} at",
        None,
        unit="steps",
        needs=covered,
        note="no formula",
        **where,
    )
    rows.add(
        "t_gen",
        f"generalization accuracy reaches {level} at",
        found.gen_time,
        unit="steps",
        needs=covered,
        note=note,
        **where,
    )
    if decay:  # the curve takes seconds to compute, unlike all other numbers here
        return
    try:
        last = float(curve(spec)["gen_accuracy"][-1])
    except ValueError:
        return
    rows.add(
        "gen_accuracy",
        f"generalization accuracy at step {spec['t_max']:g}",
        last,
        needs=covered,
        **where,
    )


def _add_limit_direction(rows: Rows, spec: Mapping[str, Any], below: Needs) -> None:
    """Add the limit direction of the weights for λ below ½."""
    lambda_, sigma = spec["lambda"], spec["sigma"]
    where: dict[str, Any] = {
        "source": "Paper B, Sec. 3; docs/theory.md, The limit direction below one half",
        "holds": f"{BELOW_HALF}, {_LARGE}",
        "needs": below,
    }
    rows.add(
        "weight_norm_limit",
        "final norm of the weights",
        lambda: large_size.limit_norm(lambda_) / sigma,
        **where,
    )
    rows.add(
        "limit_loss",
        "minimum of the mean of e^(S.x)",
        lambda: large_size.limit_loss(lambda_),
        **where,
    )
    rows.add(
        "positive_fraction",
        "training points with S.x > 0",
        lambda: large_size.positive_fraction(lambda_),
        **where,
    )
    where["needs"] = {**below, "a solver other than adam": spec["solver"] != "adam"}
    rows.add(
        "settling_rate",
        "power of 1/t with which the weights settle",
        lambda: classification_times.settling_rate(spec, lambda_),
        **where,
    )


def _add_separable(rows: Rows, spec: Mapping[str, Any], above: Needs, covered: Needs) -> None:
    """Add the limit of gradient descent, and how weights and bias grow on a separable set."""
    lambda_, sigma = spec["lambda"], spec["sigma"]
    if not add_limit(rows, spec):
        rows.add(
            "gen_accuracy_limit",
            "final generalization accuracy",
            lambda: margin.limit_gen_accuracy(lambda_, sigma),
            needs=covered,
            source="Paper B, Sec. 3.3; docs/theory.md, The margin above one half",
            holds=f"any lambda, {_LARGE}",
        )

    def size() -> Any:
        return sigma * margin.mean_margin(lambda_)

    where: dict[str, Any] = {
        "source": "Paper B, Eq. 12; docs/theory.md, The margin above one half",
        "holds": f"{_ABOVE}, {_LARGE}, late steps",
        "needs": above,
    }
    rows.add("margin", "margin of the training set", size, **where)
    rows.add(
        "weight_norm_slope",
        "slope of the weight norm against ln t",
        lambda: margin.log_law_slopes(size())[0],
        **where,
    )
    rows.add(
        "bias_slope",
        "slope of the bias against ln t",
        lambda: margin.log_law_slopes(size())[1],
        **where,
    )


def _add_decayed(
    rows: Rows, spec: Mapping[str, Any], accuracy: float, covered: dict[str, bool]
) -> None:
    """Add the minimum of the loss if all parameters decay."""
    problem = spec["lambda"], spec["sigma"], spec["gamma"], spec["loss"]
    everything = covered | {"decay: all": spec.get("decay", "all") == "all"}
    where: dict[str, Any] = {
        "source": "ours (docs/theory.md, Weight decay of all parameters, or of the weights alone)",
        "holds": f"any lambda, {_LARGE}; decay: all",
        "needs": everything,
    }
    for name, title, field in (
        ("gen_accuracy_limit", "final generalization accuracy", "accuracy"),
        ("weight_norm_limit", "final norm of the weights", "norm"),
        ("bias_limit", "final bias", "bias"),
    ):
        rows.add(
            name,
            title,
            lambda field=field: getattr(logistic_weight_decay.minimum(*problem), field),
            **where,
        )
    rows.add(
        "max_weight_decay",
        f"largest weight decay that still reaches {100 * accuracy:g} %",
        lambda: logistic_weight_decay.max_weight_decay(
            spec["lambda"], spec["sigma"], accuracy, spec["loss"]
        ),
        **where,
    )


def _add_adam(rows: Rows, spec: Mapping[str, Any], below: Needs, covered: dict[str, bool]) -> None:
    """Add the speed of the bias under Adam, and the limit of small steps on a separable set."""
    eta, sigma, lambda_ = spec["eta"], spec["sigma"], spec["lambda"]
    rows.add(
        "bias_speed",
        "decrease of the bias per step",
        lambda: adam_limit.bias_speed(eta, spec["beta1"], spec["beta2"]),
        needs=below,
        source="ours (docs/theory.md, Below one half: the speed of the bias)",
        holds=f"{BELOW_HALF}, {_LARGE}; weights that have settled",
    )
    separable = covered | {str(ABOVE_HALF): lambda_ in ABOVE_HALF}
    step = float(adam_limit.output_step(eta, sigma, spec["d"]))
    where: dict[str, Any] = {
        "source": "ours (docs/theory.md, Above one half: the largest margin in the box)",
        "holds": f"{ABOVE_HALF}, {_LARGE}; small steps, output_step < 1",
        "note": "" if step < 1 else f"outside: an output changes by up to {step:.2g} per step",
        "needs": separable,
    }
    rows.add(
        "gen_accuracy_limit",
        "final generalization accuracy",
        lambda: adam_limit.limit_gen_accuracy(lambda_, sigma, spec["d"]),
        **where,
    )
    rows.add("output_step", f"largest output change per step, d_in {spec['d']}", step, **where)
