"""Fig. B19 on small runs: its table against closed forms and single sets."""

import numpy as np
import pytest
from figure_tables import drawn, pick
from scipy.special import ndtr, ndtri

from linear_grokking.data.draws import classification
from linear_grokking.data.laws import Gaussian
from linear_grokking.solvers.separability import assess, box_margin
from linear_grokking.theory import adam_limit, large_size
from linear_grokking.theory.margin import limit_gen_accuracy

N = 60
RUN = {"model": "logistic", "n_train": N, "realizations": 3, "records": 40, "sigma": 2}
ADAM = {**RUN, "solver": "adam", "beta1": 0.8, "beta2": 0.9, "eta": 3e-3, "t_max": 3000}
CONFIG = {
    "seed": 4,
    "device": "cpu",
    "experiments": {
        "below": {**ADAM, "lambda": 0.3},
        "below_descent": {**RUN, "lambda": 0.3, "t_max": 1e8},
        "above": {**ADAM, "lambda": [0.75, 0.9]},
        "above_descent": {**RUN, "lambda": [0.75, 0.9], "t_max": 1e10},
        "steps": {**ADAM, "lambda": 0.75, "eta": [3e-3, 0.3]},
        "sets": {
            "measure": "separability", "n_train": N, "lambda": [0.3, 0.75, 0.9], "margin": True,
            "box_margin": True, "realizations": 4,
        },
        "large": {
            "measure": "separability", "n_train": 80, "lambda": 0.75, "box_margin": True,
            "realizations": 3,
        },
    },
    "figures": {
        "B19": {
            "below": "below", "below_descent": "below_descent", "above": "above",
            "above_descent": "above_descent", "steps": "steps", "separability": "sets",
            "large_sets": "large",
        },
    },
}  # fmt: skip


@pytest.fixture
def table(tables):
    return tables["B19"]


def points(lambda_, realization):
    sizes = {"n_train": N, "d": round(N * lambda_)}
    return classification(Gaussian(2.0), seed=4, realization=realization, **sizes).inputs


def test_adams_limits_are_those_of_linear_programmes(table):
    for lambda_ in (0.75, 0.9):
        norms = [np.linalg.norm(box_margin(points(lambda_, k)).direction) for k in range(3)]
        limit = pick(table, "final_accuracy", "limit", x=lambda_, solver="adam").iloc[0]
        assert limit["n"] == 3
        expected = np.median(ndtr(1.0 / (2.0 * np.array(norms))))
        assert limit["y"] == pytest.approx(expected, rel=1e-6)
        final = pick(table, "final_accuracy", "final", x=lambda_, solver="adam").iloc[0]
        assert final["y"] == pytest.approx(expected, abs=0.005)
        margins = [assess(points(lambda_, k), margin=True).margin for k in range(3)]
        descent = pick(table, "final_accuracy", "limit", x=lambda_, solver="gradient_flow").iloc[0]
        expected = np.median(ndtr(1.0 / (2.0 * np.array(margins))))
        assert descent["y"] == pytest.approx(expected, rel=1e-6)
        assert descent["y"] > final["y"] + 0.1


def test_curves_are_the_large_size_limits(table):
    for solver in ("adam", "gradient_flow"):
        curve = pick(table, "final_accuracy", "large_size", solver=solver)
        lambda_ = curve["x"].to_numpy()
        expected = limit_gen_accuracy(lambda_, 2.0)
        if solver == "adam":
            expected = ndtr(0.5 / (adam_limit.box_margin(lambda_).size * np.sqrt(N * lambda_)))
        np.testing.assert_allclose(curve["y"], expected, rtol=1e-9)
        way = pick(table, "accuracy", "large_size_limit", solver=solver, lambda_=0.75)
        assert way["y"].iloc[0] == pytest.approx(np.interp(0.75, lambda_, expected), abs=1e-4)
    assert set(table.loc[table["panel"] == "accuracy", "lambda"]) == {0.75}


def test_large_steps_end_elsewhere(table):
    ratio = table[table["panel"] == "box_norm_ratio"].set_index("eta")
    steps = 45 * 2 * np.sqrt(2 / np.pi) * ratio.index.to_numpy()
    np.testing.assert_allclose(ratio["x"], steps, rtol=1e-9)
    assert ratio.loc[3e-3, "y"] == pytest.approx(1.0, abs=0.05)
    assert ratio.loc[0.3, "y"] < 0.8


def test_times_are_those_of_each_set(table):
    norms = [assess(points(0.3, k), margin=False).s_inf_norm for k in range(3)]
    for solver in ("adam", "gradient_flow"):
        found = pick(table, "scaled_time", "t95", solver=solver)
        np.testing.assert_allclose(found["x"], 2.0 * np.array(norms), rtol=1e-6)
        curve = pick(table, "scaled_time", "large_size", solver=solver).sort_values("x")
        r = curve["x"].to_numpy()
        lambda_ = np.linspace(0.3, 0.488, 120)
        np.testing.assert_allclose(r, large_size.limit_norm(lambda_))
        if solver == "adam":
            speed = adam_limit.bias_speed(3e-3, 0.8, 0.9)
            np.testing.assert_allclose(curve["y"], ndtri(0.95) * r * 3e-3 / speed)
            # |b| = 1.8 is not far: the cross-entropy's S is longer than S_∞ there.
            expected = np.interp(found["x"], r, curve["y"])
            np.testing.assert_allclose(found["y"], expected, rtol=0.2)


def test_it_is_drawn_with_what_it_holds(table, tmp_path):
    figure = drawn("B19", table, tmp_path / "B19.png")
    assert [each.get_title(loc="left") for each in figure.axes] == ["(a)", "(b)", "(c)", "(d)"]
    legend = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert legend == ["runs", "limits of these sets", r"$N\to\infty$"]
