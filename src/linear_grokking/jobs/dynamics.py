"""What the jobs of all dynamics share: models drawn, solved, and read off."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from linear_grokking.models.contract import Model, Params
from linear_grokking.runtime.context import JobContext, Results
from linear_grokking.solvers.trajectory import Solver, Trajectory, record_steps

Spec = Mapping[str, Any]
M = TypeVar("M", bound=Model)
SetUp = Callable[[Sequence[int]], tuple[M, Params]]
"""Draws a batch of realizations; returns the model on them and initial parameters."""


def trajectories(
    spec: Spec, realizations: Sequence[int], context: JobContext, solve: Solver, set_up: SetUp[M]
) -> Iterator[tuple[Sequence[int], tuple[M, Trajectory]]]:
    """Yield batches of realizations with the model on them and their trajectory.

    Raises
    ------
    SolverError
        Where a run does not reach its last record.
    """
    steps = context.steps(record_steps(spec["t_max"], spec["records"]))

    def work(batch: Sequence[int]) -> tuple[M, Trajectory]:
        model, params = set_up(batch)
        trajectory = solve(
            model,
            params,
            eta=spec["eta"],
            steps=steps,
            checkpoint=context.checkpoint(batch),
            on_record=context.on_record,
        )
        return model, trajectory.require_completed()

    yield from context.each_batch(list(realizations), work)


def histories(
    spec: Spec, realizations: Sequence[int], context: JobContext, solve: Solver, set_up: SetUp
) -> Results:
    """Yield each realization's history."""
    for batch, (_, found) in trajectories(spec, realizations, context, solve, set_up):
        yield from rows(batch, {"step": found.steps}, found.observables)


def rows(
    batch: Sequence[int], shared: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]
) -> Results:
    """Yield each realization of a batch with its columns: shared ones, and its row of others."""
    for position, realization in enumerate(batch):
        yield realization, {**shared, **{name: v[position] for name, v in columns.items()}}
