"""Adam below, near and above λ = ½, beside gradient descent (Paper B, App. F.2)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pydantic import Field

from linear_grokking.config.figures import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import draw_dynamics, line_styles_legend, panel_letters
from linear_grokking.figures.logistic_panels import (
    draw_norm_sizes,
    limit_accuracies,
    pair_runs,
    tabulate_by_verdict,
)
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.figures.tables import FigureData, TableBuilder

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
    for role in ("adam", "gradient_descent"):
        for run, partner in pair_runs(data.runs(role), data.runs("separability")):
            limits = limit_accuracies(run, partner)
            tabulate_by_verdict(builder, run, limits, ["lambda", "solver"], data.threshold)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw a column of loss, accuracy, and the sizes of S and b, for each λ.

    A column shows the draws that are on the side of the transition that its λ is on; the
    others if there are none.
    """
    lambdas = sorted(table["lambda"].unique())
    figure = style.new_figure(len(lambdas), 3)
    axes = figure.subplots(3, len(lambdas), squeeze=False)
    for column, lambda_ in enumerate(lambdas):
        here = table[table["lambda"] == lambda_]
        expected = lambda_ > CRITICAL
        side = expected if (here["separable"] == expected).any() else not expected
        rows = here[here["separable"] == side]
        for row, panel in enumerate(("loss", "accuracy")):
            draw_dynamics(axes[row, column], rows, panel, "solver", COLOURS)
        draw_norm_sizes(axes[2, column], rows, "solver", COLOURS)
        axes[0, column].set_title(_title(lambda_, here, side))
        if side:
            _mark_ends(axes[1, column], rows)
    handles = [Line2D([], [], color=c, label=NAMES[solver]) for solver, c in COLOURS.items()]
    axes[1, 0].legend(handles=handles, loc="lower right").set_in_layout(False)
    panel_letters(axes.T.ravel())
    line_styles_legend(figure, theory=False, limit=True)
    return figure


def _mark_ends(axes: Axes, rows: pd.DataFrame) -> None:
    """Write what accuracy each solver tends to: Adam's last one, gradient descent's limit."""
    rows = rows[rows["panel"] == "accuracy"]
    last = rows[(rows["series"] == "generalization") & (rows["solver"] == "adam")].iloc[-1]
    limit = rows[(rows["series"] == "limit") & (rows["solver"] == "gradient_flow")].iloc[-1]
    right = limit["x"]
    axes.plot(
        [last["x"], right],
        [last["y"], last["y"]],
        color=COLOURS["adam"],
        linestyle=style.LIMIT_LINE,
        linewidth=1.0,
    )
    for row, solver, text, side in (
        (last, "adam", "Adam ends at", -1),
        (limit, "gradient_flow", r"$\Phi(1/\sigma M)$ =", 1),
    ):
        axes.annotate(
            f"{text} {row['y']:.2f}",
            (right, row["y"]),
            xytext=(0, 3 * side),
            textcoords="offset points",
            ha="right",
            va="bottom" if side > 0 else "top",
            fontsize=8,
            color=COLOURS[solver],
        )


def _title(lambda_: float, rows: pd.DataFrame, side: bool) -> str:
    counts = rows[rows["panel"] == "loss"].groupby("separable")["n"].max()
    which = "separable" if side else "not separable"
    return (
        f"{style.label('lambda', lambda_)}\n{counts.get(side, 0)} of {counts.sum()} draws: {which}"
    )
