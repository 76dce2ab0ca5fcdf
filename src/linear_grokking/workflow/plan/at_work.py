"""The plan in use: the names of its jobs, and which of them hold a GPU.

The expressions in a profile see the wildcards of a job and nothing else of the workflow, so this
module keeps what they may ask for.
"""

from linear_grokking.workflow.plan import job_names
from linear_grokking.workflow.plan.planning import Plan

_plan: Plan | None = None
_holders: frozenset[str] = frozenset()


def use(plan: Plan, *, gpus: bool, named: bool) -> None:
    """Make `name` and `held_by` refer to the runs of this plan.

    Parameters
    ----------
    gpus
        Whether there are any GPUs for its jobs.
    named
        Whether people will read the names, which take the import of all figures.
    """
    global _plan, _holders
    _plan = plan if named else None
    _holders = frozenset(name for name, run in plan.runs.items() if run.takes_gpu(present=gpus))


def name(run_id: str, block: str = "") -> str:
    """Return a readable name of a run or of one of its blocks (`job_names.name`)."""
    return job_names.name(_plan, run_id, block) if _plan else f"{run_id} {block}".rstrip()


def held_by(run_id: str) -> bool:
    """Return whether each job of a run holds a GPU."""
    return run_id in _holders
