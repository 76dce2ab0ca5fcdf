"""The job of Paper B's two-point model."""

from collections.abc import Sequence

import numpy as np

from linear_grokking.models import two_point as model
from linear_grokking.results.identity import Spec
from linear_grokking.runtime.context import JobContext, Results
from linear_grokking.solvers.trajectory import record_steps
from linear_grokking.theory.two_point import TwoPoint
from linear_grokking.theory.two_point_solution import solution


def exact_orbit(spec: Spec, realizations: Sequence[int], context: JobContext) -> Results:
    """Yield the history of the exact orbit; the model has no randomness."""
    steps = record_steps(spec["t_max"], spec["records"])
    with np.errstate(divide="ignore"):
        log_t = np.log(steps)
    problem = TwoPoint.at_lambda(*(spec[key] for key in ("lambda", "sigma", "eta", "s0", "b0")))
    state = solution(log_t, problem)
    columns = {
        "step": steps,
        **model.observables(state.weight, state.bias, problem),
        "weight_norm": np.abs(state.weight),
        "bias": state.bias,
        "conformal_time": np.exp(state.log_conformal_time),
    }
    for realization in realizations:
        yield realization, columns
