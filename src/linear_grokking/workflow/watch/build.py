"""The jobs of a build, as recorded when Snakemake starts."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.runtime.files import write_json
from linear_grokking.workflow.plan import Plan, job_names
from linear_grokking.workflow.plan.forecast import SCHEDULING_SECONDS

FILE = "logs/build.json"
_STEP_SECONDS = {
    "summarize_run": 1.3,
    "list_runs": 1.0,
    "tabulate_figure": 4.0,
    "draw_figure": 6.5,
    "check_claims": 15.0,
    "X1": 4.0,
    "report": 12.0,
}
"""Seconds that steps other than training take, averaged over the figures of both papers."""
_OTHER_SECONDS = 3.0


class NoBuildError(LinearGrokkingError):
    """No build was started in a folder, or the record of it cannot be read."""


class SnakemakeJob(Protocol):
    """The attributes of a Snakemake job that are used here."""

    rule: Any
    wildcards: Any
    output: Iterable[str]
    log: Iterable[str]


@dataclass(frozen=True)
class Job:
    """A job of a build.

    Attributes
    ----------
    name
        Name that people see.
    outputs, log
        Files that it writes, relative to the folder of the build.
    seconds
        Time that the cost model expects on one core, or on one core and a GPU.
    threads
        Number of cores that share this work.
    gpu
        Whether it holds a GPU.
    """

    name: str
    outputs: tuple[str, ...]
    log: str
    seconds: float
    threads: int
    gpu: bool


@dataclass(frozen=True)
class Build:
    """The jobs of a build, and the cores and GPUs that work on them.

    Attributes
    ----------
    jobs
        The jobs that write files, by Snakemake's number; jobs that only gather others take no time.
    cores, gpus
        How many work at a time; on a cluster, the largest number of jobs submitted at a time.
    """

    jobs: Mapping[str, Job]
    cores: int
    gpus: int

    def write(self, root: Path) -> None:
        """Record the build in its folder."""
        write_json(root / FILE, asdict(self))


def read(root: Path) -> Build:
    """Return the latest build of a folder.

    Raises
    ------
    NoBuildError
        If there is none.
    """
    path = root / FILE
    try:
        return TypeAdapter(Build).validate_json(path.read_bytes())
    except OSError as error:
        problem = f"no build was started here ({error.strerror}: {FILE})"
        raise NoBuildError(f"{root}: {problem}") from None
    except ValidationError:
        raise NoBuildError(
            f"{path}: is not a valid build record; the next build rewrites it"
        ) from None


def planned(
    plan: Plan,
    jobs: Mapping[int, SnakemakeJob],
    *,
    cores: int,
    gpus: int,
    threads: Mapping[str, int],
    remote: bool,
) -> Build:
    """Return the build that Snakemake is about to do.

    Parameters
    ----------
    jobs
        The jobs to run, by Snakemake's number.
    threads
        Number of cores per job, by run, if it is more than one.
    remote
        Whether jobs are submitted to a cluster.
    """
    more = SCHEDULING_SECONDS if remote else 0.0
    made = {}
    for number, job in jobs.items():
        outputs = tuple(os.path.relpath(name, plan.root) for name in job.output)
        logs = [os.path.relpath(name, plan.root) for name in job.log]
        if not (outputs and logs):
            continue
        step, given = job.rule.name, dict(job.wildcards.items())
        run_id, block = given.get("run_id", ""), given.get("block", "")
        gpu, seconds = False, _STEP_SECONDS.get(step, _OTHER_SECONDS)
        if block:
            gpu = plan.runs[run_id].takes_gpu(present=gpus > 0)
            seconds = plan.runs[run_id].seconds(block, gpu=gpu)
        name = job_names.name(plan, run_id or given.get("figure", ""), block)
        made[str(number)] = Job(
            name=name if block else f"{step} {name}".rstrip(),
            outputs=outputs,
            log=logs[0],
            seconds=more + seconds,
            threads=threads.get(run_id, 1) if block else 1,
            gpu=gpu,
        )
    return Build(made, cores, gpus)
