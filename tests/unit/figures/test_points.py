"""Points against a parameter: beside each other, and where runs end before they arrive."""

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


@pytest.mark.parametrize("known", [False, True])
def test_what_is_never_reached_is_an_open_triangle_where_the_run_ends_or_at_the_edge(axes, known):
    points = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, np.inf], "y_low": 2.0, "y_high": np.inf})
    ends = pd.DataFrame({"x": [1.0, 2.0], "y": [5.0, 6.0]}) if known else None
    draw_points(axes, points, "red", ends=ends)
    (triangle,) = (line for line in axes.lines if line.get_marker() == "^")
    assert triangle.get_markerfacecolor() == "none"
    top = axes.get_ylim()[1]
    ((x, y),) = axes.transData.inverted().transform(
        triangle.get_transform().transform(triangle.get_xydata())
    )
    assert x == pytest.approx(2.0)
    if known:
        assert y == pytest.approx(6.0)
    else:
        assert y == pytest.approx(top, rel=0.05)
