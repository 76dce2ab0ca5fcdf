"""Scalars and summaries of runs against pandas, and numbers worked by hand."""

import numpy as np
import pandas as pd
import pytest
from summary_tables import assert_well_formed, only

from linear_grokking.results import summaries
from linear_grokking.results.statistics import COLUMNS, frame, of_values, wilson_interval

INF = np.inf


def make_history():
    """Three realizations; the second never generalizes and the third never trains."""
    steps = [0.0, 1.0, 10.0, 100.0]
    train = [[0.5, 0.9, 1.0, 1.0], [0.5, 1.0, 1.0, 1.0], [0.5, 0.5, 0.6, 0.7]]
    gen = [[0.5, 0.5, 0.9, 1.0], [0.5, 0.5, 0.6, 0.7], [0.5, 0.5, 0.5, 0.6]]
    rows = [
        {
            "realization": r,
            "step": step,
            "train_loss": 1 / (1 + step) + r,
            "gen_loss": 2.0,
            "train_accuracy": train[r][k],
            "gen_accuracy": gen[r][k],
            "weight_norm": step * r,
        }
        for r in range(3)
        for k, step in enumerate(steps)
    ]
    return pd.DataFrame(rows).astype({"realization": "int32"})


def request(measure, threshold=0.95):
    return {"spec": {"measure": measure}, "threshold": threshold, "loss_threshold": 0.05}


def scalars_of(rows, request):
    return pd.DataFrame(summaries.scalars_of(rows, request))


def summary_of(rows, scalars, measure):
    return frame(summaries.summary_of(rows, scalars, measure))


def summarize_separability(scalars):
    return frame(summaries.summarize_separability(scalars))


def summarize(history, threshold=0.95):
    scalars = scalars_of(history, request("dynamics", threshold))
    return summary_of(history, scalars, "dynamics")


def test_scalars_of_dynamics_are_those_of_each_realization():
    scalars = scalars_of(make_history(), request("dynamics")).set_index("realization")
    assert scalars.index.tolist() == [0, 1, 2]
    np.testing.assert_allclose(scalars["t_train"], [10**0.5, 0.9, INF])
    np.testing.assert_allclose(scalars["t_gen"], [10**1.5, INF, INF])
    np.testing.assert_allclose(scalars["grokking_time"], [10**1.5 - 10**0.5, INF, INF])
    # The training loss is 1/(1+t) + r: only the first falls to 0.05, between 10 and 100.
    t = 10 ** (1 + np.log(0.05 * 11) / np.log(11 / 101))
    np.testing.assert_allclose(scalars["t_train_loss"], [t, INF, INF])
    assert scalars["t_gen_loss"].tolist() == [INF, INF, INF]
    assert scalars["final_train_accuracy"].tolist() == [1.0, 1.0, 0.7]
    assert scalars["final_weight_norm"].tolist() == [0.0, 100.0, 200.0]
    assert scalars["max_gen_accuracy"].tolist() == [1.0, 0.7, 0.6]


def test_a_minimum_is_dated_by_its_first_step():
    history = make_history()
    history["gen_loss"] = [4.0, 1.0, 2.0, 3.0, 2.0, 2.0, 2.0, 2.0, 3.0, 2.0, 1.0, 0.5]
    scalars = scalars_of(history, request("dynamics"))
    assert scalars["initial_gen_loss"].tolist() == [4.0, 2.0, 3.0]
    assert scalars["min_gen_loss"].tolist() == [1.0, 2.0, 0.5]
    assert scalars["step_of_min_gen_loss"].tolist() == [1.0, 0.0, 100.0]


def test_a_loss_of_zero_is_below_every_threshold():
    history = make_history()
    history.loc[history["step"] == 100.0, "gen_loss"] = 0.0
    times = scalars_of(history, request("dynamics"))["t_gen_loss"]
    assert np.isfinite(times).all() and (times >= 10).all() and (times <= 100).all()


def test_dynamics():
    history = make_history()
    table = summarize(history)
    assert_well_formed(table)
    curves = table[table["step"].notna()]
    assert set(curves["quantity"]) == set(history.columns) - {"realization", "step"}
    by_step = history.groupby("step")
    for name, rows in curves.groupby("quantity"):
        np.testing.assert_allclose(rows["mean"].to_numpy(float), by_step[name].mean())
        np.testing.assert_allclose(rows["median"].to_numpy(float), by_step[name].median())
        np.testing.assert_allclose(rows["standard_error"].to_numpy(float), by_step[name].sem())

    t_train = only(table, "t_train")
    assert t_train["n_censored"] == 1 and t_train["n_infinite"] == 0
    assert t_train["mean"] == pytest.approx((10**0.5 + 0.9) / 2)
    assert t_train["median"] == pytest.approx(10**0.5)
    t_gen = only(table, "t_gen")
    assert t_gen["n"] == 3 and t_gen["n_censored"] == 2 and t_gen["n_left_out"] == 2
    assert t_gen["mean"] == pytest.approx(10**1.5)
    assert t_gen["median"] == INF
    delay = only(table, "grokking_time")
    assert delay["n_censored"] == 2
    assert delay["mean"] == pytest.approx(10**1.5 - 10**0.5)
    assert only(table, "final_gen_accuracy")["median"] == 0.7
    assert only(table, "final_train_accuracy")["mean"] == pytest.approx(0.9)


def test_dynamics_does_not_depend_on_row_order():
    history = make_history()
    shuffled = history.sample(frac=1, random_state=5)
    pd.testing.assert_frame_equal(summarize(history), summarize(shuffled))


def test_dynamics_threshold():
    table = summarize(make_history(), 0.6)
    assert only(table, "t_gen")["n_censored"] == 0
    assert only(table, "t_gen")["q05"] == pytest.approx(10**0.25)


def test_bad_histories_are_refused():
    history = make_history()
    with pytest.raises(ValueError, match="same steps"):
        summarize(history.iloc[:-1])
    with pytest.raises(ValueError, match="same steps"):
        summarize(history.replace({"step": {100.0: 10.0}}))
    with pytest.raises(ValueError, match="gen_accuracy"):
        summarize(history.drop(columns="gen_accuracy"))
    with pytest.raises(ValueError, match="must have rows"):
        summarize(history.iloc[:0])
    with pytest.raises(ValueError, match="values must not be NaN"):
        summarize(history.assign(gen_loss=np.nan))


def test_separability():
    table = pd.DataFrame(
        {
            "realization": np.arange(5, dtype=np.int32),
            "separable": [True, False, False, True, False],
            "certificate": ["direction", "hull", "hull", "lp", "hull"],
            "s_inf_norm": [None, 5.0, 6.0, None, 10.0],
            "positive_fraction": [None, 0.1, 0.2, None, 0.3],
            "positive_mean": [None, 0.5, 0.5, None, 0.8],
            "margin": [0.02, None, None, 0.04, None],
            "box_margin": [0.3, None, None, None, None],
            "box_norm": [4.0, None, None, 6.0, None],
        }
    )
    shuffled = table.sample(frac=1, random_state=1)
    summary = summarize_separability(scalars_of(shuffled, request("separability")))
    assert_well_formed(summary)
    assert summary["step"].isna().all()
    separable = only(summary, "separable")
    assert (separable["n"], separable["mean"]) == (5, 0.4)
    assert (separable["low"], separable["high"]) == wilson_interval(2, 5)
    norm = only(summary, "s_inf_norm")
    assert (norm["n"], norm["n_infinite"], norm["n_left_out"]) == (5, 2, 2)
    assert (norm["mean"], norm["median"], norm["q75"]) == (7, 10, INF)
    projection = (0.5 / 5 + 0.5 / 6 + 0.8 / 10) / 3
    means = {"positive_fraction": 0.2, "positive_mean": 0.6, "positive_projection": projection}
    for name, mean in means.items():
        row = only(summary, name)
        assert (row["n"], row["n_infinite"], row["n_left_out"]) == (3, 0, 2)
        assert row["mean"] == pytest.approx(mean)
    margin = only(summary, "margin")
    assert (margin["n"], margin["n_left_out"]) == (2, 3)
    assert margin["mean"] == pytest.approx(0.03)
    in_box = only(summary, "box_margin")
    assert (in_box["n"], in_box["n_left_out"], in_box["mean"]) == (1, 4, 0.3)
    assert only(summary, "box_norm")["mean"] == pytest.approx(5.0)
    shares = {kind: only(summary, f"certificate_{kind}") for kind in ("direction", "hull", "lp")}
    assert {kind: row["mean"] * row["n"] for kind, row in shares.items()} == {
        "direction": 1,
        "hull": 3,
        "lp": 1,
    }


def test_bad_separability_is_refused():
    positive = ("positive_fraction", "positive_mean", "positive_projection")
    columns = ["s_inf_norm", *positive, "margin", "box_margin", "box_norm"]
    table = pd.DataFrame(
        {"realization": [0], "separable": [True], "certificate": ["guess"]}
        | {name: [1.0] for name in columns}
    )
    with pytest.raises(ValueError, match=r"certificate must be one of .*guess"):
        summarize_separability(table)
    with pytest.raises(KeyError, match="margin"):
        summarize_separability(table.assign(certificate="hull").drop(columns="margin"))


def test_grokking_times_are_infinite_for_good():
    table = pd.DataFrame(
        {
            "realization": np.arange(4, dtype=np.int32),
            "t_train": [5.0, 7.0, 0.0, 6.0],
            "t_gen": [20.0, INF, 4.0, 40.0],
            "smallest_eigenvalue": [0.1, 0.2, 0.3, 0.4],
        }
    )
    scalars = scalars_of(table.sample(frac=1, random_state=1), request("grokking_times"))
    assert scalars["grokking_time"].tolist() == [15.0, INF, 4.0, 34.0]
    summary = summary_of(table, scalars, "grokking_times")
    assert_well_formed(summary)
    assert summary["step"].isna().all()
    t_gen = only(summary, "t_gen")
    assert (t_gen["n"], t_gen["n_infinite"], t_gen["n_censored"]) == (4, 1, 0)
    assert (t_gen["median"], t_gen["mean"]) == (30.0, pytest.approx(64 / 3))
    assert only(summary, "smallest_eigenvalue")["mean"] == pytest.approx(0.25)


def test_outputs():
    outputs = np.random.default_rng(6).normal(-1, 2, size=(4, 50))
    table = pd.DataFrame(
        {
            "realization": np.repeat(np.arange(4), 50),
            "sample": np.tile(np.arange(50), 4),
            "output": outputs.ravel(),
        }
    )
    scalars = scalars_of(table.sample(frac=1, random_state=1), request("outputs"))
    assert scalars["realization"].tolist() == [0, 1, 2, 3]
    summary = summary_of(table, scalars, "outputs")
    assert_well_formed(summary)
    assert only(summary, "output_mean")["mean"] == pytest.approx(outputs.mean())
    deviations = outputs.std(axis=1)
    assert only(summary, "output_deviation")["median"] == pytest.approx(np.median(deviations))
    fraction = only(summary, "positive_fraction")
    assert fraction["n"] == 4
    assert fraction["mean"] == pytest.approx(np.mean(outputs > 0))
    with pytest.raises(KeyError, match="output"):
        scalars_of(table.drop(columns="output"), request("outputs"))


def test_summary_survives_parquet(tmp_path):
    table = pd.concat([summarize(make_history()), frame(of_values("x", [INF, INF]))])
    table.to_parquet(tmp_path / "summary.parquet", index=False)
    restored = pd.read_parquet(tmp_path / "summary.parquet", dtype_backend="numpy_nullable")
    for name in COLUMNS[1:]:
        expected, actual = table[name].to_numpy(float), restored[name].to_numpy(float)
        np.testing.assert_array_equal(actual, expected)
    assert restored["mean"].isna().sum() == table["mean"].isna().sum() > 0


def test_a_loss_that_only_rises_has_its_minimum_at_the_start():
    history = make_history()
    history["gen_loss"] = [1.0, 4.0, 2.0, 3.0, 2.0, 2.0, 2.0, 2.0, 3.0, 2.0, 1.0, 0.5]
    scalars = scalars_of(history, request("dynamics"))
    assert scalars["min_gen_loss"].tolist() == [1.0, 2.0, 0.5]
    assert scalars["step_of_min_gen_loss"].tolist() == [0.0, 0.0, 100.0]
