"""Claims on one-layer linear regression: Paper A's Figs. 1 to 3, and Fig. A7."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from linear_grokking.claims.measuring import (
    geometric_mean_of,
    interpolated,
    log_time_average,
    mean_of,
    of_shared_draws,
    proportion_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Measurement, Undecidable, ours, paper_a
from linear_grokking.figures.linear_panels import problem_of
from linear_grokking.results.reading import RunResult
from linear_grokking.results.statistics import quantile
from linear_grokking.theory import linear, linear_weight_decay
from linear_grokking.theory.linear_grokking_time import gen_time, grokking_time, slowest_d_out

_SECTIONS = {"A1": "Secs. 2-3, Fig. 1", "A2": "Sec. 3.2, Fig. 2", "A3": "Sec. 3.3, Fig. 3"}
_SYMBOLS = {"lambda": "λ", "d_out": "d_out", "gamma": "γ", "epsilon": "ε"}
_LOSSES = {"train": ("training", linear.train_loss), "gen": ("generalization", linear.gen_loss)}
LOSS_TOLERANCE = 0.2
"""Tolerance of a loss averaged over log time; one realization scatters by tens of per cent."""
ACCURACY_TOLERANCE = 0.03


@claims_of(
    "A1",
    "A2",
    "A3",
    statement="Each loss and accuracy curve agrees with the large-size theory.",
    source=paper_a("Sec. 3, Figs. 1 to 3"),
)
def dynamics_follow_theory(evidence: Evidence) -> Iterator[Claim]:
    """Average ratios of losses and differences of accuracies over log t."""
    figure = evidence.figure
    key = {"A1": "lambda", "A2": "d_out", "A3": "gamma"}[figure]
    for run in evidence.runs("dynamics"):
        epsilon, d_out = run.parameters["epsilon"], run.parameters["d_out"]
        needed = linear.loss_threshold(epsilon, d_out=d_out, accuracy=evidence.threshold)
        value = f"{run.parameters[key]:g}"
        slug, name = f"{key}-{value}", f"{_SYMBOLS[key]} = {value}"
        quantities = [f"{which}_{what}" for which in _LOSSES for what in ("loss", "accuracy")]
        steps, *curves = run.curves(*quantities)
        measured = dict(zip(quantities, curves, strict=True))
        for which, (word, function) in _LOSSES.items():
            losses, accuracies = measured[f"{which}_loss"], measured[f"{which}_accuracy"]
            theory = function(steps, problem_of(run.parameters), discrete=True)
            kept = theory >= 0.1 * needed
            ratio = log_time_average(steps[kept], np.log(losses[:, kept] / theory[kept]))
            yield Claim(
                f"{figure}-{which}-loss-{slug}",
                f"The {word} loss at {name} follows the large-size theory: its ratio to it, "
                "averaged over log t until a tenth of the loss at which the accuracy is "
                f"{evidence.percent}, is 1 within {100 * LOSS_TOLERANCE:.0f} %.",
                geometric_mean_of(np.exp(ratio), run).within(1.0, LOSS_TOLERANCE),
                source=paper_a(f"{_SECTIONS[figure]}"),
            )
            # Far below every threshold the loss itself leaves the range of doubles.
            formula = linear.accuracy(np.maximum(theory, 1e-300), epsilon, d_out)
            difference = log_time_average(steps, accuracies - formula)
            yield Claim(
                f"{figure}-{which}-accuracy-{slug}",
                f"The {word} accuracy at {name} follows the formula P(d_out/2, d_out ε/2L): "
                f"averaged over log t it differs by at most {ACCURACY_TOLERANCE}.",
                mean_of(difference, run).near(0.0, ACCURACY_TOLERANCE),
                source=paper_a(f"{_SECTIONS[figure]}"),
            )


@claims_of(
    "A1",
    "A2",
    "A3",
    statement="Measured grokking times agree with those of the theory's curves.",
    source=paper_a("Sec. 3, Figs. 1 to 3"),
)
def grokking_times_follow_theory(evidence: Evidence) -> Iterator[Claim]:
    """Average the ratios along each curve: one claim per curve."""
    figure, runs = evidence.figure, evidence.runs("times")
    key = {"A1": "epsilon", "A2": "d_out", "A3": "lambda"}[figure]
    for value in sorted({run.parameters[key] for run in runs}):
        chosen = [run for run in runs if run.parameters[key] == value]
        theory = np.array([_theory(grokking_time, run, evidence.threshold) for run in chosen])
        # Draws are shared between parameters: the scatter is over realizations, not points.
        times = of_shared_draws(chosen, "grokking_time")
        reached = np.isfinite(times).all(axis=1) & np.isfinite(theory) & (theory > 0)
        if not reached.any():
            continue
        ratios = times[reached] / theory[reached, np.newaxis]
        yield Claim(
            f"{figure}-grokking-time-{key}-{value:g}",
            f"The grokking time at {_SYMBOLS[key]} = {value:g} follows the formula, within 15 % on "
            f"(geometric) average over {len(ratios)} of the curve's points.",
            geometric_mean_of(np.exp(np.log(ratios).mean(axis=0)), *chosen).within(1.0, 0.15),
            source=paper_a(f"{_SECTIONS[figure]}"),
        )


def _theory(function: Callable[..., Any], run: RunResult, threshold: float) -> float:
    """Return what a function of the theory's problem and ε gives at a run's parameters."""
    return function(problem_of(run.parameters), run.parameters["epsilon"], accuracy=threshold)


def _effective_modes(parameters: Mapping[str, Any], step: float) -> float:
    """Return how many modes carry the generalization loss (derived in docs/theory.md)."""
    loss = linear.gen_loss(np.array([0.0, step, 2.0 * step]), problem_of(parameters))
    return float(parameters["d_in"] * loss[1] ** 2 / (loss[0] * loss[2]))


@claims_of("A2", statement="The accuracy formula gives t*_gen.", source=paper_a("Sec. 3.2"))
def generalization_time(evidence: Evidence) -> Iterator[Claim]:
    """Compare them, for each d_out of the dynamics."""
    for run in evidence.runs("dynamics"):
        d_out, times = run.parameters["d_out"], run.scalars["t_gen"]
        theory = _theory(gen_time, run, evidence.threshold)
        if not np.isfinite([*times, theory]).all():
            continue
        modes = _effective_modes(run.parameters, theory)
        few_modes = (
            "An effect of finite d_in: the formula takes a sample's d_out errors as independent, "
            f"for which far more modes than d_out must carry the loss; when {evidence.percent} is "
            f"due there are n_eff = d_in L(t)²/(L(0) L(2t)) = {modes:.0f} of them, errors scatter "
            f"more from sample to sample, and {evidence.percent} comes later."
        )
        yield Claim(
            f"A2-generalization-time-d_out-{d_out}",
            f"The accuracy formula gives the time of {evidence.percent} generalization accuracy "
            f"within 5 % at d_out = {d_out}.",
            geometric_mean_of(times / theory, run).within(1.0, 0.05),
            note=few_modes if d_out > 1 else "",
        )


@claims_of(
    "A2",
    statement="The grokking time is largest at d_out of about 50.",
    source=paper_a("Fig. 2 (caption)"),
)
def slowest(evidence: Evidence) -> Iterator[Claim]:
    """Maximize the formula over d_out, and see how broad the maximum is."""
    parameters = evidence.runs("dynamics", keep=lambda p: p["lambda"] < 1)[0].parameters
    lambda_, epsilon = parameters["lambda"], parameters["epsilon"]
    accuracy = {"accuracy": evidence.threshold}
    largest = slowest_d_out(linear.Problem(lambda_, 1.0), epsilon, largest=1000, **accuracy)
    problem = linear.Problem(lambda_, 1.0, d_out=np.array([50, largest]))
    at_50, longest = grokking_time(problem, epsilon, **accuracy)
    yield Claim(
        "A2-slowest-d_out",
        f"The grokking time at λ = {lambda_:g}, ε = {epsilon:g} is largest at d_out of about 50 "
        "(within 25 %).",
        Measurement.exact(largest).within(50.0, 0.25),
        note="The maximum of the paper's own formula is broad and lies lower; at 50 the time is "
        f"only {100 * (1 - at_50 / longest):.0f} % shorter.",
        source=paper_a("Fig. 2 (caption)"),
    )
    yield Claim(
        "A2-broad-maximum",
        "The maximum over d_out is broad: at d_out = 50 the grokking time is above 90 % of its "
        "maximum.",
        Measurement.exact(at_50 / longest).at_least(0.9),
        source=ours(),
    )


@claims_of(
    "A1",
    statement="For λ > 1 the loss stops at the unseen directions' share: no generalization.",
    source=paper_a("Sec. 3"),
)
def floor_above_one(evidence: Evidence) -> Iterator[Claim]:
    """Look at how each run with λ > 1 ends."""
    for run in evidence.runs("dynamics", keep=lambda p: p["lambda"] > 1):
        lambda_ = run.parameters["lambda"]
        floor = (1 - 1 / lambda_) / run.parameters["d_out"]
        yield Claim(
            f"A1-floor-lambda-{lambda_:g}",
            f"At λ = {lambda_:g} the generalization loss ends at (1-1/λ)/d_out, within 10 %.",
            geometric_mean_of(run.scalars["final_gen_loss"], run).within(floor, 0.1),
        )
        yield Claim(
            f"A1-never-lambda-{lambda_:g}",
            f"At λ = {lambda_:g}, d_out = 1, no realization generalizes: the fraction that "
            f"reaches {evidence.percent} is at most 0.4.",
            proportion_of(np.isfinite(run.scalars["t_gen"]), run).at_most(0.4, 0.0),
        )


@claims_of(
    "A1", statement="The delay grows without bound as λ → 1 from below.", source=paper_a("Fig. 1")
)
def growth(evidence: Evidence) -> Iterator[Claim]:
    """Compare the medians at the smallest and the largest λ below 1."""
    runs = evidence.runs("times", keep=lambda p: p["lambda"] < 1)
    epsilon = min(run.parameters["epsilon"] for run in runs)
    by_lambda = {r.parameters["lambda"]: r for r in runs if r.parameters["epsilon"] == epsilon}
    if len(by_lambda) < 2:
        raise Undecidable(f"one λ below 1 has ε = {epsilon:g}")
    low, high = min(by_lambda), max(by_lambda)
    ends = by_lambda[low], by_lambda[high]
    first, last = (run.scalars["grokking_time"].to_numpy() for run in ends)
    ratio = float(quantile(last, 0.5) / quantile(first, 0.5))
    # The interval reaches between the extremes of the draws.
    edges = (last.min() / first.max(), last.max() / first.min())
    yield Claim(
        "A1-growth",
        f"The median grokking time at ε = {epsilon:g} is at least 10 times longer at "
        f"λ = {high:g} than at {low:g}.",
        Measurement(ratio, *edges, min(len(first), len(last)), ends).at_least(10.0),
    )


@claims_of(
    "A3",
    statement="Beyond γ_max nothing generalizes, and for small γ the loss has a floor ∝ γ².",
    source=paper_a("Sec. 3.3"),
)
def weight_decay_floors(evidence: Evidence) -> Iterator[Claim]:
    """Count what generalizes on each side, and measure the factor of the floor."""
    runs = evidence.runs("dynamics", keep=lambda p: p["gamma"] > 0 and p["noise"] == 0)
    for run in runs:
        gamma = run.parameters["gamma"]
        limit = _theory(linear_weight_decay.max_weight_decay, run, evidence.threshold)
        reached = proportion_of(np.isfinite(run.scalars["t_gen"]), run)
        where, word, words, found = (
            ("beyond", "no", "at most 0.4", reached.at_most(0.4, 0.0))
            if gamma > limit
            else ("below", "every", "at least 0.6", reached.at_least(0.6, 1.0))
        )
        yield Claim(
            f"A3-gamma_max-gamma-{gamma:g}",
            f"γ = {gamma:g} lies {where} γ_max = {limit:.3g}, so {word} realization reaches "
            f"{evidence.percent}: the fraction is {words}.",
            found,
            source=paper_a("Sec. 3.3; γ_max ours"),
        )
    run = min(runs, key=lambda run: run.parameters["gamma"])
    gamma, lambda_, d_out = (run.parameters[key] for key in ("gamma", "lambda", "d_out"))
    if lambda_ >= 1:
        raise Undecidable(f"the smallest γ has λ = {lambda_:g}")
    smallness = gamma / (1 - np.sqrt(lambda_)) ** 2
    share = gamma**2 / (run.scalars["final_gen_loss"] * (1 - lambda_) ** 3 * d_out)
    half_lost = (
        "The paper's derivation loses a factor ½: the teacher's entries have variance "
        "1/(2 d_in d_out), so that the floor is half of what it states."
    )
    for factor, source, note in (
        (8.0, ours("Paper A, Eq. 16 corrected"), ""),
        (4.0, paper_a("Eq. 16"), half_lost),
    ):
        yield Claim(
            f"A3-floor-factor-{factor:g}",
            f"For γ ≪ (1-√λ)² the generalization loss ends at γ²/({factor:g} (1-λ)³), the "
            f"factor being {factor:g} within 30 %, at γ = {gamma:g}, λ = {lambda_:g} "
            f"(γ/(1-√λ)² = {smallness:.1e}).",
            geometric_mean_of(share, run).within(factor, 0.3),
            note=note,
            source=source,
        )


@claims_of(
    "A3",
    statement="The formula with log(1+√λ) is the delay between arrivals at twice the floors.",
    source=paper_a("Sec. 3.3, Eq. 16"),
)
def weight_decay_delays(evidence: Evidence) -> Iterator[Claim]:
    """Compare it with the grokking time, and with that delay."""
    runs = evidence.runs("dynamics", keep=lambda p: p["lambda"] < 1)
    parameters = min(runs, key=lambda run: run.parameters["gamma"]).parameters
    lambda_, epsilon = parameters["lambda"], parameters["epsilon"]
    small = 1e-3 * (1 - np.sqrt(lambda_)) ** 2
    problem = linear.Problem(lambda_, parameters["eta"], small)
    paper = linear_weight_decay.paper_weight_decay_delay(problem)
    crossing = grokking_time(problem, epsilon, accuracy=evidence.threshold)
    yield Claim(
        "A3-delay-threshold",
        f"With weight decay the grokking time is log(1+√λ)/(2η(1-√λ)²), within 20 %, at "
        f"λ = {lambda_:g}, ε = {epsilon:g}, γ = {small:.1e}.",
        Measurement.exact(crossing).within(paper, 0.2),
        note="The formula is the delay between the two losses' arrivals at twice their floors "
        "(A3-delay-twice-floor) and knows no threshold ε, so it is no time at which an accuracy is "
        "reached.",
        source=paper_a("Sec. 3.3"),
    )
    yield Claim(
        "A3-delay-twice-floor",
        f"log(1+√λ)/(2η(1-√λ)²) is the delay between the two losses' arrival at twice their "
        f"floors, within 5 %, for γ ≪ (1-√λ)² (λ = {lambda_:g}).",
        Measurement.exact(linear_weight_decay.twice_floor_delay(problem)).within(paper, 0.05),
        source=ours(),
    )


@claims_of("A7", statement="Losses scale by (1+α²)/2.", source=paper_a("Sec. 2; ours"))
def scale(evidence: Evidence) -> Iterator[Claim]:
    """Compare early losses with those at α = 1."""
    runs = {run.parameters["alpha"]: run for run in evidence.runs("scale")}
    if 1.0 not in runs:
        raise Undecidable("none has α = 1")
    reference = runs.pop(1.0)
    steps, unscaled = reference.curves("gen_loss")
    early = steps <= 1e4
    for alpha, run in sorted(runs.items()):
        _, losses = run.curves("gen_loss")
        n = min(len(losses), len(unscaled))
        ratio = log_time_average(steps[early], np.log(losses[:n] / unscaled[:n])[:, early])
        yield Claim(
            f"A7-scale-alpha-{alpha:g}",
            f"Scaling the initial student by α = {alpha:g} scales the losses by (1+α²)/2, "
            "within 10 % (averaged over log t up to 1e4 steps).",
            geometric_mean_of(np.exp(ratio), run, reference).within((1 + alpha**2) / 2, 0.1),
        )


def _noisy(evidence: Evidence) -> list[RunResult]:
    return evidence.runs("noise", keep=lambda p: p["noise"] > 0 and p["lambda"] < 1)


@claims_of("A7", statement="The student overfits noisy labels, up to a plateau.", source=ours())
def plateau(evidence: Evidence) -> Iterator[Claim]:
    """Compare final losses with its height, and with the smallest losses."""
    runs = _noisy(evidence)
    for run in runs:
        noise, lambda_ = run.parameters["noise"], run.parameters["lambda"]
        height = lambda_ * noise / (1 - lambda_)
        yield Claim(
            f"A7-plateau-noise-{noise:g}",
            f"With label noise s² = {noise:g} the clean-test loss ends at λs²/(1-λ), within 20 %.",
            geometric_mean_of(run.scalars["final_gen_loss"], run).within(height, 0.2),
        )
    noisiest = max(runs, key=lambda run: run.parameters["noise"])
    rise = noisiest.scalars["final_gen_loss"] / noisiest.scalars["min_gen_loss"]
    yield Claim(
        "A7-noise-changes-nothing",
        f"Label noise does not change the dynamics: at s² = {noisiest.parameters['noise']:g} the "
        "generalization loss decreases to its end (final over smallest: 1 within 10 %).",
        geometric_mean_of(rise, noisiest).within(1.0, 0.1),
        note="The student fits the noise too, in the slow modes last: the clean-test loss passes a "
        "minimum and rises again.",
        source=paper_a("remark on label noise"),
    )


@claims_of(
    "A7",
    statement="The loss passes a minimum before the student overfits noisy labels.",
    source=ours(),
)
def minimum(evidence: Evidence) -> Iterator[Claim]:
    """Compare its depth with the theory's, by noise."""
    smallest = evidence.rows("minimum_loss", "minimum").query("source == 'theory'")
    for run in _noisy(evidence):
        noise = run.parameters["noise"]
        if not smallest["x"].min() <= noise <= smallest["x"].max():
            continue
        depth = interpolated(smallest, noise, logarithmic=True)
        yield Claim(
            f"A7-minimum-noise-{noise:g}",
            f"With label noise s² = {noise:g} the loss passes a minimum of the predicted depth, "
            "within 20 %.",
            geometric_mean_of(run.scalars["min_gen_loss"], run).within(depth, 0.2),
        )
