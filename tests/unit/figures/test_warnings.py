"""No formula behind a figure warns: what is beyond the range of floats is thought of.

That no table of the smoke configuration does, is seen to where they are made (`smoke`).
"""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
from figure_tables import drawn, pick, stored, tabulate

from linear_grokking.figures import b8
from linear_grokking.figures.linear_panels import ratio
from linear_grokking.figures.tables import TableBuilder
from linear_grokking.results.reading import RunResult

pytestmark = pytest.mark.filterwarnings("error")


def test_losses_that_end_below_all_floats_have_no_ratio(smoke):
    """At λ = 0.9 and η = 0.01 both losses are less than 1e-308 after some 6e6 steps."""
    span = {"start": 1, "stop": 1e9, "points": 50}
    table = tabulate(smoke[1], "A6", t=span)
    for series in ("train_late", "generalization_late", "generalization_edge"):
        shown = pick(table, "loss_ratio", series)
        late = shown["x"] > 1e7
        assert late.any() and shown.loc[late, "y"].isna().all()
        assert np.isfinite(shown.loc[shown["x"].between(10, 1e6), "y"]).all()


def test_what_never_waits_has_no_ratio(smoke):
    table = tabulate(smoke[1], "A6", epsilon=[100.0])
    assert (pick(table, "grokking_time", "time")["y"] == 0).all()
    for series in ("late_time", "small_epsilon"):
        assert pick(table, "grokking_time_ratio", series)["y"].isna().all()


def test_ratios():
    exact = np.array([2.0, 0.0, 5e-324, 1e-300, -1.0])
    expected = [0.5, np.nan, np.nan, 1e300, np.nan]
    np.testing.assert_allclose(ratio(np.ones(5), exact), expected, rtol=1e-12)


def test_draws_that_generalize_before_they_learn_have_no_delay():
    times = {"t_gen_loss": [80.0, 8.0, 0.0, np.inf], "t_train_loss": [8.0, 80.0, 8.0, 8.0]}
    parameters = {"lambda": 0.3, "n_train": 60, "sigma": 5.0, "loss": "cross_entropy"}
    builder = TableBuilder()
    run = SimpleNamespace(parameters=parameters, scalars=pd.DataFrame(times))
    b8._tabulate_measured(builder, cast(RunResult, run), 1e-3)
    (row,) = builder.frame().itertuples()
    assert row.n == 4 and row.y == pytest.approx(np.sqrt(np.log(10.0)) / 2.0)
    assert row.y_low == 0.0 and row.y_high == np.inf


def test_a_phase_diagram_may_hold_times_of_zero(smoke, tmp_path):
    table = stored(smoke[1], "A4")
    table.loc[table.index[:20], "z"] = 0.0
    drawn("A4", table, tmp_path / "A4.png")
