"""Figure A8 on small runs: tables against theory, other methods and the data contract."""

import numpy as np
import pytest
from figure_tables import pick

from linear_grokking.theory import linear, linear_optimizers
from linear_grokking.theory.linear import Problem
from linear_grokking.theory.linear_grokking_time import gen_time, train_time

LINEAR = {
    "model": "linear",
    "d_in": 300,
    "lambda": 0.6,
    "realizations": 4,
    "n_gen": 500,
    "records": 60,
    "t_max": 1e4,
}
FAST = {**LINEAR, "lambda": [0.4, 0.6], "t_max": 200, "records": 150}
CONFIG = {
    "seed": 5,
    "device": "cpu",
    "experiments": {
        "plain": {**LINEAR, "lambda": [0.4, 0.6]},
        "larger": {**LINEAR, "eta": 0.03},
        "momentum": {**LINEAR, "solver": "momentum", "momentum": 0.9},
        "nesterov": {**LINEAR, "solver": "momentum", "momentum": 0.9, "nesterov": True},
        "grokfast": {**LINEAR, "solver": "grokfast"},
        "tuned": {**FAST, "solver": "momentum", "eta": 0.48},
        "cg": {**FAST, "solver": "conjugate_gradients"},
        "batches": {**LINEAR, "solver": "sgd", "batch_size": [6, 50], "t_max": 2000},
    },
    "figures": {
        "A8": {
            "gradient_descent": "plain",
            "larger_rate": "larger",
            "momentum": "momentum",
            "nesterov": "nesterov",
            "grokfast": "grokfast",
            "tuned": "tuned",
            "conjugate_gradients": "cg",
            "mini_batches": "batches",
            "distance": {"start": 0.01, "stop": 0.8, "points": 6},
        }
    },
}


@pytest.fixture
def table(tables):
    return tables["A8"]


def test_all_methods_are_there_at_the_largest_lambda_alone(table):
    losses = pick(table, "loss", "generalization", "experiment")
    methods = losses[["solver", "eta", "nesterov"]].drop_duplicates()
    assert len(methods) == 7
    assert set(pick(table, "methods", "train", "experiment")["x"]) == {0.6}
    assert len(pick(table, "methods", "train", "experiment")) == 7


@pytest.mark.parametrize("series", ["train", "generalization"])
def test_measured_losses_lie_near_the_theory_of_each_method(table, series):
    for source in ("experiment", "theory"):
        assert not pick(table, "loss", series, source).empty
    measured = pick(table, "loss", series, "experiment")
    for keys, curve in measured.groupby(["solver", "eta", "nesterov"], dropna=False):
        theory = pick(table, "loss", series, "theory")
        for key, value in zip(("solver", "eta", "nesterov"), keys, strict=True):
            found = theory[key]
            theory = theory[found.isna() if value != value else found == value]
        y, predicted = curve["y"].to_numpy(), theory["y"].to_numpy()
        early = predicted > 1e-2
        assert np.abs(np.log(y / predicted))[early].max() < 0.35, keys


def test_the_limit_of_krylov_methods_lies_below_all_measured_losses(table):
    bound = pick(table, "loss", "bound", "theory")
    for _, curve in pick(table, "loss", "generalization", "experiment").groupby("solver"):
        seen = curve[(curve["x"] >= 1) & (curve["x"] < 20)]
        assert np.all(seen["y"] > 0.8 * np.interp(seen["x"], bound["x"], bound["y"]))


def test_times_of_theory_are_those_of_each_method(table):
    distance = pick(table, "times", "bound", "theory")["x"].to_numpy()
    loss = linear.loss_threshold(1e-3)
    plain = pick(table, "times", "generalization", "theory", solver="spectral")["y"]
    np.testing.assert_allclose(plain, gen_time(Problem(1 - distance, 0.01), 1e-3))
    tuned = pick(table, "times", "train", "theory", solver="momentum")["y"]
    expected = linear_optimizers.tuned_momentum_times(loss, 1 - distance).train
    np.testing.assert_allclose(tuned, expected)
    bound = pick(table, "times", "bound", "theory")["y"].to_numpy()
    assert np.all(bound < tuned.to_numpy())


def test_measured_times_stand_at_their_distance(table):
    for solver in ("spectral", "momentum", "conjugate_gradients"):
        found = pick(table, "times", "generalization", "experiment", solver=solver)
        assert sorted(found["x"]) == pytest.approx([0.4, 0.6])
        assert np.all(np.isfinite(found["y"]))


def test_the_full_batch_ends_the_row_of_batches(table):
    points = pick(table, "batches", "train", "experiment")
    assert sorted(points["x"]) == [6, 50, 500]
    theory = pick(table, "batches", "train", "theory").sort_values("x")
    assert np.all(np.diff(theory["y"]) < 0)
    # A smooth curve through all of them, whose end is gradient descent's.
    assert theory["x"].iloc[[0, -1]].tolist() == pytest.approx([6, 500])
    assert np.abs(np.diff(np.log(theory["y"]))).max() < 0.05
    problem = Problem(0.6, 0.01)
    assert theory["y"].iloc[-1] == pytest.approx(train_time(problem, 1e-3), rel=0.02)
    assert pick(table, "batches", "limit", "theory")["x"].item() == pytest.approx(3)
