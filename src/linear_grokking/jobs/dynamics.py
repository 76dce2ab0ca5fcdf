"""What all jobs of dynamics share: they draw a model, solve it, and read off its columns."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from linear_grokking.models.contract import Model, Params
from linear_grokking.results.identity import Spec
from linear_grokking.runtime.context import JobContext, Results
from linear_grokking.shapes import Columns
from linear_grokking.solvers.trajectory import Solver, Trajectory, record_steps

M = TypeVar("M", bound=Model)
SetUp = Callable[[Sequence[int]], tuple[M, Params]]
"""Draws a batch of realizations; returns the model on them and initial parameters."""
ReadOff = Callable[[M, Trajectory], tuple[Columns, Columns]]
"""Returns the columns that realizations of a batch share, and those with a row (R, …) for each."""


def solved(
    spec: Spec,
    realizations: Sequence[int],
    context: JobContext,
    solve: Solver,
    set_up: SetUp[M],
    read_off: ReadOff[M],
) -> Results:
    """Yield each realization with what is read off its batch's trajectory.

    Raises
    ------
    SolverError
        If a run does not reach its last record.
    """
    steps = context.steps(record_steps(spec["t_max"], spec["records"]))

    def work(batch: Sequence[int]) -> Results:
        model, params = set_up(batch)
        trajectory = solve(
            model,
            params,
            **{key: spec[key] for key in ("eta",) if key in spec},
            steps=steps,
            checkpoint=context.checkpoint(batch),
            on_record=context.on_record,
        )
        shared, columns = read_off(model, trajectory.require_completed(batch))
        for position, realization in enumerate(batch):
            yield realization, {**shared, **{name: v[position] for name, v in columns.items()}}

    return context.each(list(realizations), work)


def histories(
    spec: Spec, realizations: Sequence[int], context: JobContext, solve: Solver, set_up: SetUp
) -> Results:
    """Yield each realization's history."""

    def read_off(_: Model, found: Trajectory) -> tuple[Columns, Columns]:
        return {"step": found.steps}, found.observables

    return solved(spec, realizations, context, solve, set_up, read_off)
