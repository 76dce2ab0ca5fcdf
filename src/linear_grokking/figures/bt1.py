"""Table BT1."""

from typing import Annotated

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Axis, Positive, Real, Time
from linear_grokking.figures import style
from linear_grokking.figures.tables import FigureData, TableBuilder, rows
from linear_grokking.figures.two_point_panels import TwoPointOptions
from linear_grokking.theory.two_point_long_times import integrated_law, predicted_law

TITLE = "Long-time laws of the two-point model, predicted and integrated (Paper B, Table 1)"
_CLOCKS = {"constant": "1", "log_log_t": r"$\ln\ln t$", "log_t": r"$\ln t$"}
"""What the weight's coefficient multiplies, by panel; the bias's multiplies ln t."""
_NOTE = (
    r"Coefficients of the factor in $S$ and of $\ln t$ in $b$: predicted, and local values of the "
    r"flow integrated to $t$."
)
_LAWS = {
    "constant": r"$\lambda<\frac{1}{2}$:  $S\to S_\infty$,  $b\simeq-\ln t$",
    "log_log_t": r"$\lambda=\frac{1}{2}$:  $S\simeq\ln\ln t\,/\sigma$,  $b\simeq-\ln t$,"
    r"  with corrections of order $\ln\ln t/\ln t$",
    "log_t": r"$\lambda>\frac{1}{2}$:  $S\simeq M\,\ln t/(1+M^2)$,  $b\simeq-\ln t/(1+M^2)$,"
    r"  $M=\sigma(2\lambda-1)$",
}
_CENTRED = {"ha": "center", "va": "center", "fontsize": 7.5}


class Options(TwoPointOptions):
    """What Table BT1 is made from."""

    lambda_: Axis[Annotated[Real, Field(ge=0, le=1)]] = Field(
        alias="lambda", description="Rows of the table."
    )
    sigma: Positive = Field(1.0, description="Scale of the points.")
    t_max: Axis[Time] = Field(description="Times in steps up to which the flow is integrated.")


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: coefficients of the long-time laws against λ.

    The panel names what y is the coefficient of: ``log_t``, ``log_log_t`` or ``constant``
    (S_∞ itself).  Experiments are local coefficients at the time ``t_max``, found by
    integrating the flow.
    """
    builder = TableBuilder()
    for lambda_ in options.lambda_:
        problem = options.problem(1.0 - 2.0 * lambda_, options.sigma)
        laws = [("theory", predicted_law(lambda_, options.sigma), {})]
        for t_max in options.t_max:
            law = integrated_law(problem, log_t=np.log(t_max))
            laws.append(("experiment", law, {"t_max": t_max}))
        for source, law, shown in laws:
            clock = law.clock.replace(" ", "_")
            builder.add(clock, "weight", source, lambda_, law.weight, shown)
            builder.add("log_t", "bias", source, lambda_, law.bias, shown)
    return builder.frame()


def draw(table: pd.DataFrame) -> Figure:
    """Typeset the table on a page."""
    columns = _columns(table)
    lambdas, notes = columns[0][1], [_NOTE, *_LAWS.values()]
    height = 3 + len(lambdas) + len(notes)
    figure = style.new_figure(0.19 * height)
    axes = figure.subplots()
    n = len(columns) // 2 - 1  # columns of the weight, and of the bias
    x = np.cumsum([0.5, 1.1, *[1.4] * n, 1.6, *[1.4] * (n - 1)])
    axes.set(xlim=(0.0, x[-1] + 0.7), ylim=(height - 0.6, 0.0))
    axes.axis("off")
    for rule in (0.1, 2.1, len(lambdas) + 2.3):
        axes.axhline(rule, color="black", linewidth=1.0)
    for head, of in ((r"weight $S$", x[1 : 2 + n]), (r"bias $b$", x[2 + n :])):
        ends = of[0] - 0.6, of[-1] + 0.6
        axes.text(sum(ends) / 2, 0.6, head, **_CENTRED)
        axes.plot(ends, [1.1, 1.1], color="black", linewidth=0.5)
    for place, (head, entries) in zip(x, columns, strict=True):
        axes.text(place, 1.6, head, **_CENTRED)
        for line, entry in enumerate(entries):
            axes.text(place, line + 2.7, entry, **_CENTRED)
    for line, note in enumerate(notes):
        axes.text(0.1, len(lambdas) + 3.0 + line, note, va="center", fontsize=6.5)
    return figure


def _columns(table: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Return the page's columns from left to right, each a head and its entries by λ."""
    clocks = rows(table, series="weight", source="theory").set_index("x")["panel"].sort_index()
    columns = [
        (r"$\lambda$", [f"{lambda_:g}" for lambda_ in clocks.index]),
        ("factor", [_CLOCKS[clock] for clock in clocks]),
    ]
    for series in ("weight", "bias"):
        found = rows(table, series=series).fillna({"t_max": 0.0})
        for time, values in found.pivot(index="x", columns="t_max", values="y").items():
            head = f"$t$ = {style.number(time)}" if time else "predicted"
            columns.append((head, [_coefficient(value) for value in values]))
    return columns


def _coefficient(value: float) -> str:
    # Rounding first and adding zero avoids "-0".
    return f"{round(value, 6) + 0.0:.6f}".replace("-", "\N{MINUS SIGN}")
