"""Figure B18 on small runs: what its table holds, by closed forms and by the runs themselves."""

import numpy as np
import pytest
from figure_tables import drawn, pick
from scipy.special import expit, ndtr, ndtri

from linear_grokking.data.draws import classification
from linear_grokking.data.laws import Gaussian
from linear_grokking.results import statistics
from linear_grokking.theory import large_size, logistic_weight_decay, quasi_static
from linear_grokking.theory.margin import limit_gen_accuracy

RUNS = {"model": "logistic", "n_train": 30, "sigma": 5, "realizations": 3, "records": 30}
CONFIG = {
    "seed": 7,
    "device": "cpu",
    "experiments": {
        "dynamics": {
            **RUNS,
            "lambda": [0.4, 0.7],
            "gamma": [0, 1e-2],
            "decay": ["weights", "all"],
            "t_max": 1e6,
        },
        "minima": {**RUNS, "lambda": [0.4, 0.7], "gamma": [1e-1, 1e-2], "t_max": 1e6},
        "times": {**RUNS, "lambda": [0.4, 0.7], "gamma": 1e-2, "decay": "weights", "t_max": 1e6},
        "large_sigma": {**RUNS, "lambda": 0.7, "gamma": 0.1, "decay": "weights", "t_max": 1e4},
    },
    "figures": {
        "B18": {
            **{role: role for role in ("dynamics", "minima", "times", "large_sigma")},
            "lambda_range": {"start": 0.3, "stop": 0.7, "points": 5},
            "gamma_range": {"start": 1e-3, "stop": 1e-1, "points": 3},
        }
    },
}


@pytest.fixture
def table(tables):
    return tables["B18"]


def test_dynamics_are_told_apart_by_what_decays(table):
    curves = pick(table, "accuracy", "generalization", "experiment")
    assert set(curves["decay"]) == {"none", "weights", "all"}
    assert len(curves) == 2 * 3 * curves["x"].nunique()  # without decay once, not twice
    ends = {
        decay: pick(curves, "accuracy", "generalization", lambda_=0.7, decay=decay)["y"].iloc[-1]
        for decay in ("none", "weights", "all")
    }
    assert ends["weights"] > 0.99 and ends["none"] < 0.7 and ends["all"] < 0.7
    quasi = pick(table, "accuracy", "generalization", "theory")
    assert set(quasi["decay"]) == {"weights"} and quasi["x"].between(1, 1e6).all()
    row = pick(quasi, "accuracy", "generalization", lambda_=0.7).iloc[10]
    norm = pick(table, "weight_norm", "weight_norm", "theory", lambda_=0.7).iloc[10]
    bias = -ndtri(row["y"]) * 5.0 * norm["y"]
    at = quasi_static.passage(bias, 0.7, 5.0, 1e-2, 0.01)
    assert (row["x"], norm["x"]) == pytest.approx((at.time, at.time), rel=1e-6)


def test_limits_of_dynamics_are_those_of_large_sets(table):
    for decay, expected in (
        ("none", limit_gen_accuracy(0.7, 5.0)),
        ("all", logistic_weight_decay.minimum(0.7, 5.0, 1e-2).accuracy),
    ):
        limit = pick(table, "accuracy", "large_size_limit", lambda_=0.7, decay=decay)
        assert limit["y"].to_numpy() == pytest.approx([expected] * 2)


def test_ends_are_where_the_gradient_vanishes(table):
    """Descent of this test's own, to the minimum of each of the three sets."""
    accuracies = []
    for k in range(3):
        x = classification(Gaussian(5.0), seed=7, realization=k, n_train=30, d=21).inputs
        theta = np.zeros(22)
        points = np.hstack([x, np.ones((30, 1))])
        for _ in range(200):  # Newton's method, damped
            p = expit(points @ theta)
            gradient = points.T @ p / 30 + 0.1 * theta
            hessian = (points * (p * (1 - p))[:, None]).T @ points / 30 + 0.1 * np.eye(22)
            theta = theta - 0.5 * np.linalg.solve(hessian, gradient)
        accuracies.append(ndtr(-theta[-1] / (5.0 * np.linalg.norm(theta[:-1]))))
    row = pick(table, "final_accuracy", "median", gamma=0.1)
    row = row[row["x"] == 0.7].iloc[0]
    expected = [float(statistics.quantile(np.array(accuracies), q)) for q in (0.5, 0.25, 0.75)]
    assert row[["y", "y_low", "y_high"]].to_numpy(float) == pytest.approx(expected, abs=2e-4)


def test_curves_and_map_are_those_of_the_theory(table):
    lambdas, gammas = np.linspace(0.3, 0.7, 5), np.array([1e-3, 1e-2, 1e-1])
    curve = pick(table, "final_accuracy", "large_size", gamma=0.1)
    ends = logistic_weight_decay.minimum(lambdas, 5.0, gammas[:, None]).accuracy
    assert curve["y"].to_numpy() == pytest.approx(ends[2])
    limit = pick(table, "final_accuracy", "limit", "theory")
    assert limit["y"].to_numpy() == pytest.approx(limit_gen_accuracy(lambdas, 5.0))
    cells = pick(table, "lambda_gamma", "accuracy")
    grid = cells.pivot(index="y", columns="x", values="z").to_numpy()
    assert grid == pytest.approx(ends)
    most = pick(table, "lambda_gamma", "largest_gamma")["y"].to_numpy()
    assert (grid >= 0.95).tolist() == (gammas[:, None] <= most).tolist()
    assert most[-1] == 0.0


def test_times_are_in_units_of_the_decay(table):
    times = pick(table, "scaled_time", "t95", "experiment")
    dynamics = pick(table, "accuracy", "generalization", "experiment", decay="weights")
    for lambda_ in (0.4, 0.7):
        row = pick(times, "scaled_time", "t95", lambda_=lambda_).iloc[0]
        curve = pick(dynamics, "accuracy", "generalization", lambda_=lambda_)
        crossed = np.interp(0.95, curve["y"], np.log(curve["x"].clip(lower=1)))
        assert row["y"] == pytest.approx(1e-4 * np.exp(crossed), rel=0.3)
        curve = pick(table, "scaled_time", "large_size", lambda_=lambda_)
        expected = quasi_static.time_to_accuracy(lambda_, 5.0, 1e-2, 0.01)
        assert curve["y"].iloc[1] == pytest.approx(1e-4 * expected)
    plain = pick(table, "scaled_time", "no_decay")
    assert set(plain["lambda"]) == {0.4}
    expected = np.exp(large_size.log_time_to_accuracy(0.4, 0.01))
    assert (plain["y"] / plain["x"]).to_numpy() == pytest.approx([0.01 * expected] * 3)


def test_it_is_drawn_from_its_table(table, tmp_path):
    table.attrs["threshold"] = 0.95
    figure = drawn("B18", table, tmp_path / "B18.png")
    titles = [axes.get_title(loc="left") for axes in figure.axes[:6]]
    assert titles == ["(a)", "(b)", "(c)", "(d)", "(e)", "(f)"]
    (times,) = (axes for axes in figure.axes if "time to 95 %" in axes.get_ylabel())
    assert {text.get_text() for text in times.get_legend().get_texts()} >= {"no decay"}
