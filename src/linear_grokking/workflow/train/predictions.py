"""What the papers' theory says about one run, for comparison with what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linear_grokking.theory import (
    large_size,
    linear,
    linear_grokking_time,
    logistic_weight_decay,
    margin,
    quasi_static,
    two_layer,
)


@dataclass(frozen=True)
class Prediction:
    """Predicted first times at which the accuracies reach a level, in steps.

    Attributes
    ----------
    train_time, gen_time
        inf where never, None where no formula says.
    source
        What the prediction is.
    """

    train_time: float | None
    gen_time: float | None
    source: str


def predict(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Return the theory's times for the accuracy level of a run."""
    if spec["model"] == "logistic":
        return _logistic(spec, accuracy)
    lambda_ = spec["d_in"] / spec["n_train"]
    if spec["model"] == "linear":
        fields = (spec[key] for key in ("eta", "gamma", "d_out", "alpha", "noise"))
        problem, times = linear.Problem(lambda_, *fields), linear_grokking_time
        source = "gradient flow at large size (Paper A)"
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
    )


def _logistic(spec: Mapping[str, Any], accuracy: float) -> Prediction:
    """Predict the time of the generalization accuracy at large size, where a formula does."""
    lambda_ = spec["d"] / spec["n_train"]
    covered = (
        spec["law"] == "gaussian"
        and spec["loss"] in ("cross_entropy", "exponential")  # the tail e^m of both
        and spec["bias"]
        and spec["label_fraction"] == 1
        and spec["solver"] != "adam"
        and accuracy > 0.5
    )
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
    return Prediction(None, None, "no formula of the papers covers this run")


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
