"""Figures B3, B4, B8 and Table BT1: tables against other methods, drawing, and CSV."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from figure_tables import drawn, pick, tabulate
from scipy.integrate import solve_ivp
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri
from scipy.stats import linregress

from linear_grokking.figures.b8 import root_log_ratios
from linear_grokking.theory.margin import limit_gen_accuracy
from linear_grokking.theory.two_point import TwoPoint
from linear_grokking.theory.two_point_solution import solution
from linear_grokking.theory.two_point_times import log_grokking_ratio
from linear_grokking.workflow.plan import targets

FULL = {"model": "logistic", "n_train": 60, "realizations": 6, "records": 60}
CONFIG = {
    "seed": 3,
    "device": "cpu",
    "experiments": {
        "two_point": {"model": "two_point", "lambda": [0.4, 0.52], "sigma": 5, "t_max": 1e6},
        "read_off": {"model": "two_point", "lambda": 0.4995, "sigma": 20, "t_max": 1e20},
        "full": {**FULL, "lambda": [0.4, 0.55], "sigma": 5, "t_max": 1e6},
        "sets": {
            "measure": "separability",
            "n_train": 60,
            "lambda": [0.4, 0.55],
            "sigma": 5,
            "margin": True,
            "realizations": 6,
        },
        "exponential": {
            **FULL,
            "lambda": 0.3,
            "sigma": 10,
            "loss": "exponential",
            "gd_steps": 0,
            "t_max": 1e20,
        },
    },
    "figures": {
        "B3": {
            "geometry": [0.25, 0.5, 0.75],
            "sigma": {"start": 0.5, "stop": 100, "points": 24},
            "distance": {"start": 1e-4, "stop": 1, "points": 17},
            "sigma_cut": [0.1, 0],
            "distance_cut": [1, 30],
        },
        "B4": {"two_point": "two_point", "full": "full", "separability": "sets"},
        "B8": {
            "read_off": "read_off",
            "full": "exponential",
            "sigma": [1, 5, 20, 100],
            "distance": {"start": 1e-5, "stop": 0.5, "points": 40},
        },
        "BT1": {"lambda": [0, 0.25, 0.4, 0.5, 0.6, 0.75, 1], "t_max": [1e40, 1e300]},
    },
}


@pytest.mark.parametrize("lambda_", [0.25, 0.5, 0.75])
def test_optimum_is_the_shortest_allowed_vector(tables, lambda_):
    table = tables["B3"]
    edges = [pick(table, "geometry", f"constraint_{k}", lambda_=lambda_) for k in (1, 2)]
    # Each constraint again from its edge alone: b at most the line through two points.
    lines = [np.polyfit(edge["x"], edge["y"], 1) for edge in edges]
    constraints = [
        {"type": "ineq", "fun": lambda p, line=line: np.polyval(line, p[0]) - p[1]}
        for line in lines
    ]
    found = minimize(lambda p: p @ p, [0.3, -2.0], constraints=constraints, tol=1e-12)
    optimum = pick(table, "geometry", "optimum", lambda_=lambda_)[["x", "y"]].to_numpy()[0]
    np.testing.assert_allclose(optimum, found.x, atol=1e-5)
    assert np.allclose(optimum, [0.0, -1.0]) == (lambda_ <= 0.5)


def integrated_log_time(sigma, distance):
    """Return ln t at which A_gen = 0.95, by integrating the flow in s = ln(1 + t)."""
    x = sigma * np.array([-1.0, distance])

    def velocity(s, state):
        weight, bias = state
        pull = 0.5 * 0.01 * np.exp(weight * x + bias + s)
        return [-np.sum(x * pull), -np.sum(pull)]

    def reached(s, state):
        return -state[1] / (sigma * abs(state[0])) - ndtri(0.95)

    reached.terminal = True
    found = solve_ivp(
        velocity, (0.0, 40.0), [0.1, 0.0], method="LSODA", events=reached, rtol=1e-10, atol=1e-12
    )
    (end,) = found.t_events[0]
    return np.log(np.expm1(end))


def test_map_holds_the_times_of_the_integrated_flow(tables):
    cells = pick(tables["B3"], "sigma_distance", "t95")
    # Between the smallest distances on either side of 0 the axis is linear, and so are 13 of them.
    assert len(cells) == 24 * (2 * 17 + 13)
    assert np.unique(cells["y"]).size == 2 * 17 + 13 and (cells["y"] == 0).any()
    reachable = cells[cells["z"].between(0.5, 30.0)]
    chosen = reachable.sample(12, random_state=0)
    expected = [integrated_log_time(row.x, row.y) for row in chosen.itertuples()]
    np.testing.assert_allclose(chosen["z"], expected, atol=1e-6)


def test_map_is_null_exactly_where_the_limiting_accuracy_is_too_low(tables):
    cells = pick(tables["B3"], "sigma_distance", "t95")
    with np.errstate(divide="ignore"):
        limit = np.where(cells["y"] < 0, ndtr(-1.0 / (cells["x"] ** 2 * cells["y"])), 1.0)
    assert (cells["z"].isna() == (limit < 0.95)).all()
    assert cells["z"].isna().any()
    edge = pick(tables["B3"], "sigma_distance_edge", "edge")
    np.testing.assert_allclose(ndtr(-1.0 / (edge["x"] ** 2 * edge["y"])), 0.95)


def test_cuts_level_off_unless_both_limits_are_taken(tables):
    table = tables["B3"]
    fixed_distance = pick(table, "sigma_cut", "t95", lambda_=0.45)["y"].to_numpy()
    critical = pick(table, "sigma_cut", "t95", lambda_=0.5)["y"].to_numpy()
    assert abs(fixed_distance[-1] - fixed_distance[-4]) < 0.01
    assert np.all(np.diff(critical) > 0.1)
    fixed_sigma = pick(table, "distance_cut", "t95", sigma=1.0)["y"].to_numpy()
    settled = pick(table, "distance_cut", "settled")
    assert abs(fixed_sigma[0] - fixed_sigma[3]) < 0.01
    assert np.all(np.diff(settled["y"]) < -0.1)
    # Settled from the start: e^{-b} = 1 + ηC_∞ t and -b = Φ⁻¹(0.95) s.
    distance = settled["x"].to_numpy()[:-1]
    s = -np.log(distance) / (1.0 + distance)
    c = 0.5 * (np.exp(-s) + np.exp(distance * s))
    expected = np.log(np.expm1(ndtri(0.95) * s) / (0.01 * c))
    np.testing.assert_allclose(settled["y"].to_numpy()[:-1], expected, rtol=1e-6)


def test_both_models_have_their_dynamics_and_limits(tables):
    table = tables["B4"]
    assert set(table["model"]) == {"two_point", "logistic"}
    assert set(table.loc[table["model"] == "logistic", "n_train"]) == {60}
    for model, lambdas in (("two_point", {0.4, 0.52}), ("logistic", {0.4, 0.55})):
        for panel in ("loss", "accuracy"):
            for series in ("train", "generalization"):
                assert set(pick(table, panel, series, model=model)["lambda"]) == lambdas
    limit = pick(table, "accuracy", "limit", model="two_point")
    for lambda_ in (0.4, 0.52):
        state = solution(1e6, TwoPoint.at_lambda(lambda_, 5.0, 0.01, 0.1, 0.0))
        late = ndtr(-state.bias / (5.0 * state.weight))
        np.testing.assert_allclose(limit.loc[limit["lambda"] == lambda_, "y"], late, atol=1e-4)
    # The full model has two limits: of its sets, and of large ones.
    large = pick(table, "accuracy", "large_size_limit", model="logistic", lambda_=0.55)["y"].iloc[0]
    assert large == pytest.approx(float(limit_gen_accuracy(0.55, 5.0)))
    sets = pick(table, "accuracy", "limit", model="logistic", lambda_=0.55).iloc[0]
    assert sets["n"] == 6 and sets["y_low"] < sets["y"] < sets["y_high"]
    # The run ends below its limit, and its 95 % lies on its own curve.
    final = pick(table, "accuracy", "generalization", model="two_point", lambda_=0.52)["y"].iloc[-1]
    assert 0.5 < final < 0.842
    reached = pick(table, "accuracy", "generalization_reached", model="two_point")
    assert reached["lambda"].tolist() == [0.4]
    np.testing.assert_allclose(reached["y"], 0.95, atol=1e-3)


def test_times_read_off_lie_on_the_recorded_losses(tables):
    table = tables["B8"]
    times = {}
    for series in ("train", "generalization"):
        curve = pick(table, "loss", series)
        curve = curve[curve["x"] > 0]
        at = pick(table, "loss", f"{series}_at_epsilon").iloc[0]
        recorded = np.interp(np.log(at["x"]), np.log(curve["x"]), np.log(curve["y"]))
        np.testing.assert_allclose(recorded, np.log(1e-3), atol=0.01)
        times[series] = at["x"]
    ratio = np.log(times["generalization"] / times["train"])
    np.testing.assert_allclose(ratio, 24.50, atol=0.005)


def test_ratio_is_settled_at_large_sigma_only(tables):
    exact = pick(tables["B8"], "root_log_ratio", "exact")
    settled = pick(tables["B8"], "root_log_ratio", "settled")["y"].to_numpy()
    for sigma, holds in ((1.0, False), (5.0, False), (100.0, True)):
        y = exact.loc[exact["sigma"] == sigma, "y"].to_numpy()
        assert np.allclose(y, settled, atol=0.03) == holds
    far = 1e-3
    ratio = log_grokking_ratio(1e-3, TwoPoint(far, np.array([1, 5, 20]), 0.01, 0.1, 0.0))
    np.testing.assert_allclose(ratio, [2.80, 19.63, 24.50], atol=0.005)
    at = exact[np.isclose(exact["sigma"], 20.0)]
    between = np.interp(-np.log(far), at["x"][::-1], at["y"][::-1])
    np.testing.assert_allclose(between, np.sqrt(ratio[2]), atol=2e-3)


def test_fitted_slope_and_error_are_those_of_least_squares(tables):
    table = tables["B8"]
    exact = pick(table, "root_log_ratio", "exact")
    fit = pick(table, "slope", "fit").iloc[0]
    chosen = exact[(exact["sigma"] >= 20) & (exact["x"] >= -np.log(0.02))]
    # ln t*_gen = R + ln t*_tr, and ηt*_tr is close to 1/ε there.
    settled = chosen["sigma"] ** 2 * np.exp(-chosen["x"]) * (chosen["y"] ** 2 + np.log(1e3)) >= 4
    chosen = chosen[settled]
    assert fit["n"] == len(chosen)
    line = linregress(chosen["x"], chosen["y"])
    np.testing.assert_allclose(fit["y"], line.slope, rtol=1e-9)
    np.testing.assert_allclose(fit["y_high"] - fit["y"], line.stderr, rtol=1e-6)
    predicted = pick(table, "slope", "predicted")["y"].iloc[0]
    assert abs(fit["y"] / predicted - 1.0) < 0.01


def test_full_model_is_measured_from_its_losses(tables):
    measured = pick(tables["B8"], "root_log_ratio", "median")
    assert measured["lambda"].tolist() == [0.3]
    curve = pick(tables["B8"], "root_log_ratio", "large_size")
    expected = np.interp(-np.log(0.4), curve["x"][::-1], curve["y"][::-1])
    # Six draws at N = 60, whose ratios spread by some 30 %.
    assert abs(measured["y"].iloc[0] / expected - 1.0) < 0.4
    far = curve.iloc[0]
    np.testing.assert_allclose(far["y"] ** 2 * np.exp(-far["x"]), 0.857, rtol=0.03)


def test_draws_that_generalize_first_count_as_the_smallest_ratios():
    times = {"t_train_loss": [10.0] * 5, "t_gen_loss": [5.0, 8.0, 10.0, 10 * np.e, np.inf]}
    found = root_log_ratios(SimpleNamespace(scalars=pd.DataFrame(times)))
    assert found == pytest.approx([0.0, 0.0, 0.0, 1.0, np.inf])


def test_which_points_b8_fits_does_not_depend_on_the_learning_rate(plan):
    fits = [pick(tabulate(plan, "B8", eta=eta), "slope", "fit") for eta in (0.01, 1e-9)]
    for column in ("y", "y_low", "y_high"):
        assert fits[0][column].item() == pytest.approx(fits[1][column].item(), rel=1e-9)


def test_refuses_what_cannot_be_tabulated(plan):
    with pytest.raises(ValueError, match=r"0 points have sigma >= 200.*needs three"):
        tabulate(plan, "B8", fit_sigma=200)
    runs = targets.table(plan, "B8").request["runs"]
    with pytest.raises(ValueError, match="read_off names 2 runs: must be one"):
        tabulate(plan, "B8", {**runs, "read_off": runs["read_off"] * 2})
    runs["full"][0]["parameters"]["lambda"] = 0.7
    with pytest.raises(ValueError, match=r"full: lambda = 0\.7: must be below 0\.5"):
        tabulate(plan, "B8", runs)


def test_integration_confirms_the_long_time_laws(tables):
    table = tables["BT1"]
    assert set(table["series"]) == {"weight", "bias"}
    for series in ("weight", "bias"):
        rows = table[table["series"] == series]
        predicted = rows[rows["source"] == "theory"].set_index("x")["y"]
        m = 2.0 * predicted.index.to_numpy() - 1.0
        if series == "bias":
            law = np.where(m <= 0, -1.0, -1.0 / (1.0 + m**2))
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                law = np.where(m < 0, -np.log(-m) / (1.0 - m), m / (1.0 + m**2))
            law[m == 0] = 1.0
        np.testing.assert_allclose(predicted, law, rtol=1e-12, atol=1e-15)
        for t_max, critical in ((1e40, 0.1), (1e300, 0.02)):
            integrated = rows[rows["t_max"] == t_max].set_index("x")["y"]
            error = (integrated - predicted).abs()
            assert error.drop(0.5).max() < 1e-6
            assert error[0.5] < critical
    clocks = table[table["series"] == "weight"].groupby("x")["panel"].unique()
    assert clocks[0.4].tolist() == ["constant"]
    assert clocks[0.5].tolist() == ["log_log_t"]
    assert clocks[0.6].tolist() == ["log_t"]


def test_integrated_coefficients_are_those_of_the_exact_orbit(tables):
    # Differences of the exact solution about t = 1e40, by ln t and by ln ln t.
    log_t = np.log(1e40) + np.array([-0.01, 0.01])
    integrated = tables["BT1"][tables["BT1"]["t_max"] == 1e40]
    for lambda_, rows in integrated.groupby("x"):
        state = solution(log_t, TwoPoint.at_lambda(lambda_, 1.0, 0.01, 0.1, 0.0))
        found = rows.set_index("series")
        np.testing.assert_allclose(found.loc["bias", "y"], np.diff(state.bias) / 0.02, atol=1e-6)
        slopes = {
            "constant": state.weight.mean(),
            "log_log_t": np.diff(state.weight) / np.diff(np.log(log_t)),
            "log_t": np.diff(state.weight) / 0.02,
        }
        weight = found.loc["weight"]
        np.testing.assert_allclose(weight["y"], slopes[weight["panel"]], atol=1e-6)


def test_the_page_of_bt1_shows_its_numbers(tables, tmp_path):
    (page,) = drawn("BT1", tables["BT1"], tmp_path / "BT1.png").axes
    assert "1.341198" in [text.get_text() for text in page.texts]


def test_b8_names_the_slope_of_settled_points(tables, tmp_path):
    figure = drawn("B8", tables["B8"], tmp_path / "B8.png")
    slope = pick(tables["B8"], "slope", "fit")["y"].iloc[0]
    assert any(f"{slope:.4f}" in text.get_text() for text in figure.axes[1].texts)


def test_b8_has_one_colour_for_a_sigma(tables, tmp_path):
    figure = drawn("B8", tables["B8"], tmp_path / "B8.png")
    (handles,) = (each.legend_handles for each in figure.legends)
    colours = {each.get_label(): each.get_color() for each in handles}
    sigma = pick(tables["B8"], "loss", "train")["sigma"].iloc[0]
    assert figure.axes[0].lines[0].get_color() == colours[f"two-point model, $\\sigma$ = {sigma:g}"]


def test_tables_come_as_csv_with_all_digits_too(plan, tables):
    read_back = pd.read_csv(plan.root / "figures/tables/BT1.csv")
    expected = tables["BT1"]
    pd.testing.assert_frame_equal(
        read_back.astype(expected.dtypes.to_dict()), expected, check_exact=True
    )


def test_two_points_have_a_step_for_their_training_accuracy(tables, tmp_path):
    figure = drawn("B4", tables["B4"], tmp_path / "B4.png")
    two, full = figure.axes[2:4]
    for axes, style in ((two, "steps-post"), (full, "default")):
        styles = {line.get_drawstyle() for line in axes.lines if line.is_dashed()}
        assert style in styles and len(styles - {"default"}) == (style == "steps-post")
