"""Late-time approximations against the exact losses and grokking times (Paper A, Fig. 6)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator
from pydantic import Field

from linear_grokking.config.fields import Positive, Span
from linear_grokking.config.figures import FigureOptions
from linear_grokking.figures import style
from linear_grokking.figures.dynamics import panel_letters, value_legend
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.theory import linear, linear_late_time
from linear_grokking.theory.linear_grokking_time import grokking_time

EXACT = {"train": linear.train_loss, "generalization": linear.gen_loss}
APPROXIMATIONS = {
    "train_late": ("train", "paper", linear_late_time.late_time_train_loss),
    "generalization_late": ("generalization", "theory", linear_late_time.late_time_gen_loss),
    "generalization_late_paper": (
        "generalization",
        "paper",
        linear_late_time.paper_late_time_gen_loss,
    ),
}
"""Series → the exact loss that it approximates, whose it is, and its formula."""

LINES = {
    "train_late": (style.BLUE, "--", r"training: $e^{-4q^2x}/(16\sqrt{\pi}\lambda^{3/4}x^{3/2})$"),
    "generalization_late": (style.VERMILION, "-", "generalization: its integral"),
    "generalization_late_paper": (style.PURPLE, "-", r"generalization: training / $q^2$"),
}
"""Series → colour, line and name of an approximation."""

LOSS_RATIOS = (0.5, 30.0)
TIME_RATIOS = (0.7, 8.0)


class Options(FigureOptions):
    """What Fig. A6 is drawn from: formulas alone."""

    eta: Positive = Field(0.01, description="Learning rate η₀.")
    lambda_: Positive = Field(0.9, alias="lambda", lt=1, description="λ of the losses.")
    t: Span = Field(description="Range of steps of the losses, log-spaced.")
    epsilon: tuple[Positive, ...] = Field(
        min_length=1, description="Accuracy thresholds ε of the grokking times."
    )
    lambda_range: Span = Field(description="Range of λ < 1 of the grokking times.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: exact and approximate losses and grokking times, and their ratios.

    Series ``late_time`` is the delay between the late-time losses' crossings, and
    ``small_epsilon`` the paper's formula, the same for all ε.
    """
    builder = TableBuilder()
    t = np.geomspace(options.t.start, options.t.stop, options.t.points)
    exact = {name: loss(t, options.lambda_, options.eta) for name, loss in EXACT.items()}
    at = {"lambda": options.lambda_}
    for name, loss in exact.items():
        builder.add("loss", name, "theory", t, loss, parameters=at)
    for series, (name, source, formula) in APPROXIMATIONS.items():
        loss = formula(t, options.lambda_, options.eta)
        builder.add("loss", series, source, t, loss, parameters=at)
        builder.add("loss_ratio", series, source, t, loss / exact[name], parameters=at)

    span = options.lambda_range
    values = np.linspace(span.start, span.stop, span.points)
    paper = linear_late_time.small_epsilon_delay(values, options.eta)
    builder.add("grokking_time", "small_epsilon", "paper", values, paper)
    for epsilon in options.epsilon:
        arguments = (values, options.eta, epsilon)
        time = grokking_time(*arguments, accuracy=data.threshold)
        sharper = linear_late_time.late_time_delay(*arguments, accuracy=data.threshold)
        parameters = {"epsilon": epsilon}
        builder.add("grokking_time", "time", "theory", values, time, parameters=parameters)
        builder.add("grokking_time", "late_time", "theory", values, sharper, parameters=parameters)
        for series, source, delay in (
            ("late_time", "theory", sharper),
            ("small_epsilon", "paper", paper),
        ):
            builder.add(
                "grokking_time_ratio", series, source, values, delay / time, parameters=parameters
            )
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw losses and grokking times with their approximations, ratios to the exact below."""
    figure = style.new_figure(2.4, 1.9)
    axes = figure.subplots(2, 2, sharex="col", height_ratios=(1, 0.6))
    _draw_losses(axes[0, 0], table)
    _draw_loss_ratios(axes[1, 0], table)
    colours = style.colours(sorted(table["epsilon"].dropna().unique(), reverse=True))
    _draw_times(axes[0, 1], table, colours)
    _draw_time_ratios(axes[1, 1], table, colours)
    panel_letters(axes.T.flat)
    return figure


def _curve(table: pd.DataFrame, panel: str, series: str) -> pd.DataFrame:
    return table[(table["panel"] == panel) & (table["series"] == series)]


def _draw_losses(axes: Axes, table: pd.DataFrame) -> None:
    for name, line in (("train", style.TRAIN_LINE), ("generalization", "-")):
        curve = _curve(table, "loss", name)
        axes.plot(
            curve["x"],
            curve["y"],
            color=style.THEORY,
            linestyle=line,
            linewidth=2.4,
            label=f"{name.replace('train', 'training')}: exact",
        )
    for series, (colour, line, name) in LINES.items():
        curve = _curve(table, "loss", series)
        axes.plot(curve["x"], curve["y"], color=colour, linestyle=line, linewidth=1.2, label=name)
    exact = table[(table["panel"] == "loss") & table["series"].isin(list(EXACT))]
    axes.set(xscale="log", yscale="log", ylabel="loss")
    axes.set_ylim(max(exact["y"].min() / 2, style.LOSS_FLOOR), 10 * exact["y"].max())
    axes.legend(loc="lower left")
    axes.set_title(style.label("lambda", exact["lambda"].iloc[0]), loc="right", fontsize="medium")


def _draw_loss_ratios(axes: Axes, table: pd.DataFrame) -> None:
    axes.axhline(1.0, color=style.THEORY, linewidth=0.9)
    for series, (colour, line, _) in LINES.items():
        curve = _curve(table, "loss_ratio", series)
        axes.plot(curve["x"], curve["y"], color=colour, linestyle=line)
    axes.set(xscale="log", xlabel="step $t$", ylabel="approximation / exact")
    _ratio_axis(axes, LOSS_RATIOS)


def _draw_times(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    paper = _curve(table, "grokking_time", "small_epsilon")
    axes.plot(paper["x"], paper["y"], color=style.THEORY, linestyle="--")
    for series, options in (
        ("time", {"linewidth": 3.0, "alpha": 0.45}),
        ("late_time", {"linewidth": 1.0}),
    ):
        for epsilon, curve in _curve(table, "grokking_time", series).groupby("epsilon"):
            axes.plot(curve["x"], curve["y"], color=colours[epsilon], **options)
    axes.set(yscale="log", ylabel=r"grokking time $\Delta t$ (steps)")
    grey = "#555555"
    kinds = [
        Line2D([], [], color=grey, linewidth=3.0, alpha=0.45, label="exact"),
        Line2D([], [], color=grey, linewidth=1.0, label="from the late-time losses"),
        Line2D([], [], color=style.THEORY, linestyle="--", label=r"paper: $\log(1/q)/2\eta q^2$"),
    ]
    value_legend(axes, "epsilon", colours, also=kinds, loc="upper left")


def _draw_time_ratios(axes: Axes, table: pd.DataFrame, colours: dict[float, str]) -> None:
    axes.axhline(1.0, color=style.THEORY, linewidth=0.9)
    for series, line, width in (("late_time", "-", 1.0), ("small_epsilon", "--", 1.6)):
        for epsilon, curve in _curve(table, "grokking_time_ratio", series).groupby("epsilon"):
            axes.plot(
                curve["x"], curve["y"], color=colours[epsilon], linestyle=line, linewidth=width
            )
    axes.set(xlabel=style.SYMBOLS["lambda"], ylabel="formula / exact")
    _ratio_axis(axes, TIME_RATIOS)


def _ratio_axis(axes: Axes, limits: tuple[float, float]) -> None:
    """Make the y axis logarithmic, with plain numbers."""
    axes.set_yscale("log")
    axes.set_ylim(*limits)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(NullLocator())
