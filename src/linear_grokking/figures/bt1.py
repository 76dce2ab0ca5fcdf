"""Long-time laws of the two-point model, predicted and integrated (Paper B, Table 1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from linear_grokking.config.fields import Positive, Real, Time
from linear_grokking.figures import style
from linear_grokking.figures.tables import FigureData, TableBuilder
from linear_grokking.figures.two_point_panels import TwoPointOptions
from linear_grokking.theory.two_point_long_times import (
    LongTimeLaw,
    integrated_law,
    predicted_law,
)

_CLOCKS = {"constant": "1", "log_log_t": r"$\ln\ln t$", "log_t": r"$\ln t$"}
"""What the weight's coefficient multiplies, by panel; the bias's multiplies ln t."""
_NOTE = r"Coefficient of the factor in $S$ and of $\ln t$ in $b$; local values where integrated."
_LAWS = {
    "constant": r"$\lambda<\frac{1}{2}$:  $S\to S_\infty$,  $b\simeq-\ln t$",
    "log_log_t": r"$\lambda=\frac{1}{2}$:  $S\simeq\ln\ln t\,/\sigma$,  $b\simeq-\ln t$,"
    r"  with corrections of order $\ln\ln t/\ln t$",
    "log_t": r"$\lambda>\frac{1}{2}$:  $S\simeq M\ln t/(1+M^2)$,  $b\simeq-\ln t/(1+M^2)$,"
    r"  $M=\sigma(2\lambda-1)$",
}
_CENTRED = {"ha": "center", "va": "center", "fontsize": 9}


class Options(TwoPointOptions):
    """What Table BT1 is made from."""

    lambda_: tuple[Annotated[Real, Field(ge=0, le=1)], ...] = Field(
        alias="lambda", min_length=1, description="Rows of the table."
    )
    sigma: Positive = Field(1.0, description="Scale of the points.")
    t_max: tuple[Time, ...] = Field(
        min_length=1, description="Times in steps up to which the flow is integrated."
    )


def tabulate(options: Options, data: FigureData) -> pd.DataFrame:
    """Return the table: coefficients of the long-time laws against λ.

    The panel names what y is the coefficient of: ``log_t``, ``log_log_t`` or ``constant``
    (S_∞ itself).  Experiments are local coefficients at the time ``t_max``, found by
    integrating the flow.
    """
    builder = TableBuilder()
    for lambda_ in options.lambda_:
        _add_law(builder, lambda_, "theory", predicted_law(lambda_, options.sigma), {})
        for t_max in options.t_max:
            law = integrated_law(lambda_, options.sigma, log_t=np.log(t_max), **options.flow())
            _add_law(builder, lambda_, "experiment", law, {"t_max": t_max})
    return builder.frame()


def _add_law(
    builder: TableBuilder, lambda_: float, source: str, law: LongTimeLaw, at: dict[str, float]
) -> None:
    clock = law.clock.replace(" ", "_")
    builder.add(clock, "weight", source, lambda_, law.weight, parameters=at)
    builder.add("log_t", "bias", source, lambda_, law.bias, parameters=at)


def draw(table: pd.DataFrame) -> Figure:
    """Typeset the table on a page."""
    columns = _columns(sorted(table["t_max"].dropna().unique()))
    lambdas = sorted(table["x"].unique())
    notes = [_NOTE, *_LAWS.values()]
    height = 3 + len(lambdas) + len(notes)
    figure = style.new_figure(2.9, 0.088 * height)
    axes = figure.subplots()
    axes.set(xlim=(0.0, columns[-1].position + 0.7), ylim=(height, 0.0))
    axes.axis("off")
    _rules(axes, [0.1, 2.1, len(lambdas) + 2.3])
    _draw_heads(axes, columns)
    for line, lambda_ in enumerate(lambdas):
        rows = table[table["x"] == lambda_]
        for column in columns:
            axes.text(column.position, line + 2.7, column.text(rows), **_CENTRED)
    for line, note in enumerate(notes):
        axes.text(0.1, len(lambdas) + 3.0 + line, note, va="center", fontsize=9)
    return figure


@dataclass(frozen=True)
class _Column:
    """A column of the page: the coefficients of one series, or what they multiply."""

    position: float
    head: str
    text: Callable[[pd.DataFrame], str]


def _columns(times: Sequence[float]) -> list[_Column]:
    """Return the page's columns from left to right."""
    columns = [
        _Column(0.5, r"$\lambda$", lambda rows: f"{rows['x'].iloc[0]:g}"),
        _Column(1.6, "factor", lambda rows: _CLOCKS[_of(rows, "weight")["panel"].iloc[0]]),
    ]
    for series in ("weight", "bias"):
        for time in (None, *times):
            head = "predicted" if time is None else f"$t$ = {style.number(time)}"
            gap = 1.6 if time is None and series == "bias" else 1.4
            columns.append(_Column(columns[-1].position + gap, head, _coefficient(series, time)))
    return columns


def _of(rows: pd.DataFrame, series: str) -> pd.DataFrame:
    return rows[rows["series"] == series]


def _coefficient(series: str, time: float | None) -> Callable[[pd.DataFrame], str]:
    def text(rows: pd.DataFrame) -> str:
        of = _of(rows, series)
        at = of["t_max"].isna() if time is None else of["t_max"] == time
        # Rounding first, and adding zero, writes no "-0".
        return f"{round(of.loc[at, 'y'].iloc[0], 6) + 0.0:.6f}".replace("-", "\N{MINUS SIGN}")

    return text


def _draw_heads(axes: Axes, columns: Sequence[_Column]) -> None:
    for column in columns:
        axes.text(column.position, 1.6, column.head, **_CENTRED)
    each = (len(columns) - 2) // 2
    for head, of in ((r"weight $S$", columns[1 : 2 + each]), (r"bias $b$", columns[2 + each :])):
        ends = of[0].position - 0.6, of[-1].position + 0.6
        axes.text(sum(ends) / 2, 0.6, head, **_CENTRED)
        axes.plot(ends, [1.1, 1.1], color="black", linewidth=0.5)


def _rules(axes: Axes, heights: Sequence[float]) -> None:
    for height in heights:
        axes.axhline(height, color="black", linewidth=1.0)
