"""The plan at work: what its jobs are called, and which of them hold a GPU.

A profile's expressions see a job's wildcards and nothing else of the workflow, so what they may
ask is kept here.
"""

from linear_grokking.workflow.plan import job_names
from linear_grokking.workflow.plan.planning import Plan

_plan: Plan | None = None
_holders: frozenset[str] = frozenset()


def use(plan: Plan, *, gpus: bool, named: bool) -> None:
    """Let `name` and `held_by` speak of the runs of this plan.

    Parameters
    ----------
    gpus
        Whether there are any for its jobs.
    named
        Whether people will read names: they cost the import of all figures.
    """
    global _plan, _holders
    _plan = plan if named else None
    _holders = frozenset(name for name, run in plan.runs.items() if run.takes_gpu(present=gpus))


def name(run_id: str, block: str = "") -> str:
    """Return what a person calls a run, or one of its blocks (`job_names.name`)."""
    return job_names.name(_plan, run_id, block) if _plan else f"{run_id} {block}".rstrip()


def held_by(run_id: str) -> bool:
    """Tell whether each job of a run holds a GPU."""
    return run_id in _holders
