"""The job of Paper B's two-point model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from linear_grokking.jobs.context import JobContext, Results
from linear_grokking.jobs.records import record_steps
from linear_grokking.models import two_point as model
from linear_grokking.theory.two_point_solution import solution


def exact_orbit(
    spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext
) -> Results:
    """Yield the history of the exact orbit; the model has no randomness."""
    steps = record_steps(spec["t_max"], spec["records"])
    with np.errstate(divide="ignore"):
        log_t = np.log(steps)
    lambda_, sigma = spec["lambda"], spec["sigma"]
    state = solution(log_t, lambda_, sigma, spec["eta"], spec["s0"], spec["b0"])
    columns = {
        "step": steps,
        **model.observables(state.weight, state.bias, lambda_, sigma),
        "weight_norm": np.abs(state.weight),
        "bias": state.bias,
        "conformal_time": np.exp(state.log_conformal_time),
    }
    for realization in realizations:
        yield realization, columns
