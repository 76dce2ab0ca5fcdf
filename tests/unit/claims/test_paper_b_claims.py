"""Claims on Paper B, on runs that are made up: right ones are confirmed, wrong ones are not."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from drawn_runs import DrawnEvidence, DrawnRun
from scipy.special import ndtr

from linear_grokking.claims import (
    adam,
    adam_limit,
    conformal_time,
    delays,
    ends,
    facets,
    separability,
)
from linear_grokking.claims import two_point as two_points
from linear_grokking.claims.draws import slopes_in_log_time
from linear_grokking.theory import adam_limit as limit_of_adam
from linear_grokking.theory import large_size, margin

SIZES = {"n_train": 400, "law": "gaussian", "sigma": 5.0, "eta": 0.01}


def verdicts(made):
    return {claim.id: claim.verdict for claim in made}


def end_of_training(lambda_, off=1.0):
    """Return dynamics and sets, λ above ½, that follow the laws of long times times a factor."""
    rng = np.random.default_rng(3)
    margins = 5.0 * margin.mean_margin(lambda_) * rng.normal(1.0, 0.05, 40)
    steps = np.geomspace(1.0, 1e12, 49)
    clock = np.log(steps)
    weight, bias = (law[:, np.newaxis] * clock for law in margin.log_law_slopes(margins))
    spread = 5.0 * margins
    kink = spread * np.exp(-0.5 / spread**2) / np.sqrt(2 * np.pi) - ndtr(-1 / spread)
    loss = (kink / (1 + margins**2))[:, np.newaxis] * clock
    limit = ndtr(1 / (5.0 * margins))
    scalars = {
        "final_weight_norm": weight[:, -1],
        "final_bias": bias[:, -1] * (0.95 / off),
        "final_train_loss": off / (0.01 * 1e12 * (1 + margins**2)),
        "final_gen_accuracy": limit - (off - 1.0),
    }
    parameters = {**SIZES, "lambda": lambda_, "t_max": 1e12}
    curves = {"weight_norm": off * weight, "bias": off * bias, "gen_loss": off * loss}
    run = DrawnRun(parameters, scalars, steps, **curves)
    sets = {"separable": True, "margin": margins, "s_inf_norm": np.nan}
    return run, DrawnRun(parameters, {"realization": range(40), **sets})


@pytest.mark.parametrize(("off", "expected"), [(1.0, "confirmed"), (1.2, "contradicted")])
def test_laws_of_separable_sets(off, expected):
    run, sets = end_of_training(0.7, off)
    evidence = DrawnEvidence("B1", final_dynamics=[run], final_separability=[sets])
    made = verdicts(ends.log_laws_above(evidence))
    assert made == dict.fromkeys(made, expected) and len(made) == 4
    made = verdicts(claim for claim in ends.margin_accuracy(evidence))
    assert made["B1-slow-approach"] == expected


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "confirmed"), (1.1, "contradicted")])
def test_training_losses(factor, expected):
    above = end_of_training(0.7, factor)
    below = DrawnRun(
        {**SIZES, "lambda": 0.4, "t_max": 1e12},
        {"final_train_loss": np.full(20, factor / (0.01 * 1e12)), "final_gen_accuracy": 2 - factor},
    )
    sets = {"separable": np.full(20, False), "margin": np.nan, "s_inf_norm": 2.0}
    evidence = DrawnEvidence(
        "B1",
        final_dynamics=[above[0], below],
        final_separability=[above[1], DrawnRun(below.parameters, sets)],
    )
    made = verdicts(ends.training_loss(evidence))
    assert made == {"B1-train-loss-below": expected, "B1-train-loss-above": expected}
    assert verdicts(ends.perfect_below(evidence)) == {"B1-perfect-below": expected}


def losses(rise, realizations=6):
    """Return curves that start at 1, rise to about some height, and fall."""
    steps = np.geomspace(1.0, 1e6, 31)
    bump = np.exp(-((np.log10(steps) - 3.0) ** 2))
    scatter = np.linspace(0.99, 1.01, realizations)[:, np.newaxis]
    return steps, 1.0 / (1.0 + steps / 1e4) + (rise - 1.0) * scatter * bump


@pytest.mark.parametrize(("rise", "expected"), [(1.5, "confirmed"), (1.0, "contradicted")])
def test_losses_that_rise_and_losses_that_do_not(rise, expected):
    steps, loss = losses(rise)
    nearest = DrawnRun({**SIZES, "lambda": 0.48}, None, steps, gen_loss=loss)
    evidence = DrawnEvidence("B1", dynamics=[nearest])
    assert verdicts(delays.rising_loss(evidence)) == {"B1-rising-loss-lambda-0.48": expected}
    flat = DrawnRun({**SIZES, "sigma": 1.0, "lambda": 0.48}, None, steps, gen_loss=losses(1.0)[1])
    made = verdicts(delays.rising_loss_by_sigma(DrawnEvidence("B9", dynamics=[nearest, flat])))
    assert made == {"B9-rising-loss-large": expected, "B9-rising-loss-small": "confirmed"}
    steep = DrawnRun({**SIZES, "sigma": 1.0, "lambda": 0.48}, None, steps, gen_loss=losses(1.3)[1])
    made = verdicts(delays.rising_loss_by_sigma(DrawnEvidence("B9", dynamics=[nearest, steep])))
    assert made["B9-rising-loss-small"] == "contradicted"


@pytest.mark.parametrize(("ratio", "expected"), [(4.0, "confirmed"), (1.2, "contradicted")])
def test_initial_conditions_change_the_way(ratio, expected):
    scatter = np.linspace(0.9, 1.1, 6)
    first, last = (
        DrawnRun(
            {**SIZES, "lambda": 0.48, "s0_norm": norm},
            {"t_gen": time * scatter, "t_train": 10.0},
            *losses(rise)[:1],
            gen_loss=losses(rise)[1],
        )
        for norm, rise, time in ((0.1, 0.6 + ratio / 3, 1e5), (5.0, 1.0, ratio * 1e5))
    )
    made = verdicts(delays.initial_conditions(DrawnEvidence("B11", dynamics=[last, first])))
    assert made["B11-later"] == expected
    assert made["B11-rising-loss"] == expected


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "confirmed"), (1.3, "contradicted")])
def test_first_step_of_adam(factor, expected):
    norm = factor * np.sqrt(40.0) * np.array([0.98, 1.0, 1.02])
    curves = {
        "weight_norm": np.column_stack([0 * norm, norm]),
        "bias": np.tile([0.0, -1.0], (3, 1)),
    }
    run = DrawnRun({**SIZES, "n_train": 100, "lambda": 0.4}, None, [0, 1], **curves)
    made = verdicts(adam.first_step(DrawnEvidence("B10", adam=[run])))
    assert made == {"B10-first-step-lambda-0.4": expected}


ADAM = {"eta": 1e-3, "beta1": 0.8, "beta2": 0.9, "solver": "adam", "sigma": 2.0}


@pytest.mark.parametrize(
    ("ratio", "small", "large"),
    [(1.0, "confirmed", "confirmed"), (0.7, "contradicted", "outside its range")],
)
def test_large_steps_of_adam(ratio, small, large):
    sizes = {**SIZES, "n_train": 400, "lambda": 0.6}
    draws = np.arange(8)
    sets = DrawnRun(
        {**sizes, "sigma": 1.0},
        {
            "realization": draws,
            "separable": np.full(8, True),
            "margin": 0.1,
            "s_inf_norm": np.nan,
            "box_norm": 9.0 + draws,
        },
    )
    runs = [
        DrawnRun(
            {**sizes, **ADAM, "eta": eta},
            {
                "realization": draws,
                "final_weight_norm": 5.0 * ratio * (9.0 + draws),
                "final_bias": -5.0,
                "final_gen_accuracy": 0.52,
            },
        )
        for eta in (1e-3, 1e-2, 1e-1)
    ]
    evidence = DrawnEvidence("B19", steps=runs, separability=[sets])
    made = verdicts(adam_limit.large_steps(evidence))
    assert made == {"B19-step-eta-0.001-sigma-2": small, "B19-step-eta-0.1-sigma-2": large}


@pytest.mark.parametrize(
    ("off", "paper", "other"),
    [(1.0, "confirmed", "confirmed"), (1.4, "outside its range", "contradicted")],
)
def test_ends_of_adam(off, paper, other):
    sizes = {**SIZES, "lambda": 0.6}
    scatter = np.linspace(0.98, 1.02, 8)
    size, root = limit_of_adam.box_margin(0.6).size, np.sqrt(240.0)
    known = {"realization": np.arange(8), "separable": np.full(8, True), "s_inf_norm": np.nan}
    norm = size * root * scatter * off
    box = {"box_norm": norm, "box_margin": (0.05526 + 0.1 * (off - 1)) * root * scatter}
    sets = DrawnRun({**sizes, "sigma": 1.0}, {**known, **box, "margin": 0.1})
    large = DrawnRun({**sizes, "sigma": 1.0, "n_train": 400}, {**known, **box})
    accuracy = 0.5 + off * (ndtr(1 / (2.0 * size * root)) - 0.5)
    if off > 1:
        accuracy += 0.01
    final = {"final_gen_accuracy": accuracy, "final_bias": -3.0}
    run = DrawnRun(
        {**sizes, **ADAM},
        {"realization": np.arange(8), "final_weight_norm": 3.0 * norm / off**2, **final},
    )
    descent = DrawnRun(
        {**sizes, "sigma": 2.0, "solver": "gradient_flow"},
        {"realization": np.arange(8), "final_gen_accuracy": 0.98 - (off - 1)},
    )
    given = {"above": [run], "above_descent": [descent], "separability": [sets]}
    evidence = DrawnEvidence("B19", **given, large_sets=[large])
    assert set(verdicts(adam_limit.box(evidence)).values()) == {
        other if off == 1 else "outside its range"
    }
    assert set(verdicts(adam_limit.adam_end(evidence)).values()) == {other}
    assert verdicts(adam_limit.opposite_ends(evidence))["B19-opposite-descent"] == other
    made = adam_limit.paper_steps(DrawnEvidence("B10", adam=[run], separability=[sets]))
    assert verdicts(made) == {"B10-adam-limit-lambda-0.6": paper}


@pytest.mark.parametrize(
    ("power", "linear", "each"),
    [(1.0, "confirmed", "confirmed"), (1.6, "contradicted", "contradicted")],
)
def test_times_of_adam(power, linear, each):
    sizes = {**SIZES, "n_train": 400, "lambda": 0.44}
    draws = np.arange(8)
    norm = np.linspace(3.0, 5.0, 8)
    known = {"realization": draws, "separable": np.full(8, False), "margin": np.nan}
    sets = DrawnRun({**sizes, "sigma": 1.0}, {**known, "s_inf_norm": norm})
    times = 1.645 * norm**power / 9.95e-4
    adams = DrawnRun({**sizes, **ADAM}, {"realization": draws, "t_gen": times})
    descent = DrawnRun(
        {**sizes, "sigma": 2.0},
        {"realization": draws, "t_gen": np.exp(1.645 * norm**power) / 0.005},
    )
    evidence = DrawnEvidence("B19", below=[adams], below_descent=[descent], separability=[sets])
    assert verdicts(adam_limit.time(evidence)) == {"B19-time-lambda-0.44": each}
    made = verdicts(adam_limit.linear_not_exponential(evidence))
    assert made == {"B19-power": linear, "B19-rate": linear}


@pytest.mark.parametrize(("level", "low", "high"), [(0.55, True, False), (0.85, False, True)])
def test_accuracy_while_training(level, low, high):
    accuracy = np.tile([0.5, level, 1.0], (4, 1))
    run = DrawnRun(
        {**SIZES, "sigma": 1.0, "lambda": 0.48},
        {"t_train": np.full(4, 10.0)},
        [0, 10, 100],
        gen_accuracy=accuracy,
        train_accuracy=np.tile([0.5, 0.95, 1.0], (4, 1)),
    )
    made = verdicts(adam.plateau(DrawnEvidence("B5", dynamics=[run])))
    assert (made["B5-while-training"] == "confirmed") == low
    made = verdicts(adam.no_plateau_without(DrawnEvidence("B9", dynamics=[run])))
    assert (made["B9-while-training"] == "confirmed") == high


@pytest.mark.parametrize(("factor", "expected"), [(1.01, "confirmed"), (0.9, "contradicted")])
def test_conformal_time_has_a_lower_bound(factor, expected):
    steps, rate = np.geomspace(1.0, 1e5, 20), 0.01 * 1.2
    bias = np.full((1, 20), 0.0)
    tau = factor * np.log1p(rate * steps)[np.newaxis] / rate
    run = DrawnRun(
        {**SIZES, "lambda": 0.4},
        None,
        steps,
        train_loss=np.full((1, 20), 1.2),
        bias=bias,
        conformal_time=tau,
    )
    made = verdicts(conformal_time.lower_bound(DrawnEvidence("B2", with_bias=[run])))
    assert made == {"B2-conformal-bound-lambda-0.4": expected}


@pytest.mark.parametrize(("sets", "expected"), [(1, "undecided"), (8, "confirmed")])
def test_shares_near_zero_scatter_over_sets_not_over_points(sets, expected):
    share = large_size.share_near_zero(0.2, 0.4)
    found = np.round(4000 * (share + 0.02 * np.linspace(-1, 1, sets))).astype(int)
    near = (np.arange(4000) < found[:, np.newaxis]).ravel()
    # σ‖S‖ = 10, b = -7: f = -7 on S·x = 0, and 3 at a projection of 1.
    outputs = {"realization": np.repeat(range(sets), 4000), "output": np.where(near, -7.0, 3.0)}
    parameters = {**SIZES, "lambda": 0.4, "t_max": 1e9}
    last = {"final_bias": np.full(sets, -7.0), "final_weight_norm": np.full(sets, 2.0)}
    dynamics, run = DrawnRun(parameters, last), DrawnRun(parameters, last)
    run.outputs = pd.DataFrame(outputs)
    evidence = DrawnEvidence("B2", dynamics=[dynamics], outputs=[run])
    (claim,) = conformal_time.singular_density(evidence)
    assert (claim.verdict, claim.finding.measured.n) == (expected, sets)


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "confirmed"), (1.3, "contradicted")])
def test_positive_projections(factor, expected):
    runs = []
    for lambda_ in (0.38, 0.42):
        mean = factor * large_size.normalized_positive_mean(lambda_)
        values = mean * np.linspace(0.99, 1.01, 50)
        scalars = {"positive_projection": values, "separable": False}
        runs.append(DrawnRun({**SIZES, "lambda": lambda_}, scalars))
    made = verdicts(separability.positive_projection(DrawnEvidence("B7", statistics=runs)))
    assert made["B7-positive-projection-curve"] == expected
    assert made["B7-positive-projection-vanishes"] == "confirmed"


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "confirmed"), (1.1, "contradicted")])
def test_times_of_the_training_loss(factor, expected):
    time = factor * 1e5 * np.linspace(0.999, 1.001, 10)
    run = DrawnRun({**SIZES, "lambda": 0.4}, {"t_train_loss": time})
    made = verdicts(two_points.training_loss(DrawnEvidence("B8", full=[run])))
    assert made == {"B8-train-time": expected}


def weight_off_a_facet(points, facet):
    """Return the most that the others can weigh where the points give the origin: all vertices."""
    n, d = points.shape
    most = 0.0
    for chosen in itertools.combinations(range(n), d + 1):
        system = np.vstack([points[list(chosen)].T, np.ones(d + 1)])
        weights = np.linalg.solve(system, np.append(np.zeros(d), 1.0))
        if (weights >= 0).all():
            most = max(
                most, 1.0 - sum(w for w, k in zip(weights, chosen, strict=True) if k in facet)
            )
    return most


def test_bound_by_the_facet_against_all_representations():
    rng, positive = np.random.default_rng(5), 0
    while positive < 5:
        points = rng.standard_normal((8, 2))
        found = facets.assess(points, margin=False)
        if found.separable:
            continue
        limit = found.direction
        # The facet is the edge of the hull that the ray along S_∞ leaves through.
        edges = []
        for i, j in itertools.combinations(range(8), 2):
            (x, y), others = points[j] - points[i], points - points[i]
            side = x * others[:, 1] - y * others[:, 0]
            if (side >= -1e-12).all() or (side <= 1e-12).all():
                at = np.linalg.solve(np.column_stack([points[i], points[j]]), limit)
                edges += [{i, j}] if (at >= 0).all() else []
        (facet,) = edges
        epsilon = weight_off_a_facet(points, facet)
        diameter = max(np.linalg.norm(a - b) for a in points for b in points)
        ratio, expected = facets.norm_over_bound(points, limit), np.inf
        if epsilon < 0.5:
            expected = np.linalg.norm(limit) * diameter / np.log((1 - epsilon) / epsilon)
            positive += 1
        assert ratio == pytest.approx(expected, rel=1e-6)
        assert ratio >= 1.0


def test_delays_of_other_laws_are_counted_where_draws_generalize_at_all():
    times = {"t_train": np.array([10.0, 10.0, 10.0]), "t_gen": np.array([500.0, np.inf, np.inf])}
    runs = [
        DrawnRun({"law": law, "lambda": 0.4}, times)
        for law in ("anisotropic", "student_t", "relu_features")
    ]
    made = list(delays.delay_of_other_laws(DrawnEvidence("B15", dynamics=runs)))
    # Paper B says nothing of inputs that are not symmetric about the origin.
    assert [claim.id for claim in made] == [
        *("B15-delay-anisotropic-lambda-0.4", "B15-delay-student_t-lambda-0.4"),
    ]
    assert made[1].statement.startswith("Student t inputs at λ = 0.4 grok too")
    assert all(claim.finding.measured.value == pytest.approx(1 / 3) for claim in made)


def test_wendels_probability_is_claimed_for_symmetric_laws_alone():
    sets = {"separable": np.arange(50) % 2 == 0}
    runs = [
        DrawnRun({"law": law, "lambda": 0.5, "n_train": 400}, sets)
        for law in ("relu_features", "elliptical")
    ]
    made = separability.wendel_joint(DrawnEvidence("B15", statistics=runs))
    assert {claim.id for claim in made} == {"B15-wendel-elliptical", "B15-critical-elliptical"}


@pytest.mark.parametrize("off", [1.0, 1.2])
def test_slopes_above_are_measured_in_units_of_their_laws(off):
    run, sets = end_of_training(0.7, off)
    evidence = DrawnEvidence("B1", final_dynamics=[run], final_separability=[sets])
    for claim in ends.log_laws_above(evidence):
        if "slope" in claim.id:
            assert claim.finding.measured.value == pytest.approx(off, rel=1e-9), claim.id


def test_the_bias_slope_is_that_of_the_last_four_decades():
    steps = np.concatenate([[0.0], np.geomspace(1.0, 1e8, 81)])
    clock = np.log(np.maximum(steps, 1.0))
    bias = -clock - 5.0 * np.minimum(clock, np.log(1e4) - 1e-9)  # -6 before, -1 in the last four
    run = DrawnRun({"lambda": 0.3, "sigma": 5.0}, None, steps, bias=bias + np.zeros((3, 1)))
    (claim,) = ends.bias_slope(DrawnEvidence("B1", dynamics=[run]))
    assert claim.finding.measured.value == pytest.approx(-1.0)


def test_slopes_are_those_over_the_second_half_of_log_time():
    """Of (log t)² it is (L² - L²/4)/(L/2) = 1.5 L for L = log t_max."""
    steps = np.concatenate([[0.0], np.geomspace(1.0, 1e8, 81)])
    curve = np.log(np.maximum(steps, 1.0)) ** 2 * np.ones((2, 1))
    run = SimpleNamespace(only=lambda chosen: SimpleNamespace(curves=lambda *names: (steps, curve)))
    (slopes,) = slopes_in_log_time(run, pd.DataFrame({"realization": [0, 1]}), "bias")
    assert slopes == pytest.approx(1.5 * np.log(1e8))
