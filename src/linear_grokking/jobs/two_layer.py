"""Jobs of Paper A's two-layer models.

Column ``gen_loss_error`` is the standard error of a generalization loss that is sampled
(tanh); it is 0 where the loss is an exact expectation (identity).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from linear_grokking.data import TeacherStudentData
from linear_grokking.jobs.context import Columns, JobContext, Results
from linear_grokking.jobs.records import record_steps
from linear_grokking.jobs.teacher_student import as_batch, columns, draw, literal_descent
from linear_grokking.models.two_layer import TwoLayerModel


def gradient_flow(
    spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext
) -> Results:
    """Yield the histories of the gradient flow."""
    from linear_grokking.solvers.two_layer_flow import solve

    steps = context.steps(record_steps(spec["t_max"], spec["records"]))
    for realization in realizations:
        data, fresh = _draw(spec, realization)
        history = solve(
            TwoLayerModel.from_data(data, fresh, spec["epsilon"], spec["activation"]),
            data.student,
            eta=spec["eta"],
            gamma=spec["gamma"],
            steps=steps,
            checkpoint=context.checkpoint(realization),
            on_record=context.on_record,
        )
        error = history.gen_loss_error
        sampled = {} if error is None else {"gen_loss_error": error}
        yield realization, _with_error({**columns(history), **sampled})


def gradient_descent(
    spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext
) -> Results:
    """Yield the histories of literal gradient descent."""
    for realization in realizations:
        data, fresh = as_batch(*_draw(spec, realization), context.device)
        model = TwoLayerModel.from_data(data, fresh, spec["epsilon"], spec["activation"])
        found = literal_descent(spec, model, data.student, realization, context)
        yield realization, _with_error(found)


def _draw(spec: Mapping[str, Any], realization: int) -> tuple[TeacherStudentData, np.ndarray]:
    return draw(spec, realization, widths=(spec["d_in"], spec["d_h"], spec["d_out"]))


def _with_error(found: Columns) -> Columns:
    return {"gen_loss_error": np.zeros(len(found["step"])), **found}
