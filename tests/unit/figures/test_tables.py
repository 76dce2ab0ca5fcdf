"""Statistics over realizations as rows of a figure's table."""

import numpy as np
import pandas as pd
import pytest

from linear_grokking.figures.tables import TableBuilder


def test_numbers_of_realizations_become_their_median_and_their_mean():
    values = pd.Series([1.0, 4.0, np.inf, None, 2.0], dtype="Float64")
    builder = TableBuilder()
    for statistic in ("median", "mean"):
        given = {"eta": 0.5}
        builder.add_values("times", statistic, [1.0, 9.0], values, given, statistic=statistic)
    table = builder.frame()
    assert table["x"].tolist() == [1.0, 9.0, 1.0, 9.0]
    assert set(table["source"]) == {"experiment"} and set(table["eta"]) == {0.5}
    # An infinite value counts as the largest; one that is missing is none.
    middle, mean = (table.loc[[k]].squeeze() for k in (0, 2))
    assert middle[["y", "y_low", "y_high", "n"]].tolist() == [3.0, 1.5, np.inf, 4]
    # The mean leaves it out.
    error = np.std([1.0, 4.0, 2.0], ddof=1) / np.sqrt(3.0)
    found = mean[["y", "y_low", "y_high", "n"]].tolist()
    assert found == pytest.approx([7 / 3, 7 / 3 - error, 7 / 3 + error, 3])
