"""What a configuration will cost: jobs and hours of each figure, before anything runs."""

import heapq
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass, fields

from linear_grokking.workflow.plan.planning import Plan


@dataclass(frozen=True)
class Forecast:
    """Work of one figure, or of all.

    Attributes
    ----------
    figure
        ID, or ``"all"``.
    runs
        Grid points that it is drawn from.
    jobs_done, jobs_left
        Blocks of these runs on disk, and to be computed.
    core_hours, gpu_hours
        Expected for the jobs that are left, by the cost model.
    """

    figure: str
    runs: int
    jobs_done: int
    jobs_left: int
    core_hours: float
    gpu_hours: float


def forecast(plan: Plan) -> list[Forecast]:
    """Return the work of each figure, and last of all runs together.

    Runs that figures share count for each of them, and once in the last line.
    """
    lines = [_of(plan, name, plan.figure_runs(name)) for name in plan.config.figures]
    return [*lines, _of(plan, "all", plan.runs)]


def _of(plan: Plan, name: str, run_ids: Collection[str]) -> Forecast:
    jobs = [(plan.runs[run_id], file) for run_id in run_ids for file in plan.block_files(run_id)]
    left = [(run, file) for run, file in jobs if not (plan.root / file).exists()]
    core_hours, gpu_hours = (
        sum(run.seconds(file, gpu=gpu) for run, file in left if run.on_gpu == gpu) / 3600
        for gpu in (False, True)
    )
    return Forecast(name, len(run_ids), len(jobs) - len(left), len(left), core_hours, gpu_hours)


SCHEDULING_SECONDS = 10.0
"""What a cluster adds to a job: submission, start, and noticing its end."""


def hours_on_gpus(plan: Plan, gpus: int) -> float:
    """Return how long all jobs take on a cluster with so many GPUs for nobody else.

    Each job has one GPU, whether its solver uses it or not.
    """
    seconds = [
        SCHEDULING_SECONDS + run.seconds(file, gpu=run.kind.on_gpu)
        for run in plan.runs.values()
        for file in plan.block_files(run.run_id)
    ]
    return makespan(seconds, gpus) / 3600


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Return when all jobs are done, where each goes to the worker that is free first."""
    free = [0.0] * workers
    for duration in seconds:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def table(lines: Iterable[Forecast]) -> str:
    """Return the work as text, a line for each figure."""
    rows = [[field.name.replace("_", " ") for field in fields(Forecast)]]
    rows += [
        [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in astuple(line)]
        for line in lines
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
