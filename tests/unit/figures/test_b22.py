"""Figure B22 on small runs: its table against single sets and closed forms."""

import numpy as np
import pytest
from figure_tables import drawn, pick
from scipy.special import ndtr

from linear_grokking.data.draws import classification
from linear_grokking.data.wider_laws import Elliptical, StudentT, TanhFeatures
from linear_grokking.results import statistics
from linear_grokking.solvers.separability import assess
from linear_grokking.theory import elliptical, large_size, wendel

SETS = {"measure": "separability", "realizations": 9, "degrees_of_freedom": 3}
SIGMA = {"sigma": 2}  # of the norms, which are compared in units of 1/σ with sets at σ = 1
RADII = {"radius_ratio": [4, 8], "far_share": 0.3}
CONFIG = {
    "seed": 5,
    "device": "cpu",
    "experiments": {
        "fractions": {
            **SETS,
            "law": ["gaussian", "student_t", "tanh_features", "relu_features"],
            "latent_dim": 3,
            "n_train": 20,
            "lambda": [0.4, 0.6],
        },
        "entries": {
            **SETS,
            **SIGMA,
            "law": ["gaussian", "rademacher", "uniform", "student_t"],
            "n_train": 40,
            "lambda": [0.2, 0.3],
        },
        "elliptical": {
            **{"measure": "separability", "realizations": 9, **RADII, **SIGMA},
            **{"law": "elliptical", "n_train": 40, "lambda": [0.2, 0.3]},
        },
        "dynamics": {
            **{"model": "logistic", "law": ["gaussian", "elliptical", "relu_features"]},
            **{"radius_ratio": 4, "far_share": 0.3, "latent_dim": 6, "n_train": 40},
            **{"lambda": 0.4, "sigma": 5, "n_gen": 400, "realizations": 3, "records": 30},
            **{"t_max": 1e6},
        },
    },
    "figures": {
        "B22": {
            **{role: role for role in ("fractions", "entries", "elliptical", "dynamics")},
            "lambda_range": {"start": 0.2, "stop": 0.4, "points": 3},
        }
    },
}


@pytest.fixture
def table(tables):
    return tables["B22"]


def found(law, n, d):
    return [
        assess(classification(law, seed=5, realization=k, n_train=n, d=d).inputs, margin=False)
        for k in range(9)
    ]


def test_fractions_are_those_of_each_law(table):
    for law in (StudentT(1.0, 3.0), TanhFeatures(1.0, 3)):
        rows = pick(table, "separable_fraction", "fraction", law=law.name)
        for lambda_, d in ((0.4, 8), (0.6, 12)):
            share = np.mean([each.separable for each in found(law, 20, d)])
            assert rows[rows["x"] == lambda_]["y"].tolist() == [pytest.approx(share)]
    assert pick(table, "separable_fraction", "fraction", law="relu_features")["y"].eq(1).all()
    curve = pick(table, "separable_fraction", "wendel")
    d = np.round(20 * curve["x"].to_numpy())
    np.testing.assert_allclose(curve["y"], wendel.separable_probability(20, d))


def test_norms_are_medians_on_the_curves_of_large_sets(table):
    for panel, law, shown in (
        ("s_inf_norm", StudentT(1.0, 3.0), {"law": "student_t"}),
        ("s_inf_norm_elliptical", Elliptical(1.0, 8.0, 0.3), {"radius_ratio": 8}),
    ):
        norms = [np.inf if s.separable else s.s_inf_norm for s in found(law, 40, 12)]
        row = pick(table, panel, "median", **shown)
        row = row[row["x"] == 0.3].iloc[0]
        expected = [float(statistics.quantile(np.array(norms), q)) for q in (0.5, 0.25, 0.75)]
        assert row[["y", "y_low", "y_high"]].tolist() == pytest.approx(expected, rel=1e-6)
    lambdas = np.array([0.2, 0.3, 0.4])
    for panel in ("s_inf_norm", "s_inf_norm_elliptical"):
        curve = pick(table, panel, "large_size")
        np.testing.assert_allclose(curve["y"], large_size.limit_norm(lambdas))
    for ratio in (4, 8):
        curve = pick(table, "s_inf_norm_elliptical", "large_size_elliptical", radius_ratio=ratio)
        np.testing.assert_allclose(curve["y"], elliptical.limit_norm(lambdas, ratio, 0.3))


def test_the_settled_course_is_that_of_its_law(table):
    assert set(pick(table, "accuracy", "large_size")["law"]) == {"gaussian", "elliptical"}
    for law, radius in (("gaussian", (1.0, 0.3)), ("elliptical", (4.0, 0.3))):
        curve = pick(table, "accuracy", "large_size", law=law)
        assert curve["x"].between(1, 1e6).all() and curve["y"].is_monotonic_increasing
        loss = elliptical.limit_loss(0.4, *radius)
        bias = np.log(0.01 * loss * curve["x"]) / elliptical.limit_norm(0.4, *radius)
        near, far = elliptical.radii(*radius)
        expected = 0.7 * ndtr(bias / near) + 0.3 * ndtr(bias / far)
        np.testing.assert_allclose(curve["y"], expected, rtol=1e-6)
    relu = pick(table, "accuracy", "generalization", law="relu_features")
    assert relu[relu["x"] >= 10]["y"].min() > 0.99


def test_it_is_drawn_from_its_table(table, tmp_path):
    table.attrs["threshold"] = 0.95
    figure = drawn("B22", table, tmp_path / "B22.png")
    assert [each.get_title(loc="left") for each in figure.axes] == ["(a)", "(b)", "(c)", "(d)"]
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names[0] == "Gaussian" and "random radius" in names and len(names) == 7


def test_laws_of_ones_own_are_drawn(table, tmp_path):
    table.attrs["threshold"] = 0.95
    own = table.replace({"law": {"uniform": "my_law", "tanh_features": "other"}})
    (legend,) = drawn("B22", own, tmp_path / "B22.png").legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names[0] == "Gaussian" and {"my law", "other"} < set(names) and len(names) == 7
