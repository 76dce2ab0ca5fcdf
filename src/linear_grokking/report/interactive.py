"""Interactive versions of some panels: zoomable, with the values under the pointer.

They are drawn with plotly from the same tables as the figures.  The page holds plotly's code once,
compressed.
"""

import base64
import gzip
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from linear_grokking.figures import style
from linear_grokking.report.captions import written

_THEORY = "#888888"
"""Readable on the light and on the dark page."""
_WORDS = {"train": "training", "weight_norm": "‖S‖", "bias": "b"}
"""Labels of series and panels that are not labeled by their own names."""
_HEIGHT = 300
"""Height of one panel in pixels."""


def dynamics(table: pd.DataFrame, panels: Sequence[str]) -> go.Figure:
    """Draw panels of dynamics against the step, colored by λ."""
    figure = make_subplots(cols=1, rows=len(panels), vertical_spacing=0.3 / len(panels))
    rows = table[table["panel"].isin(panels) & table["lambda"].notna()]
    colours = style.colours_of(rows["lambda"])
    shown: set[str] = set()
    for (panel, value, series, source), curve in rows.groupby(
        ["panel", "lambda", "series", "source"], sort=False
    ):
        if series.endswith(("_discrete", "limit")):
            continue
        curve = curve[curve["x"] > 0]
        experiment = source == "experiment"
        place: dict[str, Any] = {"row": panels.index(panel) + 1, "col": 1}
        if series.endswith("_reached"):
            _add_reached(figure, curve, series, colours[value], place)
            continue
        if experiment:
            _add_band(figure, curve, colours[value], place)
        curve_name = f"λ = {value:g}, {_WORDS.get(series, series)}"
        # The legend has one entry per color and line style, and one for theory as a whole.
        group = f"λ = {value:g}" + ", training" * (series == "train") if experiment else "theory"
        figure.add_scatter(
            x=curve["x"].to_numpy(),
            y=_significant(curve["y"]),
            name=group,
            legendgroup=group,
            showlegend=group not in shown,
            mode="lines",
            line={
                "color": colours[value] if experiment else _THEORY,
                "dash": "dash" if experiment and series == "train" else "solid",
                "width": 2 if experiment else 1,
            },
            hovertemplate="t = %{x:.4g}<br>%{y:.4g}<extra>"
            f"{curve_name}{'' if experiment else ' (theory)'}</extra>",
            **place,
        )
        shown.add(group)
    # All panels show the same times, so zooming one zooms all.
    figure.update_xaxes(type="log", title="step t", exponentformat="power", matches="x")
    for row, panel in enumerate(panels, start=1):
        log = panel == "loss"
        figure.update_yaxes(
            type="log" if log else "linear",
            range=[-7, 3] if log else None,
            title=_WORDS.get(panel, panel),
            exponentformat="power",
            row=row,
            col=1,
        )
    return _laid_out(figure, len(panels))


def _add_band(
    figure: go.Figure, curve: pd.DataFrame, colour: str, place: Mapping[str, Any]
) -> None:
    """Add the quartiles of a curve as a band, as in the figures."""
    edges = (("y_high", None), ("y_low", "tonexty"))
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    for edge, fill in edges:
        figure.add_scatter(
            x=curve["x"].to_numpy(),
            y=_significant(curve[edge]),
            mode="lines",
            line={"width": 0},
            fill=fill,
            fillcolor=f"rgba({red}, {green}, {blue}, {style.BAND_ALPHA})",
            showlegend=False,
            hoverinfo="skip",
            **place,
        )


def _add_reached(
    figure: go.Figure, points: pd.DataFrame, series: str, colour: str, place: Mapping[str, Any]
) -> None:
    """Mark where an accuracy reaches its threshold: a diamond for training, else a star."""
    word = _WORDS.get(series.removesuffix("_reached"), "generalization")
    figure.add_scatter(
        x=points["x"].to_numpy(),
        y=_significant(points["y"]),
        mode="markers",
        marker={
            "symbol": "diamond" if word == "training" else "star",
            "size": 9 if word == "training" else 12,
            "color": colour,
            "line": {"width": 1, "color": _THEORY},
        },
        showlegend=False,
        hovertemplate=f"{word} accuracy reaches its threshold at t = %{{x:.4g}}<extra></extra>",
        **place,
    )


def maps(
    table: pd.DataFrame,
    panels: Mapping[str, tuple[str, str]],
    *,
    log_time: bool,
    colours: str,
    coloured: float,
) -> go.Figure:
    """Draw maps of the time, cell by cell; cells are empty where the time is infinite.

    Parameters
    ----------
    panels
        The titles of each panel's x and y axes.
    log_time
        Whether the table holds the natural logarithm of the time.
    colours
        The figure's color map.
    coloured
        Fraction of the cells that the color map resolves.  The longest times, near the divergence,
        all get its last color.
    """
    figure = make_subplots(cols=1, rows=len(panels), vertical_spacing=0.3 / len(panels))
    chosen = table[table["panel"].isin(panels)]
    if log_time:
        decades = chosen["z"] / np.log(10.0)
    else:
        decades = np.log10(chosen["z"].where(chosen["z"] > 0))
    lowest, highest = decades.quantile([0.01, coloured])
    for number, (panel, titles) in enumerate(panels.items(), start=1):
        rows = chosen.assign(z=decades)[chosen["panel"] == panel]
        cells = rows.pivot(index="y", columns="x", values="z")
        figure.add_heatmap(
            x=_places(cells.columns),
            y=_places(cells.index),
            z=_significant(cells.to_numpy(float)),
            zmin=lowest,
            zmax=highest,
            colorscale=colours,
            showscale=number == 1,
            colorbar={"title": "log₁₀ t"},
            zsmooth=False,
            hovertemplate=f"{titles[0]} = %{{x}}<br>{titles[1]} = %{{y}}"
            "<br>log₁₀ t = %{z:.3f}<extra></extra>",
            row=number,
            col=1,
        )
        at = {"row": number, "col": 1}
        figure.update_xaxes(title=titles[0], exponentformat="power", **_ticks(cells.columns), **at)
        figure.update_yaxes(title=titles[1], exponentformat="power", **_ticks(cells.index), **at)
    figure.update_xaxes(ticklabelstandoff=6)
    return _laid_out(figure, len(panels))


def _axis_type(centres: pd.Index) -> str:
    gaps = np.diff(centres)
    if np.allclose(gaps, gaps[0]):
        return "linear"
    return "log" if centres.min() > 0 else "category"


def _ticks(centres: pd.Index) -> dict[str, Any]:
    """Return the settings of a map's axis: its type and its ticks, powers of ten if logarithmic."""
    kind = _axis_type(centres)
    if kind != "category":
        return {"type": kind, "nticks": 8, "dtick": 1 if kind == "log" else None}
    sizes = np.abs(centres[centres != 0])
    # The label of the decade next to 0 would overlap that of 0.
    decades = np.arange(np.ceil(np.log10(sizes.min())) + 1, np.log10(sizes.max()) + 0.5)
    wanted = np.concatenate([-(10.0**decades), [0.0] if 0 in centres else [], 10.0**decades])
    nearest = [int(np.argmin(np.abs(centres - value))) for value in wanted]
    return {
        "type": kind,
        "tickvals": [_places(centres)[k] for k in nearest],
        "ticktext": [written(float(value)) for value in wanted],
    }


def _places(centres: pd.Index) -> list[float] | list[str]:
    """Return the positions of cells; as names if they are spaced logarithmically around 0."""
    values = [float(f"{value:.4g}") for value in centres]
    return [f"{v:g}" for v in values] if _axis_type(centres) == "category" else values


def _significant(values: pd.Series | np.ndarray) -> list[Any]:
    """Round values to the digits that are shown, to keep the page small."""
    array = np.asarray(values, float)
    rounded = [float(f"{v:.5g}") if np.isfinite(v) else None for v in array.ravel()]
    return np.array(rounded, object).reshape(array.shape).tolist()


def _laid_out(figure: go.Figure, panels: int) -> go.Figure:
    figure.update_layout(
        height=100 + _HEIGHT * panels,
        margin={"l": 60, "r": 10, "t": 34, "b": 50},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "yref": "container", "y": 0},
        font={"family": "system-ui, sans-serif"},
    )
    return figure


INTERACTIVE: Mapping[str, Callable[[pd.DataFrame], go.Figure]] = {
    "A1": lambda table: dynamics(table, ("loss", "accuracy")),
    "A4": lambda table: maps(
        table,
        {
            "gamma_d_out": ("γ", "d<sub>out</sub>"),
            "gamma_lambda": ("γ", "λ"),
            "d_out_lambda": ("d<sub>out</sub>", "λ"),
        },
        log_time=False,
        colours=style.DIVERGING,
        coloured=0.99,
    ),
    "B1": lambda table: dynamics(table, ("loss", "accuracy", "weight_norm", "bias")),
    "B3": lambda table: maps(
        table,
        {"sigma_distance": ("σ", "1−2λ")},
        log_time=True,
        colours=style.SEQUENTIAL,
        coloured=0.97,
    ),
}
"""Figures that have an interactive version, and the function that draws it from the table."""


def packed(plots: Mapping[str, go.Figure]) -> str:
    """Return plotly's code and the plots, which the page unpacks when one of them is opened.

    Returns
    -------
    str
        A script that defines ``Plotly`` and, by figure ID, ``plots``, compressed with gzip and
        encoded in base64; empty if there are no plots.
    """
    if not plots:
        return ""
    listed = ",".join(f'"{figure_id}":{plot.to_json()}' for figure_id, plot in plots.items())
    script = f"{get_plotlyjs()}\nwindow.plots = {{{listed}}};"
    return base64.b64encode(gzip.compress(script.encode(), mtime=0)).decode()
