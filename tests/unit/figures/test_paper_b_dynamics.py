"""Paper B's figures of dynamics on small runs: tables against limits and identities."""

from pathlib import Path

import numpy as np
import pytest
from figure_tables import drawn, pick, tabulate
from scipy.interpolate import CubicSpline
from scipy.special import ndtr

from linear_grokking.data.draws import classification
from linear_grokking.data.laws import Gaussian
from linear_grokking.figures.logistic_panels import pair_runs
from linear_grokking.results.reading import RunResult
from linear_grokking.solvers.separability import assess
from linear_grokking.theory.margin import limit_gen_accuracy, mean_margin
from linear_grokking.workflow.plan import Plan, read

SETS = {"n_train": 60, "sigma": 5, "realizations": 5}
RUN = {"model": "logistic", **SETS, "records": 60, "t_max": 1e9}
PATH = {**RUN, "loss": "exponential", "gd_steps": 0, "dtype": "float64", "realizations": 1}
ADAM = {"solver": "adam", "beta1": 0.8, "beta2": 0.9, "t_max": 3000}
# At N = 60, λ = 0.3 and 0.75 are three standard deviations away from the transition; at
# λ = 0.45 and seed 1, one of five sets is separable.
SIDES = [0.3, 0.75]
CONFIG = {
    "seed": 1,
    "device": "cpu",
    "experiments": {
        "sides": {**RUN, "lambda": SIDES},
        "outputs": {**RUN, "lambda": SIDES, "measure": "outputs", "records": 2},
        "with_bias": {**PATH, "lambda": SIDES, "t_max": 1e100, "records": 1000},
        "without_bias": {**PATH, "lambda": SIDES, "t_max": 1e5, "bias": False, "records": 400},
        "sets": {"measure": "separability", **SETS, "lambda": [*SIDES, 0.4, 0.45], "margin": True},
        "near_adam": {**RUN, **ADAM, "lambda": 0.45},
        "adam": {**RUN, **ADAM, "lambda": SIDES},
        "by_sigma": {**RUN, "lambda": [0.4, 0.75], "sigma": [1, 5, 10], "realizations": 3},
        "by_s0_norm": {**RUN, "lambda": 0.4, "s0_norm": [0.1, 5], "realizations": 3},
        "by_b0": {**RUN, "lambda": 0.4, "b0": [-2, 0, 2], "realizations": 3},
        "exponential": {**RUN, "lambda": SIDES, "loss": "exponential"},
        "more_of_one": {**RUN, "lambda": 0.4},
        "random": {**RUN, "lambda": 0.4, "label_fraction": [1, 0.95], "realizations": 3},
        "decided": {
            **RUN,
            "lambda": 0.4,
            "label_fraction": [1, 0.9],
            "labels": "threshold",
            "realizations": 3,
        },
    },
    "figures": {
        "B2": {
            "outputs": "outputs",
            "dynamics": "sides",
            "with_bias": "with_bias",
            "without_bias": "without_bias",
            "separability": "sets",
        },
        "B5": {"dynamics": "near_adam", "separability": "sets"},
        "B9": {"dynamics": "by_sigma", "separability": "sets"},
        "B10": {"adam": "adam", "gradient_descent": "sides", "separability": "sets"},
        "B11": {"dynamics": "by_s0_norm", "separability": "sets"},
        "B12": {"dynamics": "by_b0", "separability": "sets"},
        "B13": {
            "dynamics": "exponential",
            "cross_entropy": "sides",
            "separability": "sets",
        },
        "B16": {"dynamics": "decided", "random": "random", "separability": "sets"},
    },
}


def assessed(lambda_, realization, sigma=5.0):
    d = round(60 * lambda_)
    sets = classification(Gaussian(sigma), seed=1, realization=realization, n_train=60, d=d)
    return assess(sets.inputs, margin=True)


def test_paths_with_and_without_bias_are_one_in_conformal_time(tables):
    table = tables["B2"]
    for lambda_ in SIDES:
        with_bias = pick(table, "conformal_path", "with_bias", lambda_=lambda_)
        without = pick(table, "conformal_path", "without_bias", lambda_=lambda_)
        norm = CubicSpline(np.log1p(without["x"]), without["y"])
        inside = with_bias[with_bias["x"] < without["x"].max()]
        assert len(inside) > 50
        expected = norm(np.log1p(inside["x"]))
        # Each path follows the flow to its rtol of 1e-4 a step.
        np.testing.assert_allclose(inside["y"], expected, rtol=5e-3)


def test_outputs_end_below_zero_and_shift_with_the_bias(tables):
    table = tables["B2"]
    for lambda_ in SIDES:
        rows = pick(table, "output_density", "outputs", lambda_=lambda_)
        width = rows["x"].diff().median()
        assert width * rows["y"].sum() == pytest.approx(1.0)
        assert rows["x"].max() < 0
        # S·x = f - b is positive for some point where, and only where, sets are inseparable.
        positive = pick(table, "output_density", "positive", lambda_=lambda_).iloc[0]
        beyond = rows["x"] > positive["x"] + 0.5 * width
        assert (positive["y"] > 0) == beyond.any() == (lambda_ < 0.5)
        # N = 60: the large-size outputs agree roughly.
        theory = pick(table, "output_density", "large_size", lambda_=lambda_)
        mass = np.trapezoid(theory["y"], theory["x"])
        assert mass == pytest.approx(1.0, abs=0.02) if lambda_ < 0.5 else 0.05 < mass < 0.5
        if lambda_ < 0.5:
            mean = np.trapezoid(theory["x"] * theory["y"], theory["x"])
            measured = width * (rows["x"] * rows["y"]).sum()
            assert mean - positive["x"] == pytest.approx(measured - positive["x"], rel=0.5)


def test_norm_ratio_falls_towards_the_margin(tables):
    table = tables["B2"]
    ratio = pick(table, "norm_ratio", "ratio")
    margin = pick(table, "norm_ratio", "margin")["y"].iloc[0]
    assert set(ratio["lambda"]) == {0.75}
    assert margin == pytest.approx(assessed(0.75, 0).margin, rel=1e-9)
    late = ratio[ratio["x"] > 1e20]["y"].to_numpy()
    excess = np.abs(late / margin - 1.0)
    assert excess[-1] < 0.1 and excess[-1] < 0.5 * excess[0]


def test_adams_draws_are_told_apart_by_their_verdicts(tables):
    table = tables["B5"]
    verdicts = [assessed(0.45, k).separable for k in range(5)]
    for verdict in (False, True):
        draws = pick(table, "draws", "realization", separable=verdict)
        assert list(draws["x"]) == [k for k in range(5) if verdicts[k] == verdict]
        curves = pick(table, "accuracy", "generalization", separable=verdict)
        assert (curves["n"] == 1).all()
        assert set(curves["realization"]) == set(draws["x"])
    assert {True, False} == set(verdicts)
    inseparable = pick(table, "accuracy", "generalization", separable=False)
    ends = inseparable.groupby("realization")["y"].last()
    assert ends.to_numpy() == pytest.approx(1.0, abs=0.02)
    separable = pick(table, "accuracy", "generalization", separable=True)
    assert separable["y"].iloc[-1] < 0.9
    assert pick(table, "accuracy", "limit", separable=True).empty
    assert (pick(table, "accuracy", "limit", separable=False)["y"] == 1.0).all()


def test_the_legend_of_b5_says_how_many_draws_are_separable(tables, tmp_path):
    figure = drawn("B5", tables["B5"], tmp_path / "B5.png")
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["not separable (4 draws)", "separable (1 draw)"]


def test_a_column_without_the_expected_verdict_shows_the_other(tables, tmp_path):
    table = tables["B10"]
    inseparable = table[~table["separable"].astype(bool)].assign(**{"lambda": 0.75})
    figure = drawn("B10", inseparable, tmp_path / "B10.png")
    assert "of 5 draws not separable" in figure.axes[0].get_title()


def test_adam_ends_elsewhere_than_the_hard_margin(tables):
    table = tables["B10"]
    side = {"lambda_": 0.75, "separable": True}
    margins = [assessed(0.75, k).margin for k in range(5)]
    limit = pick(table, "accuracy", "limit", solver="gradient_flow", **side)
    expected = np.median(ndtr(1.0 / (5.0 * np.array(margins))))
    np.testing.assert_allclose(limit["y"], expected, rtol=1e-9)
    assert list(limit["x"]) == [1.0, 1e9]
    descent = pick(table, "accuracy", "generalization", solver="gradient_flow", **side)
    assert descent["y"].iloc[-1] == pytest.approx(expected, abs=0.01)
    adam = pick(table, "accuracy", "generalization", solver="adam", **side)["y"].to_numpy()
    late = adam[-5:]
    assert np.ptp(late) < 2e-3  # it has arrived
    assert abs(late[-1] - expected) > 5 * np.ptp(late)


@pytest.mark.parametrize(("figure_id", "key"), [("B9", "sigma"), ("B11", "s0_norm"), ("B12", "b0")])
def test_limits_are_those_of_each_draw(tables, figure_id, key):
    table = tables[figure_id]
    if figure_id == "B9":
        table = table[table["lambda"] == 0.4]
    for value in table[key].unique():
        sigma = value if key == "sigma" else 5.0
        found = [assessed(0.4, k, sigma) for k in range(3)]
        assert not any(each.separable for each in found)
        norm = pick(table, "weight_norm", "limit", **{key: value})
        median = np.median([each.s_inf_norm for each in found])
        # Sets of another σ are scaled, not drawn in that σ: float32 rounding.
        np.testing.assert_allclose(norm["y"], median, rtol=1e-4)
        assert (pick(table, "accuracy", "limit", **{key: value})["y"] == 1.0).all()
        curve = pick(table, "weight_norm", "weight_norm", **{key: value})
        if sigma >= 5:
            assert curve["y"].iloc[-1] == pytest.approx(median, rel=0.03)
        assert (curve["n"] == 3).all()  # draws that all runs have, though one run has five


def test_above_one_half_the_limit_is_the_margins_at_each_sigma(tables):
    table = tables["B9"]
    margins = np.array([assessed(0.75, k, 1.0).margin for k in range(3)])
    for sigma in (1.0, 5.0, 10.0):
        limit = pick(table, "accuracy", "limit", lambda_=0.75, sigma=sigma)
        expected = np.median(ndtr(1.0 / (sigma**2 * margins)))
        np.testing.assert_allclose(limit["y"], expected, rtol=1e-4)
    assert pick(table, "weight_norm", "limit", lambda_=0.75).empty


def test_sets_of_another_seed_are_not_paired(plan):
    sets = {**CONFIG["experiments"]["sets"], "seed": 5}
    config = {**CONFIG, "experiments": {**CONFIG["experiments"], "sets": sets}}
    with pytest.raises(
        ValueError, match=r"lambda = \[0.4, .*\], seed = 1: .* need the same .*seed"
    ):
        tabulate(Plan(read(config), plan.root), "B9")


def test_sets_of_one_law_are_paired_by_its_parameters():
    def run(run_id, **parameters):
        at = {"n_train": 60, "lambda": 0.4, "sigma": 5.0, **parameters}
        return RunResult(Path(), run_id, at, seed=0, realizations=1, made_of="")

    ratios = (2, 4)
    dynamics, sets = (
        [run(f"{name} {r}", law="elliptical", radius_ratio=r, far_share=0.5) for r in ratios]
        for name in ("dynamics", "sets")
    )
    pairs = [(each.run_id, partner.run_id) for each, partner in pair_runs(dynamics, sets)]
    assert pairs == [("dynamics 2", "sets 2"), ("dynamics 4", "sets 4")]
    with pytest.raises(ValueError, match="parameters of the law"):
        pair_runs(dynamics, sets[:1])
    # Gaussian sets are multiples of each other.
    gaussian = {"law": "gaussian", "sigma": 1.0}
    assert pair_runs([run("a", law="gaussian")], [run("b", **gaussian)])


def test_the_share_at_the_margin_is_what_the_density_lacks(tables):
    table = tables["B2"]
    density = pick(table, "output_density", "large_size", lambda_=0.75)
    share = pick(table, "output_density", "margin_share", lambda_=0.75).iloc[0]
    assert share["x"] == density["x"].max()
    mass = np.trapezoid(density["y"], density["x"])
    assert mass + share["y"] == pytest.approx(1.0, abs=0.02)
    assert pick(table, "output_density", "margin_share", lambda_=0.3).empty
    large = pick(table, "norm_ratio", "large_size_margin")
    np.testing.assert_allclose(large["y"], 5.0 * float(mean_margin(0.75)))


def test_b13_has_the_cross_entropys_curves_beside_its_own(tables):
    table = tables["B13"]
    for lambda_ in SIDES:
        loss, other = (
            pick(table, "loss", "generalization", lambda_=lambda_, loss=name)
            for name in ("exponential", "cross_entropy")
        )
        assert other["y"].iloc[0] == pytest.approx(np.log(2.0), rel=0.2)
        assert loss["y"].iloc[0] == pytest.approx(1.0, rel=0.3)
        large = pick(table, "accuracy", "large_size_limit", lambda_=lambda_)["y"]
        assert (large == float(limit_gen_accuracy(lambda_, 5.0))).all()


def test_b13_shows_all_sizes_of_b_of_both_losses(tables, tmp_path):
    table = tables["B13"].copy()
    table.attrs["threshold"] = 0.95
    bias = table[(table["panel"] == "bias") & (table["x"] > 0) & (table["y"] < 0)]
    figure = drawn("B13", table, tmp_path / "B13.png")
    rows = [each for each in figure.axes if each.get_xlabel()]
    assert len(rows) == len(SIDES)
    for axes in rows:
        assert axes.get_ylim()[0] < -bias["y"].max()


def test_stars_and_diamonds_of_accuracies_stand_at_their_threshold(tables, tmp_path):
    table = tables["B13"].copy()
    table.attrs["threshold"] = 0.95
    figure = drawn("B13", table, tmp_path / "B13.png")
    found = [
        y
        for axes in figure.axes
        if axes.get_ylim()[1] == 1.03
        for line in axes.lines
        if line.get_marker() in ("D", "*")
        for y in line.get_ydata()
    ]
    assert found and set(found) == {0.95}


def test_labels_by_the_input_beside_random_ones(tables):
    table = tables["B16"]
    for labels, r in (("threshold", 0.9), ("random", 0.95)):
        shown = {"labels": labels, "label_fraction": r}
        assert (pick(table, "accuracy", "constant", **shown)["y"] == r).all()
        trained = pick(table, "accuracy", "train", **shown)["y"]
        assert trained.iloc[-1] == 1.0  # separable with bias
        end = pick(table, "accuracy", "generalization", **shown)["y"].iloc[-1]
        assert 0.5 < end < r
        # N = 60: the large-size limit is met roughly.
        limit = pick(table, "accuracy", "large_size_limit", **shown)["y"].iloc[0]
        assert end == pytest.approx(limit, abs=0.15)
    same = [
        pick(table, "loss", "generalization", labels=each, label_fraction=1) for each in _LABELS
    ]
    np.testing.assert_array_equal(*(each["y"] for each in same))


_LABELS = ("threshold", "random")
