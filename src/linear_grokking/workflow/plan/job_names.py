"""Readable names of runs: their figures, experiment and parameters."""

from collections.abc import Mapping
from functools import lru_cache

from linear_grokking.workflow.plan.planning import Plan

LONGEST = 200
"""Largest number of characters of a name; queues truncate longer ones."""


def name(plan: Plan, run_id: str, block: str = "") -> str:
    """Return a readable name of a run or of one of its blocks: ``B1 e3_dynamics d=40 0-99``.

    If several figures or experiments share a run, the name lists all figures and the first
    experiment.  It lists the parameters that tell the run apart from the experiment's other runs.
    Anything that is not a run of the plan, such as a figure, keeps its own name.
    """
    return f"{_names(plan).get(run_id, run_id)} {block}".strip()[:LONGEST]


@lru_cache(maxsize=1)
def _names(plan: Plan) -> Mapping[str, str]:
    """Return the name of every run; a queue asks for each of them."""
    found: dict[str, str] = {}
    for experiment, points in plan.points.items():
        keys = dict.fromkeys(key for point in points for key in point.parameters)
        values = {key: [point.parameters.get(key) for point in points] for key in keys}
        different = {key for key in keys if any(each != values[key][0] for each in values[key])}
        for point in points:
            told = [f"{k}={value}" for k, value in point.parameters.items() if k in different]
            words = (",".join(plan.figures_of[point.run_id]), experiment, *told)
            found.setdefault(point.run_id, " ".join(words).strip())
    return found
