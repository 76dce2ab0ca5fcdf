"""Readable names of runs: their figures, experiment and parameters."""

from linear_grokking.workflow.plan.planning import Plan

LONGEST = 200
"""Largest number of characters of a name; queues truncate longer ones."""


def name(plan: Plan, run_id: str, block: str = "") -> str:
    """Return a readable name of a run or of one of its blocks: ``B1 e3_dynamics d=40 0-99``.

    If several figures or experiments share a run, the name lists all figures and the first
    experiment.  It lists the parameters that tell the run apart from the experiment's other runs.
    Anything that is not a run of the plan, such as a figure, keeps its own name.
    """
    if run_id not in plan.runs:
        return f"{run_id} {block}".rstrip()
    figures = [each for each in plan.config.figures if run_id in plan.figure_runs(each)]
    experiment, points, mine = next(
        (experiment, points, point.parameters)
        for experiment, points in plan.points.items()
        for point in points
        if point.run_id == run_id
    )
    told = [
        f"{key}={value}"
        for key, value in mine.items()
        if any(other.parameters.get(key) != value for other in points)
    ]
    return " ".join([",".join(figures), experiment, *told, block]).strip()[:LONGEST]
