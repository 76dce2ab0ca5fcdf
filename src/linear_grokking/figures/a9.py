"""Fig. A9."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from pydantic import Field

from linear_grokking.config.fields import Count, Span
from linear_grokking.config.figure_options import FigureOptions, GrokkingTimes, LinearRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import linear_law_panels as law
from linear_grokking.figures.points import draw_beside, draw_lines, draw_points
from linear_grokking.figures.ranges import finite_ends
from linear_grokking.figures.tables import FigureData, TableBuilder, rows

TITLE = "Distribution of the grokking time in one-layer linear regression (beyond Paper A)"
TIME = r"$t_\mathrm{gen}$"
_DASHED = {**style.THEORY_LINE, "linestyle": (0, (5, 2))}
_ASIDE = 0.012
"""Shift in λ between the points of neighbouring sizes."""
_TAIL_BELOW = 0.3
"""Probability below which a tail is shown."""
_GUIDE = {"color": style.PAPER, "linewidth": 1.0, "linestyle": (0, (4, 2))}


class Options(FigureOptions):
    """What Fig. A9 is drawn from."""

    law: GrokkingTimes = Field(description="Draws of one setting, whose times are shown.")
    scatter: GrokkingTimes = Field(description="Draws whose scatter is measured, d_in × λ.")
    matrices: LinearRuns = Field(description="Runs with data at a setting of `scatter`.")
    matrices_of_a1: LinearRuns = Field(description="Runs with data at the setting of `law`.")
    hard_edge: GrokkingTimes = Field(description="Draws with N = d_in or little more.")
    critical: GrokkingTimes = Field(description="Draws at λ = 1, d_in × ε.")
    lambda_: Span = Field(alias="lambda", description="Range of λ < 1 of the scatter's formula.")
    bins: Count = Field(40, description="Bins of the times' distribution.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: distributions, scatter and medians of t_gen, beside their formulas.

    Panels:

    - ``density``: t_gen of the first run ``law``.
    - ``cumulative``: the shares of draws that generalize by a step, with data (``matrices``) and
      without (``draws``).
    - ``deviation``: √d sd(t_gen) over the large-size t_gen, with its 95 % interval.
    - ``smallest_eigenvalue`` and ``survival``: P(Ndν < x) and P(t_gen > x) where N is d or
      slightly more, told apart by ``n_train``.
    - ``median``: the median of t_gen at λ = 1, with quartiles.

    Series of the theory:

    - ``normal``: the normal law with the formula's mean and deviation.
    - ``law``: Edelman's law.
    - ``one_mode``, ``one_mode_low`` and ``one_mode_high``: the law of the slowest mode alone, and
      its quartiles.
    - ``tail``: what either law tends to.
    - ``square``: a line of slope 2.
    """
    builder = TableBuilder()
    law.tabulate_law(builder, data, options.bins)
    law.tabulate_matrices(builder, data)
    law.tabulate_deviations(builder, data, options.lambda_.linear())
    law.tabulate_hard_edge(builder, data)
    law.tabulate_critical(builder, data)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Draw distributions: above where many modes decide, below where a single one does."""
    figure, axes = style.new_panels(2, 3, height=4.6)
    _draw_density(axes[0, 0], table)
    _draw_cumulative(axes[0, 1], table)
    _draw_deviation(axes[0, 2], table)
    _draw_hard_edge(axes[1, :2], table)
    _draw_median(axes[1, 2], table)
    handles = [
        legends.line("theory", **style.THEORY_LINE),
        legends.line("(a), (b): normal law; (d), (e): tail", **_DASHED),
        legends.line("slope 2", **_GUIDE),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _draw_density(axes: Axes, table: pd.DataFrame) -> None:
    drawn, normal = (_scaled(rows(table, "density", each)) for each in ("draws", "normal"))
    x = drawn["x"].to_numpy()
    width = np.diff(x).mean() if len(x) > 1 else 1.0
    edges = np.append(x - width / 2, x[-1:] + width / 2)
    axes.stairs(drawn["y"], edges, fill=True, color=style.BLUE, alpha=style.BAND_ALPHA)
    axes.stairs(drawn["y"], edges, color=style.BLUE, linewidth=1.0)
    draw_lines(axes, normal, "density", "normal", **_DASHED)
    axes.set(xlabel=f"{TIME} ($10^3$ steps)", ylabel="density (per $10^3$ steps)")
    axes.set_ylim(bottom=0)
    axes.set_title(_setting(drawn), loc="right", fontsize="medium")


def _scaled(curve: pd.DataFrame) -> pd.DataFrame:
    """Return a density with steps in thousands."""
    return curve.assign(x=curve["x"] / 1e3, y=curve["y"] * 1e3)


def _setting(drawn: pd.DataFrame) -> str:
    return ", ".join(style.label(key, drawn[key].iloc[0]) for key in ("lambda", "d_in"))


def _draw_cumulative(axes: Axes, table: pd.DataFrame) -> None:
    drawn, matrices = (rows(table, "cumulative", each) for each in ("draws", "matrices"))
    for some, colour, name, width in (
        (drawn, style.SKY, "bidiagonal matrices", 3.0),
        (matrices, style.VERMILION, "data matrices", 1.0),
    ):
        axes.step(some["x"] / 1e3, some["y"], color=colour, label=name, linewidth=width)
    normal = rows(table, "cumulative", "normal")
    draw_lines(axes, normal.assign(x=normal["x"] / 1e3), "cumulative", "normal", **_DASHED)
    axes.set(xlabel=f"{TIME} ($10^3$ steps)", ylabel="cumulative share of draws", ylim=(0, 1))
    axes.set_xlim(*finite_ends(0, matrices["x"].quantile(0.99) / 1e3))
    axes.set_title(_setting(matrices), loc="right", fontsize="medium")
    axes.legend(loc="lower right")


def _draw_deviation(axes: Axes, table: pd.DataFrame) -> None:
    points = rows(table, "deviation", "draws")
    colours = style.colours_of(points["d_in"])
    formula = rows(table, "deviation", "formula")
    draw_beside(axes, points.sort_values("d_in"), "d_in", colours, formula, _ASIDE)
    draw_lines(axes, table, "deviation", "formula")
    axes.set(xlabel=style.SYMBOLS["lambda"], yscale="log")
    axes.set_ylabel(rf"$\sqrt{{d_\mathrm{{in}}}}\,$sd({TIME}) / {TIME}")
    style.tick_plainly(axes.yaxis)
    legends.of_values(axes, "d_in", colours, loc="upper left")


def _draw_hard_edge(axes: np.ndarray, table: pd.DataFrame) -> None:
    drawn = rows(table, "survival", "draws")
    excess = drawn["n_train"] - drawn["d_in"]
    colours = dict(zip(sorted(excess.unique()), style.PALETTE[1:], strict=False))
    for each, panel in zip(axes, ("smallest_eigenvalue", "survival"), strict=True):
        for more, colour in colours.items():
            some = rows(table, panel)
            some = some[some["n_train"] - some["d_in"] == more]
            points = rows(some, series="draws")
            each.plot(points["x"], points["y"], color=colour, linewidth=2.4, alpha=0.7)
            tail = rows(some, series="tail")
            shown = tail[tail["y"] < _TAIL_BELOW]
            draw_lines(each, shown, panel, "tail", **_DASHED)
            for series in ("law", "one_mode"):
                draw_lines(each, some, panel, series)
        each.set(xscale="log", yscale="log", ylim=(drawn["y"].min(), 1.5))
    axes[0].set(xlabel=r"$x$", ylabel=r"$P(Nd_\mathrm{in}\,\nu_\mathrm{min}<x)$")
    axes[1].set(xlabel=r"$T$ (steps)", ylabel=rf"$P$({TIME} > $T$)")
    handles = [
        legends.line(
            rf"$N-d_\mathrm{{in}}$ = {more:.0f}: {style.number((more + 1) / 2)}",
            color=colour,
            linewidth=2,
        )
        for more, colour in colours.items()
    ]
    legends.add(axes[0], handles, loc="upper left", title="tail exponents", alignment="left")
    for each in axes:
        each.set_title(style.label("d_in", drawn["d_in"].iloc[0]), loc="right", fontsize="medium")


def _draw_median(axes: Axes, table: pd.DataFrame) -> None:
    points = rows(table, "median", "draws")
    colours = style.colours_of(points["epsilon"])
    for epsilon, some in points.groupby("epsilon"):
        curves = rows(table, "median", epsilon=epsilon)
        low, high = (rows(curves, series=f"one_mode_{each}") for each in ("low", "high"))
        band = pd.merge(low, high, on="x")
        band_look = {"color": colours[epsilon], "alpha": style.BAND_ALPHA, "linewidth": 0}
        axes.fill_between(band["x"], band["y_x"], band["y_y"], **band_look)
        draw_points(axes, some, colours[epsilon])
    draw_lines(axes, table, "median", "one_mode", by="epsilon")
    draw_lines(axes, table, "median", "square", by="epsilon", **_GUIDE)
    axes.set(xscale="log", yscale="log", xlabel=style.SYMBOLS["d_in"])
    axes.set_ylabel(f"{TIME} (steps)")
    axes.set_title(rf"{style.label('lambda', 1)}", loc="right", fontsize="medium")
    sizes = sorted(points["x"].unique())
    axes.set_xticks(sizes, [style.number(d_in) for d_in in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    legends.of_values(axes, "epsilon", colours, loc="upper left")
