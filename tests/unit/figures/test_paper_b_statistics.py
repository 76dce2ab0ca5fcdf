"""Figures B7, B14, B15, B17 on small runs, and the jobs behind them."""

import numpy as np
import pytest
from figure_tables import drawn, pick
from scipy.special import ndtr
from scipy.stats import binom

from linear_grokking.config.experiments import LogisticExperiment, SeparabilityExperiment
from linear_grokking.data.draws import classification
from linear_grokking.data.laws import Anisotropic, Gaussian, Mixture, TwoGaussians
from linear_grokking.figures.tables import FigureData
from linear_grokking.jobs.kinds import kind_of
from linear_grokking.models.logistic import LogisticModel
from linear_grokking.models.losses import LOSSES
from linear_grokking.runtime.context import JobContext
from linear_grokking.runtime.memory import BATCH_BYTES
from linear_grokking.solvers.gradient_descent import gradient_descent
from linear_grokking.solvers.log_flow.flow import gradient_flow
from linear_grokking.solvers.separability import assess
from linear_grokking.theory.margin import limit_gen_accuracy
from linear_grokking.workflow.plan import targets

SETS = {"measure": "separability", "n_train": 40, "realizations": 25}
LAWS = {"law": ["anisotropic", "mixture"], "condition": 10, "mixture_mean": 10, "sigma": 5}
TWO = {
    "model": "logistic",
    "law": "two_gaussians",
    "n_train": 60,
    "lambda": 0.4,
    "mu": 0.2,
    "sigma_a": [0, 0.1],
    "eta": 0.1,
    "bias": False,
    "t_max": 1e6,
}
CONFIG = {
    "seed": 7,
    "device": "cpu",
    "experiments": {
        "below": {**SETS, "lambda": [0.3, 0.4]},
        "above": {**SETS, "lambda": [0.6, 0.7], "margin": True},
        "two": {**TWO, "n_gen": 300, "realizations": 3, "records": 30},
        "two_outputs": {**TWO, "measure": "outputs", "records": 2},
        "laws": {
            **LAWS,
            "model": "logistic",
            "n_train": 50,
            "lambda": [0.4, 0.6],
            "realizations": 2,
            "records": 20,
            "t_max": 1e4,
        },
        "law_sets": {**SETS, **LAWS, "lambda": [0.4, 0.6]},
        "small": {**SETS, "n_train": [10, 20], "lambda": [0.4, 0.5]},
        "large": {**SETS, "lambda": [0.4, 0.5]},
        "dynamics": {
            "model": "logistic",
            "n_train": [10, 20, 40],
            "lambda": 0.4,
            "sigma": 5,
            "realizations": 20,
            "records": 40,
            "t_max": 1e8,
        },
    },
    "figures": {
        "B6": {
            "statistics": "below",
            "margins": "above",
            "lambda": {"start": 0.3, "stop": 0.4995, "points": 41},
        },
        "B7": {
            "statistics": "below",
            "margins": "above",
            "lambda": {"start": 0.3, "stop": 0.7, "points": 41},
        },
        "B14": {"dynamics": "two", "outputs": "two_outputs", "points": 40},
        "B15": {"dynamics": "laws", "statistics": "law_sets"},
        "B17": {
            "small": "small",
            "large": "large",
            "dynamics": "dynamics",
        },
    },
}


def draw_set(law, n_train, d, realization):
    return classification(law, seed=7, realization=realization, n_train=n_train, d=d).inputs


def draw_sets(law, n_train, d, realizations):
    for realization in range(realizations):
        yield classification(law, seed=11, realization=realization, n_train=n_train, d=d).inputs


# ---- tables ----


def test_b7_statistics_are_those_of_the_sets(tables):
    law = Gaussian(1.0)
    sets = [assess(x, margin=True) for x in (draw_set(law, 40, 28, k) for k in range(25))]
    margins = np.array([one.margin for one in sets if one.separable])
    mean = pick(tables["B7"], "margin", "mean").iloc[-1]
    assert (mean["x"], mean["n"]) == (0.7, len(margins))
    assert mean["y"] == pytest.approx(margins.mean())
    assert mean["y_high"] - mean["y"] == pytest.approx(margins.std(ddof=1) / np.sqrt(len(margins)))
    assert pick(tables["B7"], "margin", "median").iloc[-1]["y"] == pytest.approx(np.median(margins))
    inseparable = [assess(draw_set(law, 40, 16, k), margin=False) for k in range(25)]
    means = [one.positive_mean for one in inseparable if not one.separable]
    projections = []
    for k, one in enumerate(inseparable):
        if not one.separable:
            projected = draw_set(law, 40, 16, k) @ one.direction / np.linalg.norm(one.direction)
            projections.append(projected[projected > 0].mean())
    mean = pick(tables["B7"], "positive_projection", "mean").iloc[-1]
    assert (mean["n"], mean["y"]) == (len(projections), pytest.approx(np.mean(projections)))
    mean = pick(tables["B7"], "positive_mean", "mean").iloc[-1]
    assert (mean["n"], mean["y"]) == (len(means), pytest.approx(np.mean(means)))
    critical = pick(tables["B7"], "positive_mean", "critical")["y"]
    assert critical.iloc[0] == pytest.approx(0.3611, abs=5e-5)


def test_curves_of_outputs_go_on_to_their_limits_at_one_half(tables):
    for figure_id, panel in (
        ("B6", "positive_fraction"),
        ("B7", "positive_mean"),
        ("B7", "positive_projection"),
    ):
        curve, limit = (pick(tables[figure_id], panel, name) for name in ("large_size", "critical"))
        last, limit = curve.sort_values("x").iloc[-1], limit[limit["x"] == 0.5]["y"].item()
        assert last["x"] == 0.5
        assert last["y"] == limit
        # Like the first order, as √(½ - λ): the step before is near.
        steps = curve.sort_values("x").tail(3)
        slope = (steps["y"].iloc[0] - limit) / np.sqrt(0.5 - steps["x"].iloc[0])
        expected = limit + slope * np.sqrt(0.5 - steps["x"].iloc[1])
        assert steps["y"].iloc[1] == pytest.approx(expected, rel=0.1)


def test_b6_counts_separable_sets_on_both_sides_of_one_half(tables):
    shares = pick(tables["B6"], "separable_fraction", "fraction").set_index("x")["y"]
    assert list(shares.index) == [0.3, 0.4, 0.6, 0.7]
    law = Gaussian(1.0)
    for lambda_, share in shares.items():
        sets = (draw_set(law, 40, round(40 * lambda_), k) for k in range(25))
        assert share == np.mean([assess(x, margin=False).separable for x in sets])


def test_b14_picture_is_the_plane_of_the_classifier(tables):
    rows = tables["B14"]
    rows = rows[(rows["panel"] == "separation") & (rows["sigma_a"] == 0.1)]
    line = rows[rows["series"] == "boundary"]
    assert np.ptp(line["x"] / line["y"]) < 1e-12  # through the origin
    law = TwoGaussians(1.0, 0.2, 0.1)
    inputs = draw_set(law, 60, 24, 0)
    for parity, (name, label) in enumerate((("plus", 1), ("minus", -1))):
        points = rows[rows["series"] == name]
        assert len(points) == 20
        assert points["x"].to_numpy() == pytest.approx(-label * inputs[:40, 0][parity::2], rel=1e-6)
        # At t = 1e6 this set is separated: each class is on its side of the line.
        slope = (line["x"] / line["y"]).mean()
        assert (label * (points["x"] - slope * points["y"]) > 0).all()
    ellipse = rows[rows["series"] == "law_plus"]
    radius = ((ellipse["x"] - 0.2) / 0.1) ** 2 + ellipse["y"] ** 2
    assert radius.to_numpy() == pytest.approx(4.0)


def test_b15_limits_are_those_of_large_sets_of_each_law(tables):
    limits = pick(tables["B15"], "accuracy", "large_size_limit")
    mixture, anisotropic = (
        limits[(limits["law"] == law) & (limits["lambda"] == 0.6)]["y"].iloc[0]
        for law in ("mixture", "anisotropic")
    )
    assert mixture == pytest.approx(float(limit_gen_accuracy(0.6, 5.0)))
    assert mixture < anisotropic < 1.0
    assert (limits.loc[limits["lambda"] == 0.4, "y"] == 1.0).all()


def test_b17_fractions_of_all_sizes_collapse(tables):
    table = tables["B17"]
    fraction = pick(table, "separable_fraction", "fraction", n_train=20)
    scaled = pick(table, "separable_fraction_scaled", "fraction", n_train=20)
    assert scaled["x"].to_numpy() == pytest.approx(np.sqrt(20) * (2 * fraction["x"] - 1))
    assert scaled["y"].to_numpy() == pytest.approx(fraction["y"].to_numpy())
    limit = pick(table, "separable_fraction_scaled", "large_size")
    assert limit["y"].to_numpy() == pytest.approx(ndtr(limit["x"]))


def test_b17_shows_all_finite_quartiles_and_arrowheads_for_infinite_ones(tables, tmp_path):
    table = tables["B17"].copy()
    table.attrs["threshold"] = 0.95
    times = table["panel"] == "grokking_time_ratio"
    first = table.index[times][0]
    table.loc[first, "y_high"] = 1e5
    axes = drawn("B17", table, tmp_path / "B17.png").axes[3]
    assert axes.get_ylim()[0] < table.loc[times, "y_low"].min()
    assert axes.get_ylim()[1] > 1e5
    arrows = [each for each in axes.texts if each.arrow_patch is not None]
    shown = table[times]
    finite = np.isfinite(shown["y"])
    beyond = np.isposinf(shown["y_high"]) & finite
    assert len(arrows) == (beyond | (~finite & np.isfinite(shown["y_low"]))).sum()


def test_b17_says_why_the_threshold_is_not_reached(plan, tables):
    data = FigureData(plan.root, targets.table(plan, "B17").request)
    separable_too = 0
    for run in data.runs("dynamics"):
        n_train = run.parameters["n_train"]
        unreached = np.isinf(run.scalars["t_gen"].to_numpy())
        sets = (draw_set(Gaussian(1.0), n_train, int(0.4 * n_train), k) for k in range(20))
        separable = np.array([assess(x, margin=False).separable for x in sets])
        for series, which in (("separable", separable), ("censored", ~separable)):
            share = pick(tables["B17"], "grokking_time_unreached", series, n_train=n_train)
            assert share["y"].item() == np.mean(unreached & which)
        ratios = pick(tables["B17"], "grokking_time_ratio", "t95")
        ratio = ratios.set_index("x")["y"][n_train]
        assert np.isinf(ratio) == (unreached.mean() >= 0.5)
        # ln t₉₅ of large sets at λ = 0.4, η = 0.01: 1.645 × 2.070 - ln(0.01 × 0.673).
        median = np.median(run.scalars["t_gen"])
        if np.isfinite(ratio):
            assert median / ratio == pytest.approx(4.5e3, rel=0.03)
        separable_too += (unreached & separable).sum()
    assert separable_too > 0


# ---- the physics ----


@pytest.mark.parametrize("law", [Anisotropic(5.0, 10.0), Mixture(5.0, 10.0)])
@pytest.mark.parametrize(("n_train", "d"), [(12, 4), (12, 7), (40, 18)])
def test_wendel_is_exact_for_every_symmetric_law(law, n_train, d):
    draws = 300
    found = sum(assess(x, margin=False).separable for x in draw_sets(law, n_train, d, draws))
    probability = binom.cdf(d - 1, n_train - 1, 0.5)
    low, high = binom.ppf([1e-4, 1 - 1e-4], draws, probability)  # false alarms: 2e-4 per case
    assert low <= found <= high


def test_two_gaussians_without_spread_along_the_axis_are_the_one_label_model():
    # σ = σ_B/μ, η_eff = ημ², b = -μS₁: then b + S'·x' with S' = μS and x' = x/μ across e₁.
    mu, eta, n_train, d = 0.2, 0.1, 200, 81
    law = TwoGaussians(1.0, mu, 0.0)
    inputs = classification(law, seed=3, realization=0, n_train=n_train, d=d).inputs[np.newaxis]
    labels = -np.ones((1, n_train))
    weights = np.random.default_rng(0).normal(scale=0.02, size=(1, d))
    loss = LOSSES["cross_entropy"]
    two = LogisticModel(inputs, labels, law, loss=loss, bias=False)
    one = LogisticModel(inputs[..., 1:] / mu, labels, Gaussian(1.0 / mu), loss=loss)
    starts = (
        (weights, np.zeros(1)),
        (mu * weights[:, 1:], -mu * weights[:, 0]),
    )
    etas = (eta, eta * mu**2)

    steps = np.array([0.0, 10.0, 300.0])
    exact = [
        gradient_descent(model, start, eta=rate, steps=steps)
        for model, start, rate in zip((two, one), starts, etas, strict=True)
    ]
    for name in ("train_loss", "gen_loss", "train_accuracy", "gen_accuracy"):
        ours, theirs = (trajectory.observables[name] for trajectory in exact)
        assert ours == pytest.approx(theirs, rel=1e-11), name

    steps = np.concatenate([[0.0], np.rint(np.logspace(0, 9, 40))])
    flows = [
        gradient_flow(model, start, eta=rate, steps=steps, rtol=1e-6, gd_steps=0)
        for model, start, rate in zip((two, one), starts, etas, strict=True)
    ]
    for name, rel in (("gen_accuracy", 1e-4), ("train_loss", 1e-3), ("gen_loss", 1e-3)):
        ours, theirs = (trajectory.observables[name] for trajectory in flows)
        assert ours == pytest.approx(theirs, rel=rel), name
    final = [trajectory.params for trajectory in flows]
    assert mu * final[0][0][:, 1:] == pytest.approx(final[1][0], abs=1e-3 * np.ptp(final[1][0]))
    assert -mu * final[0][0][:, 0] == pytest.approx(final[1][1], rel=1e-4)


# ---- the jobs ----


@pytest.mark.parametrize("measure_margin", [False, True])
def test_batches_on_a_device_find_what_one_at_a_time_does(measure_margin):
    experiment = SeparabilityExperiment(
        measure="separability", n_train=60, d=30, margin=measure_margin
    )
    spec = next(experiment.grid(5)).spec
    realizations = [3, 4, 8, *range(20, 37)]
    # torch's CPU under a name that NumPy's path does not go by, three sets at a time.
    device = JobContext(device="cpu:0", threads=2, host_bytes=BATCH_BYTES / 5)
    one_at_a_time, batched = (
        dict(kind_of(spec).compute(spec, realizations, context))
        for context in (JobContext(), device)
    )
    assert sorted(batched) == realizations
    for realization, columns in one_at_a_time.items():
        for name, value in columns.items():
            if name in ("separable", "certificate"):
                assert batched[realization][name] == value
            else:
                assert batched[realization][name] == pytest.approx(value, rel=1e-8, nan_ok=True)


def test_outputs_job_gives_the_plane_of_the_classifier():
    experiment = LogisticExperiment(
        **{**TWO, "measure": "outputs", "sigma_a": 0.1, "records": 2, "t_max": 100}
    )
    spec = next(experiment.grid(7)).spec
    ((_, columns),) = kind_of(spec).compute(spec, [0], JobContext())
    inputs = draw_set(TwoGaussians(1.0, 0.2, 0.1), 60, 24, 0)
    assert columns["along"] == pytest.approx(inputs[:, 0], rel=1e-6)
    # f = S₁ (x·e₁) + s (x·u), where s u is S without S₁: S follows from f, and so does u.
    weights = np.linalg.lstsq(inputs, columns["output"])[0]
    across = weights[1:] / np.linalg.norm(weights[1:])
    assert columns["across"] == pytest.approx(inputs[:, 1:] @ across, abs=1e-4)
