"""Zoomable versions of some panels, with values under the pointer.

They are drawn from the same tables as the figures, with plotly; the page carries plotly's
code once.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from linear_grokking.figures import style

_WORDS = {"train": "training", "generalization": "generalization"}
_DASH = {"train": "dash", "generalization": "solid"}
_HEIGHT = 430


def dynamics(table: pd.DataFrame, key: str, panels: Sequence[str]) -> go.Figure:
    """Draw panels of dynamics against the step, coloured by one parameter."""
    figure = make_subplots(cols=len(panels), rows=1, horizontal_spacing=0.09)
    rows = table[table["panel"].isin(panels) & table[key].notna()]
    colours = style.colours(sorted(rows[key].unique()))
    shown: set[str] = set()
    for (panel, value, series, source), curve in rows.groupby(
        ["panel", key, "series", "source"], sort=False
    ):
        if series.endswith(("_reached", "_discrete", "limit")):
            continue
        curve = curve[curve["x"] > 0]
        experiment = source == "experiment"
        name = f"{key} = {value:g}, {_WORDS.get(series, series)}" + (
            "" if experiment else " (theory)"
        )
        figure.add_scatter(
            x=curve["x"].to_numpy(),
            y=_significant(curve["y"]),
            name=name,
            legendgroup=name,
            showlegend=name not in shown,
            mode="lines",
            line={
                "color": colours[value] if experiment else "#888888",
                "dash": _DASH.get(series, "solid"),
                "width": 2 if experiment else 1,
            },
            hovertemplate="t = %{x:.4g}<br>%{y:.4g}<extra>%{fullData.name}</extra>",
            row=1,
            col=panels.index(panel) + 1,
        )
        shown.add(name)
    figure.update_xaxes(type="log", title="step t", exponentformat="power")
    for column, panel in enumerate(panels, start=1):
        log = panel == "loss"
        figure.update_yaxes(
            type="log" if log else "linear",
            range=[-7, 3] if log else None,
            title=panel.replace("_", " "),
            exponentformat="power",
            row=1,
            col=column,
        )
    return _laid_out(figure)


def maps(
    table: pd.DataFrame, panels: Mapping[str, tuple[str, str]], *, log_time: bool, colours: str
) -> go.Figure:
    """Draw maps of the time, cell by cell; empty where it is never reached.

    Parameters
    ----------
    panels
        Panel → what its axes are.
    log_time
        Whether the table holds the natural logarithm of the time.
    colours
        The figure's colour map.
    """
    figure = make_subplots(cols=len(panels), rows=1, horizontal_spacing=0.08)
    chosen = table[table["panel"].isin(panels)]
    if log_time:
        decades = chosen["z"] / np.log(10.0)
    else:
        decades = np.log10(chosen["z"].where(chosen["z"] > 0))
    # One scale for all panels; the last decades of a divergence share its end.
    lowest, highest = decades.quantile([0.01, 0.97])
    for column, (panel, titles) in enumerate(panels.items(), start=1):
        rows = chosen.assign(z=decades)[chosen["panel"] == panel]
        cells = rows.pivot(index="y", columns="x", values="z")
        figure.add_heatmap(
            x=_places(cells.columns),
            y=_places(cells.index),
            z=_significant(cells.to_numpy(float)),
            zmin=lowest,
            zmax=highest,
            colorscale=colours,
            showscale=column == len(panels),
            colorbar={"title": "log₁₀ t"},
            zsmooth=False,
            hovertemplate=f"{titles[0]} = %{{x}}<br>{titles[1]} = %{{y}}"
            "<br>t = 10^%{z:.3f}<extra></extra>",
            row=1,
            col=column,
        )
        for axis, title, centres in (
            (figure.update_xaxes, titles[0], cells.columns),
            (figure.update_yaxes, titles[1], cells.index),
        ):
            axis(
                title=title,
                type=_axis_type(centres),
                nticks=8,
                dtick=1 if _axis_type(centres) == "log" else None,
                exponentformat="power",
                row=1,
                col=column,
            )
    return _laid_out(figure)


def _axis_type(centres: pd.Index) -> str:
    gaps = np.diff(centres)
    if np.allclose(gaps, gaps[0]):
        return "linear"
    return "log" if centres.min() > 0 else "category"


def _places(centres: pd.Index) -> list[float] | list[str]:
    """Return where cells lie; by name where they are spaced in logarithms on both sides of 0."""
    values = [float(f"{value:.4g}") for value in centres]
    return [f"{v:g}" for v in values] if _axis_type(centres) == "category" else values


def _significant(values: pd.Series | np.ndarray) -> list[float | None]:
    """Round to the digits that are shown, so that the page stays small."""
    array = np.asarray(values, float)
    rounded = [None if not np.isfinite(v) else float(f"{v:.5g}") for v in array.ravel()]
    if array.ndim == 1:
        return rounded
    return [rounded[k : k + array.shape[1]] for k in range(0, len(rounded), array.shape[1])]


def _laid_out(figure: go.Figure) -> go.Figure:
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 60, "r": 10, "t": 10, "b": 50},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": -0.2},
        font={"family": "system-ui, sans-serif"},
    )
    return figure


INTERACTIVE: Mapping[str, Callable[[pd.DataFrame], go.Figure]] = {
    "A1": lambda table: dynamics(table, "lambda", ("loss", "accuracy")),
    "A4": lambda table: maps(
        table,
        {
            "gamma_d_out": ("γ", "d_out"),
            "gamma_lambda": ("γ", "λ"),
            "d_out_lambda": ("d_out", "λ"),
        },
        log_time=False,
        colours=style.DIVERGING,
    ),
    "B1": lambda table: dynamics(table, "lambda", ("loss", "accuracy", "weight_norm", "bias")),
    "B3": lambda table: maps(
        table, {"sigma_distance": ("σ", "1-2λ")}, log_time=True, colours=style.SEQUENTIAL
    ),
}
"""Figures that have an interactive version, and how it is made from their tables."""


def html(figure_id: str, table: pd.DataFrame) -> str | None:
    """Return the interactive version of a figure as a piece of HTML, or None."""
    if figure_id not in INTERACTIVE:
        return None
    return INTERACTIVE[figure_id](table).to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"plot-{figure_id}",
        config={"responsive": True, "displaylogo": False},
    )
