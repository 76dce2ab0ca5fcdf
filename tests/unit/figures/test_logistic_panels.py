"""Curves of comparison beside a column of loss, accuracy, and the sizes of S and b."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from linear_grokking.figures.logistic_panels import draw_thin


def test_thin_curves_go_to_their_panels_as_sizes_above_zero():
    parts = {
        ("loss", "train"): [1.0, 0.5, 0.1],
        ("loss", "train_reached"): [9.0, 9.0, 9.0],  # a mark, not a curve
        ("accuracy", "generalization"): [0.0, 0.5, 1.0],
        ("weight_norm", "weight_norm"): [0.1, 1.0, 2.0],
        ("bias", "bias"): [0.0, 1.0, -3.0],
    }
    x = [0.0, 1.0, 10.0]
    table = pd.concat(
        pd.DataFrame({"panel": panel, "series": series, "x": x, "y": y})
        for (panel, series), y in parts.items()
    )
    column = Figure().subplots(3)
    draw_thin(column, table, color="red")
    found = [[np.asarray(line.get_ydata(), float) for line in axes.lines] for axes in column]
    # The bias first, with its sign turned; nothing of step 0, or of a size that is none.
    expected = [[[0.5, 0.1]], [[0.5, 1.0]], [[np.nan, 3.0], [1.0, 2.0]]]
    for lines, those in zip(found, expected, strict=True):
        np.testing.assert_array_equal(lines, those)
    assert {line.get_color() for axes in column for line in axes.lines} == {"red"}
