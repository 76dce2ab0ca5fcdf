"""Fig. B10."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import logistic_panels as logistic
from linear_grokking.figures.dynamics import draw_dynamics, time_span
from linear_grokking.figures.separability_panels import CRITICAL
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.theory.adam_limit import limit_gen_accuracy

TITLE = "Adam and gradient descent below, near and above λ = ½ (Paper B, App. F.2)"

_OTHERS = {"linewidth": 0.6, "alpha": 0.8, "zorder": 2}
"""Line of draws that lie on the other side of the transition than their λ."""


class Options(FigureOptions):
    """What Fig. B10 is drawn from."""

    adam: LogisticRuns = Field(description="Runs with Adam, one per λ.")
    gradient_descent: LogisticRuns = Field(
        description="Runs with gradient descent or its flow on the same sets."
    )
    separability: SeparabilityRuns = Field(description="Separability, with margins, of the sets.")


def check(data: FigureData) -> None:
    """See `registry`."""
    logistic.check_partners(data, ["adam", "gradient_descent"], "separability", all_known=True)


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by λ, solver, and whether the draws are separable.

    Series ``limit`` is 1 or, for gradient descent on separable sets, Φ(1/(σM)).  Series
    ``large_size_limit`` is the limit of large sets; for Adam above ½ it assumes small steps.
    """
    builder = TableBuilder()
    logistic.tabulate_by_verdict(builder, data, "adam", "gradient_descent")
    for run in data.runs("gradient_descent"):
        shown = {key: run.parameters[key] for key in ("lambda", "solver")}
        logistic.tabulate_large_size_limits(builder, run, shown)
    for run in data.runs("adam"):
        lambda_, sigma = run.parameters["lambda"], run.parameters["sigma"]
        if lambda_ > CRITICAL:
            limit = limit_gen_accuracy(lambda_, sigma, lambda_ * run.parameters["n_train"])
            shown = {"lambda": lambda_, "solver": "adam"}
            builder.add(
                "accuracy", "large_size_limit", "theory", time_span(run), float(limit), shown
            )
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw a column of loss, accuracy, and the sizes of S and b, for each λ.

    A column shows the draws that lie on the same side of the transition as its λ (the others if
    there are none).  A thin line shows the median of the rest.
    """
    lambdas = sorted(table["lambda"].unique())
    figure, axes = style.new_panels(3, len(lambdas), height=5.1, downwards=True, squeeze=False)
    for column, lambda_ in zip(axes.T, lambdas, strict=True):
        here = rows(table, lambda_=lambda_)
        expected = lambda_ > CRITICAL
        side = expected if (here["separable"] == expected).any() else not expected
        shown = here[(here["separable"] == side) | (here["series"] == "large_size_limit")]
        draw_dynamics(column[:2], shown, "solver", logistic.SOLVER_COLOURS)
        logistic.draw_norm_sizes(column[2], shown, "solver", logistic.SOLVER_COLOURS)
        others = here[here["separable"] == (not side)]
        for solver, curves in others.groupby("solver"):
            logistic.draw_thin(column, curves, color=logistic.SOLVER_COLOURS[solver], **_OTHERS)
        column[0].set_title(_title(lambda_, here, side))
        if side:
            _write_end(column[1], shown)
    logistic.align(axes)
    also = logistic.solver_lines()
    if rows(table, "loss").groupby("lambda")["separable"].nunique().max() > 1:
        also.append(legends.line("other draws", color=legends.GREY, **_OTHERS))
    legends.of_dynamics(figure, table, limit=True, large_size=True, also=also, columns=3)
    return figure


def _write_end(axes: Axes, table: pd.DataFrame) -> None:
    """Write where Adam's accuracy ends in the run, which is not its limit."""
    last = rows(table, "accuracy", "generalization", solver="adam").iloc[-1]
    text = f"Adam: {last['y']:.2f} at $t$ = {style.number(last['x'])}"
    look = {"ha": "left", "va": "center", "fontsize": 6.5, "color": logistic.SOLVER_COLOURS["adam"]}
    place = {"xytext": (4, 0), "textcoords": "offset points"}
    axes.annotate(text, (last["x"], last["y"]), **place, **look)


def _title(lambda_: float, table: pd.DataFrame, side: bool) -> str:
    counts = rows(table, "loss").groupby("separable")["n"].max()
    which = "separable" if side else "not separable"
    own, total = counts.get(side, 0), counts.sum()
    draws = f"one draw, {which}" if own == total == 1 else f"{own} of {total} draws {which}"
    return f"{style.label('lambda', lambda_)}\n{draws}"
