"""Whether the runs of each figure can be drawn together, before anything runs."""

from linear_grokking.config import ConfigurationError
from linear_grokking.figures import registry
from linear_grokking.figures.tables import FigureData
from linear_grokking.workflow.plan import targets
from linear_grokking.workflow.plan.planning import Plan


def check(plan: Plan) -> None:
    """Refuse figures whose runs lack what they are compared with.

    Raises
    ------
    ConfigurationError
        With one line per figure, which names its options.
    """
    mistakes = []
    for figure_id in plan.config.figures:
        refuse = getattr(registry.module(figure_id), "check", None)
        if refuse is not None:
            try:
                refuse(FigureData(plan.root, targets.table(plan, figure_id).request))
            except ValueError as error:
                mistakes.append(f"figures.{figure_id}: {error}")
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))
