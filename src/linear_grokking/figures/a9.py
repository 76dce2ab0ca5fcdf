"""Fig. A9."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator
from pydantic import Field
from scipy.special import ndtr

from linear_grokking.config.fields import Count, Span
from linear_grokking.config.figure_options import FigureOptions, GrokkingTimes, LinearRuns
from linear_grokking.figures import legends, style
from linear_grokking.figures.linear_panels import problem_of
from linear_grokking.figures.points import draw_lines, draw_points, tabulate_scalar
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.results.crossings import first_crossing
from linear_grokking.results.reading import RunResult
from linear_grokking.results.statistics import deviation_interval
from linear_grokking.theory import hard_edge
from linear_grokking.theory.linear import loss_threshold
from linear_grokking.theory.linear_grokking_time import gen_time
from linear_grokking.theory.linear_scatter import gen_time_deviation

TITLE = "The law of the grokking time in one-layer linear regression (ours)"
TIME = r"$t_\mathrm{gen}$"
_SHOWN = 600
"""Most points of an empirical distribution."""
_DASHED = {**style.THEORY_LINE, "linestyle": (0, (5, 2))}
_QUARTILES = {"one_mode": 0.5, "one_mode_low": 0.25, "one_mode_high": 0.75}
"""Series of the slowest mode's law, and the share of draws below."""
_ASIDE = 0.008
"""How far to the right of the next smaller size points are drawn, in λ."""
_TAIL_BELOW = 0.3
"""Probability from which a tail is no longer shown."""
_MOST_LEVEL = 0.05
"""Largest d_in L up to which the law of the slowest mode alone is shown."""
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


def loss_times(run: RunResult, threshold: float) -> np.ndarray:
    """Return when each recorded generalization loss stands for an accuracy, in steps (R,).

    Between records the logarithm of the loss is interpolated in log t.
    """
    steps, loss = run.curves("gen_loss")
    target = loss_threshold(run.parameters["epsilon"], accuracy=threshold)
    with np.errstate(divide="ignore"):
        return first_crossing(steps, -np.log(loss), -np.log(target))


def beside(runs: list[RunResult], run: RunResult) -> RunResult | None:
    """Return the run of ``runs`` with another's d_in, n_train or λ, η and ε, if one has them."""
    keys = ("d_in", "lambda", "eta", "epsilon")
    for each in runs:
        if all(each.parameters[key] == run.parameters[key] for key in keys):
            return each
    return None


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: distributions, scatter and medians of t_gen, beside their formulas.

    Panel ``density`` has t_gen of the runs ``law``; ``cumulative`` the shares of draws that
    generalize by a step, with (``matrices``) and without (``draws``) data; ``deviation``
    √d sd(t_gen) over the large-size t_gen, with its 95 % interval; ``smallest_eigenvalue``
    P(Ndν < x) and ``survival`` P(t_gen > x) where N is d or little more, by N - d in column
    ``n_train``; ``median`` that of t_gen at λ = 1, with quartiles.  Theory: ``normal`` is the
    normal law of formula's deviation, ``tail`` what is left at the far end, ``one_mode`` the
    law of the slowest mode alone, ``square`` a line of slope 2.
    """
    builder = TableBuilder()
    _tabulate_law(builder, data, options.bins)
    _tabulate_matrices(builder, data)
    _tabulate_scatter(builder, options, data)
    _tabulate_hard_edge(builder, data)
    _tabulate_critical(builder, data)
    return builder.frame()


def _normal(run: RunResult, threshold: float) -> tuple[float, float]:
    """Return mean and deviation of t_gen by the formulas."""
    problem, epsilon = problem_of(run.parameters), run.parameters["epsilon"]
    mean = gen_time(problem, epsilon, accuracy=threshold)
    deviation = gen_time_deviation(problem, run.parameters["d_in"], epsilon, accuracy=threshold)
    return float(mean), float(deviation)


def _tabulate_law(builder: TableBuilder, data: FigureData, bins: int) -> None:
    (run,) = data.runs("law")
    times = run.scalars["t_gen"].to_numpy(float)
    density, edges = np.histogram(times, bins, density=True)
    shown = {key: run.parameters[key] for key in ("lambda", "d_in", "epsilon")}
    centres = (edges[1:] + edges[:-1]) / 2
    builder.add("density", "draws", "experiment", centres, density, shown, n=len(times))
    mean, deviation = _normal(run, data.threshold)
    x = mean + deviation * np.linspace(-3.5, 5, 200)
    bell = np.exp(-(((x - mean) / deviation) ** 2) / 2) / np.sqrt(2 * np.pi) / deviation
    builder.add("density", "normal", "theory", x, bell, shown)


def _tabulate_matrices(builder: TableBuilder, data: FigureData) -> None:
    (run,) = data.runs("matrices")
    drawn = beside(data.runs("scatter"), run)
    shown = {key: run.parameters[key] for key in ("lambda", "d_in", "epsilon")}
    found = [("matrices", loss_times(run, data.threshold))]
    if drawn is not None:
        found.append(("draws", drawn.scalars["t_gen"].to_numpy(float)))
    for series, times in found:
        share = (np.arange(len(times)) + 0.5) / len(times)
        builder.add("cumulative", series, "experiment", np.sort(times), share, shown, n=len(times))
    mean, deviation = _normal(run, data.threshold)
    x = mean + deviation * np.linspace(-2.5, 4, 100)
    builder.add("cumulative", "normal", "theory", x, ndtr((x - mean) / deviation), shown)


def _tabulate_scatter(builder: TableBuilder, options: Options, data: FigureData) -> None:
    """Add √d sd(t_gen)/t_gen, whose formula is that of all sizes."""
    runs = {run.run_id: run for run in (*data.runs("scatter"), *data.runs("law"))}
    for run in runs.values():
        parameters = run.parameters
        mean, _ = _normal(run, data.threshold)
        unit = np.sqrt(parameters["d_in"]) / mean
        value, low, high = deviation_interval(run.scalars["t_gen"])
        spread = {"y_low": low * unit, "y_high": high * unit, "n": run.realizations}
        shown = {"d_in": parameters["d_in"], "epsilon": parameters["epsilon"]}
        at = parameters["lambda"]
        builder.add("deviation", "draws", "experiment", at, value * unit, shown, **spread)
    parameters, values = data.runs("law")[0].parameters, options.lambda_.linear()
    problem = problem_of(parameters, **{"lambda": values})
    given = {"epsilon": parameters["epsilon"], "accuracy": data.threshold}
    formula = gen_time_deviation(problem, 1, **given) / gen_time(problem, **given)
    builder.add(
        "deviation", "formula", "theory", values, formula, {"epsilon": parameters["epsilon"]}
    )


def _tabulate_hard_edge(builder: TableBuilder, data: FigureData) -> None:
    for run in data.runs("hard_edge"):
        sizes = {key: run.parameters[key] for key in ("n_train", "d_in")}
        excess = sizes["n_train"] - sizes["d_in"]
        n = run.realizations
        rank = np.unique(np.geomspace(1, n - 1, _SHOWN).astype(int))
        share = rank / n
        scaled = np.sort(run.scalars["smallest_eigenvalue"]) * sizes["n_train"] * sizes["d_in"]
        times = np.sort(run.scalars["t_gen"])[::-1]
        for panel, x in (("smallest_eigenvalue", scaled), ("survival", times)):
            builder.add(panel, "draws", "experiment", x[rank - 1], share, sizes, n=n)
        s = np.geomspace(scaled[0] / 3, scaled[-1], 100)
        nu = s / (sizes["n_train"] * sizes["d_in"])
        tail = hard_edge.smallest_eigenvalue_tail(nu, **sizes)
        builder.add("smallest_eigenvalue", "tail", "theory", s, tail, sizes)
        loss = loss_threshold(run.parameters["epsilon"], accuracy=data.threshold)
        given = {"loss": loss, "eta": run.parameters["eta"], **sizes}
        t = np.geomspace(times[-1], 3 * times[0], 200)
        late = hard_edge.gen_time_tail(t, **given)
        builder.add("survival", "tail", "theory", t, late, sizes)
        if excess <= 1:
            exact = hard_edge.smallest_eigenvalue_cdf(s, excess)
            builder.add("smallest_eigenvalue", "law", "theory", s, exact, sizes)
            one = hard_edge.gen_time_survival(t, **given)
            builder.add("survival", "one_mode", "theory", t, one, sizes)


def _tabulate_critical(builder: TableBuilder, data: FigureData) -> None:
    runs = data.runs("critical")
    tabulate_scalar(builder, runs, "t_gen", "median", "draws", "d_in", ["epsilon"])
    for epsilon in sorted({run.parameters["epsilon"] for run in runs}):
        some = [run for run in runs if run.parameters["epsilon"] == epsilon]
        sizes = np.array([run.parameters["d_in"] for run in some])
        d = np.geomspace(sizes.min(), sizes.max(), 40)
        loss, eta = loss_threshold(epsilon, accuracy=data.threshold), some[0].parameters["eta"]
        for series, share in _QUARTILES.items():
            # Where many draws have a slowest mode that starts below the loss, others decide.
            few = d[d * loss < _MOST_LEVEL]
            y = hard_edge.gen_time_quantile(share, loss, few, few, eta)
            builder.add("median", series, "theory", few, y, {"epsilon": epsilon})
        smallest = some[int(sizes.argmin())].number("t_gen")["median"]
        slope = smallest * (d / sizes.min()) ** 2
        builder.add("median", "square", "theory", d, slope, {"epsilon": epsilon})


def draw(table: pd.DataFrame) -> Figure:
    """Draw distributions where many modes decide above, and where one does below."""
    figure, axes = style.new_panels(2, 3, height=4.6)
    _draw_density(axes[0, 0], table)
    _draw_cumulative(axes[0, 1], table)
    _draw_deviation(axes[0, 2], table)
    _draw_hard_edge(axes[1, :2], table)
    _draw_median(axes[1, 2], table)
    handles = [
        legends.line("formula", **style.THEORY_LINE),
        legends.line("normal law, or tail", **_DASHED),
        legends.line("slope 2", **_GUIDE),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _draw_density(axes: Axes, table: pd.DataFrame) -> None:
    drawn, law = (_scaled(rows(table, "density", each)) for each in ("draws", "normal"))
    width = np.diff(drawn["x"]).mean() if len(drawn) > 1 else 1.0
    axes.bar(drawn["x"], drawn["y"], width, color=style.BLUE, alpha=style.BAND_ALPHA)
    axes.step(drawn["x"], drawn["y"], where="mid", color=style.BLUE, linewidth=1.0)
    draw_lines(axes, law, "density", "normal", **_DASHED)
    axes.set(xlabel=f"{TIME} ($10^3$ steps)", ylabel="density (per $10^3$ steps)")
    axes.set_ylim(bottom=0)
    axes.set_title(_setting(drawn), loc="right", fontsize="medium")


def _scaled(curve: pd.DataFrame) -> pd.DataFrame:
    """Return a density in thousands of steps."""
    return curve.assign(x=curve["x"] / 1e3, y=curve["y"] * 1e3)


def _setting(drawn: pd.DataFrame) -> str:
    return ", ".join(style.label(key, drawn[key].iloc[0]) for key in ("lambda", "d_in"))


def _draw_cumulative(axes: Axes, table: pd.DataFrame) -> None:
    drawn, matrices = (rows(table, "cumulative", each) for each in ("draws", "matrices"))
    for some, colour, name, look in (
        (drawn, style.BLUE, "bidiagonal", {"linewidth": 3.0, "alpha": 0.5}),
        (matrices, style.VERMILION, "data matrices", {"linewidth": 1.0}),
    ):
        axes.step(some["x"] / 1e3, some["y"], color=colour, label=name, **look)
    law = rows(table, "cumulative", "normal")
    draw_lines(axes, law.assign(x=law["x"] / 1e3), "cumulative", "normal", **_DASHED)
    axes.set(xlabel=f"{TIME} ($10^3$ steps)", ylabel="share of draws below", ylim=(0, 1))
    axes.set_xlim(0, matrices["x"].quantile(0.99) / 1e3)
    axes.set_title(_setting(matrices), loc="right", fontsize="medium")
    axes.legend(loc="lower right")


def _draw_deviation(axes: Axes, table: pd.DataFrame) -> None:
    points = rows(table, "deviation", "draws")
    colours = style.colours_of(points["d_in"])
    for number, (d_in, some) in enumerate(points.groupby("d_in")):
        # Side by side, where sizes would hide each other.
        draw_points(axes, some.assign(x=some["x"] + _ASIDE * number), colours[d_in])
    draw_lines(axes, table, "deviation", "formula")
    axes.set(xlabel=style.SYMBOLS["lambda"], yscale="log")
    axes.set_ylabel(rf"$\sqrt{{d}}\,$sd({TIME}) / {TIME}")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_locator(NullLocator())
    legends.of_values(axes, "d_in", colours, loc="upper left")


def _draw_hard_edge(axes: np.ndarray, table: pd.DataFrame) -> None:
    drawn = rows(table, "survival", "draws")
    excess = drawn["n_train"] - drawn["d_in"]
    colours = dict(zip(sorted(excess.unique()), _hard_edge_colours(excess.nunique()), strict=True))
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
    axes[0].set(xlabel=r"$x$", ylabel=r"$P(Nd\,\nu_\mathrm{min}<x)$")
    axes[1].set(xlabel=r"$T$ (steps)", ylabel=rf"$P$({TIME} > $T$)")
    handles = [
        legends.line(
            f"$N-d$ = {more:.0f}: {style.number((more + 1) / 2)}", color=colour, linewidth=2
        )
        for more, colour in colours.items()
    ]
    legends.add(axes[0], handles, loc="upper left", title="exponent at", alignment="left")
    for each in axes:
        each.set_title(style.label("d_in", drawn["d_in"].iloc[0]), loc="right", fontsize="medium")


def _hard_edge_colours(count: int) -> list[str]:
    return [style.BLUE, *style.PALETTE][:count]


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
