"""Which jobs hold a GPU, and how many GPUs there are for them.

A profile's expressions see a job's wildcards and nothing else of the workflow, so what they may
ask is kept here, as names are in `job_names`.
"""

from linear_grokking.runtime import devices
from linear_grokking.workflow.plan.planning import Plan

_holders: frozenset[str] = frozenset()


def visible() -> int:
    """Return the number of GPUs of this machine that jobs could use."""
    if not devices.gpu_present():
        return 0
    import torch

    return torch.cuda.device_count()


def use(plan: Plan, *, present: bool) -> None:
    """Let `held_by` speak of the runs of this plan, where GPUs are present or are not."""
    global _holders
    _holders = frozenset(name for name, run in plan.runs.items() if run.takes_gpu(present=present))


def held_by(run_id: str) -> bool:
    """Tell whether each job of a run holds a GPU."""
    return run_id in _holders
