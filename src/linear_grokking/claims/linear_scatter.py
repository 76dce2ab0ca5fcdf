"""Claims on the law of the grokking time: how draws differ, and where means do not exist (A9)."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import ks_2samp

from linear_grokking.claims.measuring import (
    SIGNIFICANCE,
    deviation_of,
    furthest,
    hill_exponent_of,
    median_of,
    proportion_of,
)
from linear_grokking.claims.registry import Evidence, claims_of
from linear_grokking.claims.verdict import Claim, Disagreement, Measurement, Undecidable, ours
from linear_grokking.figures.linear_law_panels import beside, loss_times, normal_law
from linear_grokking.figures.linear_panels import problem_of
from linear_grokking.results.reading import RunResult, by_value
from linear_grokking.theory import hard_edge
from linear_grokking.theory.linear import loss_threshold
from linear_grokking.theory.linear_scatter import MANY_MODES, effective_modes

FEW_MODES = 1.0
"""Effective modes below which the first-order formula is no longer expected to hold."""
_TAIL_SHARE = 0.02
"""Share of draws, the latest ones, from which a tail's exponent is measured."""
_SHARE = 0.01
"""Share of draws, by the tail's formula, beyond the time at which it is tested."""


def _theory(run: RunResult, threshold: float) -> tuple[float, float, float]:
    """Return the formulas' mean and deviation of t_gen, and how many modes carry the loss then."""
    time, deviation = normal_law(run, threshold)
    modes = effective_modes(time, problem_of(run.parameters), run.parameters["d_in"])
    return time, deviation, float(modes)


def _setting(run: RunResult) -> str:
    return f"λ = {run.parameters['lambda']:g}, d_in = {run.parameters['d_in']}"


@claims_of(
    "A9",
    statement="Over draws t_gen has the standard deviation √(2L(2t)/d)/(4ηL_tr(t)).",
    source=ours("first order in the scatter of the loss at a given spectrum"),
)
def scatter(evidence: Evidence) -> Iterator[Claim]:
    """Compare deviation and median of many draws with the formulas."""
    found = evidence.runs("law", "scatter", keep=lambda p: p["lambda"] < 1)
    runs = {run.run_id: run for run in found}.values()
    theory = {run.run_id: _theory(run, evidence.threshold) for run in runs}
    law = evidence.runs("law", keep=lambda p: p["lambda"] < 1)[0]
    mean, deviation, _ = theory[law.run_id]
    many = [run for run in runs if theory[run.run_id][2] >= MANY_MODES]
    if not many:
        raise Undecidable(f"no run has {MANY_MODES:g} effective modes or more")
    yield Claim(
        f"A9-deviation-lambda-{law.parameters['lambda']:g}-d_in-{law.parameters['d_in']}",
        f"At {_setting(law)}, ε = {law.parameters['epsilon']:g} the standard deviation of the "
        f"generalization time t_gen over draws is √(2L(2t)/d)/(4ηL_tr(t)) at t = t_gen, "
        f"{100 * deviation / mean:.0f} % of t_gen, within 15 % (measured: deviation over formula).",
        (deviation_of(law.scalars["t_gen"], law) / deviation).within(1.0, 0.15),
    )
    yield Claim(
        "A9-deviation-many-modes",
        "The standard deviation of the generalization time t_gen over draws is "
        "√(2L(2t)/d)/(4ηL_tr(t)) at t = t_gen, within 15 %, wherever "
        f"{MANY_MODES:g} effective modes or more carry the loss (measured: the ratio furthest "
        f"from 1, of {len(many)} settings).",
        furthest(
            deviation_of(run.scalars["t_gen"], run) / theory[run.run_id][1] for run in many
        ).within(1.0, 0.15),
    )
    yield Claim(
        "A9-median-many-modes",
        "The median over draws of the generalization time t_gen is that of the large-size "
        f"formula, within 5 %, wherever {MANY_MODES:g} effective modes or more carry the loss "
        "(measured: the ratio furthest from 1).",
        furthest(
            median_of(run.scalars["t_gen"], run) / theory[run.run_id][0] for run in many
        ).within(1.0, 0.05),
    )
    few = [run for run in runs if theory[run.run_id][2] < FEW_MODES]
    for run in few:
        yield Claim(
            f"A9-median-few-modes-lambda-{run.parameters['lambda']:g}-d_in-{run.parameters['d_in']}",
            "The median over draws of the generalization time t_gen is that of the large-size "
            f"formula, within 5 %, also at {_setting(run)}, where few modes carry the loss "
            "(measured: median over formula).",
            (median_of(run.scalars["t_gen"], run) / theory[run.run_id][0]).within(1.0, 0.05),
            note=f"Here only {theory[run.run_id][2]:.2g} effective modes carry the loss: t_gen "
            "has a skewed distribution, with its mean still close to the formula and its median "
            "below.",
            otherwise=Disagreement.SIZE,
        )


@claims_of(
    "A9",
    statement="Bidiagonal random matrices give the same distribution of t_gen as data matrices.",
    source=ours("Dumitriu and Edelman 2002"),
)
def same_law(evidence: Evidence) -> Iterator[Claim]:
    """Compare the distributions of both by a Kolmogorov-Smirnov test."""
    for role, others in (("matrices", "scatter"), ("matrices_of_a1", "law")):
        for run in evidence.runs(role):
            drawn = beside(evidence.runs(others), run)
            if drawn is None:
                continue
            times = loss_times(run, evidence.threshold), drawn.scalars["t_gen"].to_numpy(float)
            value = float(ks_2samp(*times).pvalue)
            n = min(map(len, times))
            yield Claim(
                f"A9-same-law-{role.replace('_', '-')}",
                f"At {_setting(run)}, data matrices ({len(times[0])} runs"
                f"{' of A1' if role == 'matrices_of_a1' else ''}) and bidiagonal random matrices "
                f"({len(times[1])} draws) give the same distribution of t_gen, the time at which "
                f"the generalization loss falls to that of {evidence.percent} accuracy: the "
                f"Kolmogorov-Smirnov p-value is at least {SIGNIFICANCE}.",
                Measurement(value, value, value, n, (run, drawn)).at_least(SIGNIFICANCE),
            )


@claims_of(
    "A9",
    statement="P(t_gen > T) falls as T^(-(N-d+1)/2) where N is d or slightly larger.",
    source=ours("Edelman 1988"),
)
def tails(evidence: Evidence) -> Iterator[Claim]:
    """Measure tail exponents, shares of draws beyond a late time, and the law of ν_min."""
    for run in evidence.runs("hard_edge", keep=lambda p: p["n_train"] >= p["d_in"]):
        sizes = {key: run.parameters[key] for key in ("n_train", "d_in")}
        excess = sizes["n_train"] - sizes["d_in"]
        where = f"N - d = {excess}, d = {sizes['d_in']}"
        times, exponent = run.scalars["t_gen"], float(hard_edge.tail_exponent(**sizes))
        found = hill_exponent_of(times, _TAIL_SHARE, run)
        yield Claim(
            f"A9-tail-exponent-excess-{excess}",
            f"At {where} the distribution of the generalization time t_gen has the power-law tail "
            f"P(t_gen > T) ∝ T^(-{exponent:g}): its exponent is {exponent:g} within 30 % (Hill's "
            f"estimate from the latest {100 * _TAIL_SHARE:g} % of draws).",
            found.within(exponent, 0.3),
        )
        if excess == 0:
            yield Claim(
                "A9-no-mean",
                f"At {where} the generalization time t_gen has no finite mean over draws: the "
                "exponent a of its tail, P(t_gen > T) ∝ T^(-a), is below 1.",
                found.at_most(1.0, exponent),
            )
        if excess > 2:
            continue
        loss = loss_threshold(run.parameters["epsilon"], accuracy=evidence.threshold)
        given = {"loss": loss, "eta": run.parameters["eta"], **sizes}
        # The T at which P ~ T^-exponent, known at T = 1, has fallen to 1 %.
        late = float(hard_edge.gen_time_tail(1.0, **given) / _SHARE) ** (1.0 / exponent)
        yield Claim(
            f"A9-tail-share-excess-{excess}",
            f"At {where} a share {100 * _SHARE:g} % of draws generalizes later than "
            f"T = {late:.2g}, as the formula of the tail of P(t_gen > T) says without any fit: "
            "within 50 % (measured: share over formula).",
            (proportion_of(times > late, run) / _SHARE).within(1.0, 0.5),
        )
        if excess > 1:
            continue
        scaled = run.scalars["smallest_eigenvalue"] * sizes["n_train"] * sizes["d_in"]
        law = float(1.0 - hard_edge.smallest_eigenvalue_cdf(1.0, excess))
        yield Claim(
            f"A9-smallest-eigenvalue-excess-{excess}",
            f"At {where} the smallest eigenvalue ν_min of XᵀX/N follows Edelman's law: "
            f"P(Nd ν_min > 1) is {law:.3f} within 0.03.",
            proportion_of(scaled > 1.0, run).near(law, 0.03),
        )


@claims_of(
    "A9",
    statement="At λ = 1 the median of t_gen grows as d² as long as dL is small.",
    source=ours("the slowest mode alone, t_gen = log(g²/(dL))/(4ην)"),
)
def critical(evidence: Evidence) -> Iterator[Claim]:
    """Compare medians with the slowest mode's law, and between the smallest and largest d_in."""
    runs = evidence.runs("critical", keep=lambda parameters: parameters["lambda"] == 1)
    by_epsilon = sorted(by_value(runs, "epsilon").items())
    for epsilon, chosen in by_epsilon:
        some = sorted(chosen, key=lambda run: run.parameters["d_in"])
        ends = some[0], some[-1]
        sizes = [run.parameters["d_in"] for run in ends]
        level = sizes[1] * float(loss_threshold(epsilon, accuracy=evidence.threshold))
        first, last = (median_of(run.scalars["t_gen"], run) for run in ends)
        span = np.log(sizes[1] / sizes[0])
        growth = Measurement(
            float(np.log(last.value / first.value) / span),
            float(np.log(last.low / first.high) / span),
            float(np.log(last.high / first.low) / span),
            min(first.n, last.n),
            ends,
        )
        yield Claim(
            f"A9-median-growth-epsilon-{epsilon:g}",
            f"At λ = 1, ε = {epsilon:g} the median over draws of the generalization time t_gen "
            f"grows as d²: its exponent from d = {sizes[0]} to {sizes[1]} is 2 within 15 %.",
            growth.within(2.0, 0.15),
            note="The law d² holds for dL ≪ 1, up to logarithms of dL, with L the loss at which "
            f"the accuracy is reached: dL = {level:.2g} at the largest d.",
            otherwise=Disagreement.RANGE,
        )
    epsilon, smallest = by_epsilon[0]
    ratios, near = [], []
    for run in smallest:
        d, eta = run.parameters["d_in"], run.parameters["eta"]
        loss = loss_threshold(run.parameters["epsilon"], accuracy=evidence.threshold)
        law = float(hard_edge.gen_time_quantile(0.5, loss, d, d, eta))
        ratios.append(median_of(run.scalars["t_gen"], run) / law)
        times = run.scalars["t_gen"]
        middle = times.median()
        near.append(proportion_of((times > middle / 2) & (times < 2 * middle), run))
    yield Claim(
        "A9-median-slowest-mode",
        f"At λ = 1, ε = {epsilon:g} the median over draws of the generalization time t_gen is "
        "that of the slowest mode alone, t_gen = log(g²/(dL))/(4ην), within 30 % (measured: the "
        "ratio furthest from 1 over all d).",
        furthest(ratios).within(1.0, 0.3),
    )
    yield Claim(
        "A9-quartiles",
        f"At λ = 1, ε = {epsilon:g} fewer than half of the draws have a generalization time "
        "within a factor of 2 of the median, at every d (measured: the largest share).",
        furthest(near, lambda share: share).at_most(0.5),
    )
