"""Fig. B1."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import logistic_panels as logistic
from linear_grokking.figures import separability_panels as panels
from linear_grokking.figures.tables import FigureData, TableBuilder, percent, rows
from linear_grokking.results.reading import RunResult
from linear_grokking.results.statistics import summarize_values
from linear_grokking.theory import margin, two_point

TITLE = "Dynamics below, near and above λ = ½, and how they end (Paper B, Fig. 1)"


class Options(FigureOptions):
    """What Fig. B1 is drawn from."""

    dynamics: LogisticRuns = Field(description="Runs of the three columns, one per λ.")
    separability: SeparabilityRuns = Field(
        description="Separability, with margins, of sets of `dynamics`: where they lead."
    )
    statistics: SeparabilityRuns = Field(description="Separability runs below λ = ½ (E1).")
    final_dynamics: LogisticRuns = Field(description="Dynamics over a range of λ (E3).")
    final_separability: SeparabilityRuns = Field(
        description="Separability, with margins, of the sets of `final_dynamics` (E3)."
    )
    lambda_: Span = Field(alias="lambda", description="Range of λ of the theory curves.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: dynamics by λ; ‖S_∞‖, final accuracy and t₉₅ against λ.

    Panel ``final_accuracy`` has the accuracy at t → ∞ (``median``, ``mean``), and when the run
    ended (``at_t_max``).  Series ``t95`` is the median with quartiles, inf where half of the
    sets or more do not reach the threshold.  Panel ``grokking_time_unreached`` has the fraction
    of sets whose limit lies below it (``never``), and of those that would reach it after the
    run's end (``censored``).
    """
    builder = TableBuilder()
    logistic.tabulate_with_limits(builder, data, "lambda")
    panels.tabulate_statistic(builder, data.runs("statistics"), "s_inf_norm")
    finals = data.runs("final_dynamics")
    for run, partner in logistic.pair_runs(finals, data.runs("final_separability")):
        limits = logistic.limit_accuracies(run, partner)["limit"]
        _tabulate_end(builder, run, limits.to_numpy(), data.threshold)

    values = options.lambda_.linear()
    first = finals[0].parameters
    panels.tabulate_large_size(builder, values, first["eta"], data.threshold)
    below = values[values <= panels.LARGEST_BELOW]
    builder.add("s_inf_norm", "two_point", "theory", below, two_point.s_infinity(below, 1.0))
    accuracy = margin.limit_gen_accuracy(values, first["sigma"])
    builder.add("final_accuracy", "margin", "theory", values, accuracy)
    return builder.frame()


def _tabulate_end(
    builder: TableBuilder, run: RunResult, limits: np.ndarray, threshold: float
) -> None:
    """Add how one run ends, whose realizations have these accuracies at t → ∞."""
    x = run.parameters["lambda"]
    row = summarize_values("limit", limits).iloc[0]
    for statistic in ("median", "mean"):
        builder.add_summary("final_accuracy", statistic, x, row, statistic=statistic)
    builder.add_summary("final_accuracy", "at_t_max", x, run.number("final_gen_accuracy"))
    time = run.number("t_gen")
    builder.add_summary("grokking_time", "t95", x, time)
    never = int((limits < threshold).sum())
    late = max(int(time["n_infinite"] + time["n_censored"]) - never, 0)
    logistic.tabulate_unreached(builder, x, {"never": never, "censored": late}, len(limits))


def draw(table: pd.DataFrame) -> Figure:
    """Draw three columns of dynamics, and the right column against λ."""
    figure, axes = logistic.draw_columns(table, spare=1)
    norms, accuracies, times = axes[:, -1]
    _draw_limit_norm(norms, table)
    measured = {
        "at_t_max": ("when the run ends", style.SKY, "v"),
        "median": (r"$t\to\infty$, median", panels.MEDIAN, "o"),
        "mean": (r"$t\to\infty$, mean", panels.MEAN, "s"),
    }
    panel, label, theory = "final_accuracy", "final accuracy", {"margin": style.LARGE_SIZE}
    panels.draw_statistic(accuracies, table, panel, label, theory, measured, place="lower left")
    _draw_times(times, table)
    legends.of_dynamics(figure, table, theory=True, limit=True)
    return figure


def _draw_limit_norm(axes: Axes, table: pd.DataFrame) -> None:
    dashed = {**style.REFERENCE, "linewidth": 1.2, "label": "two-point model"}
    theory = {"large_size": style.LARGE_SIZE, "two_point": dashed}
    panels.draw_statistic(axes, table, "s_inf_norm", r"$\|S_\infty\|$", theory)
    points = rows(table, "s_inf_norm", source="experiment")
    finite = points.loc[np.isfinite(points["y"]), "y"]
    # Where the median of every run is infinite, theory alone sets the scale.
    axes.set_ylim(0, 1.15 * finite.max() if len(finite) else None)
    axes.set_xlim(points["x"].min() - 0.01, 0.505)


def _draw_times(axes: Axes, table: pd.DataFrame) -> None:
    times = rows(table, "grokking_time", source="experiment")["y"]
    finite = times[np.isfinite(times)]
    axes.set(yscale="log", ylim=(1, 1e4 * finite.max() if len(finite) else 1e10))
    label, theory = f"time of {percent(table)} accuracy (steps)", {"t95": style.LARGE_SIZE}
    measured = {"t95": ("median, quartiles", panels.MEDIAN, "o")}
    never = legends.mark("never", panels.MEDIAN, "^", markerfacecolor="none")
    legend = {"also": [never], "place": "upper left"}
    panels.draw_statistic(axes, table, "grokking_time", label, theory, measured, **legend)
