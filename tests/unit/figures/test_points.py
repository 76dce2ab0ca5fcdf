"""Points against a parameter: beside each other, and where they never arrive."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from linear_grokking.figures.points import draw_beside, draw_points


@pytest.fixture
def axes():
    return Figure().subplots()


def test_points_stand_beside_their_x_and_a_level_line_at_it(axes):
    x = np.array([0.2, 0.4])
    points = pd.DataFrame({"x": np.tile(x, 2), "y": 1.0, "y_low": 0.9, "y_high": 1.1})
    points["law"] = ["a", "a", "b", "b"]
    curve = pd.DataFrame({"x": [0.5, 0.0, 0.3], "y": [5.0, 0.0, 3.0]})  # y = 10 x, in no order
    draw_beside(axes, points, "law", {"a": "red", "b": "blue"}, curve, 0.02)
    lines = {line.get_color(): line for line in axes.lines if line.get_marker() == "o"}
    for colour, aside in (("red", -0.01), ("blue", 0.01)):
        np.testing.assert_allclose(np.asarray(lines[colour].get_xdata(), float), x + aside)
    levels = axes.collections[-1].get_segments()
    for at, level in zip(x, levels, strict=True):
        np.testing.assert_allclose(level, [[at - 0.03, 10 * at], [at + 0.03, 10 * at]])


def test_what_is_never_reached_is_an_open_triangle_at_the_edge(axes):
    x = np.array([1.0, 2.0, 3.0])
    points = pd.DataFrame({"x": x, "y": [3.0, np.inf, np.inf], "y_high": np.inf})
    points["y_low"] = [2.0, 4.0, np.inf]
    draw_points(axes, points, "red")
    (triangles,) = (line for line in axes.lines if line.get_marker() == "^")
    assert triangles.get_markerfacecolor() == "none"
    to_axes = triangles.get_transform() - axes.transAxes
    np.testing.assert_allclose(triangles.get_xdata(), x[1:])
    np.testing.assert_allclose(to_axes.transform(triangles.get_xydata())[:, 1], 0.985)
    # Bars begin at the median or, where that is infinite, at the lower quartile, if it is finite.
    bars = [each for each in axes.texts if each.arrow_patch is not None]
    assert {(each.xyann, each.arrowprops["arrowstyle"]) for each in bars} == {
        ((1.0, 3.0), "-|>"),
        ((2.0, 4.0), "-"),
    }
