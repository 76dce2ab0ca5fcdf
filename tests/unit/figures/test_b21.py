"""Figure B21 on small runs: its table against single runs and closed forms."""

import numpy as np
import pytest
from figure_tables import drawn, pick
from scipy.stats import chi2

from linear_grokking.figures import registry, style
from linear_grokking.figures.logistic_panels import pair_runs
from linear_grokking.theory import large_size

FLOW = {"model": "logistic", "loss": "exponential", "gd_steps": 5, "rtol": 1e-3, "records": 40}
FLOW |= {"t_max": 1e8, "sigma": 5, "lambda": 0.3}
SIZES = {"small": [40, 60], "direct": 80, "deferred": 80, "large": [120, 160], "largest": 200}
DRAWS = {"small": 5, "direct": 4, "deferred": 4, "large": 3, "largest": 1}
CONFIG = {
    "seed": 5,
    "device": "cpu",
    "experiments": {
        "times": {
            **FLOW,
            **{"data": "deferred", "n_train": 60, "lambda": [0.2, 0.3, 0.5], "sigma": [1, 5]},
            "realizations": 3,
        },
        **{
            role: {
                **FLOW,
                "data": "matrix" if role in ("small", "direct") else "deferred",
                "n_train": n_train,
                "realizations": DRAWS[role],
            }
            for role, n_train in SIZES.items()
        },
    },
    "figures": {
        "B21": {
            **{role: role for role in ("times", *SIZES)},
            "lambda_range": {"start": 0.2, "stop": 0.45, "points": 26},
        }
    },
}


@pytest.fixture
def table(tables):
    return tables["B21"]


@pytest.fixture
def runs(plan):
    from linear_grokking.figures.tables import FigureData
    from linear_grokking.workflow.plan import targets

    return FigureData(plan.root, targets.table(plan, "B21").request).runs


def formula(lambda_):
    return float(np.exp(large_size.log_time_to_accuracy(lambda_, 0.01)))


def test_times_are_medians_and_the_formula_beside_them(table, runs):
    for run in runs("times"):
        p = run.parameters
        (row,) = (
            pick(table, "grokking_time", "t95", sigma=p["sigma"])
            .query(f"x == {p['lambda']}")
            .itertuples()
        )
        assert row.y == pytest.approx(np.median(run.scalars["t_gen"]))
    curve = pick(table, "grokking_time", "large_size")
    np.testing.assert_allclose(curve["y"], [formula(x) for x in curve["x"]])


def test_the_range_ends_where_s_has_just_settled(table):
    assert set(pick(table, "grokking_time", "settled_range")["sigma"]) == {5.0}
    end = pick(table, "grokking_time", "settled_range", sigma=5.0).iloc[0]

    def settled(lambda_):
        clock = 0.01 * large_size.limit_loss(lambda_) * formula(lambda_)
        return 25.0 * large_size.settling_exponent(lambda_) * np.log(clock)

    assert end["y"] == pytest.approx(formula(end["x"]))
    assert end["x"] == pytest.approx(0.45) or settled(end["x"] + 0.01) < large_size.SETTLED
    assert settled(end["x"]) >= large_size.SETTLED


def test_shares_of_the_logarithm_stand_against_how_far_s_has_settled(table, runs):
    shown = pick(table, "settled_share", "t95")
    assert set(shown["lambda"]) == {0.2, 0.3}
    for run in runs("times"):
        p = run.parameters
        if p["lambda"] == 0.5:
            continue
        row = pick(shown, "settled_share", "t95", sigma=p["sigma"], lambda_=p["lambda"]).iloc[0]
        log_formula = np.log(formula(p["lambda"]))
        exponent = large_size.settling_exponent(p["lambda"])
        clock = 0.01 * large_size.limit_loss(p["lambda"]) * formula(p["lambda"])
        assert row["x"] == pytest.approx(p["sigma"] ** 2 * exponent * np.log(clock))
        share = np.log(np.median(run.scalars["t_gen"])) / log_formula
        assert row["y"] == pytest.approx(share, rel=1e-6)


def test_scatter_and_correction_by_size_and_kind_of_data(table, runs):
    scatter, correction = (
        pick(table, "finite_size", series) for series in ("scatter", "correction")
    )
    sizes = []
    for run in runs(*SIZES):
        logs = np.log(run.scalars["t_gen"].to_numpy(float) / formula(0.3))
        if not np.isfinite(logs).all():
            continue
        at = {"data": run.parameters.get("data", "matrix")}
        n_train = run.parameters["n_train"]
        assert (at["data"] == "matrix") == (n_train < 80 or run in runs("direct"))
        row = pick(correction, "finite_size", "correction", **at).query(f"x == {n_train}").iloc[0]
        assert row["y"] == pytest.approx(np.exp(logs.mean()) - 1.0)
        if len(logs) > 1:
            error = logs.std(ddof=1) / np.sqrt(len(logs))
            ends = np.exp([logs.mean() - error, logs.mean() + error]) - 1.0
            assert row[["y_low", "y_high"]].tolist() == pytest.approx(ends.tolist())
            value, degrees = logs.std(ddof=1), len(logs) - 1
            low, high = value * np.sqrt(degrees / chi2(degrees).ppf([0.975, 0.025]))
            row = pick(scatter, "finite_size", "scatter", **at).query(f"x == {n_train}").iloc[0]
            assert row[["y", "y_low", "y_high"]].tolist() == pytest.approx([value, low, high])
            sizes.append((n_train, value))
    power = pick(table, "finite_size", "scatter_power")
    slope = np.polyfit(*np.log(np.array(sizes)).T, 1)[0]
    assert np.diff(np.log(power["y"])) / np.diff(np.log(power["x"])) == pytest.approx(slope)


def test_it_is_drawn_from_its_table(table, tmp_path):
    table.attrs["threshold"] = 0.95
    figure = drawn("B21", table, tmp_path / "B21.png")
    assert [each.get_title(loc="left") for each in figure.axes] == ["(a)", "(b)", "(c)", "(d)"]
    dynamics, times, _, sizes = (each.get_legend() for each in figure.axes)
    names = [text.get_text() for text in dynamics.get_texts()]
    assert names[0] == "matrix, $N$ = 80" and names[1] == "deferred, $N$ = 160"
    assert "settled $S$, $N\\to\\infty$" in [text.get_text() for text in times.get_texts()]
    assert any("propto N" in text.get_text() for text in sizes.get_texts())


def test_runs_without_a_matrix_have_no_separability_beside_them(runs):
    with pytest.raises(ValueError, match="data = deferred: has no sets to assess beside"):
        pair_runs(runs("deferred"), runs("direct"))


def test_it_is_drawn_without_sizes_where_no_draw_reaches_the_accuracy(table):
    table.attrs["threshold"] = 0.95
    with style.sheet():
        figure = registry.module("B21").draw(table[table["panel"] != "finite_size"])
    assert len(figure.axes) == 4
