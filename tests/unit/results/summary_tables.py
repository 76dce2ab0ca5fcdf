"""What tests of summaries look at."""

import numpy as np

from linear_grokking.results.statistics import COLUMNS


def only(table, quantity):
    (row,) = table[table["quantity"] == quantity].to_dict("records")
    return row


def assert_well_formed(table):
    assert list(table.columns) == list(COLUMNS)
    for name in COLUMNS:
        if name == "quantity":
            assert table[name].dtype == "str"
        elif name.startswith("n"):
            assert table[name].dtype == np.int64
        else:
            assert table[name].dtype == "Float64"
            known = table[name].dropna().to_numpy(float)
            assert not np.isnan(known).any()
