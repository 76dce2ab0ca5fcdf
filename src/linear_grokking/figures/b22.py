"""Fig. B22.

Paper B takes Gaussian inputs, and states its transition for any law that is symmetric about the
origin (ICML App. G).  What else, below the transition, does not depend on the law?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Span
from linear_grokking.config.figure_options import FigureOptions, LogisticRuns, SeparabilityRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures import separability_panels as panels
from linear_grokking.figures.dynamics import draw_dynamics, tabulate_dynamics
from linear_grokking.figures.logistic_panels import tabulate_settled_course
from linear_grokking.figures.points import draw_beside, draw_lines, draw_points_by, tabulate_scalar
from linear_grokking.figures.tables import FigureData, TableBuilder, percent, rows
from linear_grokking.results.reading import by_value
from linear_grokking.theory import elliptical, large_size

TITLE = "Other entries, random radii, random features: what is universal? (beyond Paper B)"


class Look(NamedTuple):
    """How a law is written in a legend, and drawn."""

    name: str
    colour: str
    marker: str


_LOOKS = {
    "gaussian": Look("Gaussian", style.BLUE, "o"),
    "rademacher": Look("Rademacher", style.SKY, "s"),
    "uniform": Look("uniform", style.ORANGE, "v"),
    "student_t": Look("Student's $t$", style.PURPLE, "^"),
    "tanh_features": Look("tanh features", style.GREEN, "D"),
    "relu_features": Look("ReLU features", style.VERMILION, "*"),
    "elliptical": Look("random radius", style.RAMP[3], "o"),
}
_SHADES = style.RAMP[2:]
"""Colours of two ratios of radii, ascending; the larger one has the colour of its law."""
_SPREAD = 0.004
"""Shift in λ between points of laws that would lie on each other."""


def look_of(law: str) -> Look:
    """Return the look of a law; laws of one's own share a colour and a marker."""
    return _LOOKS.get(law, Look(law.replace("_", " "), legends.GREY, "X"))


class Options(FigureOptions):
    """What Fig. B22 is drawn from."""

    fractions: SeparabilityRuns = Field(description="Verdicts on sets of each law, one per λ.")
    entries: SeparabilityRuns = Field(description="Larger sets of independent entries, below ½.")
    elliptical: SeparabilityRuns = Field(description="Sets of a random radius, ratio × λ.")
    dynamics: LogisticRuns = Field(description="Runs at one λ, one per law.")
    lambda_range: Span = Field(description="Range of λ of the curves of large sets.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: fractions and norms by law against λ, and accuracies against the step.

    Panel ``separable_fraction`` is as in Fig. B15, by law.  Panels ``s_inf_norm`` (by law) and
    ``s_inf_norm_elliptical`` (by ratio of the radii) hold σ‖S_∞‖, where separable sets count as
    inf; series ``large_size`` is the curve of one radius, ``large_size_elliptical`` that of each
    ratio.  Panel ``accuracy`` holds dynamics, and its series ``large_size`` the accuracy at each
    time if S has settled.
    """
    builder = TableBuilder()
    panels.tabulate_separable_fraction(builder, data.runs("fractions"), ("n_train", "law"))
    lambdas = options.lambda_range.linear()
    norm = large_size.limit_norm(lambdas)
    for panel, role, key in (
        ("s_inf_norm", "entries", "law"),
        ("s_inf_norm_elliptical", "elliptical", "radius_ratio"),
    ):
        at = {"x": "lambda", "keys": ["n_train", key], "sigma_power": 1}
        tabulate_scalar(builder, data.runs(role), "s_inf_norm", panel, "median", **at)
        builder.add(panel, "large_size", "theory", lambdas, norm)
    share = data.runs("elliptical")[0].parameters["far_share"]
    for ratio in sorted(by_value(data.runs("elliptical"), "radius_ratio")):
        curve = elliptical.limit_norm(lambdas, ratio, share)
        panel = "s_inf_norm_elliptical"
        at = {"radius_ratio": ratio}
        builder.add(panel, "large_size_elliptical", "theory", lambdas, curve, at)
    for run in data.runs("dynamics"):
        tabulate_dynamics(builder, run, {"law": run.parameters["law"]}, ["accuracy"])
        _tabulate_settled(builder, run.parameters)
    return builder.frame()


def _tabulate_settled(builder: TableBuilder, parameters: Mapping[str, Any]) -> None:
    """Add accuracies and the times at which large sets reach them if S has settled."""
    law = parameters["law"]
    if law == "elliptical":
        radius = parameters["radius_ratio"], parameters["far_share"]
    elif law == "gaussian":
        radius = 1.0, 0.5
    else:
        return
    lambda_, eta, t_max = (parameters[key] for key in ("lambda", "eta", "t_max"))
    log_time = partial(elliptical.log_time_to_accuracy, lambda_, *radius, eta)
    tabulate_settled_course(builder, log_time, t_max, {"law": law})


def draw(table: pd.DataFrame) -> Figure:
    """Draw fractions and norms of entries above; elliptical inputs and dynamics below."""
    figure, axes = style.new_panels(2, 2, height=4.6)
    _draw_fractions(axes[0, 0], table)
    _draw_entries(axes[0, 1], table)
    _draw_elliptical(axes[1, 0], table)
    _draw_dynamics(axes[1, 1], table)
    laws = {*table["law"].dropna(), "elliptical"}
    shown = [law for law in _LOOKS if law in laws] + sorted(laws - _LOOKS.keys())
    marks = [legends.mark(*look_of(law)) for law in shown]
    figure.legend(handles=marks, loc="outside lower center", ncols=4, columnspacing=1.2)
    return figure


def _draw_fractions(axes: Axes, table: pd.DataFrame) -> None:
    fractions = rows(table, "separable_fraction")
    draw_lines(axes, table, "separable_fraction", "wendel", **panels.WENDEL_LINE)
    points, wendel = rows(fractions, source="experiment"), rows(fractions, series="wendel")
    _draw_laws(axes, points, wendel)
    panels.lambda_axis(axes, "separable fraction")
    axes.locator_params(axis="x", nbins=5)
    size = legends.line(style.size_label(fractions), linestyle="")
    legends.add(axes, [legends.line(**panels.WENDEL_LINE), size], loc="lower right")


def _draw_entries(axes: Axes, table: pd.DataFrame) -> None:
    norms = rows(table, "s_inf_norm")
    draw_lines(axes, norms, "s_inf_norm", "large_size", **style.LARGE_SIZE)
    points, curve = rows(norms, source="experiment"), rows(norms, series="large_size")
    _draw_laws(axes, points, curve)
    _norm_axes(axes)
    legends.add(axes, [legends.line(**style.LARGE_SIZE)], loc="upper left")


def _draw_laws(axes: Axes, points: pd.DataFrame, curve: pd.DataFrame) -> None:
    looks = {law: look_of(law) for law in points["law"].unique()}
    colours = {law: look.colour for law, look in looks.items()}
    markers = {law: look.marker for law, look in looks.items()}
    draw_beside(axes, points, "law", colours, curve, _SPREAD, markers)


def _norm_axes(axes: Axes) -> None:
    panels.lambda_axis(axes, r"$\sigma\|S_\infty\|$")
    axes.set(yscale="log", xlim=(None, 0.51))
    style.tick_plainly(axes.yaxis)


def _draw_elliptical(axes: Axes, table: pd.DataFrame) -> None:
    panel = "s_inf_norm_elliptical"
    ratios = sorted(rows(table, panel)["radius_ratio"].dropna().unique())
    colours = style.shades("radius_ratio", ratios, _SHADES)
    draw_lines(axes, table, panel, "large_size_elliptical", by="radius_ratio", colours=colours)
    draw_lines(axes, table, panel, "large_size", **style.REFERENCE)
    draw_points_by(axes, rows(table, panel, source="experiment"), "radius_ratio", colours)
    _norm_axes(axes)
    marks = legends.marks("radius_ratio", colours)
    marks += [legends.line(r"$N\to\infty$ for each ratio", **style.THEORY_LINE)]
    marks += [legends.line(r"$N\to\infty$, one radius", **style.REFERENCE)]
    legends.add(axes, marks, loc="upper left")


def _draw_dynamics(axes: Axes, table: pd.DataFrame) -> None:
    curves = rows(table, "accuracy")
    # A time before the first step has no place on the axis.
    early = curves["series"].str.endswith("_reached") & (curves["x"] < 1.0)
    curves = curves[~curves["series"].str.startswith("train") & ~early]
    colours = {law: look_of(law).colour for law in curves["law"].unique()}
    draw_dynamics([axes], curves, "law", colours, ["accuracy"])
    for law, curve in rows(curves, series="large_size").groupby("law", sort=False):
        axes.plot(curve["x"], curve["y"], color=colours[law], zorder=1, **style.STRIPE)
    axes.set(ylabel="generalization accuracy", ylim=(0.45, 1.03))
    handles = [
        legends.line(r"settled $S$, $N\to\infty$", **style.THEORY_LINE),
        legends.line(
            f"reaches {percent(table)}", color=legends.GREY, **style.REACHED["generalization"]
        ),
    ]
    legends.add(axes, handles, loc="lower right")
