"""Fig. A10.

Paper A's inputs are isotropic; its conclusion leaves structured ones open.  Here the spectrum of
their covariance is a power law, and large-size losses come from `theory.structured_inputs`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, LinearRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import linear_panels as panels
from linear_grokking.figures.dynamics import QUANTITIES, TIMES, draw_band, draw_dynamics, step_axis
from linear_grokking.figures.points import draw_lines, draw_points_by, tabulate_scalar
from linear_grokking.figures.ranges import finite_ends
from linear_grokking.figures.tables import FigureData, TableBuilder, rows, time_label
from linear_grokking.results.reading import RunResult
from linear_grokking.results.statistics import of_curve
from linear_grokking.theory import structured_inputs, structured_laws, structured_times
from linear_grokking.theory.linear import loss_threshold
from linear_grokking.theory.structured_inputs import StructuredProblem

TITLE = "Inputs with a power-law covariance in one-layer linear regression (beyond Paper A)"
P = "spectral_exponent"
LOSSES = {"train": structured_inputs.train_loss, "generalization": structured_inputs.gen_loss}
TIMES_TO = {
    "train": structured_times.train_time_to_loss,
    "generalization": structured_times.gen_time_to_loss,
}
LAW: Mapping[str, Any] = {"linestyle": (0, (1, 1.2)), "linewidth": 1.0, "color": style.PAPER}
"""Line of the laws that the exact theory tends to."""
SCALES = (style.SKY, style.GREEN, style.PURPLE)
"""Colours of α, in ascending order; oranges stand for p in this figure."""
FORGETTING = ("alpha", P, "lambda")
LOWEST = 1e-10
"""Smallest generalization loss at which the loss ratio is shown."""


class Options(FigureOptions):
    """What Fig. A10 is drawn from."""

    dynamics: LinearRuns = Field(description="Runs below λ = 1, one per exponent p.")
    times: LinearRuns = Field(description="Runs of the times against 1-λ, by p.")
    critical: LinearRuns = Field(description="Runs at λ = 1, one per p.")
    forgetting: LinearRuns = Field(
        description="Runs above λ = 1 with weight decay, at one p, by γ and α."
    )
    gap: Span = Field(description="Range of 1-λ of the theory curves, log-spaced.")
    epsilon: Span = Field(
        description="Range of ε of the ratios of times, log-spaced; measured at its decades."
    )
    gamma: Span = Field(description="Range of γ of the theory curves, log-spaced.")


def problem_of(parameters: Mapping[str, Any], **others: Any) -> StructuredProblem:
    """Return the theory's problem at some parameters, with ``others`` replacing theirs."""
    given = {P: 0.0, **parameters, **others}
    return StructuredProblem(**vars(panels.problem_of(given)), exponent=given[P])


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table.

    Panels ``loss`` (at the λ of the dynamics), ``critical_loss`` (at λ = 1) and ``loss_ratio``
    (training over generalization loss) are against the step; their series ``late`` holds the laws
    that they tend to.  Panel ``times`` holds the times of both accuracies against 1-λ; for a p
    without runs ``times``, it holds those of the dynamics.  Panel ``time_ratio`` holds, against ε,
    the ratio of the times at which the two losses fall to the threshold of ε.  Panel ``forgetting``
    holds the times against γ above λ = 1; its series ``late`` is the closed form.
    """
    builder = TableBuilder()
    _tabulate_losses(builder, data.runs("dynamics"), data.runs("critical"))
    timed = {run.parameters[P] for run in data.runs("times")}
    others = [run for run in data.runs("dynamics") if run.parameters[P] not in timed]
    _tabulate_gaps(builder, data.runs("times") + others, options.gap.log(), data.threshold)
    _tabulate_ratios(builder, data.runs("dynamics"), options.epsilon, data.threshold)
    _tabulate_forgetting(builder, data.runs("forgetting"), options.gamma.log(), data.threshold)
    return builder.frame()


def _tabulate_losses(
    builder: TableBuilder, below: Sequence[RunResult], critical: Sequence[RunResult]
) -> None:
    for panel, runs in (("loss", below), ("critical_loss", critical)):
        for run in runs:
            shown = {key: run.parameters[key] for key in (P, "lambda")}
            problem = problem_of(run.parameters)
            for series, quantity in QUANTITIES["loss"].items():
                curve = run.curve(quantity)
                builder.add_summary(panel, series, curve["step"], curve, shown)
                loss = LOSSES[series](curve["step"], problem)
                builder.add(panel, series, "theory", curve["step"], loss, shown)
    for run in below:
        shown = {key: run.parameters[key] for key in (P, "lambda")}
        steps, train, gen = run.curves("train_loss", "gen_loss")
        problem = problem_of(run.parameters)
        expected = [loss(steps, problem) for loss in LOSSES.values()]
        # Without a power law both losses vanish, and their ratio loses its digits.
        told = (gen.min(axis=0) > LOWEST) & (expected[1] > LOWEST)
        steps, train, gen = steps[told], train[:, told], gen[:, told]
        curve = of_curve("loss_ratio", steps, train / gen)
        builder.add_summary("loss_ratio", "train", steps, curve, shown)
        ratio = expected[0][told] / expected[1][told]
        builder.add("loss_ratio", "train", "theory", steps, ratio, shown)
        if run.parameters[P] > 0:
            limit = (1.0 - run.parameters["lambda"]) ** 2
            builder.add("loss_ratio", "late", "theory", steps[steps > 0], limit, shown)
    for run in critical:
        shown = {key: run.parameters[key] for key in (P, "lambda")}
        if run.parameters[P] != 1:
            steps = run.curve("gen_loss")["step"].to_numpy()
            steps = steps[steps >= 1.0 / run.parameters["eta"]]
            law = structured_laws.critical_gen_loss(steps, problem_of(run.parameters))
            builder.add("critical_loss", "late", "theory", steps, law, shown)


def _tabulate_gaps(
    builder: TableBuilder, runs: Sequence[RunResult], gaps: np.ndarray, threshold: float
) -> None:
    for run in runs:
        shown, at = {P: run.parameters[P]}, 1.0 - run.parameters["lambda"]
        for series, quantity in TIMES.items():
            builder.add_summary("times", series, at, run.number(quantity), shown)
    for parameters in _one_by(P, runs):
        shown = {P: parameters[P]}
        problem = problem_of(parameters, **{"lambda": 1.0 - gaps})
        level = loss_threshold(parameters["epsilon"], accuracy=threshold)
        for series, time_to in TIMES_TO.items():
            builder.add("times", series, "theory", gaps, time_to(level, problem), shown)
        if parameters[P] > 1:
            # For p below 1 this law is reached only at far smaller ε.
            law = structured_laws.late_times(level, problem)
            builder.add("times", "late", "theory", gaps, law.gen, shown)


def _tabulate_ratios(
    builder: TableBuilder, runs: Sequence[RunResult], epsilon: Span, threshold: float
) -> None:
    values = epsilon.log()
    first, last = np.round(np.log10([epsilon.start, epsilon.stop]), 9)
    decades = 10.0 ** np.arange(np.ceil(first), np.floor(last) + 1)
    for run in runs:
        shown = {P: run.parameters[P]}
        for each in decades:
            level = float(loss_threshold(each, accuracy=threshold))
            train, gen = panels.times_to_loss(run, level)
            if np.isfinite(gen).all():
                builder.add_values("time_ratio", "train", each, train / gen, shown)
        problem, levels = problem_of(run.parameters), loss_threshold(values, accuracy=threshold)
        train, gen = (time_to(levels, problem) for time_to in TIMES_TO.values())
        builder.add("time_ratio", "train", "theory", values, train / gen, shown)
        if run.parameters[P] > 0:
            law = structured_laws.late_times(levels, problem)
            builder.add("time_ratio", "late", "theory", values, law.train / law.gen, shown)


def _tabulate_forgetting(
    builder: TableBuilder, runs: Sequence[RunResult], gamma: np.ndarray, threshold: float
) -> None:
    for series, quantity in TIMES.items():
        tabulate_scalar(builder, runs, quantity, "forgetting", series, "gamma", FORGETTING)
    for parameters in _one_by("alpha", runs):
        shown = {key: parameters[key] for key in FORGETTING}
        problem = problem_of(parameters, gamma=gamma)
        level = loss_threshold(parameters["epsilon"], accuracy=threshold)
        for series, time_to in TIMES_TO.items():
            builder.add("forgetting", series, "theory", gamma, time_to(level, problem), shown)
        law = structured_laws.forgetting_time(level, problem)
        builder.add("forgetting", "late", "theory", gamma, law, shown)


def _one_by(key: str, runs: Sequence[RunResult]) -> list[Mapping[str, Any]]:
    """Return the parameters of one run for each value of a parameter."""
    return list({run.parameters[key]: run.parameters for run in runs}.values())


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses, their ratio and the losses at λ = 1 above, times below."""
    figure, axes = style.new_panels(2, 3, height=4.6)
    by_p = table["panel"].isin(["loss", "critical_loss", "times"])
    colours = panels.colours_of(table.loc[by_p, P])
    below = rows(table, "loss")["lambda"].iloc[0]
    draw_dynamics([axes[0, 0]], rows(table, "loss"), P, colours, ["loss"])
    axes[0, 0].set_ylim(bottom=style.LOSS_FLOOR)
    legends.of_values(axes[0, 0], P, colours, loc="lower left")
    _draw_ratio(axes[0, 1], table, colours)
    critical = rows(table, "critical_loss", "generalization")
    law = rows(table, "critical_loss", "late").assign(panel="loss")
    draw_dynamics([axes[0, 2]], critical.assign(panel="loss"), P, colours, ["loss"])
    draw_lines(axes[0, 2], law, "loss", "late", by=P, zorder=5, **LAW)
    axes[0, 2].set_ylabel("generalization loss")
    for each, value in ((axes[0, 0], below), (axes[0, 1], below), (axes[0, 2], 1.0)):
        _note(each, style.label("lambda", value))
    _draw_times(axes[1, 0], rows(table, "times"), "times", P, colours, r"$1-\lambda$")
    latest = rows(table, "times", source="experiment")["y"].max()
    axes[1, 0].set_ylim(*finite_ends(None, 3 * latest))
    _plain_ticks(axes[1, 0].xaxis, (0.05, 0.1, 0.2, 0.5))
    _draw_time_ratio(axes[1, 1], table, colours)
    _note(axes[1, 1], style.label("lambda", below))
    forgetting = rows(table, "forgetting")
    scales = style.shades("alpha", sorted(forgetting["alpha"].unique()), SCALES)
    gamma = style.SYMBOLS["gamma"]
    _draw_times(axes[1, 2], forgetting, "forgetting", "alpha", scales, gamma)
    there = (style.label(key, forgetting[key].iloc[0]) for key in ("lambda", P))
    _note(axes[1, 2], ", ".join(there))
    legends.of_values(axes[1, 2], "alpha", scales, loc="upper right")
    also = [
        legends.line("asymptotic law", **LAW),
        legends.mark("(d), (f): generalization, (e): ratio", legends.GREY, markersize=3.2),
        legends.mark("(d), (f): training", legends.GREY, "s", markersize=3.2, fillstyle="none"),
    ]
    kinds = [
        legends.line("training", color=legends.GREY, linestyle=style.TRAIN_LINE),
        legends.line("generalization", color=legends.GREY),
        legends.line("theory", **style.THEORY_LINE),
    ]
    figure.legend(handles=[*kinds, *also], loc="outside lower center", ncols=6, columnspacing=1.2)
    return figure


def _note(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="right", fontsize="medium")


def _plain_ticks(axis: Axis, values: Sequence[float]) -> None:
    """Mark values as plain numbers on a logarithmic axis of less than two decades."""
    axis.set_ticks(values, [style.number(value) for value in values])
    axis.set_minor_locator(NullLocator())


def _draw_ratio(axes: Axes, table: pd.DataFrame, colours: Mapping[Any, str]) -> None:
    ratios = rows(table, "loss_ratio", source="experiment")
    for value, curve in ratios.groupby(P):
        draw_band(axes, curve[curve["x"] > 0], "-", colours[value], linewidth=2.4)
    after = table[(table["x"] > 0) & (table["source"] == "theory")]
    draw_lines(axes, after, "loss_ratio", "train", by=P, zorder=4)
    draw_lines(axes, after, "loss_ratio", "late", zorder=5, **LAW)
    step_axis(axes)
    limit = rows(after, "loss_ratio", "late")["y"].min()
    axes.set(yscale="log", ylabel="training / generalization loss", ylim=finite_ends(limit / 20, 2))


def _draw_times(
    axes: Axes, times: pd.DataFrame, panel: str, by: str, colours: Mapping[Any, str], label: str
) -> None:
    """Draw the times of both accuracies, with theory on stripes."""
    looks = {"train": {"marker": "s", "fillstyle": "none"}, "generalization": {"marker": "o"}}
    for series, look in looks.items():
        line = style.line_of(series)
        draw_lines(axes, times, panel, series, by=by, colours=colours, linestyle=line)
        points = rows(times, series=series, source="experiment")
        draw_points_by(axes, points, by, colours, **look)
    draw_lines(axes, times, panel, "late", by=by, colours=colours, zorder=1.5, **LAW)
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel=time_label(times))


def _draw_time_ratio(axes: Axes, table: pd.DataFrame, colours: Mapping[Any, str]) -> None:
    draw_lines(axes, table, "time_ratio", "train", by=P, colours=colours)
    draw_lines(axes, table, "time_ratio", "late", by=P, colours=colours, **LAW)
    draw_points_by(axes, rows(table, "time_ratio", source="experiment"), P, colours)
    axes.set(xscale="log", yscale="log", xlabel=style.SYMBOLS["epsilon"])
    axes.set_ylabel(r"$t_\mathrm{tr}/t_\mathrm{gen}$ of the losses")
    _plain_ticks(axes.yaxis, (0.03, 0.05, 0.1, 0.2, 0.5))
