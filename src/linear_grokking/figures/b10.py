"""Fig. B10."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.dynamics import draw_dynamics
from linear_grokking.figures.logistic_panels import draw_norm_sizes, tabulate_by_verdict
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.figures.tables import FigureData, TableBuilder, rows

TITLE = "Adam below, near and above λ = ½, beside gradient descent (Paper B, App. F.2)"
COLOURS = {"adam": style.VERMILION, "gradient_flow": style.BLUE}
NAMES = {"adam": "Adam", "gradient_flow": "gradient descent"}


class Options(FigureOptions):
    """What Fig. B10 is drawn from."""

    adam: LogisticRuns = Field(description="Runs with Adam, one per λ.")
    gradient_descent: LogisticRuns = Field(
        description="Runs with gradient descent or its flow on the same sets."
    )
    separability: SeparabilityRuns = Field(description="Separability, with margins, of the sets.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by λ, solver, and whether the draws are separable.

    Series ``limit`` is 1, or gradient descent's Φ(1/(σM)) on separable sets; what Adam tends
    to there is where its curve ends.
    """
    builder = TableBuilder()
    tabulate_by_verdict(builder, data, "adam", "gradient_descent")
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw a column of loss, accuracy, and the sizes of S and b, for each λ.

    A column shows the draws that are on the side of the transition that its λ is on; the
    others if there are none.
    """
    lambdas = sorted(table["lambda"].unique())
    figure, axes = style.new_panels(3, len(lambdas), downwards=True, squeeze=False)
    for column, lambda_ in zip(axes.T, lambdas, strict=True):
        here = rows(table, lambda_=lambda_)
        expected = lambda_ > CRITICAL
        side = expected if (here["separable"] == expected).any() else not expected
        shown = rows(here, separable=side)
        draw_dynamics(column[:2], shown, "solver", COLOURS)
        draw_norm_sizes(column[2], shown, "solver", COLOURS)
        column[0].set_title(_title(lambda_, here, side))
        if side:
            _mark_ends(column[1], shown)
    handles = [legends.line(NAMES[solver], color=c) for solver, c in COLOURS.items()]
    legends.add(axes[1, 0], handles, loc="lower right")
    legends.of_dynamics(figure, table, limit=True)
    return figure


def _mark_ends(axes: Axes, table: pd.DataFrame) -> None:
    """Write what accuracy each solver tends to: Adam's last one, gradient descent's limit."""
    last = rows(table, "accuracy", "generalization", solver="adam").iloc[-1]
    limit = rows(table, "accuracy", "limit", solver="gradient_flow").iloc[-1]
    ends = [last["x"], limit["x"]], [last["y"], last["y"]]
    axes.plot(*ends, color=COLOURS["adam"], **style.LIMIT_LINE)
    at_right = {"textcoords": "offset points", "ha": "right", "fontsize": 8}
    below, above = {"xytext": (0, -3), "va": "top"}, {"xytext": (0, 3), "va": "bottom"}
    for row, solver, text, place in (
        (last, "adam", "Adam ends at", below),
        (limit, "gradient_flow", r"$\Phi(1/\sigma M)$ =", above),
    ):
        where = limit["x"], row["y"]
        text = f"{text} {row['y']:.2f}"
        axes.annotate(text, where, color=COLOURS[solver], **at_right, **place)


def _title(lambda_: float, table: pd.DataFrame, side: bool) -> str:
    counts = rows(table, "loss").groupby("separable")["n"].max()
    which = "separable" if side else "not separable"
    draws = f"{counts.get(side, 0)} of {counts.sum()} draws: {which}"
    return f"{style.label('lambda', lambda_)}\n{draws}"
