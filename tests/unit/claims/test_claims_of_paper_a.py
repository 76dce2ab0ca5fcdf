"""Claims on Paper A, on runs that follow the theory and on runs that do not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from linear_grokking import claims
from linear_grokking.claims import registry
from linear_grokking.claims.verdict import Undecidable
from linear_grokking.figures.linear_panels import problem_of
from linear_grokking.figures.maps import tabulate_map
from linear_grokking.figures.tables import TableBuilder
from linear_grokking.theory import linear, linear_late_time, two_layer
from linear_grokking.theory.linear import Problem
from linear_grokking.theory.linear_grokking_time import grokking_time

REALIZATIONS = 8
STEPS = np.concatenate([[0.0], np.geomspace(1.0, 1e6, 145)])
PARAMETERS = {"eta": 0.01, "d_in": 1000, "d_out": 1, "epsilon": 1e-3}
PARAMETERS |= {"gamma": 0.0, "alpha": 1.0, "noise": 0.0}
SCATTER = 1 + 1e-3 * np.random.default_rng(1).normal(size=(REALIZATIONS, 1))


@dataclass
class Run:
    """A run as claims see it: its numbers and curves, of realizations that scatter a little."""

    parameters: Mapping[str, Any]
    numbers: Mapping[str, float] = field(default_factory=dict)
    shapes: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = "0"
    seed: int = 0
    realizations: int = REALIZATIONS

    @property
    def scalars(self):
        columns = {name: value * SCATTER[:, 0] for name, value in self.numbers.items()}
        return pd.DataFrame({"realization": range(REALIZATIONS), **columns})

    def curves(self, *quantities):
        return STEPS, *(self.shapes[each] * SCATTER for each in quantities)


def run(numbers=None, shapes=None, **parameters):
    given = {"lambda" if key == "lambda_" else key: each for key, each in parameters.items()}
    return Run({**PARAMETERS, **given}, numbers or {}, shapes or {})


def judged(figure, table=None, options=None, *makers, **runs):
    """Return by id the claims of some functions, or of all of a figure's, on the given runs."""
    request = {"figure": figure, "options": options or {}, "runs": {}}
    evidence = registry.Evidence(
        Path(), request | {"threshold": 0.95, "loss_threshold": 1e-3}, table
    )
    evidence._runs = runs
    made = [claim for each in makers for claim in each(evidence)]
    return {claim.id: claim for claim in made or registry.collect(evidence)}


def verdicts(made):
    return {each.id: each.verdict for each in made.values()}


def phase_diagram(function):
    builder = TableBuilder()
    gamma, d_out = np.geomspace(1e-6, 1e-1, 30), np.geomspace(1, 1000, 60)
    lambda_ = np.linspace(0.1, 1.5, 29)
    for panel, x, y, still in (
        ("gamma_d_out", gamma, d_out, {"lambda": 0.9}),
        ("gamma_lambda", gamma, lambda_, {"d_out": 1}),
        ("d_out_lambda", d_out, lambda_, {"gamma": 0.0}),
    ):
        times = function(panel, *np.meshgrid(x, y))
        tabulate_map(builder, panel, x, y, times, still)
    return builder.frame()


def exact(panel, x, y):
    if panel == "gamma_d_out":
        return grokking_time(Problem(0.9, 0.01, gamma=x, d_out=y), 1e-3)
    if panel == "gamma_lambda":
        return grokking_time(Problem(y, 0.01, gamma=x), 1e-3)
    return grokking_time(Problem(y, 0.01, d_out=x), 1e-3)


def test_phase_diagrams_of_the_formulas():
    made = judged("A4", phase_diagram(exact), {"epsilon": 1e-3})
    assert made["A4-decay-shortens"].verdict == "confirmed"
    assert made["A4-decay-lengthens"].verdict == "confirmed"
    assert made["A4-decay-delays-single-output"].verdict == "confirmed"
    assert made["A4-above-one-never"].verdict == "confirmed"
    assert made["A4-above-one-edge"].verdict == "confirmed"
    # A conjecture of this project, not a statement of the paper.
    assert made["A4-decay-delays-always"].disagreement == "rejected conjecture"
    assert made["A4-above-one-never"].source.states == "A"


def test_phase_diagrams_in_which_nothing_depends_on_decay_or_on_the_critical_ratio():
    def flat(panel, x, y):
        return np.full(x.shape, 1e4)

    made = judged("A4", phase_diagram(flat), {"epsilon": 1e-3})
    assert made["A4-decay-shortens"].verdict == "contradicted"
    assert made["A4-decay-lengthens"].verdict == "contradicted"
    assert made["A4-decay-delays-always"].verdict == "confirmed"
    assert made["A4-above-one-never"].verdict == "contradicted"


def test_phase_diagram_that_is_white_above_one_has_no_edge_there():
    made = judged(
        "A4", phase_diagram(lambda panel, x, y: np.where(y > 1, np.nan, 1e4 + x)), {"epsilon": 1e-3}
    )
    assert made["A4-above-one-never"].verdict == "confirmed"
    assert made["A4-above-one"].verdict == "undecided"


def test_scatter_of_errors_over_samples_follows_from_the_modes():
    # Means over 2000 draws of D: the ratio has a standard error below 1 %.
    d_out, variances = 6, np.geomspace(1, 0.01, 40)
    modes = variances.sum() ** 2 / (variances**2).sum()
    outputs = d_out / (1 + (d_out - 1) * (d_out + 2) / (d_out * modes))
    draws = np.random.default_rng(2).normal(size=(2000, len(variances), d_out))
    d = draws * np.sqrt(variances)[:, np.newaxis]
    covariance = np.swapaxes(d, 1, 2) @ d
    squares = (covariance**2).sum((1, 2)).mean()
    trace = np.trace(covariance, axis1=1, axis2=2)
    assert 2 * squares / (trace**2).mean() == pytest.approx(2 / outputs, rel=0.03)


def decaying(lambda_, factor=1.0):
    """Return a run of one output on its theory, its training loss off by a factor."""
    problem = Problem(lambda_, 0.01)
    gen = linear.gen_loss(STEPS, problem)
    shapes = {"train_loss": factor * linear.train_loss(STEPS, problem), "gen_loss": gen}
    shapes["gen_accuracy"] = linear.accuracy(gen * factor**2, 1e-3)
    return run(shapes=shapes, lambda_=lambda_)


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "confirmed"), (1.1, "contradicted")])
def test_losses_fall_at_the_rate_of_the_training_loss_and_samples_follow(factor, expected):
    makers = claims.linear_curves.falls, claims.linear_curves.sampled
    made = judged("A1", None, None, *makers, dynamics=[decaying(0.9, factor), decaying(1.5)])
    assert made["A1-fall-lambda-0.9"].verdict == expected
    assert made["A1-sampled-lambda-0.9"].verdict == expected
    assert made["A1-fall-lambda-1.5"].verdict == "confirmed"
    assert made["A1-monotone"].verdict == "confirmed"


def test_a_fall_after_step_100_needs_such_steps(monkeypatch):
    falling = decaying(0.9)
    early = STEPS < 100
    curves = [falling.shapes[name][early][np.newaxis] for name in ("train_loss", "gen_loss")]
    monkeypatch.setattr(type(falling), "curves", lambda run, *names: (STEPS[early], *curves))
    with pytest.raises(Undecidable, match="the runs end before step 100"):
        judged("A1", None, None, claims.linear_curves.falls, dynamics=[falling])


def test_a_loss_that_rises_is_seen():
    falling = decaying(0.9)
    falling.shapes["gen_loss"][100] *= 3
    made = judged("A1", None, None, claims.linear_curves.falls, dynamics=[falling])
    assert made["A1-monotone"].verdict == "contradicted"
    every = dict.fromkeys(("train_loss", "gen_loss"), np.linspace(1, 2, len(STEPS)))
    made = judged(
        "A1", None, None, claims.linear_curves.falls, dynamics=[run(shapes=every, lambda_=0.9)]
    )
    assert made["A1-monotone"].verdict == "contradicted"


def test_small_thresholds_and_the_divergence_by_the_formulas():
    makers = claims.linear_late_time.small_epsilon, claims.linear_late_time.divergence
    made = judged("A1", None, {"epsilon": [1e-2, 1e-3]}, *makers, dynamics=[run(lambda_=0.9)])
    assert verdicts(made) == {
        "A1-small-epsilon-0.001": "outside its range",
        "A1-small-epsilon-1e-06": "outside its range",
        "A1-small-epsilon-limit": "confirmed",
        "A1-divergence": "confirmed",
        "A1-divergence-at-fixed-epsilon": "outside its range",
        "A1-divergence-logarithmic": "contradicted",
    }
    assert made["A1-divergence-logarithmic"].source.states == "B"


def test_a_wrong_formula_for_small_thresholds_is_seen(monkeypatch):
    right = linear_late_time.small_epsilon_delay
    monkeypatch.setattr(linear_late_time, "small_epsilon_delay", lambda each: 1.2 * right(each))
    makers = claims.linear_late_time.small_epsilon, claims.linear_late_time.divergence
    made = judged("A1", None, {"epsilon": [1e-2, 1e-3]}, *makers, dynamics=[run(lambda_=0.9)])
    assert made["A1-small-epsilon-limit"].verdict == "contradicted"
    assert made["A1-divergence"].verdict == "contradicted"


APPENDIX = {"lambda": 0.9, "eta": 0.01, "epsilon": [1e-3, 1e-6]}


def late_forms(edge=8.0, late=1.0):
    builder = TableBuilder()
    builder.add("loss", "train", "theory", np.geomspace(1, 1e6, 20), 1.0)
    for series, ratio in (("generalization_edge", edge), ("generalization_late", late)):
        builder.add("loss_ratio", series, "paper", [1.0, 1e6], ratio)
    return builder.frame()


def test_late_time_forms():
    forms = claims.linear_late_time.late_time_forms
    made = judged("A6", late_forms(), APPENDIX, forms)
    assert made["A6-closed-form"].verdict == "confirmed"
    assert made["A6-generalization-eq-11"].disagreement == "erratum"
    assert made["A6-generalization-eq-23"].verdict == "confirmed"
    assert made["A6-eq-23-condition"].disagreement == "erratum"
    made = judged("A6", late_forms(edge=1.02, late=1.02), APPENDIX, forms)
    assert made["A6-generalization-eq-11"].verdict == "confirmed"
    assert made["A6-generalization-eq-23"].verdict == "contradicted"


def test_lambert_times_by_the_formulas():
    made = judged("A6", None, APPENDIX, claims.linear_late_time.lambert)
    assert verdicts(made) == {
        "A6-lambert-train-time": "confirmed",
        "A6-lambert-delay-lambda-0.9-epsilon-0.001": "confirmed",
        "A6-lambert-delay-lambda-0.9-epsilon-0.01": "outside its range",
        "A6-lambert-delay-lambda-0.99-epsilon-0.001": "outside its range",
        "A6-lambert-arguments": "contradicted",
        "A6-expanded-is-real": "outside its range",
        "A6-expanded-beats-limit": "confirmed",
    }
    # Where thresholds are small enough all of it holds.
    made = judged("A6", None, {**APPENDIX, "epsilon": [1e-12]}, claims.linear_late_time.lambert)
    assert made["A6-lambert-arguments"].verdict == "confirmed"
    assert made["A6-expanded-is-real"].verdict == "confirmed"


def test_wrong_lambert_times_are_seen(monkeypatch):
    right = linear_late_time.lambert_times

    def wrong(*given, **options):
        return linear_late_time.Times(*(1.03 * each for each in right(*given, **options)))

    monkeypatch.setattr(linear_late_time, "lambert_times", wrong)
    monkeypatch.setattr(linear_late_time, "expanded_delay", lambda each, *_, **__: np.ones((4, 1)))
    made = judged("A6", None, APPENDIX, claims.linear_late_time.lambert)
    assert made["A6-lambert-train-time"].verdict == "contradicted"
    assert made["A6-expanded-beats-limit"].verdict == "contradicted"


@pytest.mark.parametrize(("sign", "expected"), [(1, "confirmed"), (-1, "contradicted")])
def test_the_grokking_time_rises_and_falls_with_the_outputs(sign, expected):
    times = {1: 2e4, 10: 6e4, 100: 5e4}
    runs = [
        run({"grokking_time": times[d_out] ** sign}, lambda_=0.9, d_out=d_out) for d_out in times
    ]
    made = judged("A2", None, None, claims.linear_times.rise_and_fall, times=runs)
    assert made["A2-rise"].verdict == made["A2-fall"].verdict == expected
    assert made["A2-no-wait"].verdict == "confirmed"


def test_two_numbers_of_outputs_beside_the_maximum_tell_nothing():
    times = {30: 1.6e4, 100: 1.9e4, 300: 1.3e4}  # the maximum is at 83
    runs = [run({"grokking_time": times[d_out]}, lambda_=0.7, d_out=d_out) for d_out in times]
    made = judged("A2", None, None, claims.linear_times.rise_and_fall, times=runs)
    assert made["A2-fall"].verdict == "confirmed"


@pytest.mark.parametrize(
    ("late", "d_out", "expected"),
    [(1.0, 50, "confirmed"), (1.1, 50, "outside its range"), (1.1, 1, "confirmed")],
)
def test_generalization_times_at_finite_size(late, d_out, expected):
    exact = claims.linear_times.gen_time(Problem(0.9, 0.01, d_out=d_out), 1e-3)
    runs = [run({"t_gen": late * exact}, lambda_=0.9, d_out=d_out)]
    made = judged("A2", None, None, claims.linear_times.generalization_time, dynamics=runs)
    [claim] = made.values()
    assert claim.verdict == expected
    assert ("n_eff" in claim.note) == (d_out > 1)


@pytest.mark.parametrize(("slower", "expected"), [(1.01, "confirmed"), (1.2, "contradicted")])
def test_weak_decay_has_no_effect(slower, expected):
    times = {1e-5: 2e4, 1e-4: slower * 2e4, 1e-3: 1e9}
    runs = [run({"grokking_time": each}, lambda_=0.9, gamma=key) for key, each in times.items()]
    made = judged("A3", None, None, claims.linear_weight_decay.weak_decay, times=runs)
    assert made["A3-decay-no-effect"].verdict == expected
    assert made["A3-decay-no-effect-near-threshold"].verdict == "contradicted"


def test_saturation_is_eq_16_below_the_floors_threshold_only(monkeypatch):
    saturation = claims.linear_weight_decay.saturation
    given = {"dynamics": [run(lambda_=0.9, gamma=1e-5)]}
    options = {"lambda": [0.5, 0.9]}
    made = judged("A3", None, options, saturation, **given)
    assert verdicts(made) == {
        "A3-saturation-shorter": "confirmed",
        "A3-saturation-delay-epsilon-1e-09": "confirmed",
        "A3-saturation-delay-epsilon-0.001": "outside its range",
        "A3-delay-twice-floor": "confirmed",
    }
    theory = claims.linear_weight_decay.linear_weight_decay
    right = theory.saturation_delay
    monkeypatch.setattr(theory, "saturation_delay", lambda each: 9 * right(each))
    made = judged("A3", None, options, saturation, **given)
    assert made["A3-saturation-shorter"].verdict == "contradicted"
    assert made["A3-delay-twice-floor"].disagreement == "rejected conjecture"


def decayed(gamma, as_if):
    """Return a run at λ = 1.5 on the theory of another weight decay than it says."""
    problem = Problem(1.5, 0.01, gamma=as_if)
    gen, train = linear.gen_loss(STEPS, problem), linear.train_loss(STEPS, problem)
    ends = {"final_gen_loss": gen[-1], "final_train_loss": train[-1]}
    return run(ends, {"gen_loss": gen}, lambda_=1.5, gamma=gamma)


@pytest.mark.parametrize(("as_if", "expected"), [(1e-3, "confirmed"), (2e-3, "contradicted")])
def test_the_time_scale_above_one_is_that_of_the_mean_loss(as_if, expected):
    """Draws have a term e^{-ηγt} that averages out; with it one ends above where it was."""
    drawn = decayed(1e-3, as_if)
    fading = np.exp(-0.01 * as_if * STEPS)
    mean = drawn.curves("gen_loss")[1][0]
    losses = mean + np.linspace(-0.35, 0.35, 200)[:, None] * mean[-1] * fading
    window = (STEPS > 2e4) & (STEPS < 1.2e5)
    assert (losses[:, window] < losses[:, -1:]).any()
    drawn.curves = lambda _: (STEPS, losses)
    maker = claims.linear_weight_decay.decay_above_one
    made = judged("A3", None, None, maker, above_one=[drawn])
    assert made["A3-above-one-time-scale-lambda-1.5"].verdict == expected


def test_decay_above_the_critical_ratio():
    makers = (claims.linear_weight_decay.decay_above_one,)
    made = judged("A3", None, None, *makers, above_one=[decayed(1e-3, 1e-3)])
    assert verdicts(made) == {
        "A3-above-one-improves-lambda-1.5": "confirmed",
        "A3-above-one-time-scale-lambda-1.5": "confirmed",
        "A3-above-one-as-below-lambda-1.5": "contradicted",
        "A3-above-one-train-floor-lambda-1.5": "confirmed",
    }
    made = judged("A3", None, None, *makers, above_one=[decayed(1e-3, 2e-3)])
    assert made["A3-above-one-time-scale-lambda-1.5"].verdict == "contradicted"
    assert made["A3-above-one-train-floor-lambda-1.5"].verdict == "contradicted"


def net(activation, d_h=200, factor=1.0, *, lambda_=0.9, left=0.0):
    """Return a two-layer run that follows Eq. 19 times a factor, and ends at a share of it."""
    problem = two_layer.Problem(lambda_, 0.01, d_h, 5)
    start = two_layer.initial_gen_loss(problem)
    shapes = {
        "gen_loss": factor * two_layer.gen_loss(STEPS, problem),
        "train_loss": factor * two_layer.train_loss(STEPS, problem),
    }
    numbers = {"initial_gen_loss": start, "final_gen_loss": left * start}
    layers = {"d_h": d_h, "d_out": 5, "activation": activation, "epsilon": 1e-4}
    return run(numbers, shapes, lambda_=lambda_, **layers)


def test_two_layer_nets_that_follow_eq_19():
    makers = (
        claims.two_layer.prefactor,
        claims.two_layer.lazy,
        claims.two_layer.tanh,
    )
    made = judged("A5", None, None, *makers, dynamics=[net("identity"), net("tanh")])
    notation = made.pop("A5-prefactor-without-d_out")
    assert notation.disagreement == "ambiguous notation"
    assert set(verdicts(made).values()) == {"confirmed"} and len(made) == 5


@pytest.mark.parametrize(("d_h", "expected"), [(200, "contradicted"), (50, "outside its range")])
def test_two_layer_nets_that_do_not_follow_eq_19(d_h, expected):
    runs = [net("identity", d_h, 1.7), net("tanh", d_h, 1.7), net("tanh", 200, 1.7)]
    makers = claims.two_layer.lazy, claims.two_layer.tanh
    made = judged("A5", None, None, *makers, dynamics=runs)
    assert made[f"A5-lazy-gen-d_h-{d_h}"].verdict == "contradicted"
    assert made[f"A5-tanh-eq-19-d_h-{d_h}"].verdict == expected
    assert made[f"A5-tanh-d_h-{d_h}"].verdict == "confirmed"


@pytest.mark.parametrize("left", [1 / 3, 0.01])
def test_two_layer_nets_above_the_critical_ratio(left):
    runs = [net("identity", lambda_=1.5, left=left)]
    made = judged("A5", None, None, claims.two_layer.any_lambda, above_one=runs)
    stops = left > 0.1
    assert (made["A5-any-lambda-1.5"].verdict == "confirmed") == (not stops)
    assert (made["A5-floor-lambda-1.5"].verdict == "confirmed") == stops


def test_one_step_moves_norms_and_deviation_by_the_models_equations(monkeypatch):
    made = judged("A5", None, None, claims.two_layer.one_step)
    expected = {
        "A5-norms-eq-18": "contradicted",
        "A5-norms-step": "confirmed",
        "A5-rate-follows-h": "outside its range",
        "A5-rate-follows-second-layer": "confirmed",
    }
    assert verdicts(made) == expected
    # A model that moved as the paper writes it.
    monkeypatch.setattr(
        claims.two_layer, "_moved", lambda realization, scale, d_out: (8.0, 0.1, 0.1 * scale**2)
    )
    made = judged("A5", None, None, claims.two_layer.one_step)
    opposite = {
        "confirmed": "contradicted",
        "contradicted": "confirmed",
        "outside its range": "confirmed",
    }
    assert verdicts(made) == {key: opposite[each] for key, each in expected.items()}


def scaled_runs(time):
    return [run({"grokking_time": time(a)}, lambda_=0.9, alpha=a) for a in (0.5, 1.0, 4.0)]


def test_the_initial_scale_acts_as_a_smaller_threshold():
    def exact(alpha):
        return grokking_time(problem_of({**PARAMETERS, "lambda": 0.9, "alpha": alpha}), 1e-3)

    judge = partial(judged, "A7", None, None, claims.linear_beginnings.scaled_times)
    assert verdicts(judge(scale=scaled_runs(exact))) == {
        "A7-scale-increases-time": "confirmed",
        "A7-scale-as-threshold": "confirmed",
        "A7-scale-leaves-time-alpha-4": "outside its range",
    }
    assert verdicts(judge(scale=scaled_runs(lambda alpha: 2e4 / alpha**0.04))) == {
        "A7-scale-increases-time": "contradicted",
        "A7-scale-as-threshold": "contradicted",
        "A7-scale-leaves-time-alpha-4": "confirmed",
    }


@pytest.mark.parametrize("constant", [False, True])
def test_whether_label_noise_adds_a_constant(constant):
    noise = 1e-2
    clean, noisy = (linear.gen_loss(STEPS, Problem(0.9, 0.01, noise=each)) for each in (0, noise))
    if constant:
        noisy = clean + noisy[-1]
    accuracy = linear.accuracy(noisy[-1], 1e-3) if not constant else 1.0
    runs = [
        run({"final_gen_accuracy": accuracy}, {"gen_loss": each}, lambda_=0.9, noise=of)
        for of, each in ((0.0, clean), (noise, noisy))
    ]
    made = judged("A7", None, None, claims.linear_beginnings.noise_contribution, noise=runs)
    agrees, disagrees = ("confirmed", "contradicted")
    assert verdicts(made) == {
        "A7-noise-constant": agrees if constant else disagrees,
        "A7-noise-contribution": disagrees if constant else agrees,
        "A7-noise-finite-accuracy": disagrees if constant else agrees,
    }
