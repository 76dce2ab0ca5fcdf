"""The cost of a configuration: jobs and hours of each figure, before anything runs."""

import heapq
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import astuple, dataclass, fields

from linear_grokking.jobs import resources
from linear_grokking.workflow.plan import job_names
from linear_grokking.workflow.plan.planning import Plan


@dataclass(frozen=True)
class Forecast:
    """The work of one figure, or of all figures.

    Attributes
    ----------
    figure
        ID, or ``"all"``.
    runs
        Number of runs from which it is drawn.
    jobs_done, jobs_left
        Numbers of blocks of these runs that are on disk and that are to be computed.
    core_hours, gpu_hours
        Expected hours of the jobs that are left, by the cost model: of those on a core, and of
        those that hold a GPU (and a core).
    """

    figure: str
    runs: int
    jobs_done: int
    jobs_left: int
    core_hours: float
    gpu_hours: float


@dataclass(frozen=True)
class Cluster:
    """All training jobs, done or not, on a cluster that nobody else uses.

    Attributes
    ----------
    gpus, cores
        How many there are; a job that holds a GPU has a core in addition to these.
    gpu_jobs, core_jobs
        Numbers of jobs that hold a GPU and of jobs that take a core.
    gpu_hours, core_hours
        Total time of these jobs, one after another.
    longest_hours
        Time of the longest job.
    hours
        Time until all jobs are done, with `SCHEDULING_SECONDS` for each.
    """

    gpus: int
    cores: int
    gpu_jobs: int
    core_jobs: int
    gpu_hours: float
    core_hours: float
    longest_hours: float
    hours: float


SCHEDULING_SECONDS = 10.0
"""Time that a cluster adds to a job: submission, start, and noticing its end."""


def forecast(plan: Plan, *, gpus: bool) -> list[Forecast]:
    """Return the work of each figure, followed by that of all runs together.

    Runs that several figures share count for each of them, and once in the last entry.

    Parameters
    ----------
    gpus
        Whether there are GPUs.
    """
    lines = [_of(plan, name, plan.figure_runs(name), gpus) for name in plan.config.figures]
    return [*lines, _of(plan, "all", plan.runs, gpus)]


def _of(plan: Plan, name: str, run_ids: Collection[str], gpus: bool) -> Forecast:
    files = [(run_id, file) for run_id in run_ids for file in plan.block_files(run_id)]
    left = [(run_id, file) for run_id, file in files if not _is_done(plan, run_id, file)]
    on_gpus, on_cores = _seconds(plan, left, gpus)
    hours = sum(on_cores) / 3600, sum(on_gpus) / 3600
    return Forecast(name, len(run_ids), len(files) - len(left), len(left), *hours)


def _is_done(plan: Plan, run_id: str, file: str) -> bool:
    """Return whether a block exists and the workflow would not make it again."""
    schema = plan.runs[run_id].kind.schema
    return (plan.root / file).exists() and not plan.disk.outdated(file, run_id, schema)


def on_cluster(plan: Plan, gpus: int, cores: int) -> Cluster:
    """Return how long all training jobs take with the given numbers of GPUs and cores."""
    files = [(run_id, file) for run_id in plan.runs for file in plan.block_files(run_id)]
    on_gpus, on_cores = _seconds(plan, files, gpus > 0)
    ends = [
        makespan((SCHEDULING_SECONDS + each for each in seconds), workers)
        for seconds, workers in ((on_gpus, gpus), (on_cores, cores))
        if seconds
    ]
    return Cluster(
        gpus,
        cores,
        len(on_gpus),
        len(on_cores),
        sum(on_gpus) / 3600,
        sum(on_cores) / 3600,
        max([*on_gpus, *on_cores], default=0.0) / 3600,
        max(ends, default=0.0) / 3600,
    )


def _seconds(
    plan: Plan, files: Iterable[tuple[str, str]], gpus: bool
) -> tuple[list[float], list[float]]:
    """Return the expected seconds of the jobs that hold a GPU, and of the others."""
    held: dict[bool, list[float]] = {True: [], False: []}
    for run_id, file in files:
        run = plan.runs[run_id]
        gpu = run.takes_gpu(present=gpus)
        held[gpu].append(run.seconds(file, gpu=gpu))
    return held[True], held[False]


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Return when all jobs are done, if each goes to the worker that is free first.

    Raises
    ------
    ValueError
        If there is no worker.
    """
    if workers < 1:
        raise ValueError("some jobs need a GPU (device: cuda), but there is no GPU")
    free = [0.0] * workers
    for duration in seconds:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def too_long(plan: Plan, minutes: float, *, gpus: bool) -> str:
    """Say which jobs are expected to take more than half of the time that they may request.

    Returns
    -------
    str
        One line; empty if there is no such job.
    """
    expected = _longest_jobs(plan, gpus)
    long = [run_id for run_id, seconds in expected.items() if seconds > 30 * minutes]
    if not long:
        return ""
    longest = max(long, key=expected.__getitem__)
    name = job_names.name(plan, longest)
    return (
        f"Jobs may request at most {minutes:g} minutes, which may be too little for "
        f"{len(long)} of {len(expected)} runs: a job of {name} is expected to take "
        f"{expected[longest] / 60:.0f} minutes. If it has several realizations, lower "
        "job_minutes or block."
    )


def groups(plan: Plan, size: int, minutes: float | None, *, gpus: bool) -> str:
    """Say how much time groups of jobs would request, if a limit does not cover all of them.

    Parameters
    ----------
    size
        Number of jobs in a group.
    minutes
        The most that a group may request; None if no limit is given.

    Returns
    -------
    str
        One line; empty if every group is within the limit.
    """
    limit = math.inf if minutes is None else minutes
    asked = {
        run_id: size * resources.job_minutes(seconds)
        for run_id, seconds in _longest_jobs(plan, gpus).items()
    }
    beyond = [run_id for run_id, total in asked.items() if total > limit]
    if not asked or (minutes is not None and not beyond):
        return ""
    longest = max(asked, key=asked.__getitem__)
    name = job_names.name(plan, longest)
    if minutes is None:
        return (
            f"Groups of {size} jobs request up to {asked[longest]} minutes (those of {name}), "
            "and no limit is set."
        )
    return (
        f"Jobs of {len(beyond)} of {len(asked)} runs are not grouped: {size} jobs like those of "
        f"{name} would request {asked[longest]} minutes, more than {minutes:g}."
    )


def _longest_jobs(plan: Plan, gpus: bool) -> dict[str, float]:
    """Return the expected seconds of the longest job of each run."""
    return {
        run_id: resources.job_seconds(
            run.cost, min(run.block, run.realizations), gpu=run.takes_gpu(present=gpus)
        )
        for run_id, run in plan.runs.items()
    }


def table(lines: Sequence[Forecast] | Sequence[Cluster]) -> str:
    """Return the numbers as text, with a heading and a line for each figure or cluster."""
    rows = [[field.name.replace("_", " ") for field in fields(lines[0])]]
    rows += [
        [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in astuple(line)]
        for line in lines
    ]
    return "\n".join(aligned(rows))


def aligned(rows: Sequence[Sequence[str]], *, left: int = 0) -> list[str]:
    """Return rows as lines, in columns that are aligned right except the first ``left``."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    sides = "<" * left + ">" * (len(widths) - left)
    shape = "  ".join(f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True))
    return [shape.format(*row) for row in rows]
