"""What a configuration will cost: jobs and hours of each figure, before anything runs."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from linear_grokking.costs import job_seconds
from linear_grokking.jobs.device import CPU_ONLY
from linear_grokking.plan import Plan
from linear_grokking.runs import Block


@dataclass(frozen=True)
class Outlook:
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


def outlook(plan: Plan) -> list[Outlook]:
    """Return the work of each figure, and last of all runs together.

    Runs that figures share count for each of them, and once in the last line.
    """
    lines = [_of(plan, name, plan.figure_runs(name)) for name in plan.config.figures]
    return [*lines, _of(plan, "all", plan.runs)]


def _of(plan: Plan, name: str, run_ids: Iterable[str]) -> Outlook:
    run_ids = list(run_ids)
    done = left = 0
    seconds = {"cpu": 0.0, "cuda": 0.0}
    for run_id in run_ids:
        spec = plan.runs[run_id].spec
        on_cpu = plan.config.device != "cuda" or (spec["model"], spec["solver"]) in CPU_ONLY
        device = "cpu" if on_cpu else "cuda"
        for file in plan.block_files(run_id):
            path = plan.root / file
            if path.exists():
                done += 1
                continue
            left += 1
            block = Block.parse(path.stem)
            seconds[device] += job_seconds(spec, block.last - block.first + 1, device)
    return Outlook(
        figure=name,
        runs=len(run_ids),
        jobs_done=done,
        jobs_left=left,
        core_hours=seconds["cpu"] / 3600,
        gpu_hours=seconds["cuda"] / 3600,
    )


SCHEDULING_SECONDS = 10.0
"""What a cluster adds to a job: submission, start, and noticing its end."""


def hours_on_gpus(plan: Plan, gpus: int) -> float:
    """Return how long all jobs take on a cluster with so many GPUs for nobody else.

    Each job has one GPU, whether its solver uses it or not.
    """
    seconds = [
        SCHEDULING_SECONDS + job_seconds(run.spec, block.last - block.first + 1, "cuda")
        for identity, run in plan.runs.items()
        for block in (Block.parse(Path(file).stem) for file in plan.block_files(identity))
    ]
    return makespan(seconds, gpus) / 3600


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Return when all jobs are done, where each goes to the worker that is free first."""
    free = [0.0] * workers
    for duration in seconds:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def table(lines: Iterable[Outlook]) -> str:
    """Return the work as text, a line for each figure."""
    names = [field.name for field in fields(Outlook)]
    rows = [[name.replace("_", " ") for name in names]]
    rows += [[_cell(getattr(line, name)) for name in names] for line in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def _cell(value: str | int | float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
