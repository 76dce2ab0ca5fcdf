"""Jobs of Paper A's one-layer model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from linear_grokking.data import TeacherStudentData
from linear_grokking.jobs.context import JobContext, Results
from linear_grokking.jobs.records import record_steps
from linear_grokking.jobs.teacher_student import as_batch, columns, draw, literal_descent
from linear_grokking.models.linear import LinearModel


def spectral(spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext) -> Results:
    """Yield the histories of exact GD, evaluated in the eigenbasis."""
    from linear_grokking.solvers.spectral import solve

    steps = context.steps(record_steps(spec["t_max"], spec["records"]))
    for realization in realizations:
        data, fresh = _draw(spec, realization)
        history = solve(
            LinearModel.from_data(data, fresh, spec["epsilon"]),
            data.student[0],
            eta=spec["eta"],
            gamma=spec["gamma"],
            steps=steps,
            on_record=context.on_record,
        )
        yield realization, columns(history)


def gradient_descent(
    spec: Mapping[str, Any], realizations: Sequence[int], context: JobContext
) -> Results:
    """Yield the histories of literal gradient descent."""
    for realization in realizations:
        data, fresh = as_batch(*_draw(spec, realization), context.device)
        model = LinearModel.from_data(data, fresh, spec["epsilon"])
        yield realization, literal_descent(spec, model, data.student, realization, context)


def _draw(spec: Mapping[str, Any], realization: int) -> tuple[TeacherStudentData, np.ndarray]:
    widths = (spec["d_in"], spec["d_out"])
    return draw(spec, realization, widths=widths, alpha=spec["alpha"], noise=spec["noise"])
