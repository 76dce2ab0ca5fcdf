"""Names for people: which figures, experiment and parameters a run belongs to."""

from linear_grokking.workflow.plan.planning import Plan

LONGEST = 200
"""Characters of a name; queues cut longer ones."""


def name(plan: Plan, run_id: str, block: str = "") -> str:
    """Return what a person calls a run, or one of its blocks: ``B1 e3_dynamics d=40 0-99``.

    Of a run that several figures or experiments share, all figures are named, and the first
    experiment; of the parameters, those that tell it apart from the experiment's other runs.
    What is no run of the plan, such as a figure, goes by its own name.
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
