"""Claims on grokking times of one-layer linear regression: Paper A's Figs. 1 to 3."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from linear_grokking.claims.measuring import furthest, geometric_mean_of, of_shared_draws
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import (
    Claim,
    Disagreement,
    Measurement,
    Undecidable,
    ours,
    paper_a,
)
from linear_grokking.figures.linear_panels import problem_of
from linear_grokking.results.reading import RunResult, by_value
from linear_grokking.results.statistics import quantile
from linear_grokking.theory import linear
from linear_grokking.theory.linear_grokking_time import gen_time, grokking_time, slowest_d_out
from linear_grokking.theory.linear_scatter import effective_modes, gen_time_deviation

_BY = {"A1": ("epsilon", "ε"), "A2": ("d_out", "d_out"), "A3": ("lambda", "λ")}
_SOURCES = {
    "A1": "Sec. 3.1.3, Eqs. 8 and 10 solved numerically (Fig. 1, right)",
    "A2": "Sec. 3.2, Eq. 13, Fig. 2",
    "A3": "Sec. 3.3, Eqs. 15 and 10 solved numerically (Fig. 3, right)",
}
TOLERANCE = 0.2
"""Tolerance for a curve's times; one draw scatters by tens of percent near λ = 1."""


@claims_of(
    "A1",
    "A2",
    "A3",
    statement="Measured grokking times agree with the large-size theory.",
    source=paper_a("Sec. 3, Figs. 1 to 3"),
)
def grokking_times_follow_theory(evidence: Evidence) -> Iterator[Claim]:
    """Average the ratios along each curve: one claim per curve."""
    figure, runs = evidence.figure, evidence.runs("times")
    key, symbol = _BY[figure]
    for value, chosen in sorted(by_value(runs, key).items()):
        theory = np.array([theory_at(grokking_time, run, evidence.threshold) for run in chosen])
        # Draws are shared between parameters: the scatter is over realizations, not points.
        times = of_shared_draws(chosen, "grokking_time")
        reached = np.isfinite(times).all(axis=1) & np.isfinite(theory) & (theory > 0)
        if not reached.any():
            continue
        ratios = times[reached] / theory[reached, np.newaxis]
        yield Claim(
            f"{figure}-grokking-time-{key}-{value:g}",
            f"The grokking time at {symbol} = {value:g} is the one that the large-size formulas "
            f"for loss and accuracy, solved numerically, give, within {100 * TOLERANCE:.0f} % "
            f"(tolerance ours) on (geometric) average over {len(ratios)} of the curve's points.",
            geometric_mean_of(np.exp(np.log(ratios).mean(axis=0)), *chosen).within(1.0, TOLERANCE),
            source=paper_a(_SOURCES[figure]),
        )


def theory_at(function: Callable[..., Any], run: RunResult, threshold: float) -> float:
    """Evaluate a function of the theory's problem and ε at a run's parameters."""
    return function(problem_of(run.parameters), run.parameters["epsilon"], accuracy=threshold)


@claims_of(
    "A2",
    statement="The accuracy formula of Eq. 13 gives the generalization time.",
    source=paper_a("Sec. 3.2, Eq. 13 (limit d_in → ∞) at finite d_in; tolerance ours"),
)
def generalization_time(evidence: Evidence) -> Iterator[Claim]:
    """Compare measured times with the formula's, at each d_out of the dynamics."""
    for run in evidence.runs("dynamics"):
        d_out, times = run.parameters["d_out"], run.scalars["t_gen"]
        problem, d_in = problem_of(run.parameters), run.parameters["d_in"]
        theory = theory_at(gen_time, run, evidence.threshold)
        if not np.isfinite([*times, theory]).all():
            continue
        if d_out > 1:
            tolerance = 0.05
            modes = effective_modes(theory, problem, d_in)
            note = (
                "An effect of finite d_in: the formula takes a sample's d_out errors as "
                "independent, which holds only if far more modes than d_out carry the loss; at the "
                f"predicted time there are n_eff = d_in L(t)²/(L(0) L(2t)) = {modes:.0f} of them, "
                "so that errors scatter more from sample to sample and "
                f"{evidence.percent} accuracy comes later."
            )
        else:
            tolerance = 0.15
            at = run.parameters["epsilon"]
            scatter = gen_time_deviation(problem, d_in, at, accuracy=evidence.threshold) / theory
            note = (
                "With one output the formula is exact on average, but few slow modes carry the "
                f"loss: by the formula for their scatter, times of single draws have a standard "
                f"deviation of {100 * scatter:.0f} %."
            )
        yield Claim(
            f"A2-generalization-time-d_out-{d_out}",
            "The large-size formula for the accuracy (Eq. 13) gives the time of "
            f"{evidence.percent} generalization accuracy within {100 * tolerance:.0f} % (tolerance "
            f"ours) at d_out = {d_out}, d_in = {d_in}.",
            geometric_mean_of(times / theory, run).within(1.0, tolerance),
            note=note,
            otherwise=Disagreement.SIZE,
        )


@claims_of(
    "A2",
    statement="The grokking time is largest at a d_out of about 50.",
    source=paper_a("Fig. 2 (caption)"),
)
def slowest(evidence: Evidence) -> Iterator[Claim]:
    """Maximize the formula over d_out, and see how broad the maximum is."""
    parameters = evidence.runs("dynamics", keep=lambda p: p["lambda"] < 1)[0].parameters
    lambda_, epsilon = parameters["lambda"], parameters["epsilon"]
    accuracy = {"accuracy": evidence.threshold}

    def largest(of_epsilon: float) -> int:
        return slowest_d_out(linear.Problem(lambda_, 1.0), of_epsilon, largest=1000, **accuracy)

    found = largest(epsilon)
    problem = linear.Problem(lambda_, 1.0, d_out=np.array([50, found]))
    at_50, longest = grokking_time(problem, epsilon, **accuracy)
    yield Claim(
        "A2-slowest-d_out",
        f"The grokking time at λ = {lambda_:g}, ε = {epsilon:g} is largest at a d_out of about 50 "
        "(within 25 %; tolerance ours; measured: d_out at the maximum of the formula).",
        Measurement.exact(found).within(50.0, 0.25),
        note="The maximum of the paper's own formula is broad, lies lower, and moves as 1/ε: with "
        f"half the threshold, ε = {epsilon / 2:g}, it lies at {largest(epsilon / 2)}; at 50 the "
        f"time is {100 * (1 - at_50 / longest):.0f} % shorter than at {found}.",
    )
    yield Claim(
        "A2-broad-maximum",
        f"The maximum of the grokking time over d_out at λ = {lambda_:g}, ε = {epsilon:g} is "
        "broad: at d_out = 50 the formula gives more than 90 % of it.",
        Measurement.exact(at_50 / longest).at_least(0.9),
        source=ours(),
    )


@claims_of(
    "A2",
    statement="With growing d_out the grokking time first rises and then falls to 0.",
    source=paper_a("Secs. 1 and 3.2"),
)
def rise_and_fall(evidence: Evidence) -> Iterator[Claim]:
    """Compare measured times at neighbouring d_out, and take many outputs' initial accuracy."""
    runs = evidence.runs("times")
    epsilon = min(run.parameters["epsilon"] for run in runs)
    many = 2.0 / epsilon
    yield Claim(
        "A2-no-wait",
        f"For d_out → ∞ there is no grokking: at d_out = 2/ε both accuracies are above "
        f"{evidence.percent} from the start (measured: the accuracy of the initial loss).",
        Measurement.exact(linear.accuracy(1 / many, epsilon, many)).at_least(evidence.threshold),
        note="Sec. 3.2 says so for any loss, which is true if that is the loss of d_out = 1, "
        "divided by d_out; at a fixed loss above ε the accuracy tends to 0 for d_out → ∞.",
    )
    rising, falling = [], []
    for lambda_, chosen in sorted(by_value(runs, "lambda").items()):
        some = {run.parameters["d_out"]: run for run in chosen}
        problem = linear.Problem(lambda_, 1.0)
        peak = slowest_d_out(problem, epsilon, largest=1000, accuracy=evidence.threshold)
        for first, last in zip(sorted(some)[:-1], sorted(some)[1:], strict=True):
            pair = some[first], some[last]
            before, after = of_shared_draws(pair, "grokking_time")
            # Near the maximum, wherever that lies, the curve is too flat to tell rise from fall.
            if last <= peak:
                rising.append(geometric_mean_of(after / before, *pair))
            elif first >= peak or (first >= peak / 3 and last >= 3 * peak):
                falling.append(geometric_mean_of(after / before, *pair))
    if rising:
        yield Claim(
            "A2-rise",
            "Below its maximum over d_out the grokking time rises with d_out: the ratio of the "
            "times at the larger and the smaller of two neighbouring d_out is above 1 (measured: "
            "the smallest ratio).",
            furthest(rising, lambda ratio: -ratio).at_least(1.0),
        )
    if not falling:
        raise Undecidable("no two d_out lie beyond the maximum")
    yield Claim(
        "A2-fall",
        "Beyond its maximum over d_out the grokking time falls with d_out: the ratio of the times "
        "at the larger and the smaller of two neighbouring d_out is below 1 (measured: the "
        "largest ratio).",
        furthest(falling, lambda ratio: ratio).at_most(1.0),
    )


@claims_of(
    "A1",
    statement="The grokking time grows without bound for λ → 1 from below.",
    source=paper_a("Sec. 3.1.3 and Fig. 1, right; factor 10 ours"),
)
def growth(evidence: Evidence) -> Iterator[Claim]:
    """Compare the medians at the smallest and the largest λ below 1."""
    runs = evidence.runs("times", keep=lambda p: p["lambda"] < 1)
    epsilon = min(run.parameters["epsilon"] for run in runs)
    by_lambda = {r.parameters["lambda"]: r for r in runs if r.parameters["epsilon"] == epsilon}
    if len(by_lambda) < 2:
        raise Undecidable(f"only one λ below 1 has runs at ε = {epsilon:g}")
    low, high = min(by_lambda), max(by_lambda)
    ends = by_lambda[low], by_lambda[high]
    first, last = (run.scalars["grokking_time"].to_numpy() for run in ends)
    ratio = float(quantile(last, 0.5) / quantile(first, 0.5))
    # The interval spans the extremes of the draws.
    edges = (last.min() / first.max(), last.max() / first.min())
    yield Claim(
        "A1-growth",
        f"The median grokking time at ε = {epsilon:g} is at least 10 times longer at "
        f"λ = {high:g} than at {low:g} (factor ours).",
        Measurement(ratio, *edges, min(len(first), len(last)), ends).at_least(10.0),
    )
