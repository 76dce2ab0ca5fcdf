"""Every figure of the smoke configuration: its table keeps the contract, its drawing is whole."""

import functools
import re

import numpy as np
import pytest
from figure_tables import drawn, stored
from matplotlib.collections import QuadMesh
from matplotlib.legend import Legend
from matplotlib.text import Text

from linear_grokking.figures import registry, style

pytestmark = pytest.mark.filterwarnings("error")

FIGURES = registry.figure_ids()
MAPS = {"gamma_d_out", "gamma_lambda", "d_out_lambda", "sigma_distance", "lambda_gamma"}
SMALLEST = 6.5
"""Size of text in points, subscripts aside."""
SINGLE = {"output_density", "conformal_path", "norm_ratio", "draws", "separation"}
SINGLE |= {"tanh_over_linear", "density", "cumulative", "smallest_eigenvalue", "survival"}
SINGLE |= {"scaled_time"}
"""Panels of single draws, of all draws' points together, or of ratios of medians: their values
have no spread."""


@pytest.fixture
def table(smoke, figure_id):
    return stored(smoke[1], figure_id)


@pytest.fixture(scope="module")
def figure_of(smoke, tmp_path_factory):
    """Give a figure by its ID, each drawn once; it is looked at, and not changed."""
    folder = tmp_path_factory.mktemp("drawn")
    return functools.cache(lambda each: drawn(each, stored(smoke[1], each), folder / f"{each}.png"))


@pytest.mark.parametrize("figure_id", FIGURES)
def test_every_row_says_what_it_is_and_where_it_is_from(table, figure_id):
    assert not table[["panel", "series", "source", "x"]].isna().any(axis=None)
    assert set(table["source"]) <= {"experiment", "theory", "paper"}
    # γ_max is a place on the x axis, and Eq. 26 has no real value everywhere.
    without = {"gamma_max", "expanded"} & set(table["series"])
    assert set(table.loc[table["y"].isna(), "series"]) == without
    valued = table.loc[table["z"].notna(), "panel"] if "z" in table else ()
    assert set(valued) == (MAPS & set(table["panel"]))
    bounded = table.dropna(subset=["y_low", "y_high"])
    assert ((bounded["y_low"] <= bounded["y"]) & (bounded["y"] <= bounded["y_high"])).all()


@pytest.mark.parametrize("figure_id", [each for each in FIGURES if each != "BT1"])
def test_medians_lie_between_quartiles_and_say_of_how_many_draws(table, figure_id):
    measured = table[(table["source"] == "experiment") & np.isfinite(table["y"])]
    single = measured["panel"].isin(SINGLE)
    fitted = measured["series"].str.endswith(("_reached", "_error", "peak", "_power"))
    spread = measured[~(fitted | single | measured["n"].eq(1))]
    assert (spread["y_low"] <= spread["y"]).all()
    assert (spread["y"] <= spread["y_high"]).all()
    assert (spread["n"] > 0).all()


@pytest.mark.parametrize("figure_id", FIGURES)
def test_drawing_fills_every_panel_and_clips_no_text(figure_of, figure_id):
    figure = figure_of(figure_id)
    width, height = figure.get_size_inches()
    with style.sheet():  # which ticks there are depends on it
        box = figure.get_tightbbox()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    for legend in figure.findobj(Legend):
        frame = legend.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
        assert frame.x0 >= 0 and frame.y0 >= 0 and frame.x1 <= width and frame.y1 <= height
    for axes in figure.axes:
        left, right = sorted(axes.get_xlim())
        low, high = sorted(axes.get_ylim())
        assert np.isfinite([left, right, low, high]).all()
        inside = 0
        for line in axes.lines:
            x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
            inside += np.sum((x >= left) & (x <= right) & (y >= low) & (y <= high))
        is_map = any(isinstance(each, QuadMesh) for each in axes.collections)
        assert inside > 5 or is_map or figure_id == "BT1", axes


@pytest.mark.parametrize("figure_id", FIGURES)
def test_text_is_large_enough_for_print_and_written_alike(figure_of, figure_id):
    figure = figure_of(figure_id)
    assert figure.get_figwidth() == style.WIDTH
    texts = [each for each in figure.findobj(Text) if each.get_visible() and each.get_text()]
    assert {each.get_text() for each in texts if each.get_fontsize() < SMALLEST} == set()
    for text in (each.get_text() for each in texts):
        plain = re.sub(r"\$[^$]*\$", "", text)
        # A percent sign stands off, a minus is no hyphen, and what is reached is an accuracy.
        assert not re.search(r"\d%|(^|[ =(])-\d|\bof 95 %", plain), text


@pytest.mark.parametrize("figure_id", ["A10", "B17", "B18", "B21"])
def test_times_that_no_draw_reaches_are_drawn(table, figure_id):
    """As in runs that are too short for them."""
    times = (table["source"] == "experiment") & table["panel"].str.contains("time")
    assert times.any()
    table.loc[times, ["y", "y_low", "y_high"]] = np.inf
    with style.sheet():
        assert registry.module(figure_id).draw(table).axes
