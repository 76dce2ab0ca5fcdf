"""Fig. A6."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Axis, Positive, Span
from linear_grokking.config.figure_options import FigureOptions
from linear_grokking.figures import legends, style
from linear_grokking.figures.linear_panels import LOSSES, TIME_LABEL, colours_of, ratio
from linear_grokking.figures.points import draw_lines
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.theory import linear
from linear_grokking.theory import linear_late_time as late
from linear_grokking.theory.linear_grokking_time import grokking_time

TITLE = "Late-time approximations compared with exact losses and grokking times (Paper A, Fig. 6)"
APPROXIMATIONS = {
    "train_late": ("train", late.late_time_train_loss),
    "generalization_late": ("generalization", late.late_time_gen_loss),
    "generalization_edge": ("generalization", late.edge_gen_loss),
}
"""Series → the exact loss that it approximates, and the paper's formula."""

LINES = {
    "train_late": (style.GREEN, "--", "training: Eq. 22"),
    "generalization_late": (style.GREEN, "-", "generalization: Eq. 23"),
    "generalization_edge": (style.PURPLE, "-", "generalization: Eq. 11"),
}
"""Series → colour, line and name of an approximation."""

DELAYS: Mapping[str, Mapping[str, Any]] = {
    "late_time": {"linestyle": "-", "linewidth": 1.0, "label": "Eqs. 22 and 23 solved"},
    "lambert": {"linestyle": "-.", "linewidth": 1.1, "label": "Eqs. 24, 25"},
    "expanded": {"linestyle": ":", "linewidth": 1.6, "label": "Eq. 26, where real"},
}
"""Series of grokking times that depend on ε → how it is drawn."""

LOSS_RANGE = (1e-12, 10.0)
LOSS_RATIOS = (0.5, 30.0)
TIME_RATIOS = (0.7, 12.0)


class Options(FigureOptions):
    """What Fig. A6 is drawn from: formulas alone."""

    eta: Positive = Field(0.01, description="Learning rate η₀.")
    lambda_: Positive = Field(0.9, alias="lambda", lt=1, description="λ of the losses.")
    t: Span = Field(description="Range of steps of the losses, log-spaced.")
    epsilon: Axis[Positive] = Field(description="Accuracy thresholds ε of the grokking times.")
    lambda_range: Span = Field(description="Range of λ < 1 of the grokking times.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: exact and approximate losses and grokking times, and their ratios.

    Series ``late_time`` is the delay between the crossings of the late-time losses, Eqs. 22
    and 23; ``lambert`` that of Eqs. 24 and 25, ``expanded`` Eq. 26 (null where it has no real
    value) and ``small_epsilon`` Eq. 12, the same for all ε.
    """
    builder = TableBuilder()
    t = options.t.log()
    problem = linear.Problem(options.lambda_, options.eta)
    exact = {name: loss(t, problem) for name, loss in LOSSES.items()}
    shown = {"lambda": options.lambda_}
    for name, loss in exact.items():
        builder.add("loss", name, "theory", t, loss, shown)
    for series, (name, formula) in APPROXIMATIONS.items():
        loss = formula(t, problem)
        builder.add("loss", series, "paper", t, loss, shown)
        builder.add("loss_ratio", series, "paper", t, ratio(loss, exact[name]), shown)

    values = options.lambda_range.linear()
    problem = linear.Problem(values, options.eta)
    limit = late.small_epsilon_delay(problem)
    builder.add("grokking_time", "small_epsilon", "paper", values, limit)
    for epsilon in options.epsilon:
        shown = {"epsilon": epsilon}
        at: dict[str, Any] = {"epsilon": epsilon, "accuracy": data.threshold}
        time = grokking_time(problem, **at)
        builder.add("grokking_time", "time", "theory", values, time, shown)
        times = late.lambert_times(problem, **at)
        for series, source, delay in (
            ("late_time", "theory", late.late_time_delay(problem, **at)),
            ("lambert", "paper", times.gen - times.train),
            ("expanded", "paper", late.expanded_delay(problem, **at)),
            ("small_epsilon", "paper", limit),
        ):
            if series in DELAYS:
                builder.add("grokking_time", series, source, values, delay, shown)
            share = ratio(delay, time)
            builder.add("grokking_time_ratio", series, source, values, share, shown)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses and grokking times with their approximations; ratios to the exact ones below."""
    layout = {"height": 4.7, "sharex": "col", "height_ratios": (1, 0.6)}
    figure, axes = style.new_panels(2, 2, downwards=True, **layout)
    _draw_losses(axes[0, 0], table)
    _prepare_ratios(axes[1, 0], LOSS_RATIOS)
    for series, (colour, line, _) in LINES.items():
        draw_lines(axes[1, 0], table, "loss_ratio", series, color=colour, linestyle=line)
    axes[1, 0].set(xscale="log", xlabel="step $t$", ylabel="approximation / exact")
    colours = colours_of(table["epsilon"])
    _draw_times(axes[0, 1], table, colours)
    _prepare_ratios(axes[1, 1], TIME_RATIOS)
    for series, look in {**DELAYS, "small_epsilon": {"linestyle": "--"}}.items():
        _draw_coloured(axes[1, 1], table, "grokking_time_ratio", series, colours, look)
    axes[1, 1].set(xlabel=style.SYMBOLS["lambda"], ylabel="approximation / exact")
    return figure


def _draw_losses(axes: Axes, table: pd.DataFrame) -> None:
    for series, name in style.NAMES.items():
        look = {"linestyle": style.line_of(series), "linewidth": 2.4}
        draw_lines(axes, table, "loss", series, label=f"{name}: Eq. 8", **look)
    for series, (colour, line, name) in LINES.items():
        look = {"color": colour, "linestyle": line, "linewidth": 1.2}
        draw_lines(axes, table, "loss", series, label=name, **look)
    exact = table[(table["panel"] == "loss") & table["series"].isin(list(LOSSES))]
    axes.set(xscale="log", yscale="log", ylabel="loss")
    axes.set_ylim(LOSS_RANGE)
    axes.legend(loc="lower left")
    axes.set_title(style.label("lambda", exact["lambda"].iloc[0]), loc="right", fontsize="medium")


def _draw_times(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    limit: dict[str, Any] = {"color": style.PAPER, "linestyle": "--", "linewidth": 1.0}
    exact = {**style.THEORY_LINE, "linewidth": 2.4}
    draw_lines(axes, table, "grokking_time", "time", by="epsilon", **exact)
    for series, look in DELAYS.items():
        _draw_coloured(axes, table, "grokking_time", series, colours, look)
    draw_lines(axes, table, "grokking_time", "small_epsilon", **limit)
    axes.set(yscale="log", ylabel=TIME_LABEL)
    kinds = [
        legends.line("exact", **exact),
        *(legends.line(color=legends.GREY, **look) for look in DELAYS.values()),
        legends.line(r"Eq. 12 ($\epsilon\to0$)", **limit),
    ]
    legends.of_values(axes, "epsilon", colours, also=kinds, loc="upper left")


def _draw_coloured(
    axes: Axes,
    table: pd.DataFrame,
    panel: str,
    series: str,
    colours: Mapping[float, str],
    look: Mapping[str, Any],
) -> None:
    """Draw a formula in the colour of each ε: the exact times beside it are black."""
    for epsilon, colour in colours.items():
        draw_lines(axes, rows(table, epsilon=epsilon), panel, series, color=colour, **look)


def _prepare_ratios(axes: Axes, limits: tuple[float, float]) -> None:
    """Give a panel a logarithmic y axis with plain numbers, and mark equality."""
    axes.axhline(1.0, **style.THEORY_LINE)
    axes.set(yscale="log", ylim=limits)
    style.tick_plainly(axes.yaxis)
